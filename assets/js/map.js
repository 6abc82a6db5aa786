/**
 * The map: all photos, or a sample if there are very many, as dots; the nearest as small pictures;
 * the drawing as a ring.
 */

import { context2d, part } from "./dom.js";
import { animalsOf, fetchMap, photoOf } from "./map-data.js";
import { fitPlane, nearestSpot, placePins } from "./map-layout.js";
import { dotRadius, paintDots, paintLabels, paintStems } from "./map-paint.js";
import { Pins } from "./map-pins.js";
import { TEXT } from "./text.js";
import { Zoom } from "./zoom.js";

/** @typedef {import("./results.js").Match} Match */
/** @typedef {import("./results.js").Photo} Photo */
/** @typedef {import("./map-layout.js").Box} Box */
/** @typedef {import("./map-layout.js").Spot} Spot */
/** @typedef {Photo & {spot: Spot}} PhotoAt  a photo, and where its tip is shown, in pixels. */

/** Number of photos that are shown as pictures. */
const MAX_PINS = 12;

/** Pixels around a dot within which a mouse or a finger hits it. */
const REACH = { mouse: 12, touch: 24 };

/** Width of the ring, and of the free edge, in pixels. */
const RING = 26;
const MARGIN = 22;

/** Milliseconds after zooming during which pins move without gliding. */
const MOVING_TIME = 200;

export class GalleryMap {
  /** @type {import("./map-data.js").MapData | null} */
  #data = null;
  #url = "";
  /** The URL that is being loaded. */
  #loading = "";
  /** The type of the pointer that was pressed last: not every browser reports it with a click. */
  #pointerType = "";
  /** The dots, painted once for a size, a theme and a zoom. */
  #dots = document.createElement("canvas");
  /**
   * Where the dots are, in pixels.
   *
   * @type {Spot[]}
   */
  #spots = [];
  /** @type {(place: Spot) => Spot} */
  #toPixels = (place) => place;
  #radius = 0;
  /** @type {import("./map-data.js").Animal[]} */
  #animals = [];
  /**
   * The nearest photos.
   *
   * @type {Match[]}
   */
  #matches = [];
  /**
   * Where they lie, from 0 to 1.
   *
   * @type {Spot[]}
   */
  #places = [];
  /**
   * Where the drawing lies, from 0 to 1.
   *
   * @type {Spot | null}
   */
  #place = null;
  #frame = 0;
  #movingTimer = 0;

