/** The search that the board shows, as a program asks for it. */

/** @typedef {import("./drawing.js").Stroke} Stroke */
/**
 * @typedef {{strokes: Stroke[], k: number, gallery?: string | null, only?: string[],
 *   without?: string[], like?: string[], unlike?: string[], photo?: string | null}} Asked
 *   photos by their ids.
 */

/** The API's endpoint, as `server/page.py` names it. */
const NAME = "search_strokes";

/**
 * A command for a shell: one curl sends the search, another waits for what comes of it.
 *
 * @param {string} base address of the page.
 * @param {Asked} asked
 */
export function curl(base, asked) {
  const { strokes, k, only, without, like, unlike, photo, gallery } = stated(asked);
  // The values go through a pipe: a command line may be too short for a long drawing.
  const values = [strokes, k, only ?? null, without ?? null, like ?? null, unlike ?? null];
  const data = [...values, photo ?? null, gallery ?? null];
  const body = quoted(JSON.stringify({ data }));
  const call = new URL(`gradio_api/call/${NAME}`, base).href;
  const send = `curl -s -H 'Content-Type: application/json' -d @- ${quoted(call)}`;
  return `curl -sN ${quoted(`${call}/`)}$(printf %s ${body} | ${send} | cut -d'"' -f4)`;
}

/**
 * A program in Python, for the package gradio_client.
 *
 * @param {string} base address of the page.
 * @param {Asked} asked
 */
export function python(base, asked) {
  const given = Object.entries(stated(asked));
  return [
    "from gradio_client import Client",
    "",
    `client = Client(${literal(new URL(".", base).href)})`,
    "photos = client.predict(",
    ...given.map(([name, value]) => `    ${name}=${literal(value)},`),
    `    api_name="/${NAME}",`,
    ")",
    "for photo in photos:",
    '    print(photo["rank"], photo["label"], f"{photo[\'similarity\']:.0%}", photo["thumbnail"])',
    "",
  ].join("\n");
}

/** What is said of a search: no empty lists, and no strokes where a photo takes their place. */
function stated(/** @type {Asked} */ asked) {
  const { strokes, k, only, without, like, unlike, photo, gallery } = asked;
  const byPhoto = typeof photo === "string";
  /** @type {Asked} */
  const said = { strokes: byPhoto ? [] : strokes, k };
  if (only?.length) said.only = only;
  if (without?.length) said.without = without;
  if (like?.length) said.like = like;
  if (unlike?.length) said.unlike = unlike;
  if (byPhoto) said.photo = photo;
  if (gallery) said.gallery = gallery;
  return said;
}

/**
 * One word of a POSIX shell.
 *
 * @param {string} text
 */
function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * A value as Python writes it.
 *
 * @param {unknown} value
 * @returns {string}
 */
function literal(value) {
  if (value === true) return "True";
  if (value === false) return "False";
  if (value === null || value === undefined) return "None";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const items = Object.entries(value).map(([key, item]) => `${literal(key)}: ${literal(item)}`);
  return `{${items.join(", ")}}`;
}
