/** The canvas to draw on: takes pointer events, adds strokes, and paints the page. */

import { context2d } from "./dom.js";
import { paintPage } from "./paint.js";
import { dropClosePoints } from "./simplify.js";

/** @typedef {import("./drawing.js").Drawing} Drawing */
/** @typedef {import("./drawing.js").Point} Point */
/** @typedef {import("./drawing.js").Stroke} Stroke */
/** @typedef {{width: number, erase?: boolean}} Pen  width as a share of the page's side. */

/**
 * Pens by name; their buttons are in assets/board.html (`data-pen`). The medium pen is as wide as the
 * lines of training sketches.
 *
 * @type {Record<string, Pen>}
 */
export const PENS = {
  fine: { width: 0.007 },
  medium: { width: 0.012 },
  bold: { width: 0.024 },
  eraser: { width: 0.06, erase: true },
};

/** The button that a pen reports when it is turned round. */
const ERASER_BUTTON = 5;

/** Milliseconds after a pen event during which touches count as palms. */
const PALM_TIME = 5000;

/**
 * If the browser takes over a touch with at most this many points, or one smaller than this share of
 * the page's side, it was no stroke. Fast screens report many points of a short way.
 */
const MAX_GESTURE_POINTS = 12;
const MAX_GESTURE_SIZE = 0.06;

/** A touch smaller than this share of the page's side has not drawn yet: the finger rests. */
const MAX_REST_SIZE = 0.02;

/** If a pen takes over from a touch smaller than this share of the page's side, it was a palm. */
const MAX_PALM_SIZE = 0.25;

/**
 * Milliseconds of silence after which another pointer may draw, since a touch may end without an
 * event: at once beside a finger that has hardly moved, and later beside one that has drawn a line.
 */
const SILENCE = 300;
const LONG_SILENCE = 2000;

/** Range of coordinates, as shares of the page's side: at most one page away from it. */
const [LEAST, MOST] = [-1, 2];

