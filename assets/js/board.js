/** The page: pad, buttons, uploads, examples and gallery put together. */

import { Closer } from "./closer.js";
import { Drawing } from "./drawing.js";
import { Gallery, part, terms } from "./gallery.js";
import { Guesses } from "./guesses.js";
import { Keeper, storage } from "./keep.js";
import { Live, Refused } from "./live.js";
import { chooseView, GalleryMap } from "./map.js";
import { Narrowing } from "./narrow.js";
import { ERASE, Pad, paintStroke, WIDTHS } from "./pad.js";
import { told } from "./search.js";
import { received, Sharing } from "./share.js";
import { listen, readable } from "./sources.js";
import { SAY } from "./strings.js";
import { thinned } from "./thin.js";
import { parted, verdict } from "./verdict.js";

/** @typedef {import("./drawing.js").Stroke} Stroke */
/** @typedef {import("./gallery.js").Match} Match */
/**
 * @typedef {import("./guesses.js").Guess} Guess
 * @typedef {{matches?: Match[], guesses?: Guess[], photos?: number, unlike?: boolean,
 *   place?: [number, number] | null, spots?: [number, number][], map?: string, version?: string,
 *   error?: string}} Answer
 * @typedef {{galleries: string[], gallery: string, labels: [string, number][], more: string,
 *   coming: Coming | null}} Described  which galleries there are, how many photos of what one of
 *   them holds, how to get more, and which are being fetched.
 * @typedef {{done: number, wanted: number, trouble: string}} Coming  photos that are being fetched
 * @typedef {{gallery: string | null, version: string}} Where  the gallery, null for the first, and
 *   the version of it that numbers of photos are of
 * @typedef {{strokes: Stroke[], picture: string | null}} Drawn
 * @typedef {Drawn & Where & {k: number} & Partial<import("./narrow.js").Narrowed>} Query
 * @typedef {{search: (query: Query) => Promise<Answer>,
 *   read: (path: string, isUnseen?: boolean) => Promise<{path?: string, cleaned?: boolean, error?: string}>,
 *   upload: (file: File) => Promise<{path: string}>,
 *   describe: (gallery: string | null) => Promise<Described>,
 *   explain: (pair: Drawn & Where & {photo: number}) => Promise<import("./closer.js").Explained>}} Server
 */

const MAX_BYTES = 30e6;

/** Milliseconds until a kept upload that did not come is fetched again. */
const AGAIN = 2000;

/** Milliseconds between looks at photos that are being fetched. */
const LOOK = 3000;

/** Where the browser keeps how many photos are wanted, and from which gallery. */
const COUNT = "sketchzoo.count";
const GALLERY = "sketchzoo.gallery";

/**
 * Brings the board to life.
 *
 * @param {HTMLElement} root
 * @param {Server} server
 */
