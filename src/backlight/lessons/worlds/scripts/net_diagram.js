// The network as a diagram: a line for each weight, whose width and colour follow it, and a square for each unit, which
// shows what the unit gives all over the plane. One number is selected, and can be pulled.

import { channels, coloursOf } from "backlight/colours.js";
import { element, say } from "backlight/dom.js";
import { shown } from "backlight/numbers.js";
import { mixed, paintCells } from "backlight/plane_map.js";

export const CELLS = 14; // on each side of a unit's square
const SVG = "http://www.w3.org/2000/svg";
const MOST = 100; // how far a number can be pulled
const TALLEST = 480; // pixels
const PIXEL = 0.02; // how much one pixel pulls

/** @typedef {{tensor: import("backlight/engine.js").Tensor, at: number, name: string}} Place a number of the network */

export class NetDiagram {
  /** @param {(place: Place) => void} onPull called after a number was changed by hand */
  constructor(onPull) {
    this.onPull = onPull;
    this.lines = document.createElementNS(SVG, "svg");
    this.lines.setAttribute("aria-hidden", "true");
    this.squares = element("div", { "aria-hidden": "true" });
    this.box = element("div", { class: "net", tabindex: 0, role: "slider", "aria-orientation": "vertical", "aria-valuemin": -MOST, "aria-valuemax": MOST, "aria-valuenow": 0, "aria-label": "a weight" }, this.lines, this.squares);
    this.said = element("p", { class: "line-said" });
    this.root = element("div", {}, this.box, this.said);
    this.selected = 0;
    this.box.addEventListener("keydown", (event) => this.pressed(event));
    this.box.addEventListener("pointerdown", (event) => this.grabbed(event));
    new ResizeObserver(() => this.arrange()).observe(this.box);
  }

  /** Show a network; the selected number stays selected if it is still there. @param {string[]} labels of the classes */
  build(network, labels) {
    Object.assign(this, { network, labels, given: null });
    this.places = [];
    this.drawn = [];
    this.lines.replaceChildren();
    this.units = network.sizes.map((count, layer) => Array.from({ length: count }, (_, unit) => {
      const square = element("canvas", { class: "unit" });
      return { square, name: this.nameOf(layer, unit) };
    }));
    this.squares.replaceChildren(...this.units.flat().map((one) => one.square));
    network.layers.forEach(({ weight, gain, bias }, layer) => {
      for (let to = 0; to < weight.columns; to += 1) {
        const unit = this.nameOf(layer + 1, to);
        for (let from = 0; from < weight.rows; from += 1) {
          const line = document.createElementNS(SVG, "line");
          const hit = document.createElementNS(SVG, "line");
          hit.setAttribute("class", "hit");
          hit.dataset.place = this.places.length;
          this.lines.append(line, hit);
          this.drawn.push({ line, hit, from: [layer, from], to: [layer + 1, to], place: this.places.length });
          this.places.push({ tensor: weight, at: from * weight.columns + to, name: `weight from ${this.nameOf(layer, from)} to ${unit}` });
        }
        if (gain) this.places.push({ tensor: gain, at: to, name: `gain of the batch norm of ${unit}` });
        this.units[layer + 1][to].square.dataset.place = this.places.length;
        this.places.push({ tensor: bias, at: to, name: `bias of ${unit}` });
      }
    });
    this.selected = Math.min(this.selected, this.places.length - 1);
    this.arrange();
  }

  nameOf(layer, unit) {
    if (layer === 0) return "xy"[unit];
    return layer === this.network.sizes.length - 1 ? `the score of ${this.labels[unit]}` : `unit ${unit + 1} of layer ${layer}`;
  }

  /** Put squares and lines to their places, for the width that there is. */
  arrange() {
    const width = this.box.clientWidth;
    if (!this.units || !width) return;
    const most = Math.max(...this.units.map((layer) => layer.length));
    const side = Math.max(12, Math.min(34, Math.floor(width / (this.units.length * 2.2)), Math.floor(TALLEST / most) - 8));
    const height = most * (side + 8) + 12;
    this.box.style.height = `${height}px`;
    const centre = (layer, unit) => [
      side / 2 + 4 + (layer / (this.units.length - 1)) * (width - side - 8),
      height / 2 + (unit - (this.units[layer].length - 1) / 2) * Math.min((height - 12) / this.units[layer].length, 2.2 * side),
    ];
    this.units.forEach((layer, at) => layer.forEach(({ square }, unit) => {
      const [x, y] = centre(at, unit);
      Object.assign(square.style, { left: `${x - side / 2}px`, top: `${y - side / 2}px`, width: `${side}px`, height: `${side}px` });
    }));
    for (const { line, hit, from, to } of this.drawn) {
      const [[x1, y1], [x2, y2]] = [centre(...from), centre(...to)];
      for (const one of [line, hit]) Object.entries({ x1, y1, x2, y2 }).forEach(([name, value]) => one.setAttribute(name, value));
    }
    this.update();
  }

