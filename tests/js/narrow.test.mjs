import assert from "node:assert/strict";
import { test } from "node:test";

import { Narrowing } from "../../assets/js/narrow.js";

const cat = { number: 3, label: "cat" };
const dog = { number: 8, label: "dog" };

test("nothing narrows a search at first", () => {
  const narrowing = new Narrowing();
  assert.deepEqual(narrowing.query, { photo: null, like: [], unlike: [], only: [], without: [] });
  assert.deepEqual(narrowing.chips, []);
  assert.equal(narrowing.byPhoto, false);
});

test("what is asked last counts: liked or not, searched for or left out", () => {
  const narrowing = new Narrowing();
  narrowing.moreLike(cat);
  narrowing.lessLike(dog);
  narrowing.lessLike(cat);
  narrowing.only("cat");
  narrowing.without("dog");
  narrowing.without("cat");
  narrowing.only("dog");
  narrowing.searchBy(cat);
  assert.deepEqual(narrowing.query, {
    photo: 3,
    like: [],
    unlike: [8, 3],
    only: ["dog"],
    without: ["cat"],
  });
  assert.ok(narrowing.byPhoto);
});

test("every chip takes away what it says", () => {
  const narrowing = new Narrowing();
  narrowing.searchBy(cat);
  narrowing.only("cat");
  narrowing.without("dog");
  narrowing.moreLike(cat);
  narrowing.lessLike(dog);
  assert.deepEqual(
    narrowing.chips.map((chip) => chip.text),
    ["like a photo: cat", "only cat", "no dog", "more like this cat", "less like this dog"],
  );
  while (narrowing.chips.length) {
    const before = narrowing.chips.length;
    narrowing.chips[0].remove();
    assert.equal(narrowing.chips.length, before - 1);
  }
  assert.deepEqual(narrowing.query, { photo: null, like: [], unlike: [], only: [], without: [] });
});

test("one animal chosen from the list takes the place of those before, and all of none", () => {
  const narrowing = new Narrowing();
  narrowing.only("cat");
  narrowing.without("dog");
  narrowing.onlyOne("dog");
  assert.deepEqual(narrowing.query.only, ["dog"]);
  assert.deepEqual(narrowing.query.without, []);
  narrowing.onlyOne("");
  assert.deepEqual(narrowing.query.only, []);
});

test("everything is taken back at once", () => {
  const narrowing = new Narrowing();
  narrowing.searchBy({ number: 1, label: "cat" });
  narrowing.moreLike({ number: 2, label: "dog" });
  narrowing.lessLike({ number: 3, label: "emu" });
  narrowing.only("fox");
  narrowing.without("gnu");
  assert.equal(narrowing.chips.length, 5);
  narrowing.clear();
  assert.deepEqual(narrowing.chips, []);
  assert.equal(narrowing.byPhoto, false);
});
