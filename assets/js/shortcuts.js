/** Undo and redo by keyboard. */

/**
 * Calls the handlers for Ctrl+Z, Ctrl+Shift+Z and Ctrl+Y (Cmd on a Mac). Not while a dialog of the
 * board is open, nor while someone types.
 *
 * @param {HTMLElement} root of the board
 * @param {object} options
 * @param {() => void} options.onUndo
 * @param {() => void} options.onRedo
 */
export function listenForShortcuts(root, { onUndo, onRedo }) {
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || isTyping(event.target)) return;
    if (root.querySelector("dialog[open]")) return;
    const key = letter(event);
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    if (key === "y" || event.shiftKey) onRedo();
    else onUndo();
  });
}

/**
 * The Latin letter of a key. Layouts of other scripts have none; their keys are known by their
 * place: Z on a Russian keyboard is where it is on an English one.
 *
 * @param {KeyboardEvent} event
 */
function letter({ key, code }) {
  // Dvorak has a semicolon at that place, and its Z elsewhere.
  const isLatin = /^\p{Script=Latin}$/u.test(key) || key === ";" || key === ":";
  return isLatin ? key.toLowerCase() : code.replace(/^Key/, "").toLowerCase();
}

/** @param {EventTarget | null} target */
function isTyping(target) {
  return target instanceof HTMLElement && target.matches("input, textarea, [contenteditable]");
}
