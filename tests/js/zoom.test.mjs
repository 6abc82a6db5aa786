import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.document ??= {};
const { zoomView } = await import("../../assets/js/zoom.js");

const whole = { scale: 1, left: 0, top: 0 };
const size = [400, 300];

test("the point that is zoomed in on stays where it is", () => {
  const near = zoomView(whole, 2, [100, 60], [0, 0], size);
  assert.deepEqual(near, { scale: 2, left: -100, top: -60 });
  const nearer = zoomView(near, 1.5, [100, 60], [0, 0], size);
  assert.deepEqual(nearer, { scale: 3, left: -200, top: -120 });
});

test("a pinch moves the plane along", () => {
  const near = zoomView(whole, 2, [200, 150], [10, -20], size);
  assert.deepEqual(near, { scale: 2, left: -190, top: -170 });
});

test("the plane still fills its frame", () => {
  assert.deepEqual(zoomView(whole, 1, [0, 0], [50, 50], size), whole);
  const near = zoomView(whole, 2, [400, 300], [0, 0], size);
  assert.deepEqual(zoomView(near, 1, [0, 0], [-80, 900], size), { scale: 2, left: -400, top: 0 });
  assert.deepEqual(zoomView(near, 0.1, [0, 0], [0, 0], size), whole);
});

test("the scale has a limit", () => {
  assert.equal(zoomView(whole, 100, [0, 0], [0, 0], size).scale, 8);
});

test("zooming out as often as in shows the whole plane again", () => {
  for (const count of [1, 2, 3, 4]) {
    let view = whole;
    for (const factor of [1.6, 1 / 1.6]) {
      for (let i = 0; i < count; i++) view = zoomView(view, factor, [123, 45], [0, 0], size);
    }
    assert.deepEqual(view, whole);
  }
});

test("small steps zoom, too", () => {
  const view = zoomView(zoomView(whole, 1.02, [0, 0], [0, 0], size), 1.02, [0, 0], [0, 0], size);
  assert.equal(view.scale, 1.02 * 1.02);
});
