// Gradio runs this text when the page is there. It cannot import modules, so it loads the board.

/** @param {string} path */
const urlOf = (path) => new URL(path, document.baseURI).href;
const board = /** @type {HTMLElement} */ (element.querySelector(".board"));
const file = /** @type {HTMLInputElement} */ (board.querySelector('[data-part="file"]'));
board.querySelector('[data-part="upload"]')?.addEventListener("click", () => file.click());

// A file that comes before the board listens waits in the input.
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

/** @param {string} name */
const script = (name) => import(urlOf(`${props.assets}/js/${name}`));
Promise.all([script("board.js"), script("api.js")]).then(
  ([{ start }, { connect }]) => {
    for (const name of early) document.removeEventListener(name, keep);
    start(board, connect(urlOf));
  },
).catch((error) => {
  const status = /** @type {HTMLElement} */ (board.querySelector('[data-part="status"]'));
  status.textContent = "The sketchpad did not start. Reload the page.";
  status.classList.add("error");
  throw error;
});
