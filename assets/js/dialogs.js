/** How a dialog is left. */

import { part } from "./gallery.js";

/**
 * Closes a dialog by its cross, and by a click beside it that has begun there, too: text that is
 * selected past the edge stays.
 *
 * @param {HTMLDialogElement} dialog
 */
export function closable(dialog) {
  part(dialog, "close").addEventListener("click", () => dialog.close());
  /** @param {MouseEvent} event */
  const isBeside = ({ target, clientX, clientY }) => {
    const { left, right, top, bottom } = dialog.getBoundingClientRect();
    const isInside = clientX >= left && clientX <= right && clientY >= top && clientY <= bottom;
    return target === dialog && !isInside;
  };
  let hasBegun = false;
  dialog.addEventListener("pointerdown", (event) => (hasBegun = isBeside(event)));
  dialog.addEventListener("click", (event) => {
    if (hasBegun && isBeside(event)) dialog.close();
  });
}
