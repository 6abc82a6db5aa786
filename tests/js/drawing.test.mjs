import assert from "node:assert/strict";
import { test } from "node:test";

import { Drawing } from "../../assets/js/drawing.js";

const upload = { path: "up.png", image: /** @type {any} */ ({ width: 1, height: 1 }) };

test("undo goes back through strokes, pictures and clearing", () => {
  const drawing = new Drawing();
  assert.ok(drawing.isEmpty && !drawing.canUndo);
  const stroke = drawing.begin([0.1, 0.2], { width: 0.01 });
  drawing.extend(stroke, [[0.3, 0.4], [0.5, 0.6]]);
  drawing.begin([0.9, 0.9], { width: 0.01 });
  drawing.clear();
  assert.ok(drawing.isEmpty);
  drawing.undo();
  assert.equal(drawing.page.strokes.length, 2);
  drawing.undo();
  assert.deepEqual(drawing.page.strokes, [
    { width: 0.01, points: [[0.1, 0.2], [0.3, 0.4], [0.5, 0.6]] },
  ]);
  drawing.place(upload, drawing.page.strokes);
  assert.deepEqual(drawing.page.strokes, []);
  assert.equal(drawing.page.picture?.path, "up.png");
  drawing.undo();
  assert.equal(drawing.page.strokes.length, 1);
  drawing.undo();
  assert.ok(drawing.isEmpty && !drawing.canUndo);
  drawing.undo();
  assert.ok(drawing.isEmpty);
});

test("redo brings back what was undone, until something new is drawn", () => {
  const drawing = new Drawing();
  drawing.begin([0, 0], { width: 0.01 });
  drawing.begin([1, 1], { width: 0.06, erase: true });
  drawing.clear();
  drawing.undo();
  drawing.undo();
  assert.equal(drawing.page.strokes.length, 1);
  drawing.redo();
  assert.deepEqual(drawing.page.strokes.at(-1), { width: 0.06, erase: true, points: [[1, 1]] });
  drawing.redo();
  assert.ok(drawing.isEmpty && !drawing.canRedo);
  drawing.undo();
  drawing.begin([0.5, 0.5], { width: 0.01 });
  assert.equal(drawing.canRedo, false);
  drawing.redo();
  assert.equal(drawing.page.strokes.length, 3);
});

test("an upload lies below what was drawn during the upload", () => {
  const drawing = new Drawing();
  drawing.begin([0, 0], { width: 0.01 });
  const before = drawing.page.strokes;
  const meanwhile = drawing.begin([0.2, 0.2], { width: 0.01 });
  drawing.place(upload, before);
  drawing.extend(meanwhile, [[0.4, 0.4]]);
  assert.equal(drawing.page.picture, upload);
  assert.deepEqual(drawing.page.strokes, [{ width: 0.01, points: [[0.2, 0.2], [0.4, 0.4]] }]);
  drawing.undo();
  assert.equal(drawing.page.picture, null);
  assert.equal(drawing.page.strokes.length, 2);
});

test("a discarded gesture cannot be redone", () => {
  const drawing = new Drawing();
  drawing.begin([0, 0], { width: 0.01 });
  const gesture = drawing.begin([0.5, 0.5], { width: 0.01 });
  drawing.discard(gesture);
  assert.deepEqual(drawing.page.strokes.map((s) => s.points), [[[0, 0]]]);
  assert.equal(drawing.canRedo, false);
  drawing.discard(gesture);
  assert.equal(drawing.page.strokes.length, 1);
});

test("a discarded gesture keeps redo", () => {
  const drawing = new Drawing();
  drawing.begin([0, 0], { width: 0.01 });
  drawing.undo();
  const gesture = drawing.begin([0.5, 0.5], { width: 0.01 });
  assert.equal(drawing.canRedo, false);
  drawing.discard(gesture);
  drawing.redo();
  assert.deepEqual(drawing.page.strokes.map((s) => s.points), [[[0, 0]]]);
});

test("a lost picture is removed from every page, and the strokes stay", () => {
  const drawing = new Drawing();
  const picture = { path: "gone.png", image: /** @type {any} */ ({ width: 1, height: 1 }) };
  drawing.restore({ picture, strokes: [] });
  const stroke = drawing.begin([0, 0], { width: 0.01 });
  drawing.clear();
  drawing.undo();
  drawing.removePicture(picture);
  assert.deepEqual(drawing.page, { picture: null, strokes: [stroke] });
  drawing.redo();
  assert.ok(drawing.isEmpty);
  drawing.undo();
  drawing.undo();
  assert.ok(drawing.isEmpty && !drawing.canUndo);
});

test("a restored page has nothing to undo", () => {
  const kept = { picture: null, strokes: [{ width: 0.01, points: /** @type {any} */ ([[0, 0]]) }] };
  const drawing = new Drawing();
  drawing.restore(kept);
  assert.ok(!drawing.isEmpty && !drawing.canUndo);
  drawing.page.strokes[0].points.push([1, 1]);
  assert.equal(kept.strokes[0].points.length, 1);
});

test("clearing an empty page adds nothing to undo", () => {
  const drawing = new Drawing();
  drawing.clear();
  assert.equal(drawing.canUndo, false);
});

test("drawing on an example does not change the example", () => {
  const example = [{ width: 0.01, points: /** @type {any} */ ([[0, 0], [1, 1]]) }];
  const drawing = new Drawing();
  drawing.load(example);
  drawing.extend(drawing.page.strokes[0], [[0.5, 0.5]]);
  assert.equal(drawing.page.strokes[0].points.length, 3);
  assert.equal(example[0].points.length, 2);
});

test("a stroke that was undone while it was drawn stays undone", () => {
  const drawing = new Drawing();
  drawing.begin([0, 0], { width: 0.01 });
  const stroke = drawing.begin([0.5, 0.5], { width: 0.01 });
  drawing.undo();
  drawing.extend(stroke, [[0.6, 0.6]]);
  assert.deepEqual(drawing.page.strokes.map((s) => s.points), [[[0, 0]]]);
  drawing.clear();
  drawing.extend(stroke, [[0.7, 0.7]]);
  assert.ok(drawing.isEmpty);
});
