import assert from "node:assert/strict";
import { test } from "node:test";

import { BusyError, RejectedError } from "../../assets/js/errors.js";
import { messageOf, searcher } from "../../assets/js/api.js";

const query = /** @type {any} */ ({ strokes: [], k: 12 });

test("a search is given up after 20 seconds", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  context.mock.method(globalThis, "fetch", (_, { signal }) => {
    return new Promise((_, fail) => signal.addEventListener("abort", () => fail(signal.reason)));
  });
  let failure = null;
  const asked = searcher("http://server/search")(query).catch((error) => (failure = error));
  context.mock.timers.tick(19_999);
  await new Promise((done) => setImmediate(done));
  assert.equal(failure, null);
  context.mock.timers.tick(1);
  await asked;
  assert.equal(failure.name, "AbortError");
});

test("a search whose body stops half-way is given up, too", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  context.mock.method(globalThis, "fetch", async (_, { signal }) => {
    const body = new ReadableStream({
      start: (stream) => signal.addEventListener("abort", () => stream.error(signal.reason)),
    });
    return new Response(body);
  });
  const asked = assert.rejects(searcher("http://server/search")(query), { name: "AbortError" });
  await new Promise((done) => setImmediate(done));
  context.mock.timers.tick(20_000);
  await asked;
});

test("only a busy server raises BusyError, with the seconds it asks for", async (context) => {
  const answers = [
    new Response("", { status: 503, headers: { "Retry-After": "7" } }),
    new Response("", { status: 429 }),
    new Response("", { status: 500 }),
  ];
  context.mock.method(globalThis, "fetch", async () => answers.shift());
  const search = searcher("http://server/search");
  await assert.rejects(search(query), (error) => error instanceof BusyError && error.seconds === 7);
  await assert.rejects(search(query), (error) => error instanceof BusyError && error.seconds === 1);
  await assert.rejects(search(query), (error) => !(error instanceof BusyError) && /500/.test(error.message));
});

test("a rejection carries the server's message if it has one", async (context) => {
  const answers = [
    new Response('{"error": "Pass Host on."}', { status: 403 }),
    new Response("<h1>403</h1>", { status: 403 }),
    new Response("<h1>413</h1>", { status: 413 }),
    new Response("<title>Sign in</title>"),
  ];
  context.mock.method(globalThis, "fetch", async () => answers.shift());
  const search = searcher("http://server/search");
  for (const words of [/^Pass Host on/, /403/, /proxy/, /sign in/]) {
    await assert.rejects(search(query), (error) => error instanceof RejectedError && words.test(messageOf(error)));
  }
});

test("requests carry the header of the app's own page", async (context) => {
  const fetched = context.mock.method(globalThis, "fetch", async () => new Response("{}"));
  await searcher("http://server/search")(query);
  assert.equal(fetched.mock.calls[0].arguments[1].headers["X-Requested-With"], "SketchZoo");
});
