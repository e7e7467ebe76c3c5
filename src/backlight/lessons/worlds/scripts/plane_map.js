// The plane: what the network says everywhere, the points, and a cross that the arrow keys move.

import { cleared } from "backlight/canvas.js";
import { channels, coloursOf } from "backlight/colours.js";
import { element, say } from "backlight/dom.js";
import { Tensor } from "backlight/engine.js";
import { REACH } from "backlight/points.js";
import { softmax } from "backlight/softmax.js";

export const GRID = 48; // cells on each side
const STEP = 0.1; // of the cross
const NAMES = ["blue", "orange", "green", "purple"];

/** The centres of all cells as a matrix, from the top left, row by row. */
export function gridOf(count) {
  const at = (cell) => ((cell + 0.5) / count) * 2 * REACH - REACH;
  return new Tensor(count * count, 2, Array.from({ length: count * count }, (_, cell) => [at(cell % count), -at(Math.floor(cell / count))]).flat());
}

/** Draw numbers of cells as colours into a square canvas of one pixel for each. @param {(cell: number) => number[]} colour */
export function paintCells(canvas, count, colour) {
  if (canvas.width !== count) Object.assign(canvas, { width: count, height: count });
  const context = canvas.getContext("2d");
  const image = context.createImageData(count, count);
  image.data.fill(255); // opaque
  for (let cell = 0; cell < count * count; cell += 1) [image.data[4 * cell], image.data[4 * cell + 1], image.data[4 * cell + 2]] = colour(cell);
  context.putImageData(image, 0, 0);
}

/** Return a colour between two, as channels. */
export function mixed(from, to, share) {
  return from.map((one, channel) => one + share * (to[channel] - one));
}

export class PlaneMap {
  /** @param {(x: number, y: number) => void} onPoint called with the place of a click, or of the cross at Enter */
  constructor(onPoint) {
    this.onPoint = onPoint;
    this.cross = { x: 0, y: 0 };
    this.cells = document.createElement("canvas");
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.said = element("p", { class: "line-said", role: "status" });
    this.box = element("div", { class: "plane", tabindex: 0, role: "application", "aria-roledescription": "plane of points", "aria-label": "the plane. Arrow keys move a cross; Enter does there what a click does" }, this.canvas);
    this.root = element("div", {}, this.box, this.said);
    this.box.addEventListener("keydown", (event) => this.pressed(event));
    this.box.addEventListener("click", (event) => {
      const { left, top, width, height } = this.canvas.getBoundingClientRect();
      this.cross = { x: ((event.clientX - left) / width) * 2 * REACH - REACH, y: REACH - ((event.clientY - top) / height) * 2 * REACH };
      this.onPoint(this.cross.x, this.cross.y);
    });
    this.box.addEventListener("focus", () => this.paint());
    this.box.addEventListener("blur", () => this.paint());
    new ResizeObserver(() => this.paint()).observe(this.box);
  }

  pressed(event) {
    const [right, up] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[event.key] ?? [0, 0];
    const acts = event.key === "Enter" || event.key === " ";
    if (!right && !up && !acts) return;
    event.preventDefault();
    const within = (value) => Math.max(-REACH, Math.min(REACH, Math.round(value / STEP) * STEP));
    this.cross = { x: within(this.cross.x + STEP * right), y: within(this.cross.y + STEP * up) };
    if (acts) this.onPoint(this.cross.x, this.cross.y);
    else this.tell();
    this.paint();
  }

  /** Say what is at the cross. */
  tell() {
    const { x, y } = this.cross;
    const cell = (value) => Math.max(0, Math.min(GRID - 1, Math.floor(((value + REACH) / (2 * REACH)) * GRID)));
    const row = this.shown?.shares[cell(-y) * GRID + cell(x)];
    const best = row ? row.indexOf(Math.max(...row)) : 0;
    const network = row ? ` The network says ${this.shown.labels[best]} with ${Math.round(100 * row[best])} %.` : "";
    say(this.said, `Cross at ${x.toFixed(1)}, ${y.toFixed(1)}.${network}`);
  }

  /**
   * Show what the network says of each cell, and points.
   * @param {Tensor} logits of the cells of the grid
   * @param {import("backlight/points.js").Point[]} points
   * @param {{labels: string[], names: string[], ranges: number[][] | null}} words
   */
  show(logits, points, words) {
    const shares = Array.from({ length: logits.rows }, (_, cell) => softmax(logits.row(cell)));
    this.shown = { shares, points, ...words };
    this.paint();
  }

