import assert from "node:assert/strict";
import { test } from "node:test";

import { findLicences, licenceLinks } from "../../assets/js/licences.js";

const SPDX = "https://spdx.org/licenses";
const CC = "https://creativecommons.org";

test("licences are recognised in the spelling of SPDX, Debian and people", () => {
  const known = {
    "GPL-2": `${SPDX}/GPL-2.0-only.html`,
    "GPL-2+": `${SPDX}/GPL-2.0-or-later.html`,
    "GPL-2 or later": `${SPDX}/GPL-2.0-or-later.html`,
    "GPL-2.0-or-later": `${SPDX}/GPL-2.0-or-later.html`,
    "GPL-3.0-only": `${SPDX}/GPL-3.0-only.html`,
    "GPLv3": `${SPDX}/GPL-3.0-only.html`,
    "LGPL 2.1 or any later version": `${SPDX}/LGPL-2.1-or-later.html`,
    "AGPL-3.0-or-later": `${SPDX}/AGPL-3.0-or-later.html`,
    "GFDL-1.2-or-later": `${SPDX}/GFDL-1.2-or-later.html`,
    "MIT": `${SPDX}/MIT.html`,
    "apache-2.0": `${SPDX}/Apache-2.0.html`,
    "CC0": `${CC}/publicdomain/zero/1.0/`,
    "CC0-1.0": `${CC}/publicdomain/zero/1.0/`,
    "CC-PDM-1.0": `${CC}/publicdomain/mark/1.0/`,
    "CC-PDDC": `${SPDX}/CC-PDDC.html`,
    "CC BY 4.0": `${CC}/licenses/by/4.0/`,
    "CC-BY-NC-ND-3.0": `${CC}/licenses/by-nc-nd/3.0/`,
    "cc by-sa 2.5": `${CC}/licenses/by-sa/2.5/`,
    "CC-BY-SA-3.0-DE": `${CC}/licenses/by-sa/3.0/de/`,
  };
  for (const [text, href] of Object.entries(known)) assert.deepEqual(findLicences(text), [{ text, href }]);
});

test("the words around licences stay as they are", () => {
  assert.deepEqual(findLicences("CC BY-SA 2.5 or GFDL"), [
    { text: "CC BY-SA 2.5", href: `${CC}/licenses/by-sa/2.5/` },
    { text: " or GFDL" },
  ]);
  assert.deepEqual(findLicences("Either MIT, or (GPL-2 or later)."), [
    { text: "Either " },
    { text: "MIT", href: `${SPDX}/MIT.html` },
    { text: ", or (" },
    { text: "GPL-2 or later", href: `${SPDX}/GPL-2.0-or-later.html` },
    { text: ")." },
  ]);
});

test("unclear terms are not linked", () => {
  assert.deepEqual(findLicences(""), []);
  const unsure = ["public domain", "GFDL", "GPL", "GPL-9", "LGPL-2.2", "CC BY-SA", "CC BY 7.0"];
  for (const text of [...unsure, "permitted", "MIT-like", "SMIT", "GPL-2.5", "see the package"]) {
    assert.deepEqual(findLicences(text), [{ text }]);
  }
});

test("links open in a new tab without access to the page, and hold only text", () => {
  /** @type {any} */ (globalThis).document = { createElement: (/** @type {string} */ tag) => ({ tag }) };
  assert.deepEqual(licenceLinks("<b>MIT</b>"), [
    "<b>",
    { tag: "a", href: `${SPDX}/MIT.html`, target: "_blank", rel: "noopener", textContent: "MIT" },
    "</b>",
  ]);
});
