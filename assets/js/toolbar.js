/** The tools below the pad: pens, undo, redo and clear. */

import { part, setEnabled } from "./dom.js";
import { PENS } from "./pad.js";

/** @typedef {import("./pad.js").Pen} Pen */

export class Toolbar {
  /**
   * @param {HTMLElement} root
   * @param {object} options
   * @param {(pen: Pen, name: string) => void} options.onPen
   * @param {() => void} options.onUndo
   * @param {() => void} options.onRedo
   * @param {() => void} options.onClear
   */
  constructor(root, { onPen, onUndo, onRedo, onClear }) {
    this.onPen = onPen;
    this.pens = [.../** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll("[data-pen]"))];
    this.undo = part(root, "undo");
    this.redo = part(root, "redo");
    this.clear = part(root, "clear");
    this.undo.addEventListener("click", onUndo);
    this.redo.addEventListener("click", onRedo);
    this.clear.addEventListener("click", onClear);
    for (const [i, pen] of this.pens.entries()) {
      pen.addEventListener("click", () => this.#choose(pen));
      pen.addEventListener("keydown", (event) => this.#chooseByKey(event, i));
    }
    this.choosePen("medium");
  }

  /** @param {string} name */
  choosePen(name) {
    const pen = this.pens.find(({ dataset }) => dataset.pen === name);
    if (pen) this.#choose(pen);
  }

  /**
   * Enables the buttons that have something to do.
   *
   * @param {import("./drawing.js").Drawing} drawing
   */
  update({ canUndo, canRedo, isEmpty }) {
    setEnabled(this.undo, canUndo);
    setEnabled(this.redo, canRedo);
    setEnabled(this.clear, !isEmpty);
  }

  /** @param {HTMLElement} pen */
  #choose(pen) {
    for (const other of this.pens) {
      other.setAttribute("aria-checked", String(other === pen));
      other.tabIndex = other === pen ? 0 : -1;
    }
    const name = pen.dataset.pen ?? "medium";
    this.onPen(PENS[name], name);
  }

  /**
   * Arrow keys choose the next pen, as with radio buttons.
   *
   * @param {KeyboardEvent} event
   * @param {number} i number of the pen that has the focus.
   */
  #chooseByKey(event, i) {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = this.pens[(i + step + this.pens.length) % this.pens.length];
    next.focus();
    this.#choose(next);
  }
}
