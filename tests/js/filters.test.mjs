import assert from "node:assert/strict";
import { test } from "node:test";

import { Filters } from "../../assets/js/filters.js";

const cat = { id: "3c", label: "cat" };
const dog = { id: "8d", label: "dog" };

test("there are no filters at first", () => {
  const filters = new Filters();
  assert.deepEqual(filters.query, { photo: null, like: [], unlike: [], only: [], without: [] });
  assert.deepEqual(filters.list, []);
  assert.equal(filters.byPhoto, false);
});

test("the last choice counts: more or less like, only or without", () => {
  const filters = new Filters();
  filters.moreLike(cat);
  filters.lessLike(dog);
  filters.lessLike(cat);
  filters.only("cat");
  filters.without("dog");
  filters.without("cat");
  filters.only("dog");
  filters.searchBy(cat);
  assert.deepEqual(filters.query, {
    photo: "3c",
    like: [],
    unlike: ["8d", "3c"],
    only: ["dog"],
    without: ["cat"],
  });
  assert.ok(filters.byPhoto);
});

test("every filter removes itself", () => {
  const filters = new Filters();
  filters.searchBy(cat);
  filters.only("cat");
  filters.without("dog");
  filters.moreLike(cat);
  filters.lessLike(dog);
  assert.deepEqual(
    filters.list.map((filter) => filter.text),
    ["like a photo: cat", "only cat", "no dog", "more like this cat", "less like this dog"],
  );
  while (filters.list.length) {
    const before = filters.list.length;
    filters.list[0].remove();
    assert.equal(filters.list.length, before - 1);
  }
  assert.deepEqual(filters.query, { photo: null, like: [], unlike: [], only: [], without: [] });
});

test("one animal replaces those before, and an empty label allows all", () => {
  const filters = new Filters();
  filters.only("cat");
  filters.without("dog");
  filters.onlyOne("dog");
  assert.deepEqual(filters.query.only, ["dog"]);
  assert.deepEqual(filters.query.without, []);
  filters.onlyOne("");
  assert.deepEqual(filters.query.only, []);
});

test("all filters are removed at once", () => {
  const filters = new Filters();
  filters.searchBy({ id: "1c", label: "cat" });
  filters.moreLike({ id: "2d", label: "dog" });
  filters.lessLike({ id: "3e", label: "emu" });
  filters.only("fox");
  filters.without("gnu");
  assert.equal(filters.list.length, 5);
  filters.clear();
  assert.deepEqual(filters.list, []);
  assert.equal(filters.byPhoto, false);
});