  paint() {
    const size = this.box.clientWidth;
    if (!this.shown || !size) return;
    const colours = coloursOf(this.box);
    const classes = NAMES.map((name) => channels(colours[name]));
    const { shares, points, names, ranges } = this.shown;
    const [paper, best] = [channels(colours.paper), shares.map((row) => row.indexOf(Math.max(...row)))];
    paintCells(this.cells, GRID, (cell) => {
      const to = [0, 1, 2].map((channel) => shares[cell].reduce((sum, share, label) => sum + share * classes[label][channel], 0));
      return best[cell] < 0 ? paper : mixed(paper, to, 0.15 + 0.35 * shares[cell][best[cell]]); // below 0: not a number
    });
    const context = cleared(this.canvas, size, size);
    context.drawImage(this.cells, 0, 0, size, size);
    this.boundary(context, best, size / GRID, colours.ink);
    const at = ({ x, y }) => [((x + REACH) / (2 * REACH)) * size, ((REACH - y) / (2 * REACH)) * size];
    for (const point of points) drawPoint(context, ...at(point), point.label, { fill: point.held ? colours.paper : colours[NAMES[point.label]], line: point.held ? colours[NAMES[point.label]] : colours.paper });
    if (document.activeElement === this.box) drawCross(context, ...at(this.cross), colours.ink);
    drawNames(context, size, colours, names, ranges);
  }

  /** Draw where the likeliest class changes: between four centres of cells, a line that joins where it changes on their sides. */
  boundary(context, best, cell, colour) {
    const { shares } = this.shown;
    context.strokeStyle = colour;
    context.lineWidth = 2;
    context.beginPath();
    for (let y = 0; y + 1 < GRID; y += 1) {
      for (let x = 0; x + 1 < GRID; x += 1) {
        const corners = [[x, y], [x + 1, y], [x + 1, y + 1], [x, y + 1]];
        const places = corners.map(([across, down]) => down * GRID + across);
        if (places.every((one) => best[one] === best[places[0]])) continue;
        const crossings = corners.flatMap((from, side) => {
          const [one, other] = [places[side], places[(side + 1) % 4]];
          const [a, b] = [best[one], best[other]];
          if (a === b || a < 0 || b < 0) return [];
          const [before, after] = [shares[one][a] - shares[one][b], shares[other][b] - shares[other][a]];
          const to = corners[(side + 1) % 4];
          return [from.map((place, axis) => (place + 0.5 + (before / (before + after || 1)) * (to[axis] - place)) * cell)];
        });
        for (let at = 0; at + 1 < crossings.length; at += 2) segment(context, ...crossings[at], ...crossings[at + 1]);
        if (crossings.length === 3) segment(context, ...crossings[1], ...crossings[2]);
      }
    }
    context.stroke();
  }
}

function segment(context, fromX, fromY, toX, toY) {
  context.moveTo(fromX, fromY);
  context.lineTo(toX, toY);
}

/** Draw a point; each label has a shape of its own. */
function drawPoint(context, x, y, label, { fill, line }) {
  const r = 4.5;
  context.beginPath();
  if (label === 0) context.arc(x, y, r, 0, 2 * Math.PI);
  else if (label === 1) context.rect(x - r + 0.5, y - r + 0.5, 2 * r - 1, 2 * r - 1);
  else for (const [across, down] of label === 2 ? [[0, -5.5], [5, 4], [-5, 4]] : [[0, -6], [6, 0], [0, 6], [-6, 0]]) context.lineTo(x + across, y + down);
  context.closePath();
  context.fillStyle = fill;
  context.fill();
  context.strokeStyle = line;
  context.lineWidth = 1.5;
  context.stroke();
}

function drawCross(context, x, y, colour) {
  context.strokeStyle = colour;
  context.lineWidth = 2;
  context.beginPath();
  segment(context, x - 9, y, x + 9, y);
  segment(context, x, y - 9, x, y + 9);
  context.stroke();
}

function drawNames(context, size, colours, names, ranges) {
  context.font = "12px system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";
  const said = names.map((name, axis) => (ranges ? `${name}: ${Number(ranges[axis][0].toPrecision(3))} to ${Number(ranges[axis][1].toPrecision(3))}` : name));
  const write = (text, x, y, align) => {
    Object.assign(context, { textAlign: align, lineWidth: 3, strokeStyle: colours.paper, fillStyle: colours.ink });
    context.strokeText(text, x, y);
    context.fillText(text, x, y);
  };
  write(`${said[0]} →`, size - 6, size - 8, "right");
  write(`↑ ${said[1]}`, 6, 16, "left");
}
