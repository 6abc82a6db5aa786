/** The present search as code. */

/** @typedef {import("./drawing.js").Stroke} Stroke */
/**
 * @typedef {{strokes: Stroke[], k: number, gallery?: string | null, only?: string[],
 *   without?: string[], like?: string[], unlike?: string[], photo?: string | null}} Search
 *   with photos by their ids.
 */

/** The API's endpoint, as the server names it. */
const NAME = "search_strokes";

/**
 * A shell command: one curl sends the search, another waits for the answer.
 *
 * @param {string} base address of the page.
 * @param {Search} search
 */
export function curl(base, search) {
  const { strokes, k, only, without, like, unlike, photo, gallery } = withoutDefaults(search);
  // The values go through a pipe, because a long drawing does not fit into a command line.
  const values = [strokes, k, only ?? null, without ?? null, like ?? null, unlike ?? null];
  const data = [...values, photo ?? null, gallery ?? null];
  const body = shellWord(JSON.stringify({ data }));
  const call = new URL(`gradio_api/call/${NAME}`, base).href;
  const send = `curl -s -H 'Content-Type: application/json' -d @- ${shellWord(call)}`;
  return `curl -sN ${shellWord(`${call}/`)}$(printf %s ${body} | ${send} | cut -d'"' -f4)`;
}

/**
 * A Python program that uses the package gradio_client.
 *
 * @param {string} base address of the page.
 * @param {Search} search
 */
export function python(base, search) {
  const given = Object.entries(withoutDefaults(search));
  return [
    "from gradio_client import Client",
    "",
    `client = Client(${pythonLiteral(new URL(".", base).href)})`,
    "photos = client.predict(",
    ...given.map(([name, value]) => `    ${name}=${pythonLiteral(value)},`),
    `    api_name="/${NAME}",`,
    ")",
    "for photo in photos:",
    '    print(photo["rank"], photo["label"], f"{photo[\'similarity\']:.0%}", photo["thumbnail"])',
    "",
  ].join("\n");
}

/**
 * A search without empty lists, and without strokes if it is by a photo.
 *
 * @param {Search} search
 */
function withoutDefaults({ strokes, k, only, without, like, unlike, photo, gallery }) {
  const byPhoto = typeof photo === "string";
  /** @type {Search} */
  const short = { strokes: byPhoto ? [] : strokes, k };
  if (only?.length) short.only = only;
  if (without?.length) short.without = without;
  if (like?.length) short.like = like;
  if (unlike?.length) short.unlike = unlike;
  if (byPhoto) short.photo = photo;
  if (gallery) short.gallery = gallery;
  return short;
}

/**
 * A text as one word of a POSIX shell.
 *
 * @param {string} text
 */
function shellWord(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * A value as a Python literal.
 *
 * @param {unknown} value
 * @returns {string}
 */
function pythonLiteral(value) {
  if (value === true) return "True";
  if (value === false) return "False";
  if (value === null || value === undefined) return "None";
  if (Array.isArray(value)) return `[${value.map(pythonLiteral).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  const items = Object.entries(value).map(([key, item]) => `${pythonLiteral(key)}: ${pythonLiteral(item)}`);
  return `{${items.join(", ")}}`;
}
