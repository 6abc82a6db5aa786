/** The page: pad, buttons, uploads, examples and gallery put together. */

import { Drawing } from "./drawing.js";
import { Gallery, part } from "./gallery.js";
import { Live } from "./live.js";
import { Pad, paintStroke } from "./pad.js";

/** @typedef {import("./drawing.js").Stroke} Stroke */
/** @typedef {import("./gallery.js").Match} Match */
/**
 * @typedef {{matches?: Match[], error?: string}} Answer
 * @typedef {{strokes: Stroke[], picture: string | null}} Query
 * @typedef {{search: (query: Query) => Promise<Answer>}} Server
 * @typedef {(file: File) => Promise<{path: string}>} Upload
 */

const SAY = {
  empty: "Start with a line, or take one of these.",
  credits: (/** @type {string[]} */ terms) => `Photos: ${terms.join("; ")}`,
  found: (/** @type {string} */ labels) => `Nearest: ${labels}.`,
  uploading: "Reading the picture …",
  lost: "The server does not answer. Your drawing is safe; draw on to try again.",
  unreadable: "This file cannot be shown as a picture. Use a PNG, JPEG or WebP.",
  tooLarge: "This file has more than 30 MB. Save it smaller and try again.",
};

const MAX_BYTES = 30e6;

/**
 * Brings the board to life.
 *
 * @param {HTMLElement} root
 * @param {Server} server
 * @param {Upload} upload
 */
export function start(root, server, upload) {
  const drawing = new Drawing();
  const gallery = new Gallery(
    part(root, "results"),
    /** @type {HTMLTemplateElement} */ (part(root, "tile")),
  );
  const status = part(root, "status");
  const undo = /** @type {HTMLButtonElement} */ (part(root, "undo"));
  const clear = /** @type {HTMLButtonElement} */ (part(root, "clear"));
  const file = /** @type {HTMLInputElement} */ (part(root, "file"));

  const live = new Live(
    () => ({ strokes: drawing.page.strokes, picture: drawing.page.picture?.path ?? null }),
    (query) => (drawing.isEmpty ? Promise.resolve({}) : server.search(query)),
    show,
    () => say(SAY.lost, true),
    (busy) => part(root, "results").setAttribute("aria-busy", String(busy)),
  );
  const pad = new Pad(/** @type {HTMLCanvasElement} */ (part(root, "pad")), drawing, changed);

  function changed() {
    undo.disabled = !drawing.canUndo;
    clear.disabled = drawing.isEmpty;
    root.dataset.state = drawing.isEmpty ? "empty" : "drawn";
    live.changed();
  }

  function redrawn() {
    pad.repaint();
    changed();
  }

  /** @param {Answer} answer */
  function show({ matches = [], error }) {
    gallery.show(matches);
    const terms = new Set(matches.map((m) => [m.credit, m.licence].filter(Boolean).join(", ")));
    terms.delete("");
    part(root, "credits").textContent = terms.size ? SAY.credits([...terms]) : "";
    const labels = [...new Set(matches.map((match) => match.label))].slice(0, 3);
    if (error) say(error, true);
    else say(labels.length ? SAY.found(labels.join(", ")) : SAY.empty);
  }

  /** @param {string} text @param {boolean} [isError] */
  function say(text, isError = false) {
    status.textContent = text;
    status.classList.toggle("error", isError);
  }

  /** @param {File} chosen */
  async function use(chosen) {
    if (chosen.size > MAX_BYTES) return say(SAY.tooLarge, true);
    say(SAY.uploading);
    try {
      const [{ path }, image] = await Promise.all([
        upload(chosen),
        createImageBitmap(chosen).catch(() => null),
      ]);
      const { error } = await server.search({ strokes: [], picture: path });
      if (error || !image) return say(error ?? SAY.unreadable, true);
      drawing.place({ path, image });
      redrawn();
    } catch {
      say(SAY.lost, true);
    }
  }

  undo.addEventListener("click", () => {
    drawing.undo();
    redrawn();
  });
  clear.addEventListener("click", () => {
    drawing.clear();
    redrawn();
  });
  part(root, "upload").addEventListener("click", () => file.click());
  file.addEventListener("change", () => {
    if (file.files?.length) use(file.files[0]);
    file.value = "";
  });
  showExamples(root, (strokes) => {
    drawing.load(strokes);
    redrawn();
  });
  redrawn();
}

/**
 * Fills the list of example sketches.
 *
 * @param {HTMLElement} root
 * @param {(strokes: Stroke[]) => void} chosen
 */
async function showExamples(root, chosen) {
  const answer = await fetch(new URL("../examples.json", import.meta.url));
  if (!answer.ok) return;
  /** @type {{name: string, strokes: Stroke[]}[]} */
  const examples = await answer.json();
  const buttons = examples.map(({ name, strokes }) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", `Draw the example: ${name}`);
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 240;
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    for (const stroke of strokes) paintStroke(context, stroke, canvas.width);
    button.append(canvas, name);
    button.addEventListener("click", () => chosen(strokes));
    return button;
  });
  part(root, "examples").replaceChildren(...buttons);
}
