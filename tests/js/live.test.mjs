import assert from "node:assert/strict";
import { test } from "node:test";

import { Later, Live, Refused } from "../../assets/js/live.js";

/** A server whose answers are given by hand. */
function server() {
  /** @type {{question: number, answer: (value: string) => void, fail: () => void}[]} */
  const asked = [];
  const ask = (/** @type {number} */ question) =>
    new Promise((answer, fail) => asked.push({ question, answer, fail: () => fail(new Error()) }));
  return { asked, ask };
}

const pause = () => new Promise((done) => setTimeout(done, 0));

test("one request is under way, and the newest state is asked for next", async () => {
  const { asked, ask } = server();
  const answers = [];
  const busy = [];
  let state = 1;
  const live = new Live(() => state, ask, (a) => answers.push(a), assert.fail, (b) => busy.push(b));
  live.changed();
  for (state of [2, 3, 4]) live.changed();
  assert.deepEqual(asked.map((a) => a.question), [1]);
  asked[0].answer("one");
  await pause();
  assert.deepEqual(asked.map((a) => a.question), [1, 4]);
  assert.deepEqual(busy, [true]);
  asked[1].answer("four");
  await pause();
  assert.deepEqual(answers, ["one", "four"]);
  assert.deepEqual(busy, [true, false]);
  live.changed();
  assert.equal(asked.length, 3);
});

test("a failure is reported and does not stop what follows", async () => {
  const { asked, ask } = server();
  const failures = [];
  const answers = [];
  const live = new Live(() => 1, ask, (a) => answers.push(a), (e) => failures.push(e));
  live.changed();
  asked[0].fail();
  await pause();
  assert.equal(failures.length, 1);
  live.changed();
  asked[1].answer("back");
  await pause();
  assert.deepEqual(answers, ["back"]);
});

test("a request that failed is made again on its own, for the newest state", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const settle = () => new Promise((done) => setImmediate(done));
  const { asked, ask } = server();
  const answers = [];
  let state = 1;
  const live = new Live(() => state, ask, (a) => answers.push(a), () => {}, () => {}, 2000);
  live.changed();
  asked[0].fail();
  await settle();
  state = 2;
  context.mock.timers.tick(1999);
  assert.equal(asked.length, 1);
  context.mock.timers.tick(1);
  assert.equal(asked[1].question, 2);
  asked[1].fail();
  await settle();
  live.changed();
  assert.equal(asked.length, 3, "a change asks at once");
  asked[2].answer("back");
  await settle();
  context.mock.timers.tick(10_000);
  assert.equal(asked.length, 3, "and the retry is not made as well");
  assert.deepEqual(answers, ["back"]);
});

test("while the server is busy the newest state is asked for later, and nothing is lost", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const settle = () => new Promise((done) => setImmediate(done));
  const states = [];
  const answers = [];
  let state = 1;
  const ask = async (/** @type {number} */ question) => {
    states.push(question);
    if (states.length < 3) throw new Later(3);
    return `answer ${question}`;
  };
  const late = [];
  const live = new Live(() => state, ask, (a) => answers.push(a), (e) => late.push(e));
  live.changed();
  await settle();
  assert.deepEqual(late, [], "3 seconds are not told");
  state = 2;
  live.changed();
  context.mock.timers.tick(2999);
  await settle();
  assert.deepEqual(states, [1]);
  context.mock.timers.tick(1);
  await settle();
  assert.ok(late.length === 1 && late[0] instanceof Later, "6 seconds are");
  state = 3;
  context.mock.timers.tick(3000);
  await settle();
  assert.deepEqual(states, [1, 2, 3]);
  assert.deepEqual(answers, ["answer 3"]);
});

test("a server that asks for an hour is asked after half a minute", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const settle = () => new Promise((done) => setImmediate(done));
  let asked = 0;
  const ask = async () => {
    asked += 1;
    throw new Later(3600);
  };
  const told = [];
  new Live(() => 1, ask, assert.fail, (e) => told.push(e)).changed();
  await settle();
  assert.equal(told.length, 1);
  context.mock.timers.tick(29_999);
  await settle();
  assert.equal(asked, 1);
  context.mock.timers.tick(1);
  await settle();
  assert.equal(asked, 2);
});

test("what was refused is asked again seldom", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  let asked = 0;
  const refuse = async () => {
    asked += 1;
    throw new Refused("no");
  };
  const live = new Live(() => 1, refuse, assert.fail, () => {});
  await live.changed();
  context.mock.timers.tick(29_000);
  assert.equal(asked, 1);
  context.mock.timers.tick(1_000);
  assert.equal(asked, 2);
});
