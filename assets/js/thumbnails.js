/** Small photos that are tried again if they did not load. */

/** How often a photo that failed is tried again, and the milliseconds until then. */
const TRIES = 2;
const RETRY_AFTER = 2000;

/**
 * Loads a photo into a new image.
 *
 * @param {HTMLImageElement} image
 * @param {string} url
 */
export function load(image, url) {
  let tries = 0;
  image.addEventListener("error", () => {
    tries += 1;
    if (tries <= TRIES) setTimeout(() => reload(image), tries * RETRY_AFTER);
  });
  image.src = url;
}

/**
 * Loads a photo again if it has failed.
 *
 * @param {HTMLImageElement} image
 */
export function reload(image) {
  const { src, complete, naturalWidth } = image;
  if (complete && !naturalWidth) image.src = src;
}
