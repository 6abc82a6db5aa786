/**
 * Answers that keep up with a drawing: one request under way at a time, and when it is back,
 * one for the newest state if that has changed meanwhile.
 *
 * @template Question, Answer
 */
export class Live {
  #busy = false;
  #again = false;

  /**
   * @param {() => Question} question the state to ask about, taken when a request starts.
   * @param {(question: Question) => Promise<Answer>} ask
   * @param {(answer: Answer) => void} answered
   * @param {(error: unknown) => void} failed
   * @param {(busy: boolean) => void} [busy] whether an answer is still to come.
   */
  constructor(question, ask, answered, failed, busy = () => {}) {
    this.question = question;
    this.ask = ask;
    this.answered = answered;
    this.failed = failed;
    this.busy = busy;
  }

  /** Says that the state has changed. */
  async changed() {
    if (this.#busy) {
      this.#again = true;
      return;
    }
    this.#busy = true;
    this.busy(true);
    do {
      this.#again = false;
      try {
        this.answered(await this.ask(this.question()));
      } catch (error) {
        this.failed(error);
      }
    } while (this.#again);
    this.#busy = false;
    this.busy(false);
  }
}
