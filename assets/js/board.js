/** Connects the parts of the board. */

import { AnswerView } from "./answer-view.js";
import { messageOf } from "./api.js";
import { Autosave } from "./autosave.js";
import { showChips } from "./chips.js";
import { part } from "./dom.js";
import { Drawing } from "./drawing.js";
import { showExamples } from "./examples.js";
import { listenForFiles } from "./file-input.js";
import { Filters } from "./filters.js";
import { Galleries } from "./galleries.js";
import { canDecode } from "./link.js";
import { Live } from "./live.js";
import { Pad } from "./pad.js";
import { PhotoDialog } from "./photo-dialog.js";
import { ShareDialog, takeSharedDrawing } from "./share-dialog.js";
import { listenForShortcuts } from "./shortcuts.js";
import { simplify } from "./simplify.js";
import { StatusLine } from "./status-line.js";
import { storage } from "./storage.js";
import { TEXT } from "./text.js";
import { Toolbar } from "./toolbar.js";
import { reloadUpload, Uploads } from "./uploads.js";
import { initCount, initViewSwitch } from "./view.js";

/** @typedef {import("./api.js").Answer} Answer */
/** @typedef {import("./api.js").Query} Query */

/**
 * Starts the board.
 *
 * @param {HTMLElement} root
 * @param {import("./api.js").Server} server
 */
export function start(root, server) {
  new Board(root, server).start();
}

class Board {
  drawing = new Drawing();
  filters = new Filters();

  /**
   * @param {HTMLElement} root
   * @param {import("./api.js").Server} server
   */
  constructor(root, server) {
    this.root = root;
    this.server = server;
    this.count = /** @type {HTMLSelectElement} */ (part(root, "count"));
    this.status = new StatusLine(part(root, "status"));
    this.view = new AnswerView(root, { onOpen: (photo) => this.photo.open(photo) });
    this.photo = new PhotoDialog(/** @type {HTMLDialogElement} */ (part(root, "photo-dialog")), {
      page: () => (this.filters.byPhoto ? null : this.drawing.page),
      explain: ({ id }) => {
        const { gallery } = this.galleries.where;
        return server.explain({ ...this.#sketch(), gallery, photo: id });
      },
      onAction: (action, photo) => this.#addFilter(action, photo),
    });
    this.share = new ShareDialog(/** @type {HTMLDialogElement} */ (part(root, "share-dialog")), {
      page: () => this.drawing.page,
      search: () => this.#query(),
    });
    this.galleries = new Galleries(root, server, {
      onGallery: () => this.#switchGallery(),
      onAnimal: (label) => this.#filter(() => this.filters.onlyOne(label)),
      animal: () => this.filters.onlyAnimal,
    });
    this.live = new Live({
      question: () => this.#query(),
      ask: (query) => this.#search(query),
      onAnswer: (answer) => answer && this.#show(this.#isIdle ? {} : answer),
      onError: (error) => this.status.say(messageOf(error), true),
      onBusy: (busy) => this.view.setBusy(busy),
    });
    const canvas = /** @type {HTMLCanvasElement} */ (part(root, "pad"));
    this.pad = new Pad(canvas, this.drawing, { onChange: () => this.#drawn() });
    this.autosave = new Autosave(storage, () => {
      const { strokes, picture } = this.drawing.page;
      return { strokes, picture: picture?.path ?? null };
    });
    this.uploads = new Uploads(server, {
      onStatus: (text, isError) => this.status.keep(text, isError),
    });
    this.toolbar = new Toolbar(root, {
      onPen: (pen, name) => {
        this.pad.pen = pen;
        canvas.dataset.pen = name;
      },
      onUndo: () => this.#edit(() => this.drawing.undo()),
      onRedo: () => this.#edit(() => this.drawing.redo()),
      onClear: () => this.#clear(),
    });
  }

  /** Listens to the page, and shows the drawing that was saved or shared. */
  start() {
    const { root } = this;
    this.galleries.describe();
    initViewSwitch(root);
    initCount(this.count, { onChange: () => this.live.changed() });
    listenForShortcuts(root, {
      onUndo: () => this.#edit(() => this.drawing.undo()),
      onRedo: () => this.#edit(() => this.drawing.redo()),
    });
    part(root, "share").addEventListener("click", () => this.share.open());
    window.addEventListener("hashchange", () => this.#openLink());
    window.addEventListener("online", () => this.live.changed());
    window.addEventListener("pagehide", () => this.autosave.flush());
    listenForFiles(root, /** @type {HTMLInputElement} */ (part(root, "file")), {
      onFile: (file) => this.#upload(file),
    });
    showExamples(root, {
      onChoose: (strokes) => this.#edit(() => this.drawing.load(strokes)),
      next: this.toolbar.undo,
    });
    this.#restore();
    this.#repaint();
    this.#openLink();
  }

  /** Whether there is nothing to search by. */
  get #isIdle() {
    return this.drawing.isEmpty && !this.filters.byPhoto;
  }

  /** @returns {import("./api.js").Sketch} */
  #sketch() {
    const { strokes, picture } = this.drawing.page;
    return { strokes: simplify(strokes), picture: picture?.path ?? null };
  }

  /** @returns {Query} */
  #query() {
    const { gallery } = this.galleries.where;
    return { ...this.#sketch(), gallery, k: Number(this.count.value), ...this.filters.query };
  }

  /**
   * @param {Query} query
   * @returns {Promise<Answer | null>} null if another gallery has been chosen meanwhile.
   */
  async #search(query) {
    const { where } = this.galleries;
    const answer = this.#isIdle ? {} : await this.server.search(query);
    return where === this.galleries.where ? answer : null;
  }

  /** @param {Answer} answer */
  #show(answer) {
    this.galleries.setVersion(answer.version);
    const { more } = this.galleries;
    const text = this.view.show(answer, { byPhoto: this.filters.byPhoto, more });
    this.share.setMatches(answer.matches ?? []);
    const { error = "" } = answer;
    this.status.say(error || text || (this.#isIdle ? TEXT.empty : TEXT.none), error !== "");
  }

  /** The pad has changed the drawing: it is searched by again instead of a photo. */
  #drawn() {
    if (this.filters.byPhoto) this.#filter(() => this.filters.searchBy(null));
    else this.#changed();
  }

  /**
   * Changes the drawing.
   *
   * @param {() => void} act
   */
  #edit(act) {
    act();
    this.#repaint();
  }

  #repaint() {
    this.pad.repaint();
    this.#changed();
  }

