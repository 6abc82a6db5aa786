/** Other ways in than drawing: a chosen, dropped or pasted file. */

const SVG = "image/svg+xml";

/** Side in pixels at which an SVG file is painted. */
const SVG_SIDE = 768;

/**
 * Calls back with each file that is chosen or dropped on the page, and each picture that is pasted
 * into it; not while a dialog is in front of it. A file that was chosen before counts, too.
 *
 * What is dragged out of the page itself is no upload: a hand that slips on a photo drags it.
 *
 * @param {HTMLElement} root gets the class `dropping` while a file is held over it.
 * @param {HTMLInputElement} input
 * @param {(file: File) => void} chosen
 */
export function listen(root, input, chosen) {
  const take = () => {
    const file = input.files?.[0];
    input.value = "";
    if (file) chosen(file);
  };
  input.addEventListener("change", take);
  take();
  let isOwn = false;
  root.addEventListener("dragstart", (event) => {
    const { target } = event;
    if (target instanceof Element && !target.matches("input, textarea")) event.preventDefault();
  });
  // What Gradio puts around the board can be dragged, and comes back as a file.
  document.addEventListener("dragstart", (event) => (isOwn = !event.defaultPrevented));
  for (const name of ["dragend", "pointerdown", "pointermove"]) {
    document.addEventListener(name, () => (isOwn = false), true);
  }
  /** @param {DataTransfer | null} data */
  const first = (data) => [...(data?.files ?? [])].find((f) => f.type.startsWith("image/"));
  const page = document.documentElement;
  const isBehind = () => root.querySelector("dialog[open]") !== null;
  for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
    page.addEventListener(name, (event) => {
      const { dataTransfer: data, relatedTarget } = /** @type {DragEvent} */ (event);
      if (!data?.types.includes("Files")) return;
      event.preventDefault();
      if (isOwn) return;
      const left = name === "dragleave" && !page.contains(/** @type {Node} */ (relatedTarget));
      if (name === "drop" || left) root.classList.remove("dropping");
      else root.classList.add("dropping");
      // Whatever is no picture is chosen, too: then the server says so.
      if (name === "drop" && !isBehind() && data.files.length) chosen(first(data) ?? data.files[0]);
    });
  }
  document.addEventListener("paste", (event) => {
    const file = first(event.clipboardData);
    if (!file || isBehind()) return;
    event.preventDefault();
    chosen(file);
  });
}

/**
 * A file that the server can read: an SVG drawing is painted here, where its scripts do not run
 * and nothing outside of it is fetched; everything else stays as it is.
 *
 * @param {File} file
 * @returns {Promise<File>}
 */
export async function readable(file) {
  if (file.type !== SVG && !/\.svg$/i.test(file.name)) return file;
  const address = URL.createObjectURL(new Blob([sized(await file.text())], { type: SVG }));
  try {
    const image = new Image();
    image.src = address;
    await image.decode();
    const canvas = document.createElement("canvas");
    const scale = SVG_SIDE / Math.max(image.width, image.height, 1);
    canvas.width = Math.max(1, Math.round(image.width * scale));
    canvas.height = Math.max(1, Math.round(image.height * scale));
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(image, 0, 0, canvas.width, canvas.height);
    const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
    return new File([blob], `${file.name}.png`, { type: "image/png" });
  } finally {
    URL.revokeObjectURL(address);
  }
}

/**
 * An SVG drawing with a size in pixels: without one, Firefox gives it none at all, and others one
 * that has nothing to do with it. Text that is no SVG stays as it is.
 *
 * @param {string} text
 */
export function sized(text) {
  const parsed = new DOMParser().parseFromString(text, SVG);
  const root = parsed.documentElement;
  if (root.localName !== "svg" || parsed.querySelector("parsererror")) return text;
  const [width, height] = ["width", "height"].map((name) => root.getAttribute(name)?.trim());
  const isLength = (/** @type {string | undefined} */ value) => value && !/%$|^auto$/.test(value);
  if (isLength(width) && isLength(height)) return text;
  const box = (root.getAttribute("viewBox") ?? "").trim().split(/[\s,]+/).map(Number);
  const [across, down] = box.length === 4 && box[2] > 0 && box[3] > 0 ? box.slice(2) : [1, 1];
  const scale = SVG_SIDE / Math.max(across, down);
  root.setAttribute("width", String(across * scale));
  root.setAttribute("height", String(down * scale));
  return new XMLSerializer().serializeToString(parsed);
}
