/** What Gradio gives to start.js. */

declare const element: HTMLElement;
declare const server: {
  search_drawing: import("./board.js").Server["search"];
  describe_gallery: import("./board.js").Server["describe"];
};
declare const upload: import("./board.js").Upload;
