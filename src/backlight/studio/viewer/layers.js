// The activations, or the gradients, of each layer: their histograms over the training, and that of the shown step.

import { channels, coloursOf } from "backlight/colours.js";
import { element, panel, say } from "backlight/dom.js";
import { percent, shown } from "backlight/numbers.js";

const KINDS = { output: "activations", gradient: "gradients" };
const AT_FIRST = 8; // layers that are shown before "all layers" is asked for

export class LayersPanel {
  /** @param {import("backlight/moment.js").Moment} moment */
  constructor(moment) {
    this.moment = moment;
    Object.assign(this, panel("Layers", "How the numbers of each layer are distributed: over the training, and at the step shown. Darker is more.", { wide: true }));
    this.kind = element("select", { "aria-label": "what is shown of each layer", onchange: () => this.update() },
      ...Object.entries(KINDS).map(([value, text]) => element("option", { value, text })));
    this.all = element("input", { type: "checkbox", onchange: () => this.update() });
    this.choice = element("label", { class: "choice" }, this.all, "all layers");
    this.head.append(this.kind, this.choice);
    this.rows = new Map();
    new ResizeObserver(() => this.root.hidden || this.update()).observe(this.body);
  }

  update() {
    const { records, network, version } = this.moment.recording;
    const kind = this.kind.value;
    const measured = network.layers.map((one) => one.name).filter((name) => records.some((record) => record.layers.get(name)?.[kind]?.histogram));
    this.root.hidden = records.length === 0 || network.layers.length === 0;
    if (this.root.hidden) return;
    this.choice.hidden = measured.length <= AT_FIRST;
    const names = this.all.checked ? measured : telling(network.layers, measured);
    if (names.join("\n") !== [...this.rows.keys()].join("\n")) this.build(names);
    const drawn = `${version} ${kind} ${names.length} ${this.body.clientWidth}`;
    const isNew = drawn !== this.drawn;
    this.drawn = drawn;
    const colours = coloursOf(this.root);
    const record = this.moment.recording.recordAt(this.moment.step);
    for (const [name, row] of this.rows) this.draw(name, row, record, kind, colours, isNew);
  }

  build(names) {
    this.rows = new Map(names.map((name) => {
      const facts = element("span", { class: "facts-of-layer" });
      const strip = element("canvas", { class: "strip", role: "img" });
      const bars = element("canvas", { class: "bars", role: "img" });
      const { kind, code } = this.moment.recording.network.layers.find((one) => one.name === name);
      const head = element("div", { class: "layer-name", title: code }, element("b", { text: name }), ` ${kind} `, facts);
      strip.addEventListener("click", (event) => this.choose(event, strip));
      const now = element("i", { "aria-hidden": "true" });
      const box = element("div", { class: "strip-box" }, strip, now);
      return [name, { facts, strip, now, bars, reach: 1, root: element("div", { class: "layer" }, head, box, bars) }];
    }));
    this.body.replaceChildren(...[...this.rows.values()].map((row) => row.root));
  }

  choose(event, strip) {
    const { left, width } = strip.getBoundingClientRect();
    this.moment.choose(((event.clientX - left) / width) * this.moment.recording.lastStep);
  }

  draw(name, row, record, kind, colours, isNew) {
    const { facts, strip, now, bars } = row;
    const { records, lastStep } = this.moment.recording;
    const last = Math.max(1, lastStep);
    if (isNew) {
      row.reach = reachOf(records, name, kind);
      drawStrip(strip, records, (one) => one.layers.get(name)?.[kind]?.histogram, { reach: row.reach, last, colours });
    }
    const { reach } = row;
    now.hidden = this.moment.follows;
    now.style.left = `${(100 * this.moment.step) / last}%`;
    const layer = record?.layers.get(name);
    const spread = layer?.[kind];
    drawBars(bars, spread?.histogram, reach, colours);
    const text = spread ? described(spread, layer, kind) : "not measured at this step";
    say(facts, text);
    facts.classList.toggle("alarm", Boolean(spread?.nonfinite));
    strip.setAttribute("aria-label", `${KINDS[kind]} of ${name} over the training, from ${shown(-reach, 2)} to ${shown(reach, 2)}`);
    bars.setAttribute("aria-label", `histogram of the ${KINDS[kind]} of ${name}: ${text}`);
  }
}

