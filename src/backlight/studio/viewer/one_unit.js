// The units of a layer on one line of text; and of one of them its values, its strongest inputs, and where it is.

import { cleared } from "backlight/canvas.js";
import { channels, coloursOf } from "backlight/colours.js";
import { element, panel, say } from "backlight/dom.js";
import { counted, shown } from "backlight/numbers.js";
import { inputsOf, valueAt } from "backlight/units.js";

const ROW = 12; // pixels of a position
const HEAD = 20; // of the letters beside the rows

export class OneUnitPanel {
  /** @param {import("backlight/moment.js").Moment} moment */
  constructor(moment) {
    this.moment = moment;
    Object.assign(this, panel("One unit", "The units of a layer on the line: a row is a position, a column a unit; blue is above 0, orange below, stronger is further. Choose a column. Units are counted from 0, as in the code.", { wide: true }));
    this.layers = element("select", { "aria-label": "layer whose units are shown", onchange: () => this.choose(this.layers.value, 0) });
    this.head.append(this.layers);
    this.when = element("p", { class: "about" });
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.map = element("div", { class: "units", role: "slider", tabindex: 0, "aria-label": "unit", "aria-valuemin": 0, onclick: (event) => this.clicked(event), onkeydown: (event) => this.pressed(event) }, this.canvas);
    this.name = element("h3");
    this.values = element("ol", { class: "unit-rows" });
    this.inputs = element("ol", { class: "unit-rows" });
    this.weights = element("p", { class: "about" });
    this.place = element("p", { class: "about" });
    const part = (title, ...rest) => element("div", {}, element("h4", { text: title }), ...rest);
    this.body.append(this.when, this.map, this.name, this.place,
      element("div", { class: "unit-parts" }, part("On the line", this.values), part("Strongest inputs", this.weights, this.inputs)));
    this.layer = null;
    this.unit = 0;
    this.key = "";
    new ResizeObserver(() => this.root.hidden || this.update()).observe(this.body);
  }

  update() {
    const { recording, step } = this.moment;
    const found = recording.unitsAt(step);
    this.root.hidden = !found;
    if (!found) return;
    const names = found.units.map((one) => one.layer);
    if (String(names) !== this.offered) {
      this.offered = String(names);
      this.layers.replaceChildren(...names.map((name) => element("option", { value: name, text: this.titled(name) })));
    }
    if (!names.includes(this.layer)) Object.assign(this, { layer: names[0], unit: 0 });
    const key = `${found.step} ${recording.version} ${this.layer} ${this.unit} ${this.map.clientWidth}`;
    if (key === this.key) return;
    this.key = key;
    this.layers.value = this.layer;
    const units = found.units.find((one) => one.layer === this.layer);
    this.unit = Math.min(this.unit, units.units - 1);
    this.shown = units;
    const some = units.units < units.of ? `; ${units.units} of ${counted(units.of)} units` : "";
    say(this.when, `At step ${counted(found.step)}${some}.`);
    this.draw(found, units);
    this.tell(found, units);
  }

  /** Show a unit of a layer, if it is recorded. */
  choose(layer, unit) {
    Object.assign(this, { layer, unit });
    this.update();
  }

  /** Return whether a unit is recorded, so that it can be chosen. */
  has(layer, unit) {
    return Boolean(this.moment.recording.unitsAt(this.moment.step)?.units.some((one) => one.layer === layer && unit < one.units));
  }

  draw(found, units) {
    const colours = coloursOf(this.root);
    const [width, height] = [this.map.clientWidth, ROW * found.read.length];
    this.canvas.style.height = `${height}px`;
    const context = cleared(this.canvas, width, height);
    const [zero, above, below] = [colours.paper, colours.blue, colours.orange].map(channels);
    const cell = (width - HEAD) / units.units;
    context.font = "11px ui-monospace, 'DejaVu Sans Mono', monospace";
    context.textBaseline = "middle";
    found.read.forEach((text, position) => {
      context.fillStyle = colours.muted;
      context.fillText(text.slice(0, 2), 2, (position + 0.5) * ROW);
      for (let unit = 0; unit < units.units; unit += 1) {
        const value = valueAt(units, position, unit) / Number(units.scale);
        const to = value < 0 ? below : above;
        context.fillStyle = `rgb(${zero.map((one, channel) => Math.round(one + Math.abs(value) * (to[channel] - one))).join(" ")})`;
        context.fillRect(HEAD + unit * cell, position * ROW, Math.max(cell - (cell > 4 ? 1 : 0), 0.5), ROW - 1);
      }
    });
    context.strokeStyle = colours.ink;
    context.lineWidth = 1.5;
    context.strokeRect(HEAD + this.unit * cell - 1, 0.75, Math.max(cell, 2) + 1, height - 1.5);
  }

