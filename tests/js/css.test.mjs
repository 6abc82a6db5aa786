import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const read = (/** @type {string} */ name) =>
  readFileSync(new URL(`../../assets/css/${name}`, import.meta.url), "utf8");

test("pad and map are as high as what phones show below the bars of the browser", () => {
  for (const name of ["pad.css", "map.css"]) {
    const lines = read(name).split("\n");
    const old = lines.filter((line) => /\dvh/.test(line));
    assert.ok(old.length > 1, name);
    for (const line of old) {
      assert.equal(lines[lines.indexOf(line) + 1], line.replace("vh", "svh"), name);
    }
  }
});
