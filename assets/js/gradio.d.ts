/** What Gradio gives to start.js. */

type Server = import("./board.js").Server;

declare const element: HTMLElement;
declare const server: {
  read_upload: Server["read"];
  explain_match: Server["explain"];
  describe_gallery: Server["describe"];
};
declare const upload: import("./board.js").Upload;
