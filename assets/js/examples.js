/** The example sketches. */

import { context2d, newButton, part } from "./dom.js";
import { paintStroke } from "./paint.js";
import { retry } from "./retry.js";
import { TEXT } from "./text.js";

/** @typedef {import("./drawing.js").Stroke} Stroke */

/** Side of an example in pixels. */
const SIDE = 240;

/** @typedef {{name: string, strokes: Stroke[]}} Example */

/**
 * Fills the list of examples, and makes "Surprise me" choose one. Then all of them are hidden, and the
 * focus goes to `next`.
 *
 * @param {HTMLElement} root
 * @param {object} options
 * @param {(strokes: Stroke[]) => void} options.onChoose
 * @param {HTMLElement} options.next
 */
export async function showExamples(root, { onChoose, next }) {
  const examples = await retry(fetchExamples);
  const choose = (/** @type {Example} */ { strokes }) => {
    onChoose(strokes);
    next.focus({ preventScroll: true });
  };
  const buttons = examples.map((example) => {
    const { name, strokes } = example;
    const button = newButton(name);
    button.setAttribute("aria-label", TEXT.example(name));
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = SIDE;
    for (const stroke of strokes) paintStroke(context2d(canvas), stroke, SIDE);
    button.prepend(canvas);
    button.addEventListener("click", () => choose(example));
    return button;
  });
  part(root, "examples").replaceChildren(...buttons);
  let last = -1;
  part(root, "surprise").addEventListener("click", () => {
    last = (last + 1 + Math.floor(Math.random() * (examples.length - 1))) % examples.length;
    choose(examples[last]);
  });
}

/** @returns {Promise<Example[]>} @throws if they do not come. */
async function fetchExamples() {
  const answer = await fetch(new URL("../examples.json", import.meta.url));
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.json();
}
