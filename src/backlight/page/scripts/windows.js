// Networks that read the last T ids: bigram, mlp and wavenet (models/bigram.py, mlp.py, wavenet.py). Batch norms are
// folded into the layers before them.

import { add, affine, concatenated, each, row } from "backlight/arrays.js";

/** A text under way: the logits of what follows its last T ids; before its beginning are boundaries. */
class WindowReader {
  constructor(context, logitsOf) {
    this.ids = new Array(context).fill(0);
    this.logitsOf = logitsOf;
  }

  /** Read an id, and return the logits of the next one. */
  push(id) {
    this.ids = [...this.ids.slice(1), id];
    return this.logitsOf(this.ids);
  }
}

export class Bigram {
  constructor(settings, arrays) {
    this.table = arrays.get("table.weight");
  }

  reader() {
    return new WindowReader(1, ([id]) => Float64Array.from(row(this.table, id)));
  }
}

/** A network with hidden layers; its `logits` are of what follows a window of ids. */
class HiddenLayers {
  constructor({ context }, arrays) {
    this.context = context;
    this.arrays = arrays;
    this.layers = hiddenLayers(arrays);
  }

  reader() {
    return new WindowReader(this.context, (ids) => this.logits(ids));
  }
}

export class MLP extends HiddenLayers {
  logits(ids) {
    const { arrays } = this;
    const joined = concatenated(ids.map((id) => row(arrays.get("embedding.weight"), id)));
    const hidden = this.layers.reduce((x, [weight, bias]) => each(affine(x, weight, bias), Math.tanh), joined);
    const logits = affine(hidden, arrays.get("output.weight"), arrays.get("output.bias"));
    const direct = arrays.get("direct.weight");
    return direct ? add(logits, affine(joined, direct)) : logits;
  }
}

export class WaveNet extends HiddenLayers {
  logits(ids) {
    const { arrays } = this;
    let vectors = ids.map((id) => row(arrays.get("embedding.weight"), id));
    for (const [weight, bias] of this.layers) {
      const pairs = Array.from({ length: vectors.length / 2 }, (_, at) => concatenated([vectors[2 * at], vectors[2 * at + 1]]));
      vectors = pairs.map((pair) => each(affine(pair, weight, bias), Math.tanh));
    }
    return affine(vectors[0], arrays.get("output.weight"), arrays.get("output.bias"));
  }
}

/** Return weight and bias of the linear layers of `hidden`, which are numbered together with the layers between them. */
function hiddenLayers(arrays) {
  const places = [...arrays.keys()].map((name) => /^hidden\.(\d+)\.weight$/.exec(name)?.[1]).filter((place) => place !== undefined);
  places.sort((a, b) => a - b);
  return places.map((place) => [arrays.get(`hidden.${place}.weight`), arrays.get(`hidden.${place}.bias`)]);
}
