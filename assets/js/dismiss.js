/** How dialogs are closed. */

import { part } from "./dom.js";

/**
 * Closes a dialog by its cross, and by a click outside of it. The click has to begin outside, too,
 * so that selecting text past the edge does not close the dialog.
 *
 * @param {HTMLDialogElement} dialog
 */
export function makeDismissible(dialog) {
  part(dialog, "close").addEventListener("click", () => dialog.close());
  /** @param {MouseEvent} event */
  const isOutside = ({ target, clientX, clientY }) => {
    const { left, right, top, bottom } = dialog.getBoundingClientRect();
    const isInside = clientX >= left && clientX <= right && clientY >= top && clientY <= bottom;
    return target === dialog && !isInside;
  };
  let beganOutside = false;
  dialog.addEventListener("pointerdown", (event) => (beganOutside = isOutside(event)));
  dialog.addEventListener("click", (event) => {
    if (beganOutside && isOutside(event)) dialog.close();
  });
}
