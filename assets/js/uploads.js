/** Uploads pictures, and brings back the one of a saved page. */

import { fetchUpload } from "./api.js";
import { RejectedError } from "./errors.js";
import { retry } from "./retry.js";
import { rasterize } from "./svg.js";
import { TEXT } from "./text.js";

/** @typedef {import("./drawing.js").Picture} Picture */

/** Largest upload, in bytes. */
const MAX_BYTES = 30e6;

/** Longest side in pixels of an image that is kept: undo keeps every upload. */
const MAX_SIDE = 1600;

export class Uploads {
  /** The number of files so far: only the last one counts. */
  #count = 0;

  /**
   * @param {import("./api.js").Server} server
   * @param {object} options
   * @param {(text: string, isError?: boolean) => void} options.onStatus
   */
  constructor(server, { onStatus }) {
    this.server = server;
    this.onStatus = onStatus;
  }

  /**
   * Uploads a file. Says what is wrong with it, unless a newer file has been chosen meanwhile.
   *
   * @param {File} file
   * @returns {Promise<Picture | null>} null if it is no picture, or not the newest file.
   */
  async add(file) {
    const number = ++this.#count;
    const isNewest = () => number === this.#count;
    const fail = (/** @type {string} */ text) => {
      if (isNewest()) this.onStatus(text, true);
      return null;
    };
    if (file.size > MAX_BYTES) return fail(TEXT.tooLarge);
    this.onStatus(TEXT.uploading);
    const picture = await rasterize(file).catch(() => null);
    if (!isNewest()) return null;
    if (!picture) return fail(TEXT.unreadable);
    try {
      const { path, image, error } = await this.#upload(picture);
      if (!isNewest()) return null;
      return path && image ? { path, image } : fail(error ?? TEXT.unreadable);
    } catch (error) {
      return fail(error instanceof RejectedError ? error.message : TEXT.notUploaded);
    }
  }

  /**
   * Uploads a picture. If the server has cleaned it, or the browser cannot show it, the image is
   * the one that the server made.
   *
   * @param {File} picture
   */
  async #upload(picture) {
    const uploaded = (await this.server.upload(picture)).path;
    let read = await this.server.read(uploaded);
    let image = !read.path || read.cleaned ? null : await decode(picture);
    if (read.path && !read.cleaned && !image) read = await this.server.read(uploaded, true);
    if (read.path && !image) image = await decode(await fetchUpload(read.path));
    return { ...read, image };
  }
}

/**
 * The image of a saved upload; null if the server has lost it. Tries until the server answers.
 *
 * @param {string} path
 */
export function reloadUpload(path) {
  return retry(async () => decode(await fetchUpload(path)));
}

/**
 * The image of a file; null if the browser cannot decode it.
 *
 * @param {Blob | null} file
 */
async function decode(file) {
  return file && createImageBitmap(file).then(shrink).catch(() => null);
}

/**
 * The same image with at most `MAX_SIDE` pixels a side, if the browser can shrink it. A larger one is
 * closed.
 *
 * @param {ImageBitmap} image
 */
async function shrink(image) {
  const scale = MAX_SIDE / Math.max(image.width, image.height);
  if (scale >= 1) return image;
  const resizeWidth = Math.max(1, Math.round(scale * image.width));
  const resizeHeight = Math.max(1, Math.round(scale * image.height));
  const options = { resizeWidth, resizeHeight, resizeQuality: /** @type {const} */ ("high") };
  const small = await createImageBitmap(image, options).catch(() => null);
  if (!small) return image;
  image.close();
  return small;
}
