/** The filters as chips: buttons that remove them. */

import { newButton } from "./dom.js";
import { TEXT } from "./text.js";

/** @typedef {import("./filters.js").Filter} Filter */

/**
 * Shows the filters. After a click, the focus goes to the chip that took its place, or to `next`
 * if none is left.
 *
 * @param {HTMLElement} list
 * @param {Filter[]} filters
 * @param {object} options
 * @param {(filter: Filter) => void} options.onRemove removes a filter, and shows those that are left.
 * @param {() => HTMLElement} options.next
 */
export function showChips(list, filters, { onRemove, next }) {
  const chips = filters.map((filter, i) => {
    const chip = newButton(filter.text);
    chip.setAttribute("aria-label", TEXT.remove(filter.text));
    chip.addEventListener("click", () => {
      onRemove(filter);
      const left = /** @type {NodeListOf<HTMLElement>} */ (list.querySelectorAll("button"));
      (left[i] ?? left[i - 1] ?? next()).focus();
    });
    return chip;
  });
  list.replaceChildren(...chips);
}
