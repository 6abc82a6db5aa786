import assert from "node:assert/strict";
import { test } from "node:test";

globalThis.document ??= {};
const { magnify } = await import("../../assets/js/zoom.js");

const whole = { scale: 1, left: 0, top: 0 };
const size = [400, 300];

test("the point that is magnified around stays where it is", () => {
  const near = magnify(whole, 2, [100, 60], [0, 0], size);
  assert.deepEqual(near, { scale: 2, left: -100, top: -60 });
  const nearer = magnify(near, 1.5, [100, 60], [0, 0], size);
  assert.deepEqual(nearer, { scale: 3, left: -200, top: -120 });
});

test("a pinch moves the plane along", () => {
  const near = magnify(whole, 2, [200, 150], [10, -20], size);
  assert.deepEqual(near, { scale: 2, left: -190, top: -170 });
});

test("the plane still fills its frame", () => {
  assert.deepEqual(magnify(whole, 1, [0, 0], [50, 50], size), whole);
  const near = magnify(whole, 2, [400, 300], [0, 0], size);
  assert.deepEqual(magnify(near, 1, [0, 0], [-80, 900], size), { scale: 2, left: -400, top: 0 });
  assert.deepEqual(magnify(near, 0.1, [0, 0], [0, 0], size), whole);
});

test("nothing is magnified for ever", () => {
  assert.equal(magnify(whole, 100, [0, 0], [0, 0], size).scale, 8);
});

test("as many steps back as there were forth show the whole plane again", () => {
  for (const count of [1, 2, 3, 4]) {
    let view = whole;
    for (const factor of [1.6, 1 / 1.6]) {
      for (let i = 0; i < count; i++) view = magnify(view, factor, [123, 45], [0, 0], size);
    }
    assert.deepEqual(view, whole);
  }
});

test("small steps magnify, too", () => {
  const view = magnify(magnify(whole, 1.02, [0, 0], [0, 0], size), 1.02, [0, 0], [0, 0], size);
  assert.equal(view.scale, 1.02 * 1.02);
});
