import(new URL("sketchzoo/js/board.js", document.baseURI).href).then((board) => {
  const asked = {
    search: server.search_drawing,
    read: server.read_upload,
    explain: server.explain_match,
    describe: server.describe_gallery,
  };
  board.start(element.querySelector(".board"), asked, upload);
});
