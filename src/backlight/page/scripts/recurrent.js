// Recurrent networks: rnn, gru and lstm (models/recurrent.py, and the formulas of autograd/ops).

import { affine, each, row } from "backlight/arrays.js";

const sigmoid = (value) => 0.5 + 0.5 * Math.tanh(0.5 * value);

/** One step of each kind of layer: from input and state to the new state, whose first part is the output. */
const CELLS = {
  rnn(x, [h], { W, U, b }) {
    const [sums, product] = [affine(x, W, b), affine(h, U)];
    return [each(sums.map((one, at) => one + product[at]), Math.tanh)];
  },
  gru(x, [h], { W, U, b, d }) {
    const size = h.length;
    const [inputs, hidden] = [affine(x, W, b), affine(h, U, d)];
    return [h.map((before, at) => {
      const r = sigmoid(inputs[at] + hidden[at]);
      const z = sigmoid(inputs[size + at] + hidden[size + at]);
      const n = Math.tanh(inputs[2 * size + at] + r * hidden[2 * size + at]);
      return (1 - z) * n + z * before;
    })];
  },
  lstm(x, [h, c], { W, U, b }) {
    const size = h.length;
    const [inputs, hidden] = [affine(x, W, b), affine(h, U)];
    const sum = (gate, at) => inputs[gate * size + at] + hidden[gate * size + at];
    const cell = c.map((before, at) => sigmoid(sum(1, at)) * before + sigmoid(sum(0, at)) * Math.tanh(sum(2, at)));
    return [cell.map((one, at) => sigmoid(sum(3, at)) * Math.tanh(one)), cell];
  },
};

export class Recurrent {
  constructor({ hidden }, arrays, kind) {
    this.cell = CELLS[kind];
    this.parts = kind === "lstm" ? 2 : 1;
    this.arrays = arrays;
    this.layers = hidden.map((size, at) => {
      const of = (name) => arrays.get(`layers.${at}.${name}`);
      return { size, W: of("weight_ih_l0"), U: of("weight_hh_l0"), b: of("bias_ih_l0"), d: of("bias_hh_l0") };
    });
  }

  /** Return a text under way, whose states are 0 at first. */
  reader() {
    const { arrays, layers, cell, parts } = this;
    let states = layers.map(({ size }) => Array.from({ length: parts }, () => new Float64Array(size)));
    return {
      push(id) {
        let x = Float64Array.from(row(arrays.get("embedding.weight"), id));
        states = layers.map((layer, at) => {
          const state = cell(x, states[at], layer);
          [x] = state;
          return state;
        });
        return affine(x, arrays.get("output.weight"), arrays.get("output.bias"));
      },
    };
  }
}
