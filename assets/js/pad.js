/** The canvas: pointer events in, strokes out, sharp on every screen. */

import { spaced } from "./thin.js";

/** @typedef {import("./drawing.js").Drawing} Drawing */
/** @typedef {import("./drawing.js").Point} Point */
/** @typedef {import("./drawing.js").Stroke} Stroke */

const INK = "#1b1a17";

/** Widths of the pen as shares of the page's side; the lines of training sketches are medium. */
export const WIDTHS = { fine: 0.007, medium: 0.012, bold: 0.024 };

/** Width of the eraser as a share of the page's side. */
const ERASER = 0.06;

/** What the eraser draws with. */
export const ERASE = { width: ERASER, erase: true };

/** The button that a pen tells when it is turned round. */
const ERASER_END = 5;

/** Milliseconds after a pen during which touches are palms. */
const PALM = 5000;

/** Points up to which a touch that turns into a gesture of the browser was no stroke. */
const GESTURE = 12;

/** Share of the page's side up to which a touch that lies there when a pen comes was a palm. */
const BLOT = 0.25;

/** Milliseconds of silence after which another finger may draw: the end of a touch may never come. */
const SILENT = 300;

/** Places that are kept, as shares of the page's side: at most one page away from it. */
const [LEAST, MOST] = [-1, 2];

