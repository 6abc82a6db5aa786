/** Files that are chosen, dropped on the page, or pasted. */

/**
 * Calls `onFile` with each file that is chosen or dropped on the page, and with each picture that is
 * pasted. It ignores dropped and pasted files while a dialog is open. A file that was chosen before
 * this call counts, too.
 *
 * @param {HTMLElement} root gets the class `dropping` while a file is held over the page.
 * @param {HTMLInputElement} input
 * @param {object} options
 * @param {(file: File) => void} options.onFile
 */
export function listenForFiles(root, input, { onFile }) {
  const isDialogOpen = () => root.querySelector("dialog[open]") !== null;
  const take = () => {
    const file = input.files?.[0];
    input.value = "";
    if (file) onFile(file);
  };
  input.addEventListener("change", take);
  take();
  listenForDrops(root, (files) => {
    // Without a picture, the first file is taken, and an error message follows.
    if (!isDialogOpen() && files.length) onFile(firstPicture(files) ?? files[0]);
  });
  document.addEventListener("paste", (event) => {
    const file = firstPicture(event.clipboardData?.files);
    if (!file || isDialogOpen()) return;
    event.preventDefault();
    onFile(file);
  });
}

/**
 * What is dragged from the page itself does not count: a hand that slips on a photo drags it.
 *
 * @param {HTMLElement} root
 * @param {(files: FileList) => void} onDrop
 */
function listenForDrops(root, onDrop) {
  let isOwn = false;
  root.addEventListener("dragstart", (event) => {
    const { target } = event;
    if (target instanceof Element && !target.matches("input, textarea")) event.preventDefault();
  });
  // Gradio's elements around the board can be dragged, and would come back as files.
  document.addEventListener("dragstart", (event) => (isOwn = !event.defaultPrevented));
  for (const name of ["dragend", "pointerdown", "pointermove"]) {
    document.addEventListener(name, () => (isOwn = false), true);
  }
  const page = document.documentElement;
  for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
    page.addEventListener(name, (event) => {
      const { dataTransfer, relatedTarget } = /** @type {DragEvent} */ (event);
      if (!dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      if (isOwn) return;
      const left = name === "dragleave" && !page.contains(/** @type {Node} */ (relatedTarget));
      root.classList.toggle("dropping", name !== "drop" && !left);
      if (name === "drop") onDrop(dataTransfer.files);
    });
  }
}

/** @param {FileList} [files] */
function firstPicture(files) {
  return [...(files ?? [])].find((file) => file.type.startsWith("image/"));
}
