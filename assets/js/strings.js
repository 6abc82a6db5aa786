/** Everything that scripts say to people. */

const AND = new Intl.ListFormat("en-GB");
const NUMBER = new Intl.NumberFormat("en-GB");

/** @param {string} noun */
const one = (noun) => `${/^[aeio]/i.test(noun) ? "an" : "a"} ${noun}`;

/** @param {number} count */
const these = (count) => (count === 1 ? "this one photo" : `these ${photos(count)}`);

/** @param {number} count */
const photos = (count) => (count === 1 ? "one photo" : `${NUMBER.format(count)} photos`);

export const SAY = {
  empty: "Start with a line, or take one of these.",
  credits: (/** @type {string[]} */ terms) => `Photos: ${terms.join("; ")}`,
  found: (/** @type {string[]} */ labels) => `Nearest: ${labels.join(", ")}.`,
  looksLike: (/** @type {string} */ guess, /** @type {string[]} */ labels) =>
    `That looks like ${one(guess)}. The nearest photos here: ${labels.join(", ")}.`,
  missing: (
    /** @type {string} */ guess,
    /** @type {number} */ count,
    /** @type {string[]} */ labels,
    /** @type {string} */ more,
  ) =>
    `That looks like ${one(guess)}. There is no ${guess} among ${these(count)}. ` +
    `The nearest are: ${labels.join(", ")}.${more ? ` More photos: ${more}` : ""}`,
  few: (/** @type {string} */ guess, /** @type {number} */ held, /** @type {number} */ count) =>
    `That looks like ${one(guess)}: ${NUMBER.format(held)} of ${these(count)}.`,
  others: "Other animals, nearest first",
  coming: (/** @type {number} */ done, /** @type {number} */ wanted) =>
    `More photos are coming: ${NUMBER.format(done)} of ${photos(wanted)}.`,
  credit: (/** @type {number} */ makers) =>
    makers === 1 ? "Photos by one maker: credits" : `Photos by ${makers} makers: credits`,
  unlikely: "Nothing here looks like it yet. Draw on, or see the nearest anyway.",
  because: "Warm parts of your drawing and of the photo made them match.",
  none: "No photo is left. Take something away above the photos.",
  uploading: "Reading the picture …",
  lost: "The server does not answer. Your drawing is safe; photos come when it is back.",
  busy: "The server is busy. Your drawing is safe; photos come late.",
  refused: (/** @type {number} */ status) =>
    status === 413
      ? "This is more than a proxy before the server lets through. Tell whoever runs it."
      : `The server, or a proxy before it, refuses this page (${status}). Reload it. If that does not help, tell whoever runs it. Your drawing is safe.`,
  elsewhere:
    "Something other than SketchZoo answers at this address. Reload the page, and sign in if it asks. Your drawing is safe.",
  notUploaded: "The picture did not reach the server. Try it again.",
  unreadable: "This file cannot be shown as a picture. Use a PNG, JPEG, WebP, HEIC, TIFF or SVG.",
  tooLarge: "This file has more than 30 MB. Save it smaller and try again.",
  example: (/** @type {string} */ name) => `Draw the example: ${name}`,
  byPhoto: (/** @type {string} */ label) => `like a photo: ${label}`,
  only: (/** @type {string} */ label) => `only ${label}`,
  without: (/** @type {string} */ label) => `no ${label}`,
  like: (/** @type {string} */ label) => `more like this ${label}`,
  unlike: (/** @type {string} */ label) => `less like this ${label}`,
  remove: (/** @type {string} */ text) => `Take away: ${text}`,
  open: (/** @type {string} */ label, /** @type {number} */ rank) => `${rank}: ${label}, look closer`,
  percent: (/** @type {number} */ share) => `${Math.round(100 * share)} %`,
  lies: (/** @type {string[]} */ labels, /** @type {boolean} */ byPhoto) =>
    `Map of all photos. ${labels.length ? `${byPhoto ? "The photo" : "Your drawing"} lies among ${AND.format(labels)}.` : ""}`.trim(),
  noCredit: "Nobody is named as its maker.",
  copied: "Copied.",
  copyByHand: "This browser lets only you copy: press Ctrl+C, or hold the marked text.",
  notSent: "The link was not sent. Copy it instead.",
  saved: "Saved as sketchzoo.png.",
  notSaved: "This browser cannot save the picture. Take a screenshot instead.",
  poster: (/** @type {number} */ photos) => `Your drawing beside the photos found: ${photos}`,
  noLink: "The drawing is too large for a link, or the browser too old. Save it as PNG instead.",
  damagedLink: "The drawing in this link cannot be read: it is damaged. Ask for the whole link.",
};
