/**
 * A drawing as a short text for a link, and back. No server keeps it: the text is the drawing.
 *
 * The text is base64url of raw deflate of bytes. After a version come the strokes: flags, width,
 * number of points, and the points as differences from the point before, all as varints.
 */

/** @typedef {import("./drawing.js").Stroke} Stroke */

/** The server's limits, as in `model/pictures/strokes.py`. */
export const MAX_STROKES = 1000;
export const MAX_POINTS = 50_000;

const VERSION = 1;
const ERASE = 1;
const PRESSURE = 2;

/** Steps of a coordinate or a width along the page's side, and of a pressure from 0 to 1. */
const STEPS = 2000;
const PRESSURE_STEPS = 100;

/** What the server keeps coordinates, widths and pressures within, in these steps. */
const COORDINATES = [-STEPS, 2 * STEPS];
const WIDTHS = [0.001 * STEPS, 0.2 * STEPS];
const PRESSURES = [0.1 * PRESSURE_STEPS, 2 * PRESSURE_STEPS];

/** Bytes that the largest drawing takes: two for each difference, three for a number of points. */
const MAX_BYTES = 1 + 6 * MAX_STROKES + 6 * MAX_POINTS;

/** Bytes that are inflated at a time: at most a thousand times as many can come of them. */
const SLICE = 512;

/**
 * The text that stands for these strokes. Places are rounded to 1/2000 of the page's side.
 *
 * @param {Stroke[]} strokes
 * @returns {Promise<string>} letters that need no escaping in a URL.
 * @throws {RangeError} when there is more than the server takes.
 */
export async function encode(strokes) {
  const count = strokes.reduce((sum, { points }) => sum + points.length, 0);
  if (strokes.length > MAX_STROKES || count > MAX_POINTS) throw new RangeError("too large");
  const bytes = [VERSION];
  let [x, y] = [0, 0];
  for (const { width, points, erase } of strokes) {
    const pressed = points.some((point) => point.length > 2);
    put(bytes, (erase ? ERASE : 0) | (pressed ? PRESSURE : 0));
    put(bytes, steps(width, STEPS, WIDTHS));
    put(bytes, points.length);
    let pressure = PRESSURE_STEPS;
    for (const point of points) {
      const [toX, toY] = [point[0], point[1]].map((at) => steps(at, STEPS, COORDINATES));
      put(bytes, zigzag(toX - x));
      put(bytes, zigzag(toY - y));
      [x, y] = [toX, toY];
      if (!pressed) continue;
      const next = steps(point[2] ?? 1, PRESSURE_STEPS, PRESSURES);
      put(bytes, zigzag(next - pressure));
      pressure = next;
    }
  }
  const whole = new Blob([new Uint8Array(bytes)]).stream();
  const packed = await new Response(
    whole.pipeThrough(new CompressionStream("deflate-raw")),
  ).arrayBuffer();
  const text = Array.from(new Uint8Array(packed), (byte) => String.fromCharCode(byte)).join("");
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * The strokes that `encode` made this text of.
 *
 * @param {string} text
 * @returns {Promise<Stroke[]>}
 * @throws when it is damaged, empty, or holds more than the server takes.
 */
export async function decode(text) {
  if (text.length > 2 * MAX_BYTES) throw new RangeError("too large");
  const packed = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const next = reader(await inflate(Uint8Array.from(packed, (byte) => byte.charCodeAt(0))));
  /** @type {Stroke[]} */
  const strokes = [];
  let [x, y, count] = [0, 0, 0];
  next([VERSION, VERSION]);
  while (!next.isDone()) {
    const flags = next([0, ERASE | PRESSURE]);
    const width = next(WIDTHS) / STEPS;
    const length = next([1, MAX_POINTS - count]);
    count += length;
    let pressure = PRESSURE_STEPS;
    /** @type {import("./drawing.js").Point[]} */
    const points = [];
    for (let i = 0; i < length; i++) {
      x = next(COORDINATES, x);
      y = next(COORDINATES, y);
      if (flags & PRESSURE) pressure = next(PRESSURES, pressure);
      const [atX, atY] = [x / STEPS, y / STEPS];
      points.push(flags & PRESSURE ? [atX, atY, pressure / PRESSURE_STEPS] : [atX, atY]);
    }
    strokes.push(flags & ERASE ? { width, points, erase: true } : { width, points });
  }
  if (!strokes.length || strokes.length > MAX_STROKES) throw new RangeError("no drawing");
  return strokes;
}

/** @param {number} value @param {number} scale @param {number[]} range */
function steps(value, scale, [least, most]) {
  return Math.min(Math.max(Math.round(value * scale), least), most);
}

/**
 * Small numbers of either sign to small ones without.
 *
 * @param {number} value
 */
function zigzag(value) {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

/**
 * Appends a varint: seven bits a byte, the lowest first.
 *
 * @param {number[]} bytes
 * @param {number} value
 */
function put(bytes, value) {
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
  bytes.push(value);
}

/**
 * Reads varints one after the other: each a number in a range, or a difference to one before.
 *
 * @param {Uint8Array} bytes
 */
function reader(bytes) {
  let at = 0;
  /** @param {number[]} range @param {number} [before] */
  const next = ([least, most], before) => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      if (at >= bytes.length || shift > 14) throw new RangeError("cut short");
      value |= (bytes[at] & 127) << shift;
      if (bytes[at++] < 128) break;
    }
    if (before !== undefined) value = before + (value & 1 ? -(value + 1) / 2 : value / 2);
    if (value < least || value > most) throw new RangeError("out of range");
    return value;
  };
  return Object.assign(next, { isDone: () => at >= bytes.length });
}

/**
 * Raw deflate undone, little by little, and given up where it becomes more than a drawing.
 *
 * @param {Uint8Array} packed
 */
async function inflate(packed) {
  let at = 0;
  /** @type {ReadableStream<BufferSource>} */
  const slices = new ReadableStream({
    pull(controller) {
      if (at >= packed.length) controller.close();
      else controller.enqueue(packed.slice(at, (at += SLICE)));
    },
  });
  const output = slices.pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const bytes = new Uint8Array(MAX_BYTES);
  let size = 0;
  for (;;) {
    const { value, done } = await output.read();
    if (done) return bytes.subarray(0, size);
    if (size + value.length > MAX_BYTES) {
      await output.cancel();
      throw new RangeError("too large");
    }
    bytes.set(value, size);
    size += value.length;
  }
}
