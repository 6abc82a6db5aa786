/** The line that says what was found, or what is wrong. */

export class StatusLine {
  #isKept = false;

  /** @param {HTMLElement} element */
  constructor(element) {
    this.element = element;
  }

  /** What it says. */
  get text() {
    return this.element.textContent ?? "";
  }

  /**
   * Says something about the search, unless a text is kept.
   *
   * @param {string} text
   * @param {boolean} [isError]
   */
  say(text, isError = false) {
    if (!this.#isKept) this.#show(text, isError);
  }

  /**
   * Says something about a file or a link. Answers and errors of searches do not replace it.
   *
   * @param {string} text
   * @param {boolean} [isError]
   */
  keep(text, isError = false) {
    this.#isKept = true;
    this.#show(text, isError);
  }

  /**
   * Call this when the page has changed: the next text replaces the one that was kept.
   *
   * @returns {boolean} whether one was kept.
   */
  release() {
    const wasKept = this.#isKept;
    this.#isKept = false;
    return wasKept;
  }

  /** @param {string} text @param {boolean} isError */
  #show(text, isError) {
    // Screen readers would read the same text again.
    if (this.text !== text) this.element.textContent = text;
    this.element.classList.toggle("error", isError);
  }
}
