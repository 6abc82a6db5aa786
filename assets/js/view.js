/** How results are shown: as photos or on the map, and how many. The browser stores both. */

import { storage } from "./storage.js";

/** Keys in the browser's storage. */
const VIEW = "sketchzoo.view";
const COUNT = "sketchzoo.count";

/**
 * Makes the switch between photos and map work.
 *
 * @param {HTMLElement} root gets the chosen view as `data-view`.
 */
export function initViewSwitch(root) {
  const buttons = [.../** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll("[data-show]"))];
  /** @param {string} view */
  const choose = (view) => {
    root.dataset.view = view;
    storage.setItem(VIEW, view);
    for (const button of buttons) {
      button.setAttribute("aria-pressed", String(button.dataset.show === view));
    }
  };
  for (const button of buttons) {
    button.addEventListener("click", () => choose(button.dataset.show ?? "photos"));
  }
  choose(storage.getItem(VIEW) === "map" ? "map" : "photos");
}

/**
 * Makes the menu of the number of photos work.
 *
 * @param {HTMLSelectElement} menu
 * @param {object} options
 * @param {() => void} options.onChange
 */
export function initCount(menu, { onChange }) {
  const stored = storage.getItem(COUNT);
  for (const option of menu.options) if (option.value === stored) option.selected = true;
  menu.addEventListener("change", () => {
    storage.setItem(COUNT, menu.value);
    onChange();
  });
}
