/** Everything that scripts say to people. */

const AND = new Intl.ListFormat("en-GB");

export const SAY = {
  empty: "Start with a line, or take one of these.",
  credits: (/** @type {string[]} */ terms) => `Photos: ${terms.join("; ")}`,
  found: (/** @type {string} */ labels) => `Nearest: ${labels}.`,
  none: "No photo is left. Take something away above the photos.",
  uploading: "Reading the picture …",
  lost: "The server does not answer. Your drawing is safe; photos come when it is back.",
  unreadable: "This file cannot be shown as a picture. Use a PNG, JPEG, WebP or SVG.",
  tooLarge: "This file has more than 30 MB. Save it smaller and try again.",
  example: (/** @type {string} */ name) => `Draw the example: ${name}`,
  byPhoto: (/** @type {string} */ label) => `like a photo: ${label}`,
  only: (/** @type {string} */ label) => `only ${label}`,
  without: (/** @type {string} */ label) => `no ${label}`,
  like: (/** @type {string} */ label) => `more like this ${label}`,
  unlike: (/** @type {string} */ label) => `less like this ${label}`,
  remove: (/** @type {string} */ text) => `Take away: ${text}`,
  open: (/** @type {string} */ label, /** @type {number} */ rank) => `${rank}: ${label}, look closer`,
  similar: (/** @type {number} */ share) => `${Math.round(100 * share)} %`,
  lies: (/** @type {string[]} */ labels, /** @type {boolean} */ byPhoto) =>
    `Map of all photos. ${labels.length ? `${byPhoto ? "The photo" : "Your drawing"} lies among ${AND.format(labels)}.` : ""}`.trim(),
  noCredit: "Nobody is named as its maker.",
};
