import assert from "node:assert/strict";
import { test } from "node:test";

import { Autosave } from "../../assets/js/autosave.js";
import { storage as browser } from "../../assets/js/storage.js";

function storage() {
  /** @type {Map<string, string>} */
  const kept = new Map();
  return {
    writes: 0,
    getItem: (/** @type {string} */ key) => kept.get(key) ?? null,
    setItem(/** @type {string} */ key, /** @type {string} */ value) {
      this.writes += 1;
      kept.set(key, value);
      return true;
    },
    spoil: () => kept.forEach((_, key) => kept.set(key, "{")),
  };
}

const page = { strokes: [{ width: 0.01, points: [[0.1, 0.2]] }], picture: "upload/a.png" };

test("the page that was saved last is read again", () => {
  const place = storage();
  const autosave = new Autosave(place, () => /** @type {any} */ (page));
  assert.equal(autosave.read(), null);
  autosave.save();
  assert.deepEqual(new Autosave(place, () => /** @type {any} */ (page)).read(), page);
});

test("many changes in a row are saved once", (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const place = storage();
  const autosave = new Autosave(place, () => /** @type {any} */ (page));
  for (let i = 0; i < 50; i++) {
    autosave.changed();
    context.mock.timers.tick(20);
  }
  assert.equal(place.writes, 0);
  context.mock.timers.tick(300);
  assert.equal(place.writes, 1);
});

test("an unchanged page does not overwrite the page of another tab", () => {
  const place = storage();
  const old = new Autosave(place, () => /** @type {any} */ (page));
  old.changed();
  old.flush();
  assert.equal(place.writes, 1);
  old.flush();
  assert.equal(place.writes, 1);
});

test("a damaged page is an empty page", () => {
  const place = storage();
  const autosave = new Autosave(place, () => /** @type {any} */ (page));
  autosave.save();
  place.spoil();
  assert.equal(autosave.read(), null);
  for (const odd of [{}, { strokes: [{}] }, { strokes: [{ width: 1, points: [["x", 0]] }] }]) {
    const other = new Autosave(storage(), () => /** @type {any} */ (odd));
    other.save();
    assert.equal(other.read(), null);
  }
});

test("the whole page is saved; a thinned one where the storage is too small", () => {
  const stroke = (/** @type {number} */ length) => ({ width: 0.01, points: [[0, 0], [length, 0]] });
  const strokes = [stroke(0.001), ...Array.from({ length: 1000 }, () => stroke(0.5))];
  const place = storage();
  const autosave = new Autosave(place, () => /** @type {any} */ ({ strokes, picture: "a.png" }));
  autosave.save();
  assert.deepEqual(autosave.read(), { strokes, picture: "a.png" });
  const least = JSON.stringify({ strokes, picture: "a.png" }).length;
  const small = storage();
  const keep = small.setItem;
  small.setItem = (key, value) => value.length < least && keep.call(small, key, value);
  const thinned = new Autosave(small, () => /** @type {any} */ ({ strokes, picture: "a.png" }));
  thinned.save();
  assert.deepEqual(thinned.read(), { strokes: strokes.slice(1), picture: "a.png" });
});

test("a browser that stores nothing only loses the page", (context) => {
  const refuse = () => {
    throw new Error("SecurityError");
  };
  /** @param {PropertyDescriptor} given what the browser has in place of its storages. */
  const put = (given) => {
    for (const name of ["localStorage", "sessionStorage"])
      Object.defineProperty(globalThis, name, { configurable: true, ...given });
  };
  for (const name of ["localStorage", "sessionStorage"]) {
    const former = Object.getOwnPropertyDescriptor(globalThis, name);
    context.after(() => {
      if (former) Object.defineProperty(globalThis, name, former);
      else delete (/** @type {any} */ (globalThis)[name]);
    });
  }
  put({ get: refuse });
  assert.throws(() => localStorage);
  const autosave = new Autosave(browser, () => /** @type {any} */ (page));
  autosave.save();
  assert.equal(autosave.read(), null);
  put({ value: { getItem: () => null, setItem: refuse, removeItem: refuse } });
  autosave.save();
  assert.equal(autosave.read(), null);
});

test("each tab reads its own page, and a new tab reads the last one", (context) => {
  const place = () => {
    const kept = new Map();
    return {
      getItem: (/** @type {string} */ key) => kept.get(key) ?? null,
      setItem: (/** @type {string} */ key, /** @type {string} */ value) => kept.set(key, value),
      removeItem: (/** @type {string} */ key) => kept.delete(key),
    };
  };
  const [all, one, two] = [place(), place(), place()];
  const put = (/** @type {string} */ name, /** @type {any} */ value) =>
    Object.defineProperty(globalThis, name, { configurable: true, value });
  context.after(() => ["localStorage", "sessionStorage"].forEach((name) => put(name, undefined)));
  put("localStorage", all);
  put("sessionStorage", one);
  browser.setItem("a", "one");
  put("sessionStorage", two);
  assert.equal(browser.getItem("a"), "one");
  browser.setItem("a", "two");
  put("sessionStorage", one);
  assert.equal(browser.getItem("a"), "one");
  put("sessionStorage", { ...one, setItem: assert.fail });
  assert.equal(browser.setItem("a", "three"), true);
  assert.equal(browser.getItem("a"), "three", "a full tab does not hide what is newer");
  put("localStorage", { ...all, setItem: assert.fail });
  assert.equal(browser.setItem("a", "four"), false);
});