  #clear() {
    if (this.drawing.isEmpty) return;
    this.#edit(() => this.drawing.clear());
    if (this.pad.pen.erase) this.toolbar.choosePen("medium");
  }

  /** The drawing or the filters have changed. */
  #changed() {
    const { root, drawing, status } = this;
    const isOutdated = status.release() || ["", TEXT.empty].includes(status.text);
    this.autosave.changed();
    this.toolbar.update(drawing);
    root.dataset.state = this.#isIdle ? "empty" : "drawn";
    root.dataset.page = drawing.isEmpty ? "blank" : "inked";
    if (this.#isIdle) this.#show({});
    else if (isOutdated && !this.view.list.childElementCount) status.say(TEXT.searching);
    this.live.changed();
  }

  /**
   * Changes the filters.
   *
   * @param {() => void} act
   */
  #filter(act) {
    act();
    this.#filtersChanged();
  }

  #filtersChanged() {
    showChips(part(this.root, "chips"), this.filters.list, {
      onRemove: (filter) => this.#filter(filter.remove),
      next: () => (this.#isIdle ? this.toolbar.undo : this.galleries.animals),
    });
    this.galleries.showAnimal();
    this.#changed();
  }

  /**
   * @param {import("./photo-dialog.js").Action} action
   * @param {import("./results.js").Photo} photo
   */
  #addFilter(action, photo) {
    const { filters } = this;
    this.#filter(() => {
      if (action === "similar") filters.searchBy(photo);
      if (action === "like") filters.moreLike(photo);
      if (action === "unlike") filters.lessLike(photo);
      if (action === "only") filters.only(photo.label);
      if (action === "without") filters.without(photo.label);
    });
  }

  /** Another gallery was chosen: clears the filters, which belong to the previous one, and searches. */
  #switchGallery() {
    this.#show({});
    this.status.say("");
    this.filters.clear();
    this.galleries.describe();
    this.#filtersChanged();
  }

  /**
   * Puts something else on the page, which is searched by instead of a photo.
   *
   * @param {() => void} act
   */
  #replacePage(act) {
    this.filters.searchBy(null);
    act();
    this.pad.repaint();
    this.#filtersChanged();
  }

  /** @param {File} file */
  async #upload(file) {
    const before = this.drawing.page.strokes;
    const picture = await this.uploads.add(file);
    if (picture) this.#replacePage(() => this.drawing.place(picture, before));
  }

  /** Puts the drawing of a link on the page. */
  async #openLink() {
    try {
      const strokes = await takeSharedDrawing();
      if (strokes) this.#replacePage(() => this.drawing.load(strokes));
    } catch {
      this.status.keep(canDecode() ? TEXT.damagedLink : TEXT.oldBrowser, true);
    }
  }

  /** Starts with the page that this browser has saved; without its upload if the server lost it. */
  async #restore() {
    const saved = this.autosave.read();
    if (!saved) return;
    const { picture: path, strokes } = saved;
    /** @type {import("./drawing.js").Picture | null} */
    const picture = path ? { path, image: document.createElement("canvas") } : null;
    this.drawing.restore({ picture, strokes });
    if (!picture) return;
    const image = await reloadUpload(picture.path);
    if (image) {
      picture.image = image;
      this.pad.repaint();
    } else {
      this.#edit(() => this.drawing.removePicture(picture));
    }
  }
}
