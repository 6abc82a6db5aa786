/** Paints pages and strokes on a canvas. */

/** @typedef {import("./drawing.js").Stroke} Stroke */

const INK = "#1b1a17";

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
