/** The board's way to the server. */

import { Later, Refused } from "./live.js";
import { SAY } from "./strings.js";

/** Milliseconds after which an answer to a search is not waited for any more. */
const PATIENCE = 20_000;

/** How often something is asked again of a server that is busy. */
const TRIES = 5;

/**
 * Tells the server that its own page asks, whatever proxies make of its address: pages of other
 * sites cannot send this.
 */
const OWN = { "X-Requested-With": "SketchZoo" };

/**
 * @param {(path: string) => string} at the address of something on the server.
 * @returns {import("./board.js").Server}
 */
export function connect(at) {
  const ask = (/** @type {string} */ path, /** @type {unknown} */ question) =>
    patiently(() => post(at(path), JSON.stringify(question)));
  return {
    search: searcher(at("board/search")),
    read: (path, isUnseen = false) => ask("board/read", { path, unseen: isUnseen }),
    explain: (pair) => ask("board/explain", pair),
    describe: (gallery) => ask("board/galleries", { gallery }),
    async upload(file) {
      const form = new FormData();
      form.append("files", file);
      const [path] = await patiently(() => post(at("gradio_api/upload"), form));
      return { path };
    },
  };
}

/**
 * @param {string} address
 * @returns {import("./board.js").Server["search"]} fails with `Later` where the server is busy.
 */
export function searcher(address) {
  // Tells the server whose drawings these are, so that only the newest of them has to be embedded.
  const page = Math.random().toString(36).slice(2);
  return async (query) => {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), PATIENCE);
    try {
      return await post(address, JSON.stringify({ ...query, page }), stop.signal);
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
export function told(error) {
  if (error instanceof Later) return SAY.busy;
  return error instanceof Refused ? error.message : SAY.lost;
}

/**
 * @param {string} address
 * @param {string | FormData} body JSON, or a form.
 * @param {AbortSignal} [signal]
 * @returns {Promise<any>}
 * @throws {Later} when the server is busy.
 * @throws {Refused} when it, or what is before it, does not take the question.
 */
async function post(address, body, signal) {
  const type = typeof body === "string" ? { "Content-Type": "application/json" } : {};
  const headers = { ...OWN, .../** @type {Record<string, string>} */ (type) };
  const answer = await fetch(address, { method: "POST", headers, body, signal, redirect: "manual" });
  const { status } = answer;
  if (answer.type === "opaqueredirect") throw new Refused(SAY.elsewhere);
  if (status === 503 || status === 429) {
    throw new Later(Number(answer.headers.get("Retry-After")) || 1);
  }
  if (status >= 500) throw new Error(`the server answered ${status}`);
  const text = await answer.text();
  const given = parsed(text);
  if (!answer.ok) throw new Refused(given?.error ?? SAY.refused(status));
  // A page where JSON should be: someone has to sign in first, or the address leads elsewhere.
  if (given === undefined) throw new Refused(SAY.elsewhere);
  return given;
}

/** @param {string} text @returns {any} undefined where it is no JSON. */
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Asks again, a few times, while the server is busy.
 *
 * @template Given
 * @param {() => Promise<Given>} ask
 * @returns {Promise<Given>}
 */
async function patiently(ask) {
  for (let tries = 1; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof Later) || tries === TRIES) throw error;
      const { seconds } = error;
      await new Promise((done) => setTimeout(done, 1000 * Math.min(seconds, tries)));
    }
  }
}