export function start(root, server) {
  const drawing = new Drawing();
  const gallery = new Gallery(
    part(root, "results"),
    /** @type {HTMLTemplateElement} */ (part(root, "tile")),
    (match) => closer.show(match),
  );
  const guessed = new Guesses(part(root, "guesses"));
  const map = new GalleryMap(part(root, "map"), (photo) => closer.show(photo));
  const narrowing = new Narrowing();
  const closer = new Closer(
    /** @type {HTMLDialogElement} */ (part(root, "closer")),
    narrow,
    (match) => server.explain({ ...drawn(), ...where, photo: match.number }),
    () => (narrowing.byPhoto ? null : drawing.page),
  );
  const status = part(root, "status");
  const galleries = /** @type {HTMLSelectElement} */ (part(root, "galleries"));
  const animals = /** @type {HTMLSelectElement} */ (part(root, "animals"));
  const [undo, redo, clear] = ["undo", "redo", "clear"].map((name) => part(root, name));
  const file = /** @type {HTMLInputElement} */ (part(root, "file"));

  const count = /** @type {HTMLSelectElement} */ (part(root, "count"));
  const wanted = storage.getItem(COUNT);
  for (const option of count.options) if (option.value === wanted) option.selected = true;

  /** @type {Where} */
  const where = { gallery: null, version: "" };
  const drawn = () => ({
    strokes: thinned(drawing.page.strokes),
    picture: drawing.page.picture?.path ?? null,
  });
  const live = new Live(
    () => ({ ...drawn(), ...where, k: Number(count.value), ...narrowing.query }),
    async (query) => {
      const before = changes;
      const answer = isIdle() ? {} : await server.search(query);
      return before === changes ? answer : null;
    },
    (answer) => answer && show(isIdle() ? {} : answer),
    (error) => say(told(error), true),
    (busy) => part(root, "results").setAttribute("aria-busy", String(busy)),
  );
  const canvas = /** @type {HTMLCanvasElement} */ (part(root, "pad"));
  const pad = new Pad(canvas, drawing, () => {
    if (!narrowing.byPhoto) return changed();
    narrowing.searchBy(null);
    narrowed();
  });
  const keeper = new Keeper(storage, drawn);

  const sharing = new Sharing(
    /** @type {HTMLDialogElement} */ (part(root, "sharing")),
    () => drawing.page,
    () => ({ ...live.question(), ...narrowing.ids }),
  );
  /** What is wrong with a link, until the page changes. */
  let trouble = "";
  /** How often galleries were asked for, and files were chosen: only the last of them counts. */
  let described = 0;
  let chosenFiles = 0;
  /** How often another gallery was chosen: what is found in the one before is of no use. */
  let changes = 0;

  /** How this person gets more photos; empty where they cannot. */
  let more = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let looking;

  /**
   * Says how many photos are there of those that are being fetched, and looks again.
   *
   * @param {Coming | null} told
   */
  function coming(told) {
    const text = told ? told.trouble || SAY.coming(told.done, told.wanted) : "";
    if (part(root, "coming").textContent !== text) part(root, "coming").textContent = text;
    clearTimeout(looking);
    if (told) looking = setTimeout(look, LOOK);
  }

  async function look() {
    const told = await server.describe(where.gallery).catch(() => null);
    if (told) coming(told.coming);
    else looking = setTimeout(look, LOOK);
  }

  /** Whether there is nothing to search by. */
  const isIdle = () => drawing.isEmpty && !narrowing.byPhoto;

  /**
   * @param {import("./closer.js").Action} action
   * @param {import("./gallery.js").Photo} match
   */
  function narrow(action, match) {
    if (action === "similar") narrowing.searchBy(match);
    if (action === "like") narrowing.moreLike(match);
    if (action === "unlike") narrowing.lessLike(match);
    if (action === "only") narrowing.only(match.label);
    if (action === "without") narrowing.without(match.label);
    narrowed();
  }

  function narrowed() {
    const chips = narrowing.chips.map(({ text, remove }, i) => {
      const chip = document.createElement("button");
      chip.type = "button";
      chip.textContent = text;
      chip.setAttribute("aria-label", SAY.remove(text));
      chip.addEventListener("click", () => {
        remove();
        narrowed();
        const left = /** @type {NodeListOf<HTMLElement>} */ (all.querySelectorAll("button"));
        (left[i] ?? left[i - 1] ?? animals).focus();
      });
      return chip;
    });
    const all = part(root, "chips");
    all.replaceChildren(...chips);
    const { only } = narrowing.query;
    animals.value = only.length === 1 ? only[0] : "";
    changed();
  }

  function changed() {
    trouble = "";
    keeper.changed();
    enable(undo, drawing.canUndo);
    enable(redo, drawing.canRedo);
    enable(clear, !drawing.isEmpty);
    root.dataset.state = isIdle() ? "empty" : "drawn";
    root.dataset.page = drawing.isEmpty ? "blank" : "inked";
    if (isIdle()) show({});
    live.changed();
  }

  function redrawn() {
    pad.repaint();
    changed();
  }

  /**
   * Offers the galleries, and the animals of the one that is searched.
   *
   * @param {string | null} name of a gallery; where it is gone, the first one is searched.
   */
  async function describe(name) {
    const turn = ++described;
    const told = await server.describe(name).catch(() => null);
    if (!told || turn !== described) return;
    where.gallery = told.gallery === told.galleries[0] ? null : told.gallery;
    galleries.replaceChildren(...told.galleries.map((name) => new Option(name, name)));
    galleries.value = told.gallery;
    galleries.hidden = told.galleries.length < 2;
    ({ more } = told);
    coming(told.coming);
    const all = told.labels.map(([label, photos]) => new Option(`${label} (${photos})`, label));
    animals.replaceChildren(animals.options[0], ...all);
    const { only } = narrowing.query;
    animals.value = only.length === 1 ? only[0] : "";
  }

  /** @param {Answer} answer */
  function show(answer) {
    const { matches = [], guesses = [], place = null, spots = [], error } = answer;
    const { map: address = "", version } = answer;
    if (version && version !== where.version) {
      if (where.version) describe(where.gallery);
      where.version = version;
    }
    const told = matches.length ? verdict(answer, more) : null;
    gallery.show(parted(matches, told?.animal ?? ""), { animal: "", others: "", ...told });
    map.show(matches, spots, place, address, narrowing.byPhoto);
    guessed.show(guesses);
    part(root, "results").classList.toggle("unlike", told?.unlike ?? false);
    sharing.found(matches);
    showCredits(root, matches);
    if (error || trouble) say(error || trouble, true);
    else say(told ? told.text : isIdle() ? SAY.empty : SAY.none);
  }

  /** @param {string} text @param {boolean} [isError] */
  function say(text, isError = false) {
    status.textContent = text;
    status.classList.toggle("error", isError);
  }

  /** @param {File} chosen */
  async function use(chosen) {
    const turn = ++chosenFiles;
    const before = drawing.page.strokes;
    if (chosen.size > MAX_BYTES) return say(SAY.tooLarge, true);
    say(SAY.uploading);
    const picture = await readable(chosen).catch(() => null);
    if (turn !== chosenFiles) return;
    if (!picture) return say(SAY.unreadable, true);
    try {
      const { path, image, error } = await seen(picture);
      if (turn !== chosenFiles) return;
      if (!path || !image) return say(error ?? SAY.unreadable, true);
      narrowing.searchBy(null);
      drawing.place({ path, image }, before);
      pad.repaint();
      narrowed();
    } catch (error) {
      const text = error instanceof Refused ? error.message : SAY.notUploaded;
      if (turn === chosenFiles) say(text, true);
    }
  }

  /**
   * Uploads a picture; where the server has made its paper white, or the browser cannot show it,
   * what the server made of it is shown.
   *
   * @param {File} picture
   */
  async function seen(picture) {
    const uploaded = (await server.upload(picture)).path;
    let read = await server.read(uploaded);
    let image = !read.path || read.cleaned ? null : await bitmap(picture);
    if (read.path && !read.cleaned && !image) read = await server.read(uploaded, true);
    if (read.path && !image) image = await bitmap(await fetchUpload(read.path));
    return { ...read, image };
  }

  /** Puts the drawing of a link on the page, in place of what is there. */
  async function open() {
    try {
      const strokes = await received();
      if (!strokes) return;
      narrowing.searchBy(null);
      drawing.load(strokes);
      pad.repaint();
      narrowed();
    } catch {
      trouble = SAY.damagedLink;
      live.changed();
    }
  }

  /**
   * Does something to the drawing, and shows it.
   *
   * @param {() => void} act
   */
  const then = (act) => () => {
    act();
    redrawn();
  };
  undo.addEventListener("click", then(() => drawing.undo()));
  redo.addEventListener("click", then(() => drawing.redo()));
  clear.addEventListener("click", () => {
    if (drawing.isEmpty) return;
    then(() => drawing.clear())();
    if (pad.tool.erase) /** @type {HTMLElement} */ (root.querySelector("[data-pen=medium]")).click();
  });
  galleries.addEventListener("change", () => {
    storage.setItem(GALLERY, galleries.value);
    where.gallery = galleries.value;
    where.version = "";
    changes += 1;
    show({});
    say("");
    narrowing.clear();
    describe(galleries.value);
    narrowed();
  });
  describe(storage.getItem(GALLERY)).then(() => {
    if (where.gallery) live.changed();
  });
  animals.addEventListener("change", () => {
    narrowing.onlyOne(animals.value);
    narrowed();
  });
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.altKey || isTyping(event.target)) return;
    if (root.querySelector("dialog[open]")) return;
    const key = letter(event);
    if (key !== "z" && key !== "y") return;
    event.preventDefault();
    then(() => (key === "y" || event.shiftKey ? drawing.redo() : drawing.undo()))();
  });
  chooseView(root);
  choosePen(root, (pen) => {
    pad.tool = pen === "eraser" ? ERASE : { width: WIDTHS[pen] };
    canvas.dataset.pen = pen;
  });
  count.addEventListener("change", () => {
    storage.setItem(COUNT, count.value);
    live.changed();
  });
  part(root, "share").addEventListener("click", () => sharing.open());
  window.addEventListener("hashchange", open);
  window.addEventListener("online", () => live.changed());
  window.addEventListener("pagehide", () => keeper.flush());
  listen(root, file, use);
  showExamples(root, (strokes) => then(() => drawing.load(strokes))());
  restore();
  redrawn();
  open();

  /** Begins with the page that this browser has kept; without the upload, if that is gone. */
  async function restore() {
    const kept = keeper.read();
    if (!kept) return;
    const { picture: path, strokes } = kept;
    /** @type {import("./drawing.js").Picture | null} */
    const picture = path ? { path, image: document.createElement("canvas") } : null;
    drawing.restore({ picture, strokes });
    if (!picture) return;
    const image = await insist(() => fetchUpload(picture.path).then(bitmap));
    if (image) {
      picture.image = image;
      return pad.repaint();
    }
    drawing.drop(picture);
    redrawn();
  }
}

