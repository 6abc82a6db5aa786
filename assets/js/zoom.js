/**
 * Zooms a plane by buttons, by two fingers, or by the wheel with Ctrl; moves it by dragging, or by
 * the arrow keys while a button has the focus.
 */

import { part } from "./dom.js";

/** @typedef {import("./map-layout.js").Spot} Spot */
/** @typedef {{scale: number, left: number, top: number}} View  `left`, `top`: the plane's corner in pixels. */

/** Largest scale, and the factor of one click on a button. */
const MAX_SCALE = 8;
const STEP = 1.6;

/** Zooming out to a smaller scale than this shows the whole plane. */
const NEARLY_WHOLE = 1.05;

/** Pixels that a mouse moves before it drags. */
const DRAG_DISTANCE = 4;

/** How far an arrow key moves the plane, as a share of the frame. */
const KEY_STEP = 0.2;

/** @type {Record<string, Spot>} The direction in which the plane moves for each arrow key. */
const ARROWS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

/** Zoom of a pixel of the wheel, as an exponent; a notch has about a hundred pixels. */
const WHEEL_STEP = 0.004;

/** @type {View} */
const WHOLE = { scale: 1, left: 0, top: 0 };

/**
 * Zooms a view around a point and moves it. The plane always fills its frame.
 *
 * @param {View} view
 * @param {number} factor
 * @param {Spot} around this point stays where it is, apart from the move.
 * @param {Spot} move in pixels.
 * @param {Spot} size width and height of the frame.
 * @returns {View}
 */
export function zoomView({ scale, left, top }, factor, around, move, size) {
  const wanted = factor < 1 && scale * factor < NEARLY_WHOLE ? 1 : scale * factor;
  const next = Math.min(MAX_SCALE, Math.max(1, wanted));
  const [x, y] = [left, top].map((corner, i) => {
    const place = around[i] + move[i] - ((around[i] - corner) * next) / scale;
    return Math.min(0, Math.max(size[i] * (1 - next), place));
  });
  return { scale: next, left: x, top: y };
}

export class Zoom {
  #view = WHOLE;
  /** @type {Spot | null} The last place of the mouse while its button is down. */
  #mouse = null;
  /** @type {Spot[]} */
  #fingers = [];
  /** Whether the mouse has dragged since its button went down. */
  dragged = false;

  /**
   * @param {HTMLElement} root
   * @param {HTMLElement} plane
   * @param {object} options
   * @param {() => Spot | null} options.focus what the buttons zoom in on; null for the middle.
   * @param {() => void} options.onChange
   */
  constructor(root, plane, { focus, onChange }) {
    this.plane = plane;
    this.onChange = onChange;
    this.buttons = /** @type {HTMLButtonElement[]} */ ([part(root, "nearer"), part(root, "farther")]);
    for (const [i, button] of this.buttons.entries()) {
      button.addEventListener("click", () => this.#zoom(i ? 1 / STEP : STEP, focus() ?? this.#middle));
      button.addEventListener("keydown", (event) => this.#moveByKey(event));
    }
    plane.addEventListener("wheel", (event) => this.#turnWheel(event), { passive: false });
    plane.addEventListener("pointerdown", (event) => this.#press(event));
    plane.addEventListener("pointermove", (event) => this.#drag(event));
    for (const end of ["pointerup", "pointercancel"]) {
      plane.addEventListener(end, () => (this.#mouse = null));
    }
    // Touch events: only they can keep the page from scrolling once two fingers are down.
    plane.addEventListener("touchstart", (event) => (this.#fingers = this.#touches(event)));
    plane.addEventListener("touchend", (event) => (this.#fingers = this.#touches(event)));
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
   * Where a place of the whole plane is in the view.
   *
   * @param {Spot} place
   * @returns {Spot}
   */
  toView([x, y]) {
    const { scale, left, top } = this.#view;
    return [left + scale * x, top + scale * y];
  }

  /** Shows the whole plane, without calling `onChange`. */
  reset() {
    this.#setView(WHOLE);
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
   * @returns {boolean} whether the view has changed.
   */
  #zoom(factor, around, move = [0, 0]) {
    const { scale, left, top } = this.#view;
    const view = zoomView(this.#view, factor, around, move, this.#size);
    if (view.scale === scale && view.left === left && view.top === top) return false;
    this.#setView(view);
    this.onChange();
    return true;
  }

  /** @param {View} view */
  #setView(view) {
    this.#view = view;
    const [nearer, farther] = this.buttons;
    // Not `disabled`, which would take the focus away from people who use the keyboard.
    nearer.ariaDisabled = String(view.scale === MAX_SCALE);
    farther.ariaDisabled = String(this.isWhole);
  }

  /** @param {KeyboardEvent} event */
  #moveByKey(event) {
    const arrow = ARROWS[event.key];
    if (!arrow || this.isWhole) return;
    event.preventDefault();
    const [width, height] = this.#size;
    this.#zoom(1, this.#middle, [KEY_STEP * width * arrow[0], KEY_STEP * height * arrow[1]]);
  }

  /** @param {WheelEvent} event many browsers report a trackpad's pinch as one, too. */
  #turnWheel(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.#zoom(Math.exp(-WHEEL_STEP * event.deltaY), [event.offsetX, event.offsetY]);
  }

  /** @param {PointerEvent} event */
  #press({ pointerType, button, offsetX, offsetY }) {
    this.dragged = false;
    if (pointerType !== "touch" && button === 0) this.#mouse = [offsetX, offsetY];
  }

  /** @param {PointerEvent} event */
  #drag({ pointerId, buttons, offsetX, offsetY }) {
    if (!(buttons & 1)) this.#mouse = null; // The button may have been released outside.
    if (!this.#mouse) return;
    const move = /** @type {Spot} */ ([offsetX - this.#mouse[0], offsetY - this.#mouse[1]]);
    if (!this.isWhole && !this.dragged && Math.hypot(...move) < DRAG_DISTANCE) return;
    this.#mouse = [offsetX, offsetY];
    if (this.isWhole) return;
    this.dragged = true;
    this.plane.setPointerCapture(pointerId);
    this.#zoom(1, this.#middle, move);
  }

  /**
   * Zooms and moves the plane by fingers. Otherwise the browser scrolls the page.
   *
   * @param {TouchEvent} event
   */
  #pinch(event) {
    const [before, now] = [this.#fingers, this.#touches(event)];
    this.#fingers = now;
    if (before.length !== now.length || now.length > 2 || !event.cancelable) return;
    if (this.#mouse) return event.preventDefault(); // A pen, which also sends pointer events.
    const [was, is] = [before, now].map(middleAndSpread);
    const move = /** @type {Spot} */ ([is.middle[0] - was.middle[0], is.middle[1] - was.middle[1]]);
    const moved = this.#zoom(is.spread / was.spread, was.middle, move);
    if (moved || now.length === 2) event.preventDefault();
  }

  /**
   * Where fingers are on the plane.
   *
   * @param {TouchEvent} event
   * @returns {Spot[]}
   */
  #touches({ targetTouches }) {
    const { left, top } = this.plane.getBoundingClientRect();
    return [...targetTouches].map(({ clientX, clientY }) => [clientX - left, clientY - top]);
  }
}

/**
 * The middle of one or two fingers, and the distance between them; 1 for one finger.
 *
 * @param {Spot[]} fingers
 */
function middleAndSpread([one, other = one]) {
  const middle = /** @type {Spot} */ ([(one[0] + other[0]) / 2, (one[1] + other[1]) / 2]);
  return { middle, spread: Math.hypot(one[0] - other[0], one[1] - other[1]) || 1 };
}
