import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";

import { curl, python } from "../../assets/js/snippets.js";

/** @typedef {import("../../assets/js/drawing.js").Stroke} Stroke */

const BASE = "http://zoo.example/pre/fix/?a=b#c";
/** @type {Stroke[]} */
const strokes = [{ width: 0.06, points: [[0.1, 0.2], [0.3, 0.4, 1.5]], erase: true }];
const narrowed = {
  photo: null,
  like: ["5f"],
  unlike: [],
  only: ["Steller's jay", 'a "big" cat'],
  without: ["ñandú"],
};

/** The words that a shell makes of this command. @param {string} command */
function shell(command) {
  const show = 'curl() { for word; do printf "%s\\n" "$word"; done; cat >&2; printf "a\\"b\\"c\\"id\\"\\n" >&3; }';
  const script = `exec 3>/dev/null; ${show}\n${command}`;
  return execFileSync("sh", ["-c", script], { encoding: "utf8", input: "", stdio: ["pipe", "pipe", "ignore"] });
}

test("curl gets the same values, whatever quotes they contain", () => {
  const command = curl(BASE, { strokes, k: 24, ...narrowed });
  assert.ok(!command.includes("\n"));
  const body = /printf %s ('(?:[^']|'\\'')*')/.exec(command)?.[1] ?? "";
  const sent = execFileSync("sh", ["-c", `printf %s ${body}`], { encoding: "utf8" });
  assert.deepEqual(JSON.parse(sent), {
    data: [strokes, 24, narrowed.only, ["ñandú"], ["5f"], null, null, null],
  });
  const call = "http://zoo.example/pre/fix/gradio_api/call/search_strokes";
  assert.ok(command.startsWith(`curl -sN '${call}/'$(`));
  assert.ok(shell(command).startsWith(`-sN\n${call}/`));
});

test("Python has True for true, and leaves out defaults", () => {
  const program = python(BASE, { strokes, k: 24, ...narrowed });
  assert.ok(program.includes('Client("http://zoo.example/pre/fix/")'));
  assert.ok(program.includes('"erase": True'));
  assert.ok(program.includes("    only=[\"Steller's jay\", \"a \\\"big\\\" cat\"],\n"));
  assert.ok(!program.includes("unlike="));
  assert.ok(!program.includes("photo="));
});

test("the gallery is named unless it is the first one", () => {
  const asked = { strokes, k: 12, gallery: "my zoo" };
  assert.ok(python(BASE, asked).includes('    gallery="my zoo",\n'));
  assert.ok(curl(BASE, asked).includes(',null,null,"my zoo"]}'));
  assert.ok(!python(BASE, { strokes, k: 12, gallery: null }).includes("gallery"));
});

test("a search by a photo has no strokes", () => {
  const asked = { strokes, k: 12, ...narrowed, photo: "0" };
  assert.ok(python(BASE, asked).includes("    strokes=[],\n"));
  assert.ok(python(BASE, asked).includes("    photo=\"0\",\n"));
  assert.ok(curl(BASE, asked).includes('{"data":[[],12,'));
});