/**
 * Tells who made the photos, in a line that opens.
 *
 * @param {HTMLElement} root
 * @param {Match[]} matches
 */
function showCredits(root, matches) {
  const credits = terms(matches);
  part(root, "credits").hidden = !credits.length;
  part(root, "makers").textContent = SAY.credit(credits.length);
  const lines = credits.map((text) => {
    const line = document.createElement("li");
    line.textContent = text;
    return line;
  });
  part(root, "terms").replaceChildren(...lines);
}

/**
 * An upload as the server holds it; null when it is gone.
 *
 * @param {string} path
 * @throws when the server is not there, or busy, or refuses to give it.
 */
async function fetchUpload(path) {
  const escaped = path.split("/").map(encodeURIComponent).join("/");
  const answer = await fetch(new URL(`gradio_api/file=${escaped}`, document.baseURI));
  if (!answer.ok && answer.status !== 404) throw new Error(`${answer.status}`);
  return answer.ok ? answer.blob() : null;
}

/**
 * What a file shows; null where it is no picture.
 *
 * @param {Blob | null} file
 */
async function bitmap(file) {
  return file && createImageBitmap(file).catch(() => null);
}

/**
 * What this gives, as soon as it does not fail any more.
 *
 * @template Given
 * @param {() => Promise<Given>} act
 * @returns {Promise<Given>}
 */
