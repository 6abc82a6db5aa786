/** Searches that keep up with the drawing. */

import { BusyError, RejectedError } from "./errors.js";

/** Longest wait for a busy server, in seconds, whatever it asks for. */
const LONGEST_WAIT = 30;

/** Seconds of waiting for a busy server after which people are told. */
const TELL_AFTER = 3;

/** How many times longer the wait is after a rejected request. */
const REJECTED_FACTOR = 15;

/**
 * Sends one request at a time. If the state has changed meanwhile, it then sends one for the newest
 * state. It retries failed requests. A busy server counts as a failure once the wait is long.
 *
 * @template Question, Answer
 */
export class Live {
  #busy = false;
  #again = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;

  /**
   * @param {object} options
   * @param {() => Question} options.question the state to ask about; read when a request starts.
   * @param {(question: Question) => Promise<Answer>} options.ask
   * @param {(answer: Answer) => void} options.onAnswer
   * @param {(error: unknown) => void} options.onError gets a `BusyError` if the server is busy.
   * @param {(busy: boolean) => void} [options.onBusy] whether an answer is still to come.
   * @param {number} [options.retryAfter] milliseconds until a failed request is sent again; longer
   *   after a rejected one.
   */
  constructor({ question, ask, onAnswer, onError, onBusy = () => {}, retryAfter = 2000 }) {
    this.question = question;
    this.ask = ask;
    this.onAnswer = onAnswer;
    this.onError = onError;
    this.onBusy = onBusy;
    this.retryAfter = retryAfter;
  }

  /** Call this when the state has changed, or when the server may be back. */
  async changed() {
    clearTimeout(this.#retry);
    if (this.#busy) {
      this.#again = true;
      return;
    }
    this.#busy = true;
    this.onBusy(true);
    let wait = 0;
    let waited = 0;
    do {
      this.#again = false;
      wait = 0;
      try {
        this.onAnswer(await this.ask(this.question()));
      } catch (error) {
        if (error instanceof BusyError) {
          const seconds = Math.min(error.seconds, LONGEST_WAIT);
          waited += seconds;
          if (waited > TELL_AFTER) this.onError(error);
          await new Promise((done) => setTimeout(done, 1000 * seconds));
          this.#again = true;
          continue;
        }
        wait = error instanceof RejectedError ? REJECTED_FACTOR * this.retryAfter : this.retryAfter;
        this.onError(error);
      }
    } while (this.#again);
    this.#busy = false;
    this.onBusy(false);
    if (wait) this.#retry = setTimeout(() => this.changed(), wait);
  }
}
