// How the embeddings of tokens move while a network is trained.
//
// All steps are drawn along the same two directions, those in which the embeddings of the last record differ most, and in
// the same range: what moves on the plot has moved in the network.

import { cleared } from "backlight/canvas.js";
import { coloursOf } from "backlight/colours.js";
import { element, panel, say } from "backlight/dom.js";
import { counted, percent } from "backlight/numbers.js";

const HEIGHT = 340;
const ROUNDS = 60; // of the power iteration

export class EmbeddingsPanel {
  /** @param {import("backlight/moment.js").Moment} moment */
  constructor(moment) {
    this.moment = moment;
    Object.assign(this, panel("Embeddings", "The vectors of the characters, along the two directions in which the latest ones differ most: the same directions and scale for all steps. A line leads from where each began."));
    this.when = element("p", { class: "about" });
    this.canvas = element("canvas", { class: "embeddings", role: "img" });
    this.body.append(this.when, this.canvas);
    this.shown = "";
    new ResizeObserver(() => this.root.hidden || this.update()).observe(this.body);
  }

  update() {
    const { recording, step } = this.moment;
    const { texts, version } = recording;
    const found = recording.textAt(step) ?? texts[0];
    this.root.hidden = !found?.embedding;
    if (this.root.hidden) return;
    if (this.version !== version) this.project(texts.filter((one) => one.embedding));
    const key = `${found.step} ${version} ${this.body.clientWidth}`;
    if (key === this.shown) return;
    this.shown = key;
    this.draw(found);
    say(this.when, `At step ${counted(found.step)}. The two directions have ${percent(this.share)} of the variance of the latest vectors.`);
    this.canvas.setAttribute("aria-label", `embeddings of ${found.embedding.tokens.length} tokens at step ${counted(found.step)}: ${this.nearest(found)}`);
  }

  /** Compute the places of all records, and the range that all of them fit into. */
  project(texts) {
    this.version = this.moment.recording.version;
    const latest = vectorsOf(texts.at(-1).embedding);
    const { axes, share } = principal(latest, this.axes);
    Object.assign(this, { axes, share });
    const mean = meanOf(latest);
    this.places = new Map(texts.map((one) => [one, vectorsOf(one.embedding).map((vector) => axes.map((axis) => dot(axis, vector) - dot(axis, mean)))]));
    const all = [...this.places.values()].flat(2);
    this.reach = 1.08 * all.reduce((most, one) => Math.max(most, Math.abs(one)), 1e-9);
  }

  draw(found) {
    const [width, height] = [this.canvas.clientWidth, HEIGHT];
    const context = cleared(this.canvas, width, height);
    const colours = coloursOf(this.root);
    const scale = Math.min(width, height) / 2 / this.reach;
    const at = ([x, y]) => [width / 2 + x * scale, height / 2 - y * scale];
    const history = [...this.places].filter(([one]) => one.step <= found.step).map(([, places]) => places);
    context.strokeStyle = colours.muted;
    context.lineWidth = 1;
    context.globalAlpha = 0.45;
    for (let token = 0; token < found.embedding.tokens.length; token += 1) {
      context.beginPath();
      for (const places of history) context.lineTo(...at(places[token]));
      context.stroke();
    }
    context.globalAlpha = 1;
    context.font = "13px ui-monospace, 'DejaVu Sans Mono', monospace";
    context.textAlign = "center";
    context.textBaseline = "middle";
    found.embedding.tokens.forEach((text, token) => {
      const place = at(this.places.get(found)[token]);
      context.strokeStyle = colours.paper;
      context.lineWidth = 4;
      context.strokeText(text, ...place); // readable on the lines
      context.fillStyle = colours.ink;
      context.fillText(text, ...place);
    });
  }

  /** Return which tokens are next to each other, for those who do not see the plot. */
  nearest(found) {
    const vectors = vectorsOf(found.embedding);
    const { tokens } = found.embedding;
    const distance = (one, other) => one.reduce((sum, value, at) => sum + (value - other[at]) ** 2, 0);
    return vectors.slice(0, 6).map((vector, token) => {
      const others = vectors.map((other, at) => [at === token ? Infinity : distance(vector, other), at]);
      const [, next] = others.reduce((best, one) => (one[0] < best[0] ? one : best));
      return `${tokens[token]} is nearest to ${tokens[next]}`;
    }).join(", ");
  }
}

/** Return the vectors of a record, whose numbers are written as 2 hexadecimal digits each. */
export function vectorsOf({ tokens, width, scale, values }) {
  const numberAt = (at) => ((parseInt(values.slice(2 * at, 2 * at + 2), 16) - 128) / 127) * Number(scale);
  return tokens.map((_, token) => Float64Array.from({ length: width }, (__, at) => numberAt(token * width + at)));
}

/**
 * Return the two directions in which vectors differ most, and their share of the variance, by power iteration.
 * @param {Float64Array[]} vectors
 * @param {Float64Array[]} [before] directions that were used before, whose signs are kept
 */
export function principal(vectors, before = []) {
  const mean = meanOf(vectors);
  let rest = vectors.map((vector) => vector.map((one, at) => one - mean[at]));
  const total = rest.reduce((sum, one) => sum + dot(one, one), 0);
  let explained = 0;
  const axes = [0, 1].map((which) => {
    let axis = unit(Float64Array.from(mean, (_, at) => Math.sin(1 + at * (which + 1)))); // any that is not orthogonal
    for (let round = 0; round < ROUNDS; round += 1) {
      const next = new Float64Array(axis.length);
      for (const vector of rest) vector.forEach((one, at) => { next[at] += one * dot(vector, axis); });
      if (dot(next, next) === 0) break;
      axis = unit(next);
    }
    if (before[which]?.length === axis.length && dot(axis, before[which]) < 0) axis = axis.map((one) => -one);
    explained += rest.reduce((sum, one) => sum + dot(one, axis) ** 2, 0);
    rest = rest.map((vector) => vector.map((one, at) => one - dot(vector, axis) * axis[at]));
    return axis;
  });
  return { axes, share: total ? explained / total : 1 };
}

function meanOf(vectors) {
  return vectors[0].map((_, at) => vectors.reduce((sum, one) => sum + one[at], 0) / vectors.length);
}

function dot(one, other) {
  let sum = 0;
  for (let at = 0; at < one.length; at += 1) sum += one[at] * other[at];
  return sum;
}

function unit(vector) {
  const length = Math.sqrt(dot(vector, vector));
  return vector.map((one) => one / length);
}
