/** Requests to the server. */

import { BusyError, RejectedError } from "./errors.js";
import { TEXT } from "./text.js";

/**
 * @typedef {import("./drawing.js").Stroke} Stroke
 * @typedef {import("./results.js").Match} Match
 * @typedef {import("./guesses.js").Guess} Guess
 * @typedef {{strokes: Stroke[], picture: string | null}} Sketch  the strokes, and the upload's path.
 * @typedef {Sketch & {gallery: string | null, k: number} &
 *   Partial<import("./filters.js").FilterQuery>} Query  the first gallery if it is null.
 * @typedef {{matches?: Match[], guesses?: Guess[], photos?: number, unlike?: boolean,
 *   place?: [number, number] | null, spots?: [number, number][], map?: string, version?: string,
 *   error?: string}} Answer
 *   `photos`: how many the gallery holds; `unlike`: whether no photo is like the drawing;
 *   `place` and `spots`: where the drawing and the matches lie on the map; `map`: address of its data.
 * @typedef {{done: number, wanted: number, trouble: string}} Progress  of photos being downloaded.
 * @typedef {{galleries: string[], gallery: string, labels: [string, number][], more: string,
 *   coming: Progress | null}} GalleryInfo  the names of all galleries, the name of this one, the
 *   number of photos of each label, how to get more photos, and the download in progress.
 * @typedef {{path?: string, cleaned?: boolean, error?: string}} ReadUpload  the file to show, and
 *   whether the server made it.
 * @typedef {{search: (query: Query) => Promise<Answer>,
 *   read: (path: string, unseen?: boolean) => Promise<ReadUpload>,
 *   upload: (file: File) => Promise<{path: string}>,
 *   describe: (gallery: string | null) => Promise<GalleryInfo>,
 *   explain: (pair: Sketch & {gallery: string | null, photo: string}) =>
 *     Promise<import("./photo-dialog.js").Explanation>}} Server
 */

/** Milliseconds after which a search is given up. */
const TIMEOUT = 20_000;

/** How often a busy server is asked. */
const TRIES = 5;

/**
 * Tells the server that its own page asks, whatever proxies make of its address. Pages of other
 * sites cannot send this header.
 */
const OWN_PAGE = { "X-Requested-With": "SketchZoo" };

/**
 * @param {(path: string) => string} urlOf the URL of a path on the server.
 * @returns {Server}
 */
export function connect(urlOf) {
  const ask = (/** @type {string} */ path, /** @type {unknown} */ question) =>
    retryWhileBusy(() => post(urlOf(path), JSON.stringify(question)));
  return {
    search: searcher(urlOf("board/search")),
    read: (path, unseen = false) => ask("board/read", { path, unseen }),
    explain: (pair) => ask("board/explain", pair),
    describe: (gallery) => ask("board/galleries", { gallery }),
    async upload(file) {
      const form = new FormData();
      form.append("files", file);
      const [path] = await retryWhileBusy(() => post(urlOf("gradio_api/upload"), form));
      return { path };
    },
  };
}

/**
 * @param {string} url
 * @returns {Server["search"]} throws `BusyError` if the server is busy.
 */
export function searcher(url) {
  // Tells the server whose drawings these are: it only has to embed the newest of a page.
  const page = Math.random().toString(36).slice(2);
  return async (query) => {
    const abort = new AbortController();
    const timer = setTimeout(() => abort.abort(), TIMEOUT);
    try {
      return await post(url, JSON.stringify({ ...query, page }), abort.signal);
    } finally {
      clearTimeout(timer);
    }
  };
}

/**
 * What went wrong, in words for people.
 *
 * @param {unknown} error
 */
export function messageOf(error) {
  if (error instanceof BusyError) return TEXT.busy;
  return error instanceof RejectedError ? error.message : TEXT.lost;
}

/**
 * An upload as the server holds it; null if it is gone.
 *
 * @param {string} path
 * @throws if the server is away or busy, or refuses the file.
 */
export async function fetchUpload(path) {
  const escaped = path.split("/").map(encodeURIComponent).join("/");
  const answer = await fetch(new URL(`gradio_api/file=${escaped}`, document.baseURI));
  if (!answer.ok && answer.status !== 404) throw new Error(`${answer.status}`);
  return answer.ok ? answer.blob() : null;
}

/**
 * @param {string} url
 * @param {string | FormData} body JSON, or a form.
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 * @throws {BusyError} if the server is busy.
 * @throws {RejectedError} if the server, or a proxy before it, rejects the request.
 */
async function post(url, body, signal) {
  const type = typeof body === "string" ? { "Content-Type": "application/json" } : {};
  const headers = { ...OWN_PAGE, .../** @type {Record<string, string>} */ (type) };
  const answer = await fetch(url, { method: "POST", headers, body, signal, redirect: "manual" });
  const { status } = answer;
  if (answer.type === "opaqueredirect") throw new RejectedError(TEXT.elsewhere);
  if (status === 503 || status === 429) {
    throw new BusyError(Number(answer.headers.get("Retry-After")) || 1);
  }
  if (status >= 500) throw new Error(`the server answered ${status}`);
  const json = parseJson(await answer.text());
  if (!answer.ok) throw new RejectedError(json?.error ?? TEXT.rejected(status));
  // A page instead of JSON: someone has to sign in first, or another server answers.
  if (json === undefined) throw new RejectedError(TEXT.elsewhere);
  return json;
}

/** @param {string} text @returns {any} undefined if it is not JSON. */
function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Asks again, a few times, while the server is busy.
 *
 * @template Result
 * @param {() => Promise<Result>} ask
 * @returns {Promise<Result>}
 */
async function retryWhileBusy(ask) {
  for (let tries = 1; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof BusyError) || tries === TRIES) throw error;
      const { seconds } = error;
      await new Promise((done) => setTimeout(done, 1000 * Math.min(seconds, tries)));
    }
  }
}
