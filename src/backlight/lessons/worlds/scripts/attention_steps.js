// Attention in ten steps, number by number, for one position that reads.

import { HEAD } from "backlight/attention_model.js";
import { element, say } from "backlight/dom.js";
import { shown } from "backlight/numbers.js";

/** Return a number with two decimals. */
export function two(value) {
  if (!Number.isFinite(value)) return shown(value);
  const text = value.toFixed(2);
  return text === "-0.00" ? "0.00" : text.replace("-", "−");
}

const list = (values) => `(${Array.from(values, two).join(", ")})`;
const sum = (a, b) => Array.from(a, (one, at) => `${two(one)} × ${two(b[at])}`).join(" + ");
const ROOT = Math.sqrt(HEAD);

/**
 * The steps: a name, the column that each fills, and what it says of the reading position t and the inspected position s.
 * @type {{name: string, column?: string, cell?: (r: object, t: number, s: number) => string, words: (r: object, t: number, s: number, of: (at: number) => string) => string}[]}
 */
export const STEPS = [
  {
    name: "Vectors", column: "x", cell: (r, t, s) => list(r.x.row(s)),
    words: (r, t, s, of) => `Each character is a vector of ${r.x.columns} numbers: its row of the token table plus the row of its position. Position ${s + 1}, ${of(s)}, is ${list(r.x.row(s))}.`,
  },
  {
    name: "Query", words: (r, t, s, of) => `Position ${t + 1}, ${of(t)}, reads. Its query is what it looks for: q = x W_q = ${list(r.q.row(t))}.`,
  },
  {
    name: "Keys", column: "key", cell: (r, t, s) => list(r.k.row(s)),
    words: (r, t, s, of) => `Each position has a key, which says what it has to offer: k = x W_k. That of position ${s + 1}, ${of(s)}, is ${list(r.k.row(s))}.`,
  },
  {
    name: "Scores", column: "q · k", cell: (r, t, s) => two(r.scores[t][s]),
    words: (r, t, s, of) => `A score is the dot product of query and key. For ${of(s)}: q · k = ${sum(r.q.row(t), r.k.row(s))} = ${two(r.scores[t][s])}.`,
  },
  {
    name: "Scaling", column: "÷ √D", cell: (r, t, s) => two(r.scores[t][s] / ROOT),
    words: (r, t, s) => `Scores are divided by √D = √${HEAD} = ${ROOT}, so that long vectors do not make the softmax too sharp: ${two(r.scores[t][s])} ÷ ${ROOT} = ${two(r.scores[t][s] / ROOT)}.`,
  },
  {
    name: "Mask", column: "masked", cell: (r, t, s) => two(masked(r, t, s)),
    words: (r, t) => `What comes after position ${t + 1} is not known yet when the next character is predicted: those scores become −∞, and their weights 0.`,
  },
  {
    name: "Softmax", column: "weight", cell: (r, t, s) => two(weight(r, t, s)),
    words: (r, t, s) => `A weight is e to the score, divided by the sum over all positions: ${s > t ? "e^−∞ = 0" : `e^${two(masked(r, t, s))} = ${two(Math.exp(masked(r, t, s)))}, divided by ${two(total(r, t))}`}, gives ${two(weight(r, t, s))}. The weights sum to 1.`,
  },
  {
    name: "Values", column: "value", cell: (r, t, s) => list(r.v.row(s)),
    words: (r, t, s, of) => `Each position has a value, which it hands on: v = x W_v. That of ${of(s)} is ${list(r.v.row(s))}.`,
  },
  {
    name: "Weighted sum", column: "weight × value", cell: (r, t, s) => list(r.v.row(s).map((one) => one * weight(r, t, s))),
    words: (r, t) => `The head gives the sum of weight × value over all positions: ${list(r.mixed.row(t))}.`,
  },
  {
    name: "Next character", words: (r, t) => `The sum times O is added to x, which gives ${list(r.read.row(t))}. That times W plus b are the scores of all characters (logits), and their softmax the probabilities below.`,
  },
];

const masked = (r, t, s) => (s > t ? -Infinity : r.scores[t][s] / ROOT);
const weight = (r, t, s) => r.weights[t][s] ?? 0;
const total = (r, t) => r.scores[t].slice(0, t + 1).reduce((all, one) => all + Math.exp(one / ROOT), 0);

export class AttentionSteps {
  constructor() {
    this.step = 0;
    this.inspected = 0;
    const last = STEPS.length - 1;
    const button = (text, label, act) => element("button", { type: "button", text, "aria-label": label, onclick: act });
    this.slider = element("input", { type: "range", min: 0, max: last, step: 1, value: 0, "aria-label": "step of attention", oninput: () => this.go(Number(this.slider.value)) });
    this.head = element("p", { class: "step-name" });
    this.words = element("p", { class: "step-words" });
    this.table = element("table", { class: "positions" });
    this.root = element("div", {},
      element("div", { class: "controls" }, button("◂", "one step back", () => this.go(this.step - 1)), this.slider, button("▸", "one step forward", () => this.go(this.step + 1)), this.head),
      element("div", { "aria-live": "polite" }, this.words),
      element("div", { class: "scrolled", tabindex: 0, role: "group", "aria-label": "the numbers of each position" }, this.table));
  }

  go(step) {
    this.step = Math.max(0, Math.min(step, STEPS.length - 1));
    this.draw();
  }

  /**
   * Show what a head computed.
   * @param {object} reading see `AttentionModel.read`
   * @param {number} at the position that reads
   * @param {(at: number) => string} of the character at a position
   */
  show(reading, at, of) {
    Object.assign(this, { reading, at, of });
    this.inspected = Math.min(this.inspected, reading.ids.length - 1);
    this.draw();
  }

  draw() {
    const { reading, at, of, step } = this;
    const { name, words } = STEPS[step];
    this.slider.value = step;
    this.slider.setAttribute("aria-valuetext", `${step + 1} of ${STEPS.length}: ${name}`);
    say(this.head, `${step + 1} of ${STEPS.length}: ${name}`);
    say(this.words, words(reading, at, this.inspected, (place) => `“${of(place)}”`));
    this.fill();
  }

  /** Write the table of all numbers that are known at this step; the newest column is marked. */
  fill() {
    const { reading, at, of, step, inspected } = this;
    const columns = STEPS.slice(0, step + 1).filter((one) => one.column);
    const known = step > 0 ? columns.filter((one) => one.column !== "x") : columns; // x is long, and needed once
    const head = element("tr", {}, ...["position", "", ...known.map((one) => one.column)].map((text) => element("th", { scope: "col", text })));
    const focused = this.table.contains(document.activeElement);
    const body = reading.ids.map((_, s) => {
      const choose = element("button", { type: "button", class: "link", text: String(s + 1), "aria-label": `position ${s + 1}, ${of(s)}`, "aria-pressed": String(s === inspected), onclick: () => this.inspect(s) });
      const cells = known.map((one) => element("td", { text: one.cell(reading, at, s), class: one === STEPS[step] ? "newest" : null }));
      return element("tr", { class: [s === inspected ? "inspected" : "", s > at && step >= 5 ? "masked" : ""].join(" ").trim() || null },
        element("td", {}, choose), element("td", { class: "character", text: `${of(s)}${s === at ? " ◂ reads" : ""}` }), ...cells);
    });
    this.table.replaceChildren(element("thead", {}, head), element("tbody", {}, ...body));
    if (focused) this.table.querySelectorAll("button")[inspected].focus();
  }

  inspect(position) {
    this.inspected = position;
    this.draw();
  }
}
