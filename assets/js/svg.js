/** SVG drawings as pictures that the server can read. */

import { context2d } from "./dom.js";

const SVG = "image/svg+xml";

/** Side in pixels at which an SVG file is painted. */
const SIDE = 768;

/**
 * Paints an SVG file here, where its scripts do not run and it cannot load anything. Other files
 * stay as they are.
 *
 * @param {File} file
 * @returns {Promise<File>}
 * @throws if the SVG file is damaged.
 */
export async function rasterize(file) {
  if (file.type !== SVG && !/\.svg$/i.test(file.name)) return file;
  const url = URL.createObjectURL(new Blob([withSize(await file.text())], { type: SVG }));
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    const canvas = document.createElement("canvas");
    const scale = SIDE / Math.max(image.width, image.height, 1);
    canvas.width = Math.max(1, Math.round(image.width * scale));
    canvas.height = Math.max(1, Math.round(image.height * scale));
    const context = context2d(canvas);
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
    return new File([blob], `${file.name}.png`, { type: "image/png" });
  } finally {
    URL.revokeObjectURL(url);
  }
}

/**
 * An SVG drawing with a size in pixels. Without one, Firefox gives it no size at all, and other
 * browsers one that has nothing to do with the drawing. Text that is not SVG stays as it is.
 *
 * @param {string} text
 */
export function withSize(text) {
  const parsed = new DOMParser().parseFromString(text, SVG);
  const root = parsed.documentElement;
  if (root.localName !== "svg" || parsed.querySelector("parsererror")) return text;
  const [width, height] = ["width", "height"].map((name) => root.getAttribute(name)?.trim());
  const isLength = (/** @type {string | undefined} */ value) => value && !/%$|^auto$/.test(value);
  if (isLength(width) && isLength(height)) return text;
  const box = (root.getAttribute("viewBox") ?? "").trim().split(/[\s,]+/).map(Number);
  const [across, down] = box.length === 4 && box[2] > 0 && box[3] > 0 ? box.slice(2) : [1, 1];
  const scale = SIDE / Math.max(across, down);
  root.setAttribute("width", String(across * scale));
  root.setAttribute("height", String(down * scale));
  return new XMLSerializer().serializeToString(parsed);
}
