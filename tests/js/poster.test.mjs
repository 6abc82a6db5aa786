import assert from "node:assert/strict";
import { test } from "node:test";

import { clip, grid, wrap } from "../../assets/js/poster.js";

const letters = (/** @type {string} */ text) => text.length;

test("photos are beside the drawing and not much higher", () => {
  assert.equal(grid(12).columns, 4);
  assert.deepEqual(grid(0), { columns: 1, tile: 0, height: 0 });
  for (let count = 1; count <= 48; count++) {
    const { columns, tile, height } = grid(count);
    assert.ok(columns * tile + (columns - 1) * 16 <= 784, `${count}`);
    assert.ok(height <= 850 && tile >= 80, `${count}: ${height}, ${tile}`);
  }
});

test("credits are wrapped between words; a word that is too long has its own line", () => {
  assert.deepEqual(wrap("one two three four", letters, 9), ["one two", "three", "four"]);
  assert.deepEqual(wrap("one extraordinarily two", letters, 7), ["one", "extraordinarily", "two"]);
});

test("long names end with an ellipsis", () => {
  assert.equal(clip("goat", letters, 4), "goat");
  assert.equal(clip("mountain goat", letters, 10), "mountain…");
  assert.equal(clip("goat", letters, 0), "…");
});
