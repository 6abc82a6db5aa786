/**
 * A plane that is magnified by buttons, by two fingers, or by the wheel with Ctrl, and dragged; by keyboard
 * from its buttons.
 */

import { part } from "./gallery.js";

/** @typedef {import("./places.js").Spot} Spot */
/** @typedef {{scale: number, left: number, top: number}} View  where the plane's corner lies, in pixels. */

/** Largest magnification, and that of one press of a button. */
const MOST = 8;
const STEP = 1.6;

/** What is magnified less than this when it gets smaller is whole again. */
const NEARLY = 1.05;

/** Pixels that a mouse moves before it drags. */
const SLOP = 4;

/** Share of the frame by which an arrow key looks further. */
const KEY = 0.2;

/** @type {Record<string, Spot>} Where the plane goes when one looks to the side of an arrow. */
const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/** How much a pixel of the wheel magnifies; a notch has about a hundred. */
const PIXEL = 0.004;

/** @type {View} */
const WHOLE = { scale: 1, left: 0, top: 0 };

/**
 * A view that is magnified around a point and moved, so that the plane still fills its frame.
 *
 * @param {View} view
 * @param {number} factor
 * @param {Spot} around stays where it is, but for the move.
 * @param {Spot} move in pixels.
 * @param {Spot} size width and height of the frame.
 * @returns {View}
 */
export function magnify({ scale, left, top }, factor, around, move, size) {
  const least = factor < 1 && scale * factor < NEARLY ? 1 : scale * factor;
  const wanted = Math.min(MOST, Math.max(1, least));
  const [x, y] = [left, top].map((corner, i) => {
    const place = around[i] + move[i] - ((around[i] - corner) * wanted) / scale;
    return Math.min(0, Math.max(size[i] * (1 - wanted), place));
  });
  return { scale: wanted, left: x, top: y };
}

export class Zoom {
  #view = WHOLE;
  /** @type {Spot | null} Where the mouse was last, while its button is down. */
  #held = null;
  /** @type {Spot[]} */
  #fingers = [];
  /** Whether the mouse has dragged since its button went down. */
  dragged = false;