  tell(found, units) {
    const values = found.read.map((text, position) => ({ text: `“${text}”`, value: valueAt(units, position, this.unit) }));
    const own = units.tokens ? `logit of “${found.embedding.tokens[this.unit]}”` : `unit ${this.unit}`;
    const inputs = inputsOf(found, units, this.unit);
    say(this.name, `${own} of ${this.titled(units.layer)}`);
    this.map.setAttribute("aria-valuemax", units.units - 1);
    this.map.setAttribute("aria-valuenow", this.unit);
    this.map.setAttribute("aria-valuetext", `${own}: ${values.map(({ text, value }) => `${text} ${shown(value, 2)}`).join(", ")}`);
    this.values.replaceChildren(...values.map(({ text, value }) => row(element("span", { text }), value, units.scale)));
    this.inputs.replaceChildren(...inputs.map((one) => row(this.named(one), one.weight, units.input_scale ?? 1)));
    say(this.weights, described(units, this.facts(units.weights_of)?.kind));
    say(this.place, this.placed(units.layer));
  }

  /** Return the name of an input, as a button if that is a unit that can be shown. */
  named({ text, layer, unit }) {
    if (layer === undefined || !this.has(layer, unit)) return element("span", { text });
    return element("button", { type: "button", class: "link", text, onclick: () => this.jump(layer, unit) });
  }

  jump(layer, unit) {
    this.choose(layer, unit);
    this.map.focus();
  }

  facts(layer) {
    return this.moment.recording.network.layers.find((one) => one.name === layer);
  }

  titled(layer) {
    const kind = this.facts(layer)?.kind;
    return kind ? `${layer} (${kind})` : layer;
  }

  /** Return where a layer is: in the order of execution, between which others, and in the code. */
  placed(layer) {
    const { layers } = this.moment.recording.network;
    const facts = this.facts(layer);
    if (!facts) return "";
    const run = layers.filter((one) => Number.isInteger(one.depth));
    const readBy = layers.filter((one) => (one.reads ?? []).includes(layer)).map((one) => this.titled(one.name));
    const parts = [`Layer ${run.indexOf(facts) + 1} of ${run.length} in order of execution.`];
    if (facts.reads?.length) parts.push(`It reads ${facts.reads.map((one) => this.titled(one)).join(", ")}.`);
    if (readBy.length) parts.push(`It is read by ${readBy.join(", ")}.`);
    if (facts.code) parts.push(`Its code is class ${facts.kind} in ${facts.code}.`);
    return parts.join(" ");
  }

  clicked(event) {
    const { left, width } = this.map.getBoundingClientRect();
    const share = (event.clientX - left - HEAD) / (width - HEAD);
    if (share >= 0 && share < 1) this.choose(this.layer, Math.floor(share * this.shown.units));
  }

  pressed(event) {
    const last = this.shown.units - 1;
    const moves = { ArrowRight: this.unit + 1, ArrowUp: this.unit + 1, ArrowLeft: this.unit - 1, ArrowDown: this.unit - 1, PageUp: this.unit + 16, PageDown: this.unit - 16, Home: 0, End: last };
    if (event.altKey || event.ctrlKey || event.metaKey || !Object.hasOwn(moves, event.key)) return;
    this.choose(this.layer, Math.max(0, Math.min(last, moves[event.key])));
    event.preventDefault();
  }
}

/** Return a row of a list: a name, a bar to the left or right of 0, and a number. */
function row(name, value, scale) {
  const bar = element("i", { class: value < 0 ? "below" : "above" });
  bar.style.width = `${50 * Math.min(1, Math.abs(value) / Number(scale))}%`;
  return element("li", {}, name, element("span", { class: "signed", "aria-hidden": "true" }, bar), element("b", { text: shown(value, 2) }));
}

/** Return what the weights of the inputs are. */
function described(units, kind) {
  if (!units.strongest) return "What it reads is a sum or a product, so no weights are its own.";
  const candidate = kind === "GRU" || kind === "LSTM" ? ", for the candidate of the state" : "";
  const tokens = (units.sources ?? []).some((one) => one.places);
  const what = tokens ? "What a character there adds: its embedding times the weights" : "The weights";
  return `${what} of ${units.weights_of}${candidate}. Numbers are recorded to about 1 % of the layer's largest.`;
}
