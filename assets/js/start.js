import(new URL("sketchzoo/js/board.js", document.baseURI).href).then((board) => {
  const { search_drawing: search, describe_gallery: describe } = server;
  board.start(element.querySelector(".board"), { search, describe }, upload);
});
