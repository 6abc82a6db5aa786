/**
 * What is on the page, with undo and redo.
 *
 * @typedef {[number, number] | [number, number, number]} Point  x and y as shares of the page's
 *   side, y downwards, and the pressure if the device reports it; 1 is the usual pressure.
 * @typedef {{width: number, points: Point[], erase?: boolean}} Stroke  width as a share of the
 *   page's side; `erase` takes ink away.
 * @typedef {{path: string, image: CanvasImageSource & {width: number, height: number}}} Picture
 *   an uploaded sketch: its path on the server, and what to show of it.
 * @typedef {{picture: Picture | null, strokes: Stroke[]}} Page
 */

export class Drawing {
  /** @type {Page} */
  page = { picture: null, strokes: [] };
  /** @type {Page[]} */
  #past = [];
  /** @type {Page[]} */
  #future = [];
  /**
   * The future before the last change, which has emptied it.
   *
   * @type {Page[]}
   */
  #futureBefore = [];

  get isEmpty() {
    return !this.page.picture && this.page.strokes.length === 0;
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  /**
   * Starts a stroke.
   *
   * @param {Point} point
   * @param {{width: number, erase?: boolean}} pen
   */
  begin(point, pen) {
    /** @type {Stroke} */
    const stroke = { ...pen, points: [point] };
    this.#change({ ...this.page, strokes: [...this.page.strokes, stroke] });
    return stroke;
  }

  /**
   * Adds points to the stroke that is being drawn. Does nothing if the page has been replaced
   * meanwhile.
   *
   * @param {Stroke} stroke from `begin`
   * @param {Point[]} points
   */
  extend(stroke, points) {
    if (this.page.strokes.at(-1) === stroke) stroke.points.push(...points);
  }

  /**
   * Removes the last stroke as if it had never been drawn: it was a palm, or a gesture.
   *
   * @param {Stroke} stroke
   */
  discard(stroke) {
    if (this.page.strokes.at(-1) !== stroke) return;
    this.page = this.#past.pop() ?? this.page;
    this.#future = this.#futureBefore;
  }

  /**
   * Puts an uploaded sketch on an empty page, below what was drawn during the upload.
   *
   * @param {Picture} picture
   * @param {Stroke[]} before the strokes that were on the page when the file was chosen.
   */
  place(picture, before) {
    this.#change({ picture, strokes: this.page.strokes.filter((s) => !before.includes(s)) });
  }

  /**
   * Replaces the page by other strokes.
   *
   * @param {Stroke[]} strokes
   */
  load(strokes) {
    this.#change({ picture: null, strokes: copy(strokes) });
  }

  /**
   * Starts with a saved page.
   *
   * @param {Page} page
   */
  restore({ picture, strokes }) {
    this.page = { picture, strokes: copy(strokes) };
  }

  /**
   * Removes a picture that the server has lost from every page.
   *
   * @param {Picture} picture
   */
  removePicture(picture) {
    const without = (/** @type {Page} */ page) =>
      page.picture === picture ? { ...page, picture: null } : page;
    this.page = without(this.page);
    this.#past = this.#past.map(without);
    this.#future = this.#future.map(without);
  }

  clear() {
    if (!this.isEmpty) this.#change({ picture: null, strokes: [] });
  }

  /** Takes back the last stroke, upload, example or clearing. */
  undo() {
    const before = this.#past.pop();
    if (!before) return;
    this.#future.push(this.page);
    this.page = before;
  }

  /** Brings back what was undone last. */
  redo() {
    const after = this.#future.pop();
    if (!after) return;
    this.#past.push(this.page);
    this.page = after;
  }

  /** @param {Page} page */
  #change(page) {
    this.#past.push(this.page);
    this.#futureBefore = this.#future;
    this.#future = [];
    this.page = page;
  }
}

/** @param {Stroke[]} strokes @returns {Stroke[]} */
function copy(strokes) {
  return strokes.map((stroke) => ({ ...stroke, points: [...stroke.points] }));
}
