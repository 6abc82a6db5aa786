import assert from "node:assert/strict";
import { test } from "node:test";
import { animalFirst, summarize } from "../../assets/js/summary.js";

const matches = ["cat", "lion", "cat", "dingo"].map((animal, i) => ({ animal, label: animal, rank: i + 1 }));
const cat = (photos, share = 0.9) => [{ label: "cat", share, photos }];

test("an animal that the gallery lacks is named, with a way to more photos", () => {
  const none = matches.filter(({ animal }) => animal !== "cat");
  const told = summarize({ matches: none, guesses: cat(0), unlike: true, photos: 1200 }, "make run PHOTOS=open");
  assert.equal(
    told.text,
    "That looks like a cat. There is no cat among these 1,200 photos. The nearest are: lion, dingo. " +
      "More photos: make run PHOTOS=open",
  );
  assert.equal(told.unlike, false);
  assert.doesNotMatch(summarize({ matches: none, guesses: cat(0), photos: 9 }, "").text, /More photos/);
});

test("an animal that begins with a vowel gets 'an'", () => {
  const guesses = [{ label: "owl", share: 0.9, photos: 0 }];
  assert.match(summarize({ matches, guesses, photos: 1 }, "").text, /an owl. There is no owl among this one photo/);
});

test("the few photos of an animal come before the others", () => {
  const told = summarize({ matches, guesses: cat(2), photos: 200 }, "");
  assert.equal(told.text, "That looks like a cat: 2 of these 200 photos.");
  assert.equal(told.animal, "cat");
  assert.notEqual(told.others, "");
  assert.deepEqual(animalFirst(matches, told.animal).map(({ rank }) => rank), [1, 3, 2, 4]);
});

test("the order stays if the gallery holds more of the animal, or all photos show it", () => {
  assert.equal(summarize({ matches, guesses: cat(3), photos: 200 }, "").others, "");
  const cats = matches.filter(({ animal }) => animal === "cat");
  assert.equal(summarize({ matches: cats, guesses: cat(2), photos: 200 }, "").others, "");
  assert.deepEqual(animalFirst(matches, ""), matches);
});

test("an animal that the gallery holds but that was not found is named, too", () => {
  const others = matches.filter(({ animal }) => animal !== "cat");
  const told = summarize({ matches: others, guesses: cat(4), photos: 200 }, "");
  assert.equal(told.text, "That looks like a cat. The nearest photos here: lion, dingo.");
});

test("only a drawing without a clear guess is unlike all photos", () => {
  const unsure = summarize({ matches, guesses: cat(0, 0.4), unlike: true, photos: 200 }, "");
  assert.equal(unsure.unlike, true);
  assert.match(unsure.text, /^Nothing here looks like it yet/);
  const sure = summarize({ matches, guesses: cat(2), unlike: true, photos: 200 }, "");
  assert.equal(sure.unlike, false);
});
