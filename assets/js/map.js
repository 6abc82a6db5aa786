/** Photos, or a sample of very many, as dots in the plane, the nearest as small pictures, the drawing as a ring. */

import { part } from "./gallery.js";
import { storage } from "./keep.js";
import { colour, fit, labelsThatFit, median, nearestSpot, placePins } from "./places.js";
import { SAY } from "./strings.js";
import { Zoom } from "./zoom.js";

/** @typedef {import("./gallery.js").Match} Match */
/** @typedef {import("./gallery.js").Photo} Photo */
/** @typedef {import("./places.js").Spot} Spot */
/** @typedef {import("./places.js").Box} Box */
/** @typedef {import("./places.js").Pin} Pin */
/**
 * @typedef {[number, number, number, number, number]} Dot  x and y from 0 to 1, the places of its
 *   label and of its credit, licence and page in the lists, and the number of the photo.
 * @typedef {{gallery: string, version: string, labels: string[], terms: [string, string, string][],
 *   ids: string[], photos: Dot[]}} MapData  as the server tells it.
 * @typedef {{label: string, middle: Spot, photos: number}} Animal  the middle of its dots.
 */

/** Where the browser keeps which view is wanted. */
const VIEW = "sketchzoo.view";

/** Photos that are shown as pictures. */
const PINS = 12;

/** Pixels from a dot within which a mouse, and a finger, means it. */
const REACH = { mouse: 12, touch: 24 };

/** Width of the ring, and of the free edge, in pixels. */
const RING = 26;
const MARGIN = 22;

export class GalleryMap {
  /** @type {MapData | null} */
  #data = null;
  #address = "";
  /** The address that is being fetched. */
  #coming = "";
  /** What the pointer was that was pressed last: not every browser tells it of a click. */
  #pressed = "";
  /** The dots, painted once for a size, a theme and a magnification. */
  #dots = document.createElement("canvas");
  /** @type {Spot[]} */
  #spots = [];
  /** @type {(place: Spot) => Spot} */
  #toPixels = (place) => place;
  #radius = 0;
  /** @type {Animal[]} */
  #animals = [];
  /** @type {Map<string, HTMLImageElement>} */
  #images = new Map();
  /** @type {{match: Match, pin: Pin}[]} */
  #pins = [];
  /** @type {Match[]} */
  #matches = [];
  /** @type {Spot[]} */
  #found = [];
  /** @type {Spot | null} */
  #place = null;
  #frame = 0;
  #rest = 0;

