/** Longest wait for a busy server, in seconds, whatever it asks for. */
const LONGEST = 30;

/** Seconds of waiting after which people are told. */
const LONG = 3;

/** How many times as long it takes until what was refused is asked again. */
const SELDOM = 15;

/** Says that the server is busy, and after how many seconds it can be asked again. */
export class Later extends Error {
  /** @param {number} seconds */
  constructor(seconds) {
    super("busy");
    this.seconds = seconds;
  }
}

/** Says that the question is not taken, and why: asking again soon does not help. */
export class Refused extends Error {}

/**
 * Answers that keep up with a drawing: one request under way at a time, and when it is back,
 * one for the newest state if that has changed meanwhile. A request that failed is made again;
 * while the server is busy, the answer comes late, which is a failure once it takes long.
 *
 * @template Question, Answer
 */
export class Live {
  #busy = false;
  #again = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;

  /**
   * @param {() => Question} question the state to ask about, taken when a request starts.
   * @param {(question: Question) => Promise<Answer>} ask
   * @param {(answer: Answer) => void} answered
   * @param {(error: unknown) => void} failed  with `Later` where the server is busy.
   * @param {(busy: boolean) => void} [busy] whether an answer is still to come.
   * @param {number} [wait] milliseconds until a request that failed is made again; far more of
   *   them where it was refused.
   */
  constructor(question, ask, answered, failed, busy = () => {}, wait = 2000) {
    this.question = question;
    this.ask = ask;
    this.answered = answered;
    this.failed = failed;
    this.busy = busy;
    this.wait = wait;
  }

  /** Says that the state has changed, or that the server may be back. */
  async changed() {
    clearTimeout(this.#retry);
    if (this.#busy) {
      this.#again = true;
      return;
    }
    this.#busy = true;
    this.busy(true);
    let wait = 0;
    let waited = 0;
    do {
      this.#again = false;
      wait = 0;
      try {
        this.answered(await this.ask(this.question()));
      } catch (error) {
        if (error instanceof Later) {
          const seconds = Math.min(error.seconds, LONGEST);
          waited += seconds;
          if (waited > LONG) this.failed(error);
          await new Promise((done) => setTimeout(done, 1000 * seconds));
          this.#again = true;
          continue;
        }
        wait = error instanceof Refused ? SELDOM * this.wait : this.wait;
        this.failed(error);
      }
    } while (this.#again);
    this.#busy = false;
    this.busy(false);
    if (wait) this.#retry = setTimeout(() => this.changed(), wait);
  }
}
