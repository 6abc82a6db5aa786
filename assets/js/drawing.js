/**
 * What is on the page, and the way back.
 *
 * @typedef {[number, number]} Point  x and y as shares of the page's side, y downwards.
 * @typedef {{width: number, points: Point[]}} Stroke  width as a share of the page's side.
 * @typedef {{path: string, image: CanvasImageSource & {width: number, height: number}}} Picture
 *   an uploaded sketch: its place on the server, and what to show of it.
 * @typedef {{picture: Picture | null, strokes: Stroke[]}} Page
 */

export class Drawing {
  /** @type {Page} */
  page = { picture: null, strokes: [] };
  /** @type {Page[]} */
  #past = [];

  get isEmpty() {
    return !this.page.picture && this.page.strokes.length === 0;
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  /** Starts a stroke. @param {Point} point @param {number} width @returns {Stroke} */
  begin(point, width) {
    const stroke = { width, points: [point] };
    this.#change({ ...this.page, strokes: [...this.page.strokes, stroke] });
    return stroke;
  }

  /**
   * Adds points to the stroke that is being drawn; does nothing when it is not on the page any
   * more, because something else has taken its place meanwhile.
   *
   * @param {Stroke} stroke from `begin`. @param {Point[]} points
   */
  extend(stroke, points) {
    if (this.page.strokes.at(-1) === stroke) stroke.points.push(...points);
  }

  /** Puts an uploaded sketch on an empty page. @param {Picture} picture */
  place(picture) {
    this.#change({ picture, strokes: [] });
  }

  /** Replaces the page by other strokes. @param {Stroke[]} strokes */
  load(strokes) {
    this.#change({ picture: null, strokes: strokes.map((s) => ({ ...s, points: [...s.points] })) });
  }

  clear() {
    if (!this.isEmpty) this.#change({ picture: null, strokes: [] });
  }

  /** Takes back the last stroke, upload, example or clearing. */
  undo() {
    this.page = this.#past.pop() ?? this.page;
  }

  /** @param {Page} page */
  #change(page) {
    this.#past.push(this.page);
    this.page = page;
  }
}
