/** Other ways in than drawing: a chosen, dropped or pasted file. */

const SVG = "image/svg+xml";

/** Side in pixels at which an SVG file is painted. */
const SVG_SIDE = 768;

/**
 * Calls back with each file that is chosen or dropped on the page, and each picture that is pasted
 * into it; not while a dialog is in front of it.
 *
 * @param {HTMLElement} root gets the class `dropping` while a file is held over it.
 * @param {HTMLInputElement} input
 * @param {(file: File) => void} chosen
 */
export function listen(root, input, chosen) {
  input.addEventListener("change", () => {
    if (input.files?.length) chosen(input.files[0]);
    input.value = "";
  });
  /** @param {DataTransfer | null} data */
  const first = (data) => [...(data?.files ?? [])].find((f) => f.type.startsWith("image/"));
  const page = document.documentElement;
  const isBehind = () => root.querySelector("dialog[open]") !== null;
  for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
    page.addEventListener(name, (event) => {
      const { dataTransfer: data, relatedTarget } = /** @type {DragEvent} */ (event);
      if (!data?.types.includes("Files")) return;
      event.preventDefault();
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
  if (file.type !== SVG) return file;
  const address = URL.createObjectURL(new Blob([file], { type: SVG }));
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