export class Pad {
  /**
   * The pointer that draws, its type, its stroke, and the time of its last event.
   *
   * @type {{id: number, type: string, stroke: Stroke, time: number} | null}
   */
  #active = null;
  /** When a pen was seen last: fingers and palms beside it draw nothing. */
  #penTime = -Infinity;
  /** The pen of the next stroke. */
  pen = PENS.medium;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Drawing} drawing
   * @param {object} options
   * @param {() => void} options.onChange called after each change of the drawing.
   */
  constructor(canvas, drawing, { onChange }) {
    this.canvas = canvas;
    this.drawing = drawing;
    this.onChange = onChange;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", (event) => this.#cancel(event));
    canvas.addEventListener("lostpointercapture", (event) => this.#up(event));
    window.addEventListener("blur", () => (this.#active = null));
    canvas.addEventListener("contextrestored", () => this.repaint());
    new ResizeObserver(() => this.repaint()).observe(canvas);
  }

  /** Paints the whole page again. */
  repaint() {
    const { canvas, drawing } = this;
    const side = Math.round(canvas.clientWidth * window.devicePixelRatio);
    if (!side) return;
    canvas.width = canvas.height = side;
    paintPage(context2d(canvas), drawing.page, side);
  }

  /** @param {PointerEvent} event */
  #down(event) {
    this.#noticePen(event);
    const isPalm = event.pointerType === "touch" && event.timeStamp - this.#penTime < PALM_TIME;
    const isEraser = event.button === ERASER_BUTTON;
    if (isPalm || (event.button > 0 && !isEraser) || !this.#mayDraw(event)) return;
    this.#release(event);
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    const stroke = this.drawing.begin(this.#point(event), isEraser ? PENS.eraser : this.pen);
    const { pointerId: id, pointerType: type, timeStamp: time } = event;
    this.#active = { id, type, stroke, time };
    this.repaint();
    this.onChange();
  }

  /**
   * Whether a pointer that goes down may draw. One pointer draws at a time. A touch gives way to a
   * pen or a mouse, and a pointer whose end was lost gives way to any. A second finger may only draw
   * if the first one rests: one that pauses in a line for a moment goes on with it.
   *
   * @param {PointerEvent} event
   */
  #mayDraw(event) {
    const active = this.#active;
    if (!active || active.id === event.pointerId) return true;
    const silence = event.timeStamp - active.time;
    if (active.type !== "touch") return silence > SILENCE;
    const isSmall = size(active.stroke) < MAX_REST_SIZE;
    return !isSecondFinger(event) || silence > (isSmall ? SILENCE : LONG_SILENCE);
  }

  /**
   * Ends the active stroke. If a pen takes over from a palm, or a second finger from one that rests,
   * the stroke of the palm or the finger is removed.
   *
   * @param {PointerEvent} event of the pointer that draws next.
   */
  #release(event) {
    const active = this.#active;
    this.#active = null;
    if (active?.type !== "touch") return;
    const least = event.pointerType === "pen" ? MAX_PALM_SIZE : MAX_REST_SIZE;
    if (event.pointerType !== "pen" && !isSecondFinger(event)) return;
    if (size(active.stroke) < least) this.drawing.discard(active.stroke);
  }

  /** @param {PointerEvent} event */
  #noticePen(event) {
    if (event.pointerType === "pen") this.#penTime = event.timeStamp;
  }

  /** @param {PointerEvent} event */
  #move(event) {
    this.#noticePen(event);
    if (event.pointerId !== this.#active?.id) return;
    // A menu may have swallowed the end of the stroke; then no button is pressed.
    if (!event.buttons) return this.#up(event);
    this.#active.time = event.timeStamp;
    const coalesced = event.getCoalescedEvents?.() ?? [];
    const points = (coalesced.length ? coalesced : [event]).map((e) => this.#point(e));
    const { stroke } = this.#active;
    const kept = dropClosePoints(stroke.points[stroke.points.length - 1], points);
    if (!kept.length) return;
    this.drawing.extend(stroke, kept);
    this.repaint();
    this.onChange();
  }

  /** @param {PointerEvent} event */
  #up(event) {
    if (event.pointerId === this.#active?.id) this.#active = null;
  }

  /**
   * The browser has taken over a touch, for example because there are two fingers.
   *
   * @param {PointerEvent} event
   */
  #cancel(event) {
    if (event.pointerId !== this.#active?.id) return;
    const { stroke } = this.#active;
    this.#active = null;
    const isGesture = stroke.points.length <= MAX_GESTURE_POINTS || size(stroke) < MAX_GESTURE_SIZE;
    if (isGesture) this.drawing.discard(stroke);
    this.repaint();
    this.onChange();
  }

  /** @param {PointerEvent} event @returns {Point} */
  #point(event) {
    const box = this.canvas.getBoundingClientRect();
    const rounded = (/** @type {number} */ value) => Math.round(value * 1e4) / 1e4;
    const inRange = (/** @type {number} */ value) => rounded(Math.min(Math.max(value, LEAST), MOST));
    const x = inRange((event.clientX - box.left) / box.width);
    const y = inRange((event.clientY - box.top) / box.height);
    // A pen held as usual reports a pressure of about 0.5; a mouse reports 0.5 for every stroke.
    return event.pointerType === "pen" ? [x, y, rounded(0.4 + 1.2 * event.pressure)] : [x, y];
  }
}

/**
 * Whether another touch is still down.
 *
 * @param {PointerEvent} event of a pointer that goes down.
 */
function isSecondFinger({ pointerType, isPrimary }) {
  return pointerType === "touch" && !isPrimary;
}

/**
 * Width or height of a stroke, whichever is larger, as a share of the page's side.
 *
 * @param {Stroke} stroke
 */
function size({ points }) {
  const extent = (/** @type {0 | 1} */ axis) => {
    let [least, most] = [Infinity, -Infinity];
    for (const point of points) {
      least = Math.min(least, point[axis]);
      most = Math.max(most, point[axis]);
    }
    return most - least;
  };
  return Math.max(extent(0), extent(1));
}
