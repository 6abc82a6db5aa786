import(new URL("sketchzoo/js/board.js", document.baseURI).href).then((board) => {
  const { search_drawing: search, describe_gallery: describe, explain_match: explain } = server;
  board.start(element.querySelector(".board"), { search, describe, explain }, upload);
});