  /**
   * Draw what depends on the numbers.
   * @param {import("backlight/engine.js").Tensor[]} [given] what each layer gives at the cells of the plane
   * @param {string[][]} [conditions] "dead" or "saturated" for units of hidden layers
   */
  update(given = this.given, conditions = this.conditions) {
    if (!this.units || !given) return;
    Object.assign(this, { given, conditions });
    const colours = coloursOf(this.box);
    for (const { line, place } of this.drawn) {
      const { tensor, at } = this.places[place];
      const value = tensor.data[at];
      line.setAttribute("stroke", place === this.selected ? colours.ink : value < 0 ? colours.orange : colours.blue);
      line.setAttribute("stroke-width", Number.isFinite(value) ? 0.6 + Math.min(7, 2 * Math.abs(value)) : 1);
      line.setAttribute("stroke-dasharray", value < 0 ? "6 4" : "none");
      line.setAttribute("opacity", place === this.selected ? 1 : 0.75);
    }
    const [paper, blue, orange] = ["paper", "blue", "orange"].map((name) => channels(colours[name]));
    this.units.forEach((layer, at) => layer.forEach(({ square, name }, unit) => {
      const { data, columns } = given[at];
      paintCells(square, CELLS, (cell) => {
        const value = data[cell * columns + unit];
        return mixed(paper, value < 0 ? orange : blue, Math.min(1, Math.abs(value) || 0));
      });
      const condition = conditions[at - 1]?.[unit] ?? "";
      square.classList.toggle("alarm", condition !== "");
      square.classList.toggle("selected", Number(square.dataset.place) === this.selected);
      square.title = condition ? `${name}: ${condition}` : name;
    }));
    this.tell();
  }

  /** Return the selected number. @returns {Place} */
  get place() {
    return this.places[this.selected];
  }

  tell() {
    const { tensor, at, name } = this.place;
    const [value, slope] = [tensor.data[at], tensor.grad[at]];
    const text = `${shown(value, 3)}, gradient ${shown(slope, 2)}`;
    this.box.setAttribute("aria-label", name);
    this.box.setAttribute("aria-valuenow", Number.isFinite(value) ? value.toFixed(3) : 0);
    this.box.setAttribute("aria-valuetext", text);
    const next = slope > 0 ? "down" : "up";
    say(this.said, `The ${name} is ${text}${slope && Number.isFinite(slope) ? `: the next step moves it ${next}` : ""}.`);
  }

  select(place) {
    this.selected = Math.max(0, Math.min(place, this.places.length - 1));
    this.update();
  }

  pull(value) {
    if (!Number.isFinite(value)) return;
    const { tensor, at } = this.place;
    tensor.data[at] = Math.max(-MOST, Math.min(MOST, value));
    this.onPull(this.place);
  }

  pressed(event) {
    const value = this.place.tensor.data[this.place.at];
    const step = event.shiftKey ? 1 : 0.1;
    const acts = {
      ArrowLeft: () => this.select(this.selected - 1), ArrowRight: () => this.select(this.selected + 1),
      ArrowUp: () => this.pull(value + step), ArrowDown: () => this.pull(value - step),
      PageUp: () => this.pull(value + 1), PageDown: () => this.pull(value - 1),
      Home: () => this.select(0), End: () => this.select(this.places.length - 1), 0: () => this.pull(0),
    };
    if (!(event.key in acts) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    acts[event.key]();
  }

  /** Select the number under the pointer, and let it follow the pointer up and down. */
  grabbed(event) {
    const place = event.target.dataset?.place;
    if (place === undefined) return;
    this.select(Number(place));
    const [from, value] = [event.clientY, this.place.tensor.data[this.place.at]];
    const move = ({ clientY }) => this.pull(value + (from - clientY) * PIXEL);
    this.box.setPointerCapture(event.pointerId);
    this.box.addEventListener("pointermove", move);
    for (const end of ["pointerup", "pointercancel"]) {
      this.box.addEventListener(end, () => this.box.removeEventListener("pointermove", move), { once: true });
    }
  }
}
