/** @param {string} path */
const at = (path) => new URL(path, document.baseURI).href;
const board = /** @type {HTMLElement} */ (element.querySelector(".board"));
const file = /** @type {HTMLInputElement} */ (board.querySelector('[data-part="file"]'));
board.querySelector('[data-part="upload"]')?.addEventListener("click", () => file.click());

// A file that comes before the board listens waits in the input until it does.
/** @param {Event} event */
const keep = (event) => {
  const { type, dataTransfer, clipboardData } = /** @type {any} */ (event);
  const data = dataTransfer ?? clipboardData;
  if (!data?.types.includes("Files")) return;
  event.preventDefault();
  if (type !== "dragover" && data.files.length) file.files = data.files;
};
const early = ["dragover", "drop", "paste"];
for (const name of early) document.addEventListener(name, keep);

Promise.all([import(at("sketchzoo/js/board.js")), import(at("sketchzoo/js/search.js"))]).then(
  ([{ start }, { connect }]) => {
    for (const name of early) document.removeEventListener(name, keep);
    start(board, connect(at));
  },
).catch((error) => {
  const status = /** @type {HTMLElement} */ (board.querySelector('[data-part="status"]'));
  status.textContent = "The sketchpad did not start. Reload the page.";
  status.classList.add("error");
  throw error;
});
