// A decoder-only transformer (models/gpt.py), with a cache of keys and values, and the weights of its attention.

import { add, affine, each, row } from "backlight/arrays.js";
import { softmax } from "backlight/softmax.js";

const ROOT = Math.sqrt(2 / Math.PI);
const gelu = (x) => 0.5 * x * (1 + Math.tanh(ROOT * (x + 0.044715 * x ** 3))); // the approximation that models/gpt.py uses

export class GPT {
  constructor(settings, arrays) {
    const { context, n_layer: layers, n_head: heads, eps } = settings;
    Object.assign(this, { context, layers, heads, eps, arrays });
  }

  reader() {
    return new GPTReader(this);
  }

  norm(x, name) {
    const [gain, bias] = [this.arrays.get(`${name}.weight`).data, this.arrays.get(`${name}.bias`).data];
    const mean = x.reduce((sum, one) => sum + one, 0) / x.length;
    const variance = x.reduce((sum, one) => sum + (one - mean) ** 2, 0) / x.length;
    const scale = 1 / Math.sqrt(variance + this.eps);
    return x.map((one, at) => (one - mean) * scale * gain[at] + bias[at]);
  }

  linear(x, name) {
    return affine(x, this.arrays.get(`${name}.weight`), this.arrays.get(`${name}.bias`));
  }

  logits(x) {
    const output = this.arrays.get("output.weight");
    const read = this.norm(x, "norm");
    if (output) return affine(read, output);
    const token = this.arrays.get("token.weight"); // tied weights
    return Float64Array.from({ length: token.shape[0] }, (_, id) => row(token, id).reduce((sum, one, at) => sum + one * read[at], 0));
  }
}

/** A text under way. Once the context is full, each further id moves all others one position back, so all are read again. */
class GPTReader {
  constructor(model) {
    this.model = model;
    this.clear();
  }

  clear() {
    this.ids = [];
    this.caches = Array.from({ length: this.model.layers }, () => ({ keys: [], values: [] }));
    this.attention = null; // by layer and head: the weights of all positions so far for the last one
  }

  /** Read an id, and return the logits of the next one. */
  push(id) {
    const before = this.ids;
    if (before.length === this.model.context) {
      this.clear();
      for (const one of before.slice(1)) this.step(one);
    }
    return this.model.logits(this.step(id));
  }

  step(id) {
    const { model } = this;
    const x = Float64Array.from(row(model.arrays.get("token.weight"), id));
    add(x, row(model.arrays.get("position.weight"), this.ids.length));
    this.ids.push(id);
    this.attention = this.caches.map((cache, layer) => {
      const [mixed, weights] = attend(model.linear(model.norm(x, `blocks.${layer}.first_norm`), `blocks.${layer}.attention.qkv`), cache, model.heads);
      add(x, model.linear(mixed, `blocks.${layer}.attention.output`));
      const hidden = each(model.linear(model.norm(x, `blocks.${layer}.second_norm`), `blocks.${layer}.mlp.0`), gelu);
      add(x, model.linear(hidden, `blocks.${layer}.mlp.2`));
      return weights;
    });
    return x;
  }
}

/** Add a position's key and value to a cache, and return what its queries read, (C,), and the weights of each head. */
function attend(qkv, { keys, values }, heads) {
  const size = qkv.length / 3;
  const width = size / heads;
  keys.push(qkv.subarray(size, 2 * size));
  values.push(qkv.subarray(2 * size));
  const mixed = new Float64Array(size);
  const weights = Array.from({ length: heads }, (_, head) => {
    const [from, to] = [head * width, (head + 1) * width];
    const scores = keys.map((key) => {
      let sum = 0;
      for (let at = from; at < to; at += 1) sum += qkv[at] * key[at];
      return sum / Math.sqrt(width);
    });
    const shares = softmax(scores);
    shares.forEach((share, place) => {
      for (let at = from; at < to; at += 1) mixed[at] += share * values[place][at];
    });
    return shares;
  });
  return [mixed, weights];
}
