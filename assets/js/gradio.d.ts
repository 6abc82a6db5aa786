/** The element that Gradio passes to start.js. */

declare const element: HTMLElement;
