// The probabilities of the next character as bars, with a temperature and top-k.

import { element, say } from "backlight/dom.js";
import { percent } from "backlight/numbers.js";
import { softmax } from "backlight/softmax.js";

const SHOWN = 12;

/**
 * Return the probabilities of softmax(logits / temperature) over the k largest logits; the others have 0.
 * At temperature 0, the largest has 1.
 */
export function chances(logits, temperature, k) {
  const order = Array.from(logits.keys()).sort((a, b) => logits[b] - logits[a] || a - b);
  const kept = new Set(order.slice(0, temperature === 0 ? 1 : k));
  const highest = logits[order[0]];
  return softmax(Array.from(logits, (one, id) => (kept.has(id) ? (one - highest) / (temperature || 1) : -Infinity)));
}

export class NextBars {
  /** @param {(id: number) => void} onDraw called with a character that was drawn */
  constructor(onDraw) {
    const range = (label, max, step, value) => element("input", { type: "range", min: label === "top-k" ? 1 : 0, max, step, value, "aria-label": label, oninput: () => this.draw() });
    this.temperature = range("temperature", 3, 0.05, 1);
    this.k = range("top-k", 1, 1, 1);
    this.said = { temperature: element("span"), k: element("span") };
    this.list = element("ol", { class: "chances" });
    this.words = element("p", { class: "line-said" });
    const drawOne = element("button", { type: "button", text: "Draw one", onclick: () => onDraw(this.drawn()) });
    this.root = element("div", {}, element("div", { class: "fields" },
      element("label", {}, this.said.temperature, this.temperature), element("label", {}, this.said.k, this.k), drawOne), this.list, this.words);
    this.logits = null;
  }

  /** Show the logits of the next character. @param {(id: number) => string} of how an id is shown */
  show(logits, of) {
    if (this.logits?.length !== logits.length) Object.assign(this.k, { max: logits.length, value: logits.length });
    Object.assign(this, { logits, of });
    this.draw();
  }

  get shares() {
    return chances(this.logits, Number(this.temperature.value), Number(this.k.value));
  }

  draw() {
    const { logits, of, shares } = this;
    const [temperature, k] = [Number(this.temperature.value), Number(this.k.value)];
    const said = { temperature: `temperature ${temperature.toFixed(2)}${temperature === 0 ? ": always the likeliest" : ""}`, k: `top-k ${k}${k === logits.length ? ": all" : ""}` };
    for (const name of ["temperature", "k"]) {
      say(this.said[name], said[name]);
      this[name].setAttribute("aria-valuetext", said[name]);
    }
    const plain = chances(logits, 1, logits.length);
    const order = Array.from(logits.keys()).sort((a, b) => logits[b] - logits[a] || a - b);
    this.list.replaceChildren(...order.slice(0, SHOWN).map((id) => {
      const [bar, mark] = [element("i", { class: "bar" }), element("i", { class: "plain", title: "at temperature 1, of all characters" })];
      bar.style.width = `${100 * shares[id]}%`;
      mark.style.left = `${100 * plain[id]}%`;
      return element("li", {}, element("span", { class: "character", text: of(id) }), element("span", { class: "track", "aria-hidden": "true" }, bar, mark),
        element("span", { class: "share", text: percent(shares[id]) }));
    }));
    const rest = order.slice(SHOWN).reduce((all, id) => all + shares[id], 0);
    say(this.words, `${order.length > SHOWN ? `The other ${order.length - SHOWN} have ${percent(rest)} together. ` : ""}The thin mark is the model's own probability, at temperature 1 and of all characters.`);
  }

  /** Return a character drawn with the probabilities that are shown. */
  drawn() {
    const { shares } = this;
    let left = Math.random();
    const id = shares.findIndex((share) => (left -= share) < 0);
    return id < 0 ? shares.indexOf(Math.max(...shares)) : id; // the shares may sum to a little less than 1
  }
}