  /**
   * @param {HTMLElement} root
   * @param {HTMLElement} plane
   * @param {() => Spot | null} focus what the buttons magnify around; null for the middle.
   * @param {() => void} changed
   */
  constructor(root, plane, focus, changed) {
    this.plane = plane;
    this.changed = changed;
    this.buttons = /** @type {HTMLButtonElement[]} */ ([part(root, "nearer"), part(root, "farther")]);
    for (const [i, button] of this.buttons.entries()) {
      button.addEventListener("click", () => this.#by(i ? 1 / STEP : STEP, focus() ?? this.#middle));
      button.addEventListener("keydown", (event) => this.#look(event));
    }
    plane.addEventListener("wheel", (event) => this.#turn(event), { passive: false });
    plane.addEventListener("pointerdown", (event) => this.#press(event));
    plane.addEventListener("pointermove", (event) => this.#drag(event));
    for (const end of ["pointerup", "pointercancel"]) {
      plane.addEventListener(end, () => (this.#held = null));
    }
    // Touches, since only they can be kept from scrolling the page once two fingers are down.
    plane.addEventListener("touchstart", (event) => (this.#fingers = this.#touched(event)));
    plane.addEventListener("touchend", (event) => (this.#fingers = this.#touched(event)));
    plane.addEventListener("touchmove", (event) => this.#pinch(event), { passive: false });
  }

  /** @returns {boolean} */
  get isWhole() {
    return this.#view.scale === 1;
  }

  /** How much larger than usual a dot is. */
  get growth() {
    return Math.sqrt(this.#view.scale);
  }

  /**
   * Where a place of the whole plane is seen.
   *
   * @param {Spot} place
   * @returns {Spot}
   */
  seen([x, y]) {
    const { scale, left, top } = this.#view;
    return [left + scale * x, top + scale * y];
  }

  /** Shows the whole plane, without telling. */
  reset() {
    this.#show(WHOLE);
  }

  /** @returns {Spot} */
  get #size() {
    return [this.plane.clientWidth, this.plane.clientHeight];
  }

  /** @returns {Spot} */
  get #middle() {
    const [width, height] = this.#size;
    return [width / 2, height / 2];
  }

  /**
   * @param {number} factor
   * @param {Spot} around
   * @param {Spot} [move]
   * @returns {boolean} whether anything is seen elsewhere now.
   */
  #by(factor, around, move = [0, 0]) {
    const { scale, left, top } = this.#view;
    const view = magnify(this.#view, factor, around, move, this.#size);
    if (view.scale === scale && view.left === left && view.top === top) return false;
    this.#show(view);
    this.changed();
    return true;
  }

  /** @param {View} view */
  #show(view) {
    this.#view = view;
    const [nearer, farther] = this.buttons;
    // Not `disabled`, which would take the focus away from whoever works them by keyboard.
    nearer.ariaDisabled = String(view.scale === MOST);
    farther.ariaDisabled = String(this.isWhole);
  }

  /** @param {KeyboardEvent} event */
  #look(event) {
    const arrow = ARROWS[event.key];
    if (!arrow || this.isWhole) return;
    event.preventDefault();
    const [width, height] = this.#size;
    this.#by(1, this.#middle, [KEY * width * arrow[0], KEY * height * arrow[1]]);
  }

  /** @param {WheelEvent} event which many browsers make of a trackpad's pinch, too. */
  #turn(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.#by(Math.exp(-PIXEL * event.deltaY), [event.offsetX, event.offsetY]);
  }

  /** @param {PointerEvent} event */
  #press({ pointerType, button, offsetX, offsetY }) {
    this.dragged = false;
    if (pointerType !== "touch" && button === 0) this.#held = [offsetX, offsetY];
  }

  /** @param {PointerEvent} event */
  #drag({ pointerId, buttons, offsetX, offsetY }) {
    if (!(buttons & 1)) this.#held = null; // it may have been let go outside
    if (!this.#held) return;
    const move = /** @type {Spot} */ ([offsetX - this.#held[0], offsetY - this.#held[1]]);
    if (!this.isWhole && !this.dragged && Math.hypot(...move) < SLOP) return;
    this.#held = [offsetX, offsetY];
    if (this.isWhole) return;
    this.dragged = true;
    this.plane.setPointerCapture(pointerId);
    this.#by(1, this.#middle, move);
  }

  /** @param {TouchEvent} event of which only what magnifies or moves the plane is kept from the page. */
  #pinch(event) {
    const [before, now] = [this.#fingers, this.#touched(event)];
    this.#fingers = now;
    if (before.length !== now.length || now.length > 2 || !event.cancelable) return;
    if (this.#held) return event.preventDefault(); // a pen, which tells of its moves twice
    const [was, is] = [before, now].map(middleAndSpread);
    const move = /** @type {Spot} */ ([is.middle[0] - was.middle[0], is.middle[1] - was.middle[1]]);
    const moved = this.#by(is.spread / was.spread, was.middle, move);
    if (moved || now.length === 2) event.preventDefault();
  }

  /**
   * Where fingers are on the plane.
   *
   * @param {TouchEvent} event
   * @returns {Spot[]}
   */
  #touched({ targetTouches }) {
    const { left, top } = this.plane.getBoundingClientRect();
    return [...targetTouches].map(({ clientX, clientY }) => [clientX - left, clientY - top]);
  }
}

/**
 * The middle of one or two fingers, and how far they are apart; 1 for one.
 *
 * @param {Spot[]} fingers
 */
function middleAndSpread([one, other = one]) {
  const middle = /** @type {Spot} */ ([(one[0] + other[0]) / 2, (one[1] + other[1]) / 2]);
  return { middle, spread: Math.hypot(one[0] - other[0], one[1] - other[1]) || 1 };
}