  /**
   * @param {HTMLElement} root
   * @param {(photo: Photo) => void} opened when a photo is clicked.
   */
  constructor(root, opened) {
    this.root = root;
    this.canvas = /** @type {HTMLCanvasElement} */ (part(root, "plane"));
    this.tip = part(root, "tip");
    this.ring = part(root, "ring");
    this.buttons = part(root, "zoom");
    const ring = () => this.#place && !this.#isAway() && this.#toPixels(this.#place);
    this.zoom = new Zoom(root, this.canvas, () => ring() || null, () => this.#zoomed());
    this.canvas.addEventListener("pointermove", (event) => {
      this.#hover(event.buttons ? null : this.#at(event, event.pointerType));
    });
    this.canvas.addEventListener("pointerdown", ({ pointerType }) => (this.#pressed = pointerType));
    this.canvas.addEventListener("pointerleave", () => this.#hover(null));
    this.canvas.addEventListener("click", (event) => {
      if (this.zoom.dragged) return;
      const photo = this.#at(event, this.#pressed);
      if (photo) opened(photo);
    });
    new ResizeObserver(() => {
      this.zoom.reset();
      this.#paintDots();
    }).observe(this.canvas);
    new MutationObserver(() => this.#paintDots()).observe(document.body, {
      attributeFilter: ["class"],
    });
  }

  /**
   * Shows where the drawing lies, and the photos nearest to it.
   *
   * @param {Match[]} matches best first.
   * @param {Spot[]} spots where they lie.
   * @param {Spot | null} place null where nothing was found.
   * @param {string} address of the map's data; a new one for a new gallery.
   * @param {boolean} byPhoto whether a photo is searched by instead of the drawing.
   */
  show(matches, spots, place, address, byPhoto) {
    this.#matches = matches.slice(0, PINS);
    this.#found = spots.slice(0, PINS);
    this.#place = place;
    if (address !== this.#address) {
      this.#data = null;
      this.zoom.reset();
    }
    this.#address = address;
    const labels = [...new Set(matches.map((match) => match.label))].slice(0, 3);
    this.canvas.setAttribute("aria-label", SAY.lies(labels, byPhoto));
    if (this.#isAway()) {
      this.zoom.reset();
      this.#paintDots();
    } else {
      this.#paint();
    }
  }

  /** Whether the ring would lie outside of what is magnified. */
  #isAway() {
    if (this.zoom.isWhole || !this.#place) return false;
    const [x, y] = this.#toPixels(this.#place);
    const { width, height } = this.#size;
    return x < 0 || y < 0 || x > width || y > height;
  }

  /** Paints at most once a frame; pins go along at once instead of gliding behind. */
  #zoomed() {
    this.root.classList.add("moving");
    this.#hover(null);
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => {
      this.#paintDots();
      clearTimeout(this.#rest);
      this.#rest = setTimeout(() => this.root.classList.remove("moving"), 200);
    });
  }

  /** Fetches the data, once it is looked at. */
  async #load() {
    const address = this.#address;
    if (!address || address === this.#coming) return;
    this.#coming = address;
    const data = await fetch(new URL(address, document.baseURI))
      .then((answer) => (answer.ok ? answer.json() : null))
      .catch(() => null);
    if (address !== this.#coming) return;
    this.#coming = "";
    if (!data || address !== this.#address) return;
    this.#data = /** @type {MapData} */ (data);
    this.#animals = gather(this.#data);
    this.#paintDots();
  }

  get #size() {
    return { width: this.canvas.clientWidth, height: this.canvas.clientHeight };
  }

  /** Where the buttons that magnify lie. */
  get #buttons() {
    const { offsetLeft, offsetTop, offsetWidth, offsetHeight } = this.buttons;
    const [x, y] = [offsetLeft + offsetWidth / 2, offsetTop + offsetHeight / 2];
    return { x, y, width: offsetWidth, height: offsetHeight };
  }

  get #isDark() {
    return this.root.closest(".dark") !== null;
  }

  #paintDots() {
    const { width, height } = this.#size;
    if (!width || !this.#data) return this.#paint();
    const { photos } = this.#data;
    const places = photos.map(([x, y]) => /** @type {Spot} */ ([x, y]));
    const whole = fit(places, width, height, MARGIN);
    this.#toPixels = (place) => this.zoom.seen(whole(place));
    this.#spots = places.map(this.#toPixels);
    this.#dots.width = Math.round(width * devicePixelRatio);
    this.#dots.height = Math.round(height * devicePixelRatio);
    const context = /** @type {CanvasRenderingContext2D} */ (this.#dots.getContext("2d"));
    context.scale(devicePixelRatio, devicePixelRatio);
    context.globalAlpha = 0.85;
    this.#radius = dotRadius(photos.length, width * height) * this.zoom.growth;
    const colours = this.#animals.map(({ middle }) => colour(middle, this.#isDark));
    for (const [i, [x, y]] of this.#spots.entries()) {
      context.fillStyle = colours[photos[i][2]];
      context.beginPath();
      context.arc(x, y, this.#radius, 0, 2 * Math.PI);
      context.fill();
    }
    this.#paint();
  }

  /** @returns {void} */
  #paint() {
    const { width, height } = this.#size;
    if (!width) return;
    if (!this.#data) return void this.#load();
    // A window that moves to a screen of another density keeps its size.
    if (this.#dots.width !== Math.round(width * devicePixelRatio)) return void this.#paintDots();
    this.canvas.width = this.#dots.width;
    this.canvas.height = this.#dots.height;
    const context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    context.drawImage(this.#dots, 0, 0);
    context.scale(devicePixelRatio, devicePixelRatio);
    const plane = { x: width / 2, y: height / 2, width, height };
    const ring = this.#moveRing();
    const buttons = this.#buttons;
    const spots = this.#found.map(this.#toPixels);
    const side = Math.min(72, Math.max(44, width / 9));
    const pins = placePins(spots, side, ring, plane, [buttons]);
    this.#pins = this.#matches.map((match, i) => ({ match, pin: pins[i] }));
    this.#paintStems(context, spots);
    this.#paintLabels(context, [...pins.filter((pin) => pin.shown), ring, buttons], plane);
    this.#showPins();
  }

  /**
   * Puts the ring where the drawing lies; away without a drawing.
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
   * Marks the dots of the nearest photos, with a line to those that had to move aside.
   *
   * @param {CanvasRenderingContext2D} context
   * @param {Spot[]} spots
   */
  #paintStems(context, spots) {
    const style = getComputedStyle(this.canvas);
    context.strokeStyle = style.getPropertyValue("--soft");
    for (const [i, [x, y]] of spots.entries()) {
      const { pin } = this.#pins[i];
      context.beginPath();
      context.lineWidth = 2;
      context.arc(x, y, this.#radius, 0, 2 * Math.PI);
      context.stroke();
      if (!pin.shown) continue;
      context.beginPath();
      context.lineWidth = 1;
      context.moveTo(x, y);
      context.lineTo(pin.x, pin.y);
      context.stroke();
    }
  }

  /**
   * Writes the names of animals: those that were found first and bold, then those of most photos.
   *
   * @param {CanvasRenderingContext2D} context
   * @param {Box[]} taken
   * @param {Box} plane
   */
  #paintLabels(context, taken, plane) {
    const style = getComputedStyle(this.canvas);
    const found = new Set(this.#matches.map((match) => match.label));
    const font = (/** @type {string} */ text) =>
      `${found.has(text) ? 700 : 500} 12.5px ${style.fontFamily}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    const above = this.#radius + 9;
    const boxes = this.#animals.map(({ label: text, middle, photos }) => {
      const [x, y] = this.#toPixels(middle);
      context.font = font(text);
      const width = context.measureText(text).width + 6;
      const weight = found.has(text) ? Infinity : photos;
      return { text, weight, x, y: y - above, width, height: 14 };
    });
    boxes.sort((a, b) => (a.weight < b.weight ? 1 : a.weight > b.weight ? -1 : 0));
    context.lineJoin = "round";
    context.lineWidth = 4;
    context.strokeStyle = style.getPropertyValue("--card");
    for (const { text, x, y } of labelsThatFit(boxes, taken, plane)) {
      context.font = font(text);
      context.globalAlpha = 0.75;
      context.strokeText(text, x, y);
      context.globalAlpha = 1;
      context.fillStyle = style.getPropertyValue(found.has(text) ? "--ink" : "--soft");
      context.fillText(text, x, y);
    }
  }

  /** Small pictures at their place; those that are there already move and grow. */
  #showPins() {
    /** @type {Map<string, HTMLImageElement>} */
    const images = new Map();
    for (const { match, pin } of this.#pins) {
      if (!pin.shown) continue;
      const image = this.#images.get(match.thumbnail) ?? new Image();
      if (!image.src) image.src = match.thumbnail;
      image.alt = "";
      image.style.width = image.style.height = `${pin.width}px`;
      image.style.translate = `${pin.x - pin.width / 2}px ${pin.y - pin.height / 2}px`;
      images.set(match.thumbnail, image);
    }
    for (const [thumbnail, image] of this.#images) if (!images.has(thumbnail)) image.remove();
    for (const image of images.values()) {
      if (!image.isConnected) part(this.root, "pins").append(image);
    }
    this.#images = images;
  }

  /**
   * The photo at a pointer, and where it is.
   *
   * @param {MouseEvent} event
   * @param {string} pointer "mouse", "touch" or "pen".
   * @returns {(Photo & {spot: Spot}) | null}
   */
  #at({ offsetX, offsetY }, pointer) {
    if (!this.#data) return null;
    const pinned = this.#pins.find(
      ({ pin }) =>
        pin.shown &&
        Math.abs(offsetX - pin.x) <= pin.width / 2 &&
        Math.abs(offsetY - pin.y) <= pin.height / 2,
    );
    if (pinned) {
      const { match, pin } = pinned;
      return { ...match, spot: [pin.x, pin.y - pin.height / 2] };
    }
    const reach = pointer === "touch" ? REACH.touch : REACH.mouse;
    const nearest = nearestSpot(this.#spots, [offsetX, offsetY], reach);
    if (nearest < 0) return null;
    const { gallery, version, labels, terms, ids, photos } = this.#data;
    const [, , label, term, number] = photos[nearest];
    const [credit, licence, page] = terms[term];
    const thumbnail = `thumbnails/${number}?gallery=${encodeURIComponent(gallery)}&v=${version}`;
    const match = this.#matches.find((other) => other.number === number);
    const [id, name] = [ids[nearest], labels[label]];
    const photo = { number, id, label: name, credit, licence, page, thumbnail };
    return { ...(match ?? photo), spot: this.#spots[nearest] };
  }

  /**
   * Says what a photo shows.
   *
   * @param {(Photo & {spot: Spot}) | null} photo
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
 * The animals of a map, in the order of its labels.
 *
 * @param {MapData} data
 * @returns {Animal[]}
 */
function gather({ labels, photos }) {
  /** @type {Spot[][]} */
  const places = labels.map(() => []);
  for (const [x, y, label] of photos) places[label].push([x, y]);
  return labels.map((label, i) => ({ label, middle: median(places[i]), photos: places[i].length }));
}

/**
 * Smaller dots for more photos, or less room.
 *
 * @param {number} photos
 * @param {number} area in square pixels.
 */
function dotRadius(photos, area) {
  return Math.min(5, Math.max(1.5, 0.12 * Math.sqrt(area / photos)));
}

/**
 * The switch between photos and map, which this browser keeps.
 *
 * @param {HTMLElement} root gets the chosen one as `data-view`.
 */
export function chooseView(root) {
  const buttons = [.../** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll("[data-show]"))];
  /** @param {string} view */
  const choose = (view) => {
    root.dataset.view = view;
    storage.setItem(VIEW, view);
    for (const button of buttons) {
      button.setAttribute("aria-pressed", String(button.dataset.show === view));
    }
  };
  for (const button of buttons) {
    button.addEventListener("click", () => choose(button.dataset.show ?? "photos"));
  }
  choose(storage.getItem(VIEW) === "map" ? "map" : "photos");
}
