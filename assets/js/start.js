/** @param {string} path */
const at = (path) => new URL(path, document.baseURI).href;
Promise.all([import(at("sketchzoo/js/board.js")), import(at("sketchzoo/js/search.js"))]).then(
  ([board, { searcher }]) => {
    const asked = {
      search: searcher(at("board/search")),
      read: server.read_upload,
      explain: server.explain_match,
      describe: server.describe_gallery,
    };
    board.start(element.querySelector(".board"), asked, upload);
  },
).catch((error) => {
  const status = /** @type {HTMLElement} */ (element.querySelector('[data-part="status"]'));
  status.textContent = "The sketchpad did not start. Reload the page.";
  status.classList.add("error");
  throw error;
});
