// The n-gram model, as arrays that models/_tables.py describes, and its mixture with a network (models/mixture.py).

import { logSoftmax } from "backlight/arrays.js";

export const UNKNOWN = -1; // an id that is not known, as before the first id of a chunk

export class NGram {
  constructor({ order }, arrays, prefix = "") {
    this.levels = Array.from({ length: order - 1 }, (_, above) => {
      const of = (name) => arrays.get(prefix + name)?.data;
      const level = above + 1;
      return {
        contexts: { starts: of(`contexts.${level}.starts`), ids: of(`contexts.${level}.ids`) },
        weight: of(`levels.${level}.weight`), starts: of(`levels.${level}.starts`), ids: of(`levels.${level}.ids`), share: of(`levels.${level}.share`),
      };
    });
    this.lowest = arrays.get(`${prefix}lowest`).data;
  }

  /** @param {number} before the id that precedes the text: the boundary, or `UNKNOWN` */
  reader(before = 0) {
    let ids = this.levels.map(() => before);
    return {
      push: (id) => {
        ids = [...ids, id].slice(ids.length ? 1 : 2);
        const { probabilities, node } = this.after(ids);
        return Object.assign(probabilities.map(Math.log), { node });
      },
    };
  }

  /** Return the probabilities of what follows ids, and the node of these; -1 if they are unseen. */
  after(ids) {
    const probabilities = Float64Array.from(this.lowest);
    let node = 0;
    this.levels.forEach(({ contexts, weight, starts, ids: following, share }, above) => {
      node = node < 0 ? -1 : found(contexts, node, ids[ids.length - 1 - above]);
      if (!weight) return;
      const factor = weight.at(node); // that of unseen contexts is the last
      for (let id = 0; id < probabilities.length; id += 1) probabilities[id] *= factor;
      if (node < 0) return;
      for (let at = starts[node]; at < starts[node + 1]; at += 1) probabilities[following[at]] += share[at];
    });
    return { probabilities, node };
  }
}

/** Return the place of an id among those of a node, which are ascending; -1 if it is not there. */
function found({ starts, ids }, node, id) {
  let [low, high] = [starts[node], starts[node + 1]];
  const end = high;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ids[middle] < id) low = middle + 1;
    else high = middle;
  }
  return low < end && ids[low] === id ? low : -1;
}

export class Mixture {
  constructor(network, ngram, arrays) {
    Object.assign(this, { network, ngram, weights: arrays.get("weights").data, buckets: arrays.get("buckets").data });
  }

  reader(before) {
    const [network, ngram] = [this.network.reader(), this.ngram.reader(before)];
    const { weights, buckets } = this;
    return {
      push(id) {
        const [first, second] = [logSoftmax(network.push(id)), ngram.push(id)];
        const bucket = buckets.at(second.node);
        return first.map((one, at) => weights[2 * bucket] * one + weights[2 * bucket + 1] * second[at]);
      },
      get attention() {
        return network.attention;
      },
    };
  }
}
