import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";

import { decode, encode, MAX_POINTS, MAX_STROKES } from "../../assets/js/link.js";

/** @typedef {import("../../assets/js/drawing.js").Stroke} Stroke */

const read = (/** @type {string} */ path) =>
  readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

/** The text of a link for these bytes. @param {number[] | Uint8Array} bytes */
const packed = (bytes) => deflateRawSync(new Uint8Array(bytes)).toString("base64url");

test("every example is decoded within 1/4000 of the page, from a short text", async () => {
  for (const { strokes } of JSON.parse(read("assets/examples.json"))) {
    const text = await encode(strokes);
    assert.match(text, /^[\w-]+$/);
    assert.ok(text.length < JSON.stringify(strokes).length / 3, String(text.length));
    const back = await decode(text);
    assert.equal(back.length, strokes.length);
    for (const [i, { width, points }] of back.entries()) {
      assert.equal(width, strokes[i].width);
      assert.equal(points.length, strokes[i].points.length);
      for (const [j, [x, y]] of points.entries()) {
        assert.ok(Math.abs(x - strokes[i].points[j][0]) <= 1 / 4000 + 1e-9);
        assert.ok(Math.abs(y - strokes[i].points[j][1]) <= 1 / 4000 + 1e-9);
      }
    }
    assert.equal(await encode(back), text);
  }
});

test("widths, eraser, pressure and points off the page are kept", async () => {
  /** @type {Stroke[]} */
  const strokes = [
    { width: 0.007, points: [[0, 1]] },
    { width: 0.06, points: [[-1, 2], [2, -1], [0.5, 0.5]], erase: true },
    { width: 0.024, points: [[0.1, 0.2, 0.4], [0.3, 0.4, 1.6], [0.3, 0.4, 1]] },
  ];
  assert.deepEqual(await decode(await encode(strokes)), strokes);
});

test("values are limited to the ranges of the server", async () => {
  const [stroke] = await decode(await encode([{ width: 9, points: [[-7, 7, 9], [0.5, 0.5]] }]));
  assert.deepEqual(stroke, { width: 0.2, points: [[-1, 2, 2], [0.5, 0.5, 1]] });
});

test("the bytes have the format that the module describes", async () => {
  // Version; erase; width 24/2000; two points; from 0, 0 by +200, +2; by -1, 0.
  const bytes = [1, 1, 24, 2, 0x90, 0x03, 4, 1, 0];
  const [stroke] = await decode(packed(bytes));
  assert.deepEqual(stroke, { width: 0.012, points: [[0.1, 0.001], [0.0995, 0.001]], erase: true });
});

test("every damaged link is refused", async () => {
  const text = await encode([{ width: 0.012, points: [[0.1, 0.2], [0.3, 0.4]] }]);
  const damaged = {
    "nothing": "",
    "no base64": "ü§",
    "no deflate": "AAAA",
    "cut in transport": text.slice(0, -4),
    "another version": packed([2, 0, 24, 1, 0, 0]),
    "no strokes": packed([1]),
    "an unknown flag": packed([1, 4, 24, 1, 0, 0]),
    "no width": packed([1, 0, 0, 1, 0, 0]),
    "no points": packed([1, 0, 24, 0]),
    "fewer points than said": packed([1, 0, 24, 2, 0, 0]),
    "a number that does not end": packed([1, 0, 24, 1, 128, 128, 128, 128, 0, 0]),
    "a place far off the page": packed([1, 0, 24, 1, 255, 127, 0]),
  };
  for (const [what, bad] of Object.entries(damaged)) {
    await assert.rejects(decode(bad), undefined, what);
  }
});

test("encode and decode have the limits of the server", async () => {
  const server = read("model/pictures/strokes.py").replaceAll("_000", "000");
  assert.ok(server.includes(`MAX_STROKES = ${MAX_STROKES}\n`));
  assert.ok(server.includes(`MAX_POINTS = ${MAX_POINTS}\n`));
  const point = /** @type {[number, number]} */ ([0.5, 0.5]);
  const dots = (/** @type {number} */ count) => Array(count).fill({ width: 0.01, points: [point] });
  const line = (/** @type {number} */ count) => [{ width: 0.01, points: Array(count).fill(point) }];
  assert.equal((await decode(await encode(dots(MAX_STROKES)))).length, MAX_STROKES);
  assert.equal((await decode(await encode(line(MAX_POINTS))))[0].points.length, MAX_POINTS);
  await assert.rejects(encode(dots(MAX_STROKES + 1)), RangeError);
  await assert.rejects(encode(line(MAX_POINTS + 1)), RangeError);
  const dot = [0, 24, 1, 0, 0];
  await assert.rejects(decode(packed([1, ...Array(MAX_STROKES + 1).fill(dot).flat()])), RangeError);
  const long = [1, 0, 24, 0xd1, 0x86, 0x03, ...Array(2 * (MAX_POINTS + 1)).fill(0)];
  await assert.rejects(decode(packed(long)), RangeError);
});

test("the largest drawing fits", async () => {
  const stroke = {
    width: 0.2,
    points: Array.from({ length: 50 }, (_, i) => (i % 2 ? [2, 2, 2] : [-1, -1, 0.1])),
  };
  const strokes = /** @type {Stroke[]} */ (Array(MAX_STROKES).fill(stroke));
  assert.deepEqual(await decode(await encode(strokes)), strokes);
});

test("a decompression bomb is refused before it grows", async () => {
  const bomb = packed(new Uint8Array(200e6));
  assert.ok(bomb.length < 300_000, "it passes for a link");
  const before = process.memoryUsage().arrayBuffers;
  await assert.rejects(decode(bomb), { message: "too large" });
  assert.ok(process.memoryUsage().arrayBuffers - before < 20e6);
  await assert.rejects(decode("A".repeat(10e6)), { message: "too large" });
});
