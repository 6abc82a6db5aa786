/** An answer in one sentence: what the drawing looks like, and whether the gallery holds that. */

import { TEXT } from "./text.js";

/**
 * @typedef {{text: string, unlike: boolean, animal: string, others: string}} Summary
 *   `text`: the sentence; `unlike`: whether no photo is like the drawing; `animal`: the animal whose
 *   photos are shown first; `others`: heading of the other photos. `animal` and `others` are empty if
 *   the order stays as it is.
 */

/** A guess is named in the sentence if its share is above this. */
const SURE = 0.6;

/** Number of labels that the sentence names. */
const NAMED = 3;

/**
 * Sums up an answer.
 *
 * A guess has the number of photos of its class in the gallery. A match has an `animal`: the class that
 * its photo shows, by its label or by the encoder; empty if uncertain.
 *
 * @param {import("./api.js").Answer} answer with at least one match.
 * @param {string} more how this person gets more photos; empty if they cannot.
 * @returns {Summary}
 */
export function summarize({ matches = [], guesses = [], unlike = false, photos = 0 }, more) {
  const nearest = [...new Set(matches.map(({ label }) => label))].slice(0, NAMED);
  const plain = { unlike: false, animal: "", others: "" };
  const guess = guesses[0];
  if (!guess || guess.share <= SURE) {
    return { ...plain, unlike, text: unlike ? TEXT.unlikely : TEXT.found(nearest) };
  }
  const { label: animal, photos: held } = guess;
  if (!held) return { ...plain, text: TEXT.missing(animal, photos, nearest, more) };
  const found = matches.filter((match) => match.animal === animal).length;
  if (!found) return { ...plain, text: TEXT.looksLike(animal, nearest) };
  if (found < held || found === matches.length) return { ...plain, text: TEXT.found(nearest) };
  return { ...plain, animal, text: TEXT.few(animal, held, photos), others: TEXT.others };
}

/**
 * The matches whose photo shows one animal first, then the others; both in their order.
 *
 * @template {{animal: string}} Match
 * @param {Match[]} matches
 * @param {string} animal  empty for the order as it is.
 */
export function animalFirst(matches, animal) {
  if (!animal) return matches;
  const isFirst = (/** @type {Match} */ match) => match.animal === animal;
  return [...matches.filter(isFirst), ...matches.filter((match) => !isFirst(match))];
}
