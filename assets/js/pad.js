/** The canvas: pointer events in, strokes out, sharp on every screen. */

/** @typedef {import("./drawing.js").Drawing} Drawing */
/** @typedef {import("./drawing.js").Point} Point */
/** @typedef {import("./drawing.js").Stroke} Stroke */

const INK = "#1b1a17";

/** Width of the pen as a share of the page's side; lines of the training sketches look alike. */
export const PEN_WIDTH = 0.012;

export class Pad {
  /** The pointer that draws, and its stroke. @type {{id: number, stroke: Stroke} | null} */
  #pen = null;

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
    for (const name of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(name, (event) => this.#up(/** @type {PointerEvent} */ (event)));
    }
    new ResizeObserver(() => this.repaint()).observe(canvas);
  }

  /** Draws the whole page anew. */
  repaint() {
    const { canvas, drawing } = this;
    const side = Math.round(canvas.clientWidth * window.devicePixelRatio);
    if (!side) return;
    canvas.width = canvas.height = side;
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const { picture, strokes } = drawing.page;
    if (picture) {
      const scale = side / Math.max(picture.image.width, picture.image.height);
      const width = picture.image.width * scale;
      const height = picture.image.height * scale;
      context.drawImage(picture.image, (side - width) / 2, (side - height) / 2, width, height);
    }
    for (const stroke of strokes) paintStroke(context, stroke, side);
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (this.#pen || event.button > 0) return;
    event.preventDefault();
    this.canvas.setPointerCapture(event.pointerId);
    const stroke = this.drawing.begin(this.#point(event), PEN_WIDTH);
    this.#pen = { id: event.pointerId, stroke };
    this.repaint();
    this.changed();
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (event.pointerId !== this.#pen?.id) return;
    const fine = event.getCoalescedEvents?.() ?? [];
    const points = (fine.length ? fine : [event]).map((e) => this.#point(e));
    this.drawing.extend(this.#pen.stroke, points);
    this.repaint();
    this.changed();
  }

  /** @param {PointerEvent} event */
  #up(event) {
    if (event.pointerId !== this.#pen?.id) return;
    this.#pen = null;
    this.changed();
  }

  /** @param {PointerEvent} event @returns {Point} */
  #point(event) {
    const box = this.canvas.getBoundingClientRect();
    const share = (/** @type {number} */ value) => Math.round(value * 1e4) / 1e4;
    return [
      share((event.clientX - box.left) / box.width),
      share((event.clientY - box.top) / box.height),
    ];
  }
}

/**
 * Paints a stroke as a smooth curve through the middles of its segments.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Stroke} stroke
 * @param {number} side of the page in device pixels.
 */
export function paintStroke(context, stroke, side) {
  const points = stroke.points.map(([x, y]) => [x * side, y * side]);
  const [first, last] = [points[0], points[points.length - 1]];
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = stroke.width * side;
  context.strokeStyle = INK;
  context.beginPath();
  context.moveTo(first[0], first[1]);
  for (let i = 1; i < points.length - 1; i++) {
    const [x, y] = points[i];
    context.quadraticCurveTo(x, y, (x + points[i + 1][0]) / 2, (y + points[i + 1][1]) / 2);
  }
  context.lineTo(last[0], last[1]);
  context.stroke();
}
