/** Recognises licences in the terms of a photo, and links to their text. */

import { newTabLink } from "./dom.js";

/** Licences with a page at SPDX, apart from the GNU and Creative Commons licences. */
const KNOWN = [
  ...["0BSD", "Apache-2.0", "Artistic-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC-PDDC", "ISC"],
  ...["LAL-1.2", "LAL-1.3", "MIT", "MPL-2.0", "ODbL-1.0", "OFL-1.1", "OGL-UK-3.0", "Unlicense"],
  ...["WTFPL", "Zlib"],
];

/**
 * Versions of the GNU licences.
 *
 * @type {Record<string, string[]>}
 */
const GNU = {
  GPL: ["1.0", "2.0", "3.0"],
  LGPL: ["2.0", "2.1", "3.0"],
  AGPL: ["3.0"],
  GFDL: ["1.1", "1.2", "1.3"],
};

const LATER = "(?<later>\\+| or (?:any )?later(?: version)?|-or-later|-only)?";
const LICENCE = new RegExp(
  "(?<![\\w.+-])(?:" +
    [
      `(?<gnu>A?GPL|LGPL|GFDL)[- ]?v?(?<version>\\d(?:\\.\\d)?)${LATER}`,
      "CC[- ](?<cc>BY(?:-NC)?(?:-SA|-ND)?)[- ](?<ccVersion>[1-4]\\.0|2\\.5)(?:-(?<place>[A-Z]{2}))?",
      "(?<zero>CC0)(?:[- ]1\\.0)?",
      "(?<mark>CC-PDM-1\\.0)",
      `(?<known>${KNOWN.join("|").replaceAll(".", "\\.")})`,
    ].join("|") +
    ")(?![\\w+-]|\\.\\w)",
  "gi",
);

/**
 * The words of a photo's licence, with the address of each licence that is recognised.
 *
 * @param {string} terms such as "CC BY-SA 2.5 or GPL-2 or later", or SPDX ids.
 * @returns {{text: string, href?: string}[]} Joined, their texts are `terms`.
 */
export function findLicences(terms) {
  /** @type {{text: string, href?: string}[]} */
  const pieces = [];
  let end = 0;
  for (const match of terms.matchAll(LICENCE)) {
    const href = address(match.groups ?? {});
    if (!href) continue;
    const start = match.index ?? 0;
    pieces.push({ text: terms.slice(end, start) }, { text: match[0], href });
    end = start + match[0].length;
  }
  return [...pieces, { text: terms.slice(end) }].filter(({ text }) => text);
}

/**
 * The same as text and links for the page.
 *
 * @param {string} terms
 * @returns {(string | HTMLAnchorElement)[]}
 */
export function licenceLinks(terms) {
  return findLicences(terms).map(({ text, href }) => (href ? newTabLink(href, text) : text));
}

/** @param {Record<string, string | undefined>} groups of `LICENCE` */
function address({ gnu, version = "", later, cc, ccVersion, place, zero, mark, known }) {
  if (zero) return "https://creativecommons.org/publicdomain/zero/1.0/";
  if (mark) return "https://creativecommons.org/publicdomain/mark/1.0/";
  if (cc) {
    const country = place ? `${place.toLowerCase()}/` : "";
    return `https://creativecommons.org/licenses/${cc.toLowerCase()}/${ccVersion}/${country}`;
  }
  if (known) return spdx(KNOWN.find((id) => id.toLowerCase() === known.toLowerCase()) ?? "");
  const family = gnu?.toUpperCase() ?? "";
  const full = version.includes(".") ? version : `${version}.0`;
  const which = !later || /only/i.test(later) ? "only" : "or-later";
  return GNU[family]?.includes(full) ? spdx(`${family}-${full}-${which}`) : null;
}

/** @param {string} id */
function spdx(id) {
  return `https://spdx.org/licenses/${id}.html`;
}
