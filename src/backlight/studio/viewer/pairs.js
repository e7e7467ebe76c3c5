// The weights of a bigram network beside the logarithms of the counts that they become, and the difference of the two.

import { cleared } from "backlight/canvas.js";
import { channels, coloursOf } from "backlight/colours.js";
import { element, panel, say } from "backlight/dom.js";
import { counted, percent, shown } from "backlight/numbers.js";

const LETTERS = 14; // pixels for the letters of rows and columns
const WIDEST = 460; // pixels of a map
const REACH = 1; // nats from which on a difference has its full colour
const MOST_ROWS = 8; // pairs that are listed
const NEVER = 65_535;

export class PairsPanel {
  /** @param {import("backlight/moment.js").Moment} moment */
  constructor(moment) {
    this.moment = moment;
    Object.assign(this, panel("W and the counts", "How likely each character (column) is after each other one (row): by the weights, each row without the constant that softmax ignores, and by counting the training text. A stronger colour is likelier; grey pairs never occur. The difference is blue where the weights are too high, and orange where they are too low.", { wide: true }));
    this.when = element("p", { class: "about" });
    this.sums = element("p");
    this.maps = ["W", "log counts", "difference"].map((name) => {
      const canvas = element("canvas", { "aria-hidden": "true", onclick: (event) => this.clicked(event) });
      return { canvas, root: element("figure", {}, element("figcaption", { text: name }), canvas) };
    });
    this.rows = element("select", { "aria-label": "character before", onchange: () => this.choose(Number(this.rows.value)) });
    this.list = element("table", { class: "pairs-list" });
    this.body.append(this.when, this.sums, element("div", { class: "pairs" }, ...this.maps.map((one) => one.root)),
      element("label", { class: "choice" }, "after", this.rows), this.list);
    this.row = 0;
    this.key = "";
    new ResizeObserver(() => this.root.hidden || this.update()).observe(this.body);
  }

  update() {
    const { recording, step } = this.moment;
    const found = recording.pairsAt(step);
    this.root.hidden = !found;
    if (!found) return;
    const key = `${found.step} ${recording.version} ${this.row} ${this.body.clientWidth}`;
    if (key === this.key) return;
    this.key = key;
    this.tables = tablesOf(found.pairs);
    const { tokens } = found.pairs;
    if (String(tokens) !== this.offered) {
      this.offered = String(tokens);
      this.rows.replaceChildren(...tokens.map((text, at) => element("option", { value: at, text })));
    }
    this.row = Math.min(this.row, tokens.length - 1);
    this.rows.value = this.row;
    const { mean, above } = compared(this.tables);
    say(this.when, `At step ${counted(found.step)}.`);
    say(this.sums, `A pair of the text is off by ${shown(mean, 3)} nats on average. For these characters, the loss is ${shown(above, 3)} nats above that of the counts, which is the lowest there is.`);
    this.draw(tokens);
    this.tell(tokens);
  }

  choose(row) {
    this.row = row;
    this.update();
  }

  draw(tokens) {
    const colours = coloursOf(this.root);
    const { learned, counts, lowest, size } = this.tables;
    const [paper, blue, orange] = [colours.paper, colours.blue, colours.orange].map(channels);
    const mixed = (to, share) => `rgb(${paper.map((one, channel) => Math.round(one + share * (to[channel] - one))).join(" ")})`;
    const likely = (value) => (value === -Infinity ? colours.grid : mixed(blue, 1 - value / lowest));
    const apart = (at) => {
      if (counts[at] === -Infinity) return colours.grid;
      const value = learned[at] - counts[at];
      return mixed(value < 0 ? orange : blue, Math.min(1, Math.abs(value) / REACH));
    };
    const colourOf = [(at) => likely(learned[at]), (at) => likely(counts[at]), apart];
    this.maps.forEach(({ canvas, root }, which) => {
      const width = Math.min(WIDEST, root.clientWidth);
      const cell = (width - LETTERS) / size;
      Object.assign(canvas.style, { width: `${width}px`, height: `${width}px` });
      const context = cleared(canvas, width, width);
      Object.assign(context, { font: `${Math.min(11, cell)}px ui-monospace, 'DejaVu Sans Mono', monospace`, textAlign: "center", textBaseline: "middle", fillStyle: colours.muted });
      tokens.forEach((text, at) => {
        const place = LETTERS + (at + 0.5) * cell;
        context.fillText(text.slice(0, 2), LETTERS / 2, place);
        context.fillText(text.slice(0, 2), place, LETTERS / 2);
      });
      const gap = cell > 5 ? 1 : 0;
      for (let at = 0; at < size * size; at += 1) {
        context.fillStyle = colourOf[which](at);
        context.fillRect(LETTERS + (at % size) * cell, LETTERS + Math.floor(at / size) * cell, cell - gap, cell - gap);
      }
      context.strokeStyle = colours.ink;
      context.strokeRect(LETTERS - 1, LETTERS + this.row * cell - 1, size * cell, cell + 1);
    });
  }

  /** List what follows the chosen character, the most frequent pairs of the text first. */
  tell(tokens) {
    const { learned, counts, size } = this.tables;
    const from = this.row * size;
    const order = Array.from({ length: size }, (_, at) => at).sort((one, other) => counts[from + other] - counts[from + one]);
    const head = (text, scope) => element("th", { text, scope });
    const number = (value) => (value === -Infinity ? "never" : `${shown(value, 3)} (${percent(Math.exp(value))})`);
    this.list.replaceChildren(
      element("thead", {}, element("tr", {}, ...[`after “${tokens[this.row]}”`, "W", "log counts", "difference"].map((text) => head(text, "col")))),
      element("tbody", {}, ...order.slice(0, MOST_ROWS).map((at) => {
        const [own, of] = [learned[from + at], counts[from + at]];
        const numbers = [number(own), number(of), of === -Infinity ? "" : shown(own - of, 2)];
        return element("tr", {}, head(`“${tokens[at]}”`, "row"), ...numbers.map((text) => element("td", { text })));
      })),
    );
  }

  clicked(event) {
    const { top, height } = event.currentTarget.getBoundingClientRect();
    const share = (event.clientY - top - LETTERS) / (height - LETTERS);
    if (share >= 0 && share < 1) this.choose(Math.floor(share * this.tables.size));
  }
}

/** Return the log probabilities of a record, (K, K) row by row, and how often each row occurs. */
export function tablesOf({ tokens, counts: rows, lowest, learned, counted: of }) {
  const values = (digits) => Float64Array.from({ length: tokens.length ** 2 }, (_, at) => {
    const code = parseInt(digits.slice(4 * at, 4 * at + 4), 16);
    return code === NEVER ? -Infinity : (code / 65_534) * Number(lowest);
  });
  return { size: tokens.length, rows, lowest: Number(lowest), learned: values(learned), counts: values(of) };
}

/** Return the mean difference of the pairs that occur, and of the loss, each pair as often as it occurs. */
export function compared({ size, rows, learned, counts }) {
  let [apart, above, all] = [0, 0, 0];
  for (let at = 0; at < size * size; at += 1) {
    if (counts[at] === -Infinity) continue;
    const often = rows[Math.floor(at / size)] * Math.exp(counts[at]);
    all += often;
    apart += often * Math.abs(learned[at] - counts[at]);
    above += often * (counts[at] - learned[at]);
  }
  return { mean: apart / all, above: above / all };
}
