import assert from "node:assert/strict";
import { test } from "node:test";

import { BusyError, RejectedError } from "../../assets/js/errors.js";
import { Live } from "../../assets/js/live.js";

/** A server whose answers are given by hand. */
function server() {
  /** @type {{question: number, answer: (value: string) => void, fail: () => void}[]} */
  const asked = [];
  const ask = (/** @type {number} */ question) =>
    new Promise((answer, fail) => asked.push({ question, answer, fail: () => fail(new Error()) }));
  return { asked, ask };
}

const pause = () => new Promise((done) => setTimeout(done, 0));

test("one request is sent at a time, and the next one is for the newest state", async () => {
  const { asked, ask } = server();
  const answers = [];
  const busy = [];
  let state = 1;
  const live = new Live({
    question: () => state,
    ask,
    onAnswer: (answer) => answers.push(answer),
    onError: assert.fail,
    onBusy: (isBusy) => busy.push(isBusy),
  });
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

test("a failure is reported and does not stop later requests", async () => {
  const { asked, ask } = server();
  const failures = [];
  const answers = [];
  const live = new Live({
    question: () => 1,
    ask,
    onAnswer: (answer) => answers.push(answer),
    onError: (error) => failures.push(error),
  });
  live.changed();
  asked[0].fail();
  await pause();
  assert.equal(failures.length, 1);
  live.changed();
  asked[1].answer("back");
  await pause();
  assert.deepEqual(answers, ["back"]);
});

test("a failed request is retried for the newest state", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const settle = () => new Promise((done) => setImmediate(done));
  const { asked, ask } = server();
  const answers = [];
  let state = 1;
  const live = new Live({
    question: () => state,
    ask,
    onAnswer: (answer) => answers.push(answer),
    onError: () => {},
    retryAfter: 2000,
  });
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

test("a busy server is asked again later for the newest state", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const settle = () => new Promise((done) => setImmediate(done));
  const states = [];
  const answers = [];
  let state = 1;
  const ask = async (/** @type {number} */ question) => {
    states.push(question);
    if (states.length < 3) throw new BusyError(3);
    return `answer ${question}`;
  };
  const late = [];
  const live = new Live({
    question: () => state,
    ask,
    onAnswer: (answer) => answers.push(answer),
    onError: (error) => late.push(error),
  });
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
  assert.ok(late.length === 1 && late[0] instanceof BusyError, "6 seconds are");
  state = 3;
  context.mock.timers.tick(3000);
  await settle();
  assert.deepEqual(states, [1, 2, 3]);
  assert.deepEqual(answers, ["answer 3"]);
});

test("a server that asks for an hour is asked again after half a minute", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  const settle = () => new Promise((done) => setImmediate(done));
  let asked = 0;
  const ask = async () => {
    asked += 1;
    throw new BusyError(3600);
  };
  const told = [];
  new Live({
    question: () => 1,
    ask,
    onAnswer: assert.fail,
    onError: (error) => told.push(error),
  }).changed();
  await settle();
  assert.equal(told.length, 1);
  context.mock.timers.tick(29_999);
  await settle();
  assert.equal(asked, 1);
  context.mock.timers.tick(1);
  await settle();
  assert.equal(asked, 2);
});

test("a rejected request is retried after a longer time", async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  let asked = 0;
  const refuse = async () => {
    asked += 1;
    throw new RejectedError("no");
  };
  const live = new Live({
    question: () => 1,
    ask: refuse,
    onAnswer: assert.fail,
    onError: () => {},
  });
  await live.changed();
  context.mock.timers.tick(29_000);
  assert.equal(asked, 1);
  context.mock.timers.tick(1_000);
  assert.equal(asked, 2);
});
