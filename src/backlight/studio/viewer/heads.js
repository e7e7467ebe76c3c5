// The attention of each head: a row for each position that reads, a column for each that is read; darker is more.

import { channels, coloursOf } from "backlight/colours.js";
import { element, say } from "backlight/dom.js";
import { percent } from "backlight/numbers.js";

const CELL = 10; // pixels, at most

export class Heads {
  constructor() {
    this.maps = element("div", { class: "heads" });
    this.said = element("p", { class: "line-said", role: "status" });
    this.root = element("div", {}, this.maps, this.said);
    this.chosen = "";
    this.drawn = new Map();
  }

  /**
   * Show the weights of all heads.
   * @param {string[]} texts what stands at each position
   * @param {ArrayLike<number>[][][]} weights by layer, head and reading position: those of the positions up to it
   * @param {number} row the reading position that is marked
   */
  show(texts, weights, row) {
    Object.assign(this, { texts, weights, row });
    const names = weights.flatMap((heads, layer) => heads.map((_, head) => `${layer} ${head}`));
    if (names.join() !== [...this.drawn.keys()].join()) this.build(names);
    const colours = coloursOf(this.root);
    for (const [name, { canvas }] of this.drawn) {
      const [layer, head] = name.split(" ");
      paint(canvas, weights[layer][head], row, colours);
    }
    this.tell();
  }

  build(names) {
    this.drawn = new Map(names.map((name) => {
      const [layer, head] = name.split(" ").map((one) => Number(one) + 1);
      const canvas = element("canvas", { "aria-hidden": "true" });
      const text = `layer ${layer}, head ${head}`;
      const button = element("button", { type: "button", class: "head", "aria-pressed": "false", onclick: () => this.choose(name) }, canvas, element("span", { text }));
      return [name, { canvas, button, text }];
    }));
    if (!this.drawn.has(this.chosen)) [this.chosen] = names;
    this.maps.replaceChildren(...[...this.drawn.values()].map((one) => one.button));
  }

  choose(name) {
    this.chosen = name;
    this.tell();
  }

  tell() {
    for (const [name, { button }] of this.drawn) button.setAttribute("aria-pressed", String(name === this.chosen));
    const [layer, head] = this.chosen.split(" ");
    const shares = [...(this.weights[layer]?.[head]?.[this.row] ?? [])].map((share, at) => [share, at]);
    shares.sort((a, b) => b[0] - a[0]);
    const most = shares.slice(0, 3).filter(([share]) => share >= 0.005).map(([share, at]) => `“${this.texts[at]}” (place ${at + 1}) ${percent(share)}`);
    say(this.said, most.length ? `In ${this.drawn.get(this.chosen).text}, “${this.texts[this.row]}” (place ${this.row + 1}) reads ${most.join(", ")}.` : "");
  }
}

function paint(canvas, rows, marked, colours) {
  const count = rows.length;
  const cell = Math.max(2, Math.min(CELL, Math.floor(132 / count)));
  Object.assign(canvas, { width: count * cell, height: count * cell });
  const context = canvas.getContext("2d");
  const [from, to] = [channels(colours.paper), channels(colours.blue)];
  context.fillStyle = colours.grid;
  context.fillRect(0, marked * cell, count * cell, cell);
  rows.forEach((shares, y) => Array.from(shares).forEach((share, x) => {
    context.fillStyle = `rgb(${from.map((one, channel) => Math.round(one + share * (to[channel] - one))).join(" ")})`;
    context.fillRect(x * cell, y * cell, cell - 1, cell - 1);
  }));
  context.strokeStyle = colours.ink;
  context.strokeRect(0.5, marked * cell + 0.5, count * cell - 1, cell - 1);
}