function described(spread, layer, kind) {
  const parts = [`mean ${shown(spread.mean, 3)}`, `std ${shown(spread.std, 3)}`];
  if (spread.nonfinite) parts.push(`${spread.nonfinite.toLocaleString("en")} of ${spread.count.toLocaleString("en")} not finite`);
  if (kind === "output" && layer.saturated !== null) parts.push(`${percent(layer.saturated)} saturated`);
  if (kind === "output" && layer.dead) parts.push(`${percent(layer.dead)} of the units dead`);
  return parts.join(", ");
}

/** Return the layers to show first: activations and what else tells most, in order of execution. */
function telling(layers, measured) {
  if (measured.length <= AT_FIRST) return measured;
  const roles = new Map(layers.map((one) => [one.name, one.role]));
  const first = measured.filter((name) => ["activation", "softmax", "norm", "batch_norm", "attention", "recurrent"].includes(roles.get(name)));
  const picked = new Set([...first, ...measured].slice(0, AT_FIRST));
  return measured.filter((name) => picked.has(name));
}

/** Return how far a layer's strip reaches to both sides of 0: nine tenths of its histograms fit. */
function reachOf(records, name, kind) {
  const reaches = [];
  for (const record of records) {
    const histogram = record.layers.get(name)?.[kind]?.histogram;
    if (histogram) reaches.push(Math.max(Math.abs(histogram.low), Math.abs(histogram.high)));
  }
  reaches.sort((a, b) => a - b);
  return reaches[Math.floor(0.9 * (reaches.length - 1))] || 1;
}

function prepared(canvas) {
  const sharp = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  canvas.width = Math.max(1, Math.round(width * sharp));
  canvas.height = Math.max(1, Math.round(height * sharp));
  return { context: canvas.getContext("2d"), width: canvas.width, height: canvas.height, sharp };
}

/** Draw histograms over the steps, one column of pixels each or more; what was not measured stays empty. */
function drawStrip(canvas, records, histogramOf, { reach, last, colours }) {
  const { context, width, height } = prepared(canvas);
  const image = context.createImageData(width, height);
  const [from, to] = [channels(colours.paper), channels(colours.blue)];
  const seen = records.filter(histogramOf);
  seen.forEach((record, place) => {
    const begin = Math.floor((record.step / last) * width);
    const end = place + 1 < seen.length ? Math.ceil((seen[place + 1].step / last) * width) : width;
    const column = columnOf(histogramOf(record), height, reach);
    for (let y = 0; y < height; y += 1) {
      const share = Math.sqrt(column[y] / 255);
      for (let x = begin; x < Math.min(end, width); x += 1) {
        const at = 4 * (y * width + x);
        for (let channel = 0; channel < 3; channel += 1) image.data[at + channel] = from[channel] + share * (to[channel] - from[channel]);
        image.data[at + 3] = 255;
      }
    }
  });
  context.putImageData(image, 0, 0);
}

/** Return the shares of a histogram by rows of pixels, from the largest value down to the smallest. */
function columnOf({ low, high, shares }, height, reach) {
  const column = new Uint8Array(height);
  for (let y = 0; y < height; y += 1) {
    const value = reach * (1 - (2 * (y + 0.5)) / height);
    const bin = Math.floor(((value - low) / (high - low)) * shares.length);
    column[y] = bin >= 0 && bin < shares.length ? shares[bin] : 0;
  }
  return column;
}

function drawBars(canvas, histogram, reach, colours) {
  const { context, width, height, sharp } = prepared(canvas);
  context.fillStyle = colours.grid;
  context.fillRect(0, height - sharp, width, sharp);
  context.fillRect(Math.round(width / 2), 0, sharp, height);
  if (!histogram) return;
  const { low, high, shares } = histogram;
  context.fillStyle = colours.blue;
  shares.forEach((share, bin) => {
    const x = (value) => (0.5 + value / (2 * reach)) * width;
    const [left, right] = [bin, bin + 1].map((edge) => x(low + (edge / shares.length) * (high - low)));
    context.fillRect(left, height - (share / 255) * (height - 2 * sharp), Math.max(right - left - 0.3 * sharp, 0.7), (share / 255) * (height - 2 * sharp));
  });
}