  /**
   * @param {HTMLElement} root
   * @param {object} options
   * @param {(photo: Photo) => void} options.onOpen called when a photo is clicked.
   */
  constructor(root, { onOpen }) {
    this.root = root;
    this.canvas = /** @type {HTMLCanvasElement} */ (part(root, "plane"));
    this.tip = part(root, "tip");
    this.ring = part(root, "ring");
    this.buttons = part(root, "zoom");
    this.pins = new Pins(part(root, "pins"));
    this.zoom = new Zoom(root, this.canvas, {
      focus: () => (this.#place && !this.#isRingOutside() ? this.#toPixels(this.#place) : null),
      onChange: () => this.#zoomed(),
    });
    this.#listen(onOpen);
    new ResizeObserver(() => {
      this.zoom.reset();
      this.#repaint();
    }).observe(this.canvas);
    const repaint = () => this.#repaint();
    new MutationObserver(repaint).observe(document.body, { attributeFilter: ["class"] });
    for (const each of [this.canvas, this.#dots]) each.addEventListener("contextrestored", repaint);
  }

  /** @param {(photo: Photo) => void} onOpen */
  #listen(onOpen) {
    const { canvas } = this;
    canvas.addEventListener("pointermove", (event) => {
      this.#hover(event.buttons ? null : this.#photoAt(event, event.pointerType));
    });
    canvas.addEventListener("pointerdown", ({ pointerType }) => (this.#pointerType = pointerType));
    canvas.addEventListener("pointerleave", () => this.#hover(null));
    canvas.addEventListener("click", (event) => {
      if (this.zoom.dragged) return;
      const photo = this.#photoAt(event, this.#pointerType);
      if (photo) onOpen(photo);
    });
  }

  /**
   * Shows where the drawing lies, and the photos nearest to it.
   *
   * @param {object} answer
   * @param {Match[]} answer.matches nearest first.
   * @param {Spot[]} answer.spots where they lie, from 0 to 1.
   * @param {Spot | null} answer.place where the drawing lies; null if nothing was found.
   * @param {string} answer.map URL of the map's data; each version of a gallery has its own. It is
   *   empty without a drawing; the last map stays loaded for the next one.
   * @param {boolean} byPhoto whether the search is by a photo instead of the drawing.
   */
  show({ matches, spots, place, map }, byPhoto) {
    this.#matches = matches.slice(0, MAX_PINS);
    this.#places = spots.slice(0, MAX_PINS);
    this.#place = place;
    const isOther = map !== "" && map !== this.#url;
    if (isOther) {
      this.#data = null;
      this.#url = map;
    }
    const labels = [...new Set(matches.map((match) => match.label))].slice(0, 3);
    this.canvas.setAttribute("aria-label", TEXT.map(labels, byPhoto));
    if (isOther || !map || this.#isRingOutside()) {
      this.zoom.reset();
      this.#repaint();
    } else {
      this.#paint();
    }
  }

  /** Whether the ring lies outside of the part that is zoomed in on. */
  #isRingOutside() {
    if (this.zoom.isWhole || !this.#place) return false;
    const [x, y] = this.#toPixels(this.#place);
    const { width, height } = this.#size;
    return x < 0 || y < 0 || x > width || y > height;
  }

  /** Repaints at most once a frame. Pins jump to their place instead of gliding. */
  #zoomed() {
    this.root.classList.add("moving");
    this.#hover(null);
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => {
      this.#repaint();
      clearTimeout(this.#movingTimer);
      this.#movingTimer = setTimeout(() => this.root.classList.remove("moving"), MOVING_TIME);
    });
  }

  /** Loads the data when the map is looked at. */
  async #load() {
    const url = this.#url;
    if (!url || url === this.#loading) return;
    this.#loading = url;
    const data = await fetchMap(url);
    if (url !== this.#loading) return;
    this.#loading = "";
    if (!data || url !== this.#url) return;
    this.#data = data;
    this.#animals = animalsOf(data);
    this.#repaint();
  }

  get #size() {
    return { width: this.canvas.clientWidth, height: this.canvas.clientHeight };
  }

  /** Paints the dots again, and then the rest. */
  #repaint() {
    const { width, height } = this.#size;
    if (!width || !this.#data) return this.#paint();
    const { photos } = this.#data;
    const places = photos.map(([x, y]) => /** @type {Spot} */ ([x, y]));
    const onWholePlane = fitPlane(places, width, height, MARGIN);
    this.#toPixels = (place) => this.zoom.toView(onWholePlane(place));
    this.#spots = places.map(this.#toPixels);
    this.#radius = dotRadius(photos.length, width * height) * this.zoom.growth;
    this.#dots.width = Math.round(width * devicePixelRatio);
    this.#dots.height = Math.round(height * devicePixelRatio);
    const context = context2d(this.#dots);
    context.scale(devicePixelRatio, devicePixelRatio);
    paintDots(context, this.#spots, {
      photos,
      animals: this.#animals,
      radius: this.#radius,
      isDark: this.root.closest(".dark") !== null,
    });
    this.#paint();
  }

  /**
   * Paints everything else over the dots: what changes with each answer.
   *
   * @returns {void}
   */
  #paint() {
    const { width, height } = this.#size;
    if (!width) return;
    if (!this.#data) return void this.#load();
    // A window that moves to a screen of another density keeps its size.
    if (this.#dots.width !== Math.round(width * devicePixelRatio)) return void this.#repaint();
    this.canvas.width = this.#dots.width;
    this.canvas.height = this.#dots.height;
    const context = context2d(this.canvas);
    context.drawImage(this.#dots, 0, 0);
    context.scale(devicePixelRatio, devicePixelRatio);
    const plane = { x: width / 2, y: height / 2, width, height };
    const ring = this.#moveRing();
    const buttons = boxOf(this.buttons);
    const spots = this.#places.map(this.#toPixels);
    const side = Math.min(72, Math.max(44, width / 9));
    const pins = placePins(spots, { side, ring, plane, taken: [buttons] });
    paintStems(context, spots, pins, this.#radius);
    paintLabels(context, this.#animals, {
      found: new Set(this.#matches.map((match) => match.label)),
      toPixels: this.#toPixels,
      radius: this.#radius,
      taken: [...pins.filter((pin) => pin.shown), ring, buttons],
      plane,
    });
    this.pins.show(this.#matches, pins);
  }

  /**
   * Puts the ring where the drawing lies; hides it without a drawing.
   *
   * @returns {Box}
   */
  #moveRing() {
    const place = this.#place;
    this.ring.hidden = !place;
    if (!place) return { x: -RING, y: -RING, width: 0, height: 0 };
    const [x, y] = this.#toPixels(place);
    this.ring.style.translate = `${x}px ${y}px`;
    return { x, y, width: RING, height: RING };
  }

  /**
   * The photo at a pointer.
   *
   * @param {MouseEvent} event
   * @param {string} pointerType "mouse", "touch" or "pen".
   * @returns {PhotoAt | null}
   */
  #photoAt({ offsetX, offsetY }, pointerType) {
    if (!this.#data) return null;
    const pinned = this.pins.at(offsetX, offsetY);
    if (pinned) {
      const { match, pin } = pinned;
      return { ...match, spot: [pin.x, pin.y - pin.height / 2] };
    }
    const reach = pointerType === "touch" ? REACH.touch : REACH.mouse;
    const nearest = nearestSpot(this.#spots, [offsetX, offsetY], reach);
    if (nearest < 0) return null;
    const photo = photoOf(this.#data, nearest);
    const match = this.#matches.find(({ number }) => number === photo.number);
    return { ...(match ?? photo), spot: this.#spots[nearest] };
  }

  /**
   * Shows the label of a photo.
   *
   * @param {PhotoAt | null} photo
   */
  #hover(photo) {
    this.tip.hidden = !photo;
    this.canvas.style.cursor = photo ? "pointer" : "";
    if (!photo) return;
    this.tip.textContent = photo.label;
    const half = this.tip.offsetWidth / 2;
    const x = Math.min(Math.max(photo.spot[0], half), this.#size.width - half);
    this.tip.style.translate = `calc(${x}px - 50%) calc(${photo.spot[1] - 8}px - 100%)`;
  }
}

/**
 * Where an element lies in its parent.
 *
 * @param {HTMLElement} element
 * @returns {Box}
 */
function boxOf({ offsetLeft, offsetTop, offsetWidth, offsetHeight }) {
  const [x, y] = [offsetLeft + offsetWidth / 2, offsetTop + offsetHeight / 2];
  return { x, y, width: offsetWidth, height: offsetHeight };
}
