/** The board's way to the search on the server. */

import { Later } from "./live.js";

/** Milliseconds after which an answer is not waited for any more. */
const PATIENCE = 20_000;

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
      const answer = await fetch(address, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ ...query, page }),
        signal: stop.signal,
      });
      if (answer.status === 503 || answer.status === 429) {
        throw new Later(Number(answer.headers.get("Retry-After")) || 1);
      }
      if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
      return await answer.json();
    } finally {
      clearTimeout(timer);
    }
  };
}
