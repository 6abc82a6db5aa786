/** What is said of an answer: what the drawing looks like, and whether the gallery holds that. */

import { SAY } from "./strings.js";

/**
 * @typedef {{text: string, unlike: boolean, animal: string, others: string}} Verdict
 *   `unlike`: whether the photos are not like the drawing at all. `animal`: whose photos come first,
 *   and `others`: what stands between them and the rest; empty where nothing is to be parted.
 */

/** Share from which a guess is told in words. */
const SURE = 0.6;

/** Labels that are named. */
const NAMED = 3;

/**
 * @param {import("./board.js").Answer} answer with at least one match.
 * @param {string} more how the person who reads it gets more photos; empty where they cannot.
 * @returns {Verdict}
 */
export function verdict({ matches = [], guesses = [], unlike = false, photos = 0 }, more) {
  const nearest = [...new Set(matches.map(({ label }) => label))].slice(0, NAMED);
  const none = { unlike: false, animal: "", others: "" };
  const guess = guesses[0];
  if (!guess || guess.share <= SURE) {
    return { ...none, unlike, text: unlike ? SAY.unlikely : SAY.found(nearest) };
  }
  const { label: animal, photos: held } = guess;
  if (!held) return { ...none, text: SAY.missing(animal, photos, nearest, more) };
  const found = matches.filter((match) => match.animal === animal).length;
  if (!found) return { ...none, text: SAY.looksLike(animal, nearest) };
  if (found < held || found === matches.length) return { ...none, text: SAY.found(nearest) };
  return { ...none, animal, text: SAY.few(animal, held, photos), others: SAY.others };
}

/**
 * The matches of one animal first, and then the others; each in their order.
 *
 * @template {{animal: string}} Match
 * @param {Match[]} matches
 * @param {string} animal  empty for the order as it is.
 */
export function parted(matches, animal) {
  if (!animal) return matches;
  const isFirst = (/** @type {Match} */ match) => match.animal === animal;
  return [...matches.filter(isFirst), ...matches.filter((match) => !isFirst(match))];
}