async function insist(act) {
  for (;;) {
    try {
      return await act();
    } catch {
      await new Promise((done) => setTimeout(done, AGAIN));
    }
  }
}

/**
 * The pens and the eraser: one is chosen, by click, or by arrow keys as radio buttons are.
 *
 * @param {HTMLElement} root
 * @param {(pen: "fine" | "medium" | "bold" | "eraser") => void} chosen
 */
function choosePen(root, chosen) {
  const pens = [.../** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll("[data-pen]"))];
  /** @param {HTMLElement} pen */
  const choose = (pen) => {
    for (const other of pens) {
      other.setAttribute("aria-checked", String(other === pen));
      other.tabIndex = other === pen ? 0 : -1;
    }
    chosen(/** @type {any} */ (pen.dataset.pen));
  };
  for (const [i, pen] of pens.entries()) {
    pen.addEventListener("click", () => choose(pen));
    pen.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const next = pens[(i + step + pens.length) % pens.length];
      next.focus();
      choose(next);
    });
  }
  choose(pens[1]);
}

/**
 * Says whether a button does anything. It is not `disabled`, which would take the focus away.
 *
 * @param {HTMLElement} button
 * @param {boolean} can
 */
function enable(button, can) {
  button.setAttribute("aria-disabled", String(!can));
}

/**
 * The Latin letter that a key stands for. Layouts of other scripts have none, and their keys are
 * known by their place: Z on a Russian keyboard is where it is on an English one.
 *
 * @param {KeyboardEvent} event
 */
function letter({ key, code }) {
  // Dvorak has a semicolon there, and its Z elsewhere.
  const isLatin = /^\p{Script=Latin}$/u.test(key) || key === ";" || key === ":";
  return isLatin ? key.toLowerCase() : code.replace(/^Key/, "").toLowerCase();
}

/** @param {EventTarget | null} target */
function isTyping(target) {
  return target instanceof HTMLElement && target.matches("input, textarea, [contenteditable]");
}

/**
 * Fills the list of example sketches.
 *
 * @param {HTMLElement} root
 * @param {(strokes: Stroke[]) => void} chosen
 */
async function showExamples(root, chosen) {
  const answer = await fetch(new URL("../examples.json", import.meta.url));
  if (!answer.ok) return;
  /** @type {{name: string, strokes: Stroke[]}[]} */
  const examples = await answer.json();
  const buttons = examples.map(({ name, strokes }) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-label", SAY.example(name));
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 240;
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    for (const stroke of strokes) paintStroke(context, stroke, canvas.width);
    button.append(canvas, name);
    button.addEventListener("click", () => chosen(strokes));
    return button;
  });
  part(root, "examples").replaceChildren(...buttons);
  let last = -1;
  part(root, "surprise").addEventListener("click", () => {
    last = (last + 1 + Math.floor(Math.random() * (examples.length - 1))) % examples.length;
    chosen(examples[last].strokes);
  });
}
