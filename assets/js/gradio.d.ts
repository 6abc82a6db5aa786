/** What Gradio passes to start.js. */

declare const element: HTMLElement;
declare const props: { assets: string };
