/** What Gradio gives to start.js. */

declare const element: HTMLElement;
