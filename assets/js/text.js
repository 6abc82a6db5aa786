/** All texts that scripts show to people. */

const AND = new Intl.ListFormat("en-GB");
const NUMBER = new Intl.NumberFormat("en-GB");

/** @param {string} noun */
const withArticle = (noun) => `${/^[aeio]/i.test(noun) ? "an" : "a"} ${noun}`;

/** @param {number} count */
const photos = (count) => (count === 1 ? "one photo" : `${NUMBER.format(count)} photos`);

/** @param {number} count */
const thesePhotos = (count) => (count === 1 ? "this one photo" : `these ${photos(count)}`);

export const TEXT = {
  searching: "Searching …",
  empty: "Start with a line, or choose an example.",
  credits: (/** @type {string[]} */ terms) => `Photos: ${terms.join("; ")}`,
  found: (/** @type {string[]} */ labels) => `Nearest: ${labels.join(", ")}.`,
  looksLike: (/** @type {string} */ guess, /** @type {string[]} */ labels) =>
    `That looks like ${withArticle(guess)}. The nearest photos here: ${labels.join(", ")}.`,
  missing: (
    /** @type {string} */ guess,
    /** @type {number} */ count,
    /** @type {string[]} */ labels,
    /** @type {string} */ more,
  ) =>
    `That looks like ${withArticle(guess)}. There is no ${guess} among ${thesePhotos(count)}. ` +
    `The nearest are: ${labels.join(", ")}.${more ? ` More photos: ${more}` : ""}`,
  few: (/** @type {string} */ guess, /** @type {number} */ held, /** @type {number} */ count) =>
    `That looks like ${withArticle(guess)}: ${NUMBER.format(held)} of ${thesePhotos(count)}.`,
  others: "Other animals, nearest first",
  downloading: (/** @type {number} */ done, /** @type {number} */ wanted) =>
    `Downloading photos: ${NUMBER.format(done)} of ${NUMBER.format(wanted)}.`,
  credit: (/** @type {number} */ makers) =>
    makers === 1 ? "Photos by one maker: credits" : `Photos by ${makers} makers: credits`,
  unlikely: "Nothing here looks like it yet. Draw on, or see the nearest anyway.",
  looking: "Looking …",
  because: "Warm parts of your drawing and of the photo made them match.",
  none: "No photo is left. Remove a filter above the photos.",
  uploading: "Reading the picture …",
  lost: "The server does not answer. Your drawing is safe; photos come when it is back.",
  busy: "The server is busy. Your drawing is safe; photos come later.",
  rejected: (/** @type {number} */ status) =>
    status === 413
      ? "This is too large for a proxy in front of the server. Tell whoever runs it."
      : `The server, or a proxy in front of it, refuses this page (${status}). Reload it. If that does not help, tell whoever runs it. Your drawing is safe.`,
  elsewhere:
    "Something other than SketchZoo answers at this address. Reload the page, and sign in if it asks. Your drawing is safe.",
  notUploaded: "The picture did not reach the server. Try again.",
  unreadable: "This file cannot be shown as a picture. Use a PNG, JPEG, WebP, HEIC, AVIF, TIFF or SVG.",
  tooLarge: "This file is larger than 30 MB. Save it smaller and try again.",
  example: (/** @type {string} */ name) => `Draw the example: ${name}`,
  byPhoto: (/** @type {string} */ label) => `like a photo: ${label}`,
  only: (/** @type {string} */ label) => `only ${label}`,
  without: (/** @type {string} */ label) => `no ${label}`,
  like: (/** @type {string} */ label) => `more like this ${label}`,
  unlike: (/** @type {string} */ label) => `less like this ${label}`,
  remove: (/** @type {string} */ text) => `Remove: ${text}`,
  open: (/** @type {string} */ label, /** @type {number} */ rank) => `${rank}: ${label}, open`,
  percent: (/** @type {number} */ share) => `${Math.round(100 * share)} %`,
  map: (/** @type {string[]} */ labels, /** @type {boolean} */ byPhoto) =>
    `Map of all photos. ${labels.length ? `${byPhoto ? "The photo" : "Your drawing"} lies among ${AND.format(labels)}.` : ""}`.trim(),
  noCredit: "The maker is not named.",
  copied: "Copied.",
  copyByHand: "This browser does not let the page copy. Press Ctrl+C, or hold the selected text.",
  notSent: "The link was not sent. Copy it instead.",
  saved: "Saved as sketchzoo.png.",
  notSaved: "This browser cannot save the picture. Take a screenshot instead.",
  poster: (/** @type {number} */ photos) => `Your drawing beside the photos found: ${photos}`,
  noLink: "The drawing is too large for a link, or the browser too old. Save it as PNG instead.",
  damagedLink: "The drawing in this link cannot be read: it is damaged. Ask for the whole link.",
  oldBrowser:
    "This browser is too old to read the drawing in this link. Open the link in a newer one.",
};