export class Pad {
  /**
   * The pointer that draws, its kind, its stroke, and when it was heard of last.
   *
   * @type {{id: number, kind: string, stroke: Stroke, at: number} | null}
   */
  #active = null;
  /** When a pen was seen last: fingers and palms beside it draw nothing. */
  #penAt = -Infinity;
  /**
   * What the next stroke is drawn with.
   *
   * @type {{width: number, erase?: boolean}}
   */
  tool = { width: WIDTHS.medium };

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {Drawing} drawing
   * @param {() => void} changed
   */
  constructor(canvas, drawing, changed) {
    this.canvas = canvas;
    this.drawing = drawing;
    this.changed = changed;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    canvas.addEventListener("pointerup", (event) => this.#up(event));
    canvas.addEventListener("pointercancel", (event) => this.#cancel(event));
    canvas.addEventListener("lostpointercapture", (event) => this.#up(event));
    window.addEventListener("blur", () => (this.#active = null));
    new ResizeObserver(() => this.repaint()).observe(canvas);
  }

  /** Draws the whole page anew. */
  repaint() {
    const { canvas, drawing } = this;
    const side = Math.round(canvas.clientWidth * window.devicePixelRatio);
    if (!side) return;
    canvas.width = canvas.height = side;
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    paintPage(context, drawing.page, side);
  }

  /** @param {PointerEvent} event */
  #down(event) {
    this.#see(event);
    const palm = event.pointerType === "touch" && event.timeStamp - this.#penAt < PALM;
    const isEraser = event.button === ERASER_END;
    if (palm || (event.button > 0 && !isEraser) || !this.#mayDraw(event)) return;
    this.#release(event);
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    const stroke = this.drawing.begin(this.#point(event), isEraser ? ERASE : this.tool);
    const { pointerId: id, pointerType: kind, timeStamp: at } = event;
    this.#active = { id, kind, stroke, at };
    this.repaint();
    this.changed();
  }

  /**
   * Whether a pointer that goes down may draw. One pointer draws at a time, but a touch gives way to
   * a pen or a mouse, and a pointer whose end was lost gives way to any.
   *
   * @param {PointerEvent} event
   */
  #mayDraw({ pointerId, pointerType, isPrimary, timeStamp }) {
    const active = this.#active;
    if (!active || active.id === pointerId || timeStamp - active.at > SILENT) return true;
    return active.kind === "touch" && (pointerType !== "touch" || isPrimary);
  }

  /**
   * Ends the stroke of the pointer that drew. Where a pen takes over from a palm, its blot goes.
   *
   * @param {PointerEvent} event of the pointer that draws next.
   */
  #release({ pointerType }) {
    const active = this.#active;
    this.#active = null;
    if (active?.kind !== "touch" || pointerType !== "pen") return;
    if (extent(active.stroke) < BLOT) this.drawing.forget(active.stroke);
  }

  /** @param {PointerEvent} event */
  #see(event) {
    if (event.pointerType === "pen") this.#penAt = event.timeStamp;
  }

  /** @param {PointerEvent} event */
  #move(event) {
    this.#see(event);
    if (event.pointerId !== this.#active?.id) return;
    // Where a menu has swallowed the end of a stroke, a move without a button tells it.
    if (!event.buttons) return this.#up(event);
    this.#active.at = event.timeStamp;
    const fine = event.getCoalescedEvents?.() ?? [];
    const points = (fine.length ? fine : [event]).map((e) => this.#point(e));
    const { stroke } = this.#active;
    const far = spaced(stroke.points[stroke.points.length - 1], points);
    if (!far.length) return;
    this.drawing.extend(stroke, far);
    this.repaint();
    this.changed();
  }

  /** @param {PointerEvent} event */
  #up(event) {
    if (event.pointerId === this.#active?.id) this.#active = null;
  }

  /**
   * The browser has taken a touch over, as it does for two fingers.
   *
   * @param {PointerEvent} event
   */
  #cancel(event) {
    if (event.pointerId !== this.#active?.id) return;
    const { stroke } = this.#active;
    this.#active = null;
    if (stroke.points.length <= GESTURE) this.drawing.forget(stroke);
    this.repaint();
    this.changed();
  }

  /** @param {PointerEvent} event @returns {Point} */
  #point(event) {
    const box = this.canvas.getBoundingClientRect();
    const share = (/** @type {number} */ value) => Math.round(value * 1e4) / 1e4;
    const place = (/** @type {number} */ value) => share(Math.min(Math.max(value, LEAST), MOST));
    const x = place((event.clientX - box.left) / box.width);
    const y = place((event.clientY - box.top) / box.height);
    // A pen that is held as usual tells a pressure of about 0.5; a mouse always does.
    return event.pointerType === "pen" ? [x, y, share(0.4 + 1.2 * event.pressure)] : [x, y];
  }
}

/**
 * How far a stroke reaches from left to right or from top to bottom, as a share of the page's side.
 *
 * @param {Stroke} stroke
 */
function extent({ points }) {
  const reach = (/** @type {0 | 1} */ axis) => {
    let [least, most] = [Infinity, -Infinity];
    for (const point of points) {
      least = Math.min(least, point[axis]);
      most = Math.max(most, point[axis]);
    }
    return most - least;
  };
  return Math.max(reach(0), reach(1));
}

/**
 * Paints an upload, fitted into the page, and the strokes on it.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {import("./drawing.js").Page} page
 * @param {number} side of the page in device pixels.
 */
export function paintPage(context, { picture, strokes }, side) {
  if (picture) {
    const scale = side / Math.max(picture.image.width, picture.image.height);
    const width = picture.image.width * scale;
    const height = picture.image.height * scale;
    context.drawImage(picture.image, (side - width) / 2, (side - height) / 2, width, height);
  }
  for (const stroke of strokes) paintStroke(context, stroke, side);
}

/**
 * Paints a stroke as a smooth curve through the middles of its segments.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Stroke} stroke
 * @param {number} side of the page in device pixels.
 */
export function paintStroke(context, stroke, side) {
  const points = stroke.points.map(([x, y, pressure = 1]) => ({ x: x * side, y: y * side, pressure }));
  context.lineCap = context.lineJoin = "round";
  context.strokeStyle = INK;
  context.globalCompositeOperation = stroke.erase ? "destination-out" : "source-over";
  let from = points[0];
  context.beginPath();
  context.moveTo(from.x, from.y);
  context.lineWidth = stroke.width * from.pressure * side;
  for (let i = 1; i < points.length; i++) {
    const [at, next] = [points[i], points[i + 1] ?? points[i]];
    const middle = { x: (at.x + next.x) / 2, y: (at.y + next.y) / 2, pressure: at.pressure };
    context.quadraticCurveTo(at.x, at.y, middle.x, middle.y);
    if (at.pressure !== from.pressure) {
      context.stroke();
      context.beginPath();
      context.moveTo(middle.x, middle.y);
      context.lineWidth = stroke.width * at.pressure * side;
    }
    from = middle;
  }
  if (points.length === 1) context.lineTo(from.x, from.y);
  context.stroke();
  context.globalCompositeOperation = "source-over";
}
