/** The example sketches. */

import { context2d, newButton, part } from "./dom.js";
import { paintStroke } from "./paint.js";
import { TEXT } from "./text.js";

/** @typedef {import("./drawing.js").Stroke} Stroke */

/** Side of an example in pixels. */
const SIDE = 240;

/**
 * Fills the list of examples, and makes "Surprise me" choose one.
 *
 * @param {HTMLElement} root
 * @param {object} options
 * @param {(strokes: Stroke[]) => void} options.onChoose
 */
export async function showExamples(root, { onChoose }) {
  const answer = await fetch(new URL("../examples.json", import.meta.url));
  if (!answer.ok) return;
  /** @type {{name: string, strokes: Stroke[]}[]} */
  const examples = await answer.json();
  const buttons = examples.map(({ name, strokes }) => {
    const button = newButton(name);
    button.setAttribute("aria-label", TEXT.example(name));
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = SIDE;
    for (const stroke of strokes) paintStroke(context2d(canvas), stroke, SIDE);
    button.prepend(canvas);
    button.addEventListener("click", () => onChoose(strokes));
    return button;
  });
  part(root, "examples").replaceChildren(...buttons);
  let last = -1;
  part(root, "surprise").addEventListener("click", () => {
    last = (last + 1 + Math.floor(Math.random() * (examples.length - 1))) % examples.length;
    onChoose(examples[last].strokes);
  });
}
