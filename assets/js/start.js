import(new URL("sketchzoo/js/board.js", document.baseURI).href).then((board) =>
  board.start(element.querySelector(".board"), { search: server.search_drawing }, upload),
);
