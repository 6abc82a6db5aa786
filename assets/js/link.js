/**
 * A drawing as a short text for a link, and back. No server keeps it: the text is the drawing.
 *
 * The text is base64url of raw deflate of bytes. The first byte is the version. Then come the
 * strokes: flags, width, number of points, and the points as differences from the point before,
 * all as varints.
 */

/** @typedef {import("./drawing.js").Stroke} Stroke */
/** @typedef {import("./drawing.js").Point} Point */

/** The server's limits, as in `model/pictures/strokes.py`. */
export const MAX_STROKES = 1000;
export const MAX_POINTS = 50_000;

const VERSION = 1;
const ERASE = 1;
const PRESSURE = 2;

/** Steps of a coordinate or a width along the page's side, and of a pressure from 0 to 1. */
const STEPS = 2000;
const PRESSURE_STEPS = 100;

/** The ranges of coordinates, widths and pressures that the server accepts, in these steps. */
const COORDINATES = [-STEPS, 2 * STEPS];
const WIDTHS = [0.001 * STEPS, 0.2 * STEPS];
const PRESSURES = [0.1 * PRESSURE_STEPS, 2 * PRESSURE_STEPS];

/** Bytes of the largest drawing: two for each difference, three for a number of points. */
const MAX_BYTES = 1 + 6 * MAX_STROKES + 6 * MAX_POINTS;

/** Bytes that are inflated at a time: at most a thousand times as many can come out. */
const SLICE = 512;

/**
 * The text of these strokes. Coordinates are rounded to 1/2000 of the page's side.
 *
 * @param {Stroke[]} strokes
 * @returns {Promise<string>} letters that need no escaping in a URL.
 * @throws {RangeError} if the server does not accept so many strokes or points.
 */
export async function encode(strokes) {
  const count = strokes.reduce((sum, { points }) => sum + points.length, 0);
  if (strokes.length > MAX_STROKES || count > MAX_POINTS) throw new RangeError("too large");
  const bytes = new Blob([new Uint8Array(pack(strokes))]).stream();
  const deflated = await new Response(
    bytes.pipeThrough(new CompressionStream("deflate-raw")),
  ).arrayBuffer();
  const text = Array.from(new Uint8Array(deflated), (byte) => String.fromCharCode(byte)).join("");
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * The strokes of a text from `encode`.
 *
 * @param {string} text
 * @returns {Promise<Stroke[]>}
 * @throws if it is damaged, empty, or holds more than the server accepts.
 */
export async function decode(text) {
  if (text.length > 2 * MAX_BYTES) throw new RangeError("too large");
  const deflated = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  const strokes = unpack(await inflate(Uint8Array.from(deflated, (byte) => byte.charCodeAt(0))));
  if (!strokes.length || strokes.length > MAX_STROKES) throw new RangeError("no drawing");
  return strokes;
}

/** Whether this browser can read links: Safari can from 16.4 on. */
export function canDecode() {
  try {
    return Boolean(new DecompressionStream("deflate-raw"));
  } catch {
    return false;
  }
}

/** @param {Stroke[]} strokes @returns {number[]} bytes */
function pack(strokes) {
  const bytes = [VERSION];
  let [x, y] = [0, 0];
  for (const { width, points, erase } of strokes) {
    const pressed = points.some((point) => point.length > 2);
    writeVarint(bytes, (erase ? ERASE : 0) | (pressed ? PRESSURE : 0));
    writeVarint(bytes, steps(width, STEPS, WIDTHS));
    writeVarint(bytes, points.length);
    let pressure = PRESSURE_STEPS;
    for (const point of points) {
      const [toX, toY] = [point[0], point[1]].map((at) => steps(at, STEPS, COORDINATES));
      writeVarint(bytes, zigzag(toX - x));
      writeVarint(bytes, zigzag(toY - y));
      [x, y] = [toX, toY];
      if (!pressed) continue;
      const next = steps(point[2] ?? 1, PRESSURE_STEPS, PRESSURES);
      writeVarint(bytes, zigzag(next - pressure));
      pressure = next;
    }
  }
  return bytes;
}

/** @param {Uint8Array} bytes @returns {Stroke[]} @throws {RangeError} if they are damaged. */
function unpack(bytes) {
  const next = varintReader(bytes);
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
    /** @type {Point[]} */
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
  return strokes;
}

/** @param {number} value @param {number} scale @param {number[]} range */
function steps(value, scale, [least, most]) {
  return Math.min(Math.max(Math.round(value * scale), least), most);
}

/**
 * Maps small numbers of either sign to small positive ones.
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
function writeVarint(bytes, value) {
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
  bytes.push(value);
}

/**
 * Reads one varint after the other: a number in a range, or a difference to the one before.
 *
 * @param {Uint8Array} bytes
 */
function varintReader(bytes) {
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
 * Inflates raw deflate slice by slice, and stops if it becomes larger than any drawing.
 *
 * @param {Uint8Array} deflated
 */
async function inflate(deflated) {
  let at = 0;
  /** @type {ReadableStream<BufferSource>} */
  const slices = new ReadableStream({
    pull(controller) {
      if (at >= deflated.length) controller.close();
      else controller.enqueue(deflated.slice(at, (at += SLICE)));
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
