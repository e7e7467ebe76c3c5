// A small network from two coordinates to a score for each class: linear layers, batch norm if asked for, tanh or ReLU.

import { backward, batchNorm, columnStatistics, crossEntropy, linear, relu, tanh, Tensor } from "backlight/engine.js";
import { drawn, filled, generator } from "backlight/training.js";

const ACTIVATIONS = { tanh, relu };
const GAINS = { tanh: 5 / 3, relu: Math.SQRT2 }; // of the first weights, as in nn/init.py
const SATURATED = 0.97;
const NEARLY_ALL = 0.95;

export class PlaneNetwork {
  /**
   * @param {Object} how
   * @param {number[]} how.hidden units of each hidden layer
   * @param {number} how.classes
   * @param {"tanh" | "relu"} how.activation
   * @param {boolean} how.norm whether each hidden layer has a batch norm before its activation
   * @param {number} how.scale a factor on the first weights
   * @param {number} how.seed
   */
  constructor({ hidden, classes, activation, norm, scale, seed }) {
    const random = generator(seed);
    this.activation = activation;
    this.sizes = [2, ...hidden, classes];
    this.layers = this.sizes.slice(1).map((outputs, at) => {
      const inputs = this.sizes[at];
      const isLast = at === hidden.length;
      const gain = isLast ? 1 : GAINS[activation];
      const weight = drawn(inputs, outputs, (scale * gain) / Math.sqrt(inputs), random);
      const hasNorm = norm && !isLast;
      return { weight, gain: hasNorm ? filled(1, outputs, 1) : null, bias: filled(1, outputs, 0), isLast, fixed: null };
    });
  }

  get parameters() {
    return this.layers.flatMap(({ weight, gain, bias }) => (gain ? [weight, gain, bias] : [weight, bias]));
  }

  /**
   * Return the logits and what each hidden layer gives. In training a batch norm takes the statistics of the rows;
   * otherwise those of all training points, which `settle` keeps.
   */
  forward(x, training) {
    const hidden = [];
    let read = x;
    for (const { weight, gain, bias, isLast, fixed } of this.layers) {
      if (isLast) return { logits: linear(read, weight, bias), hidden };
      const sums = gain ? batchNorm(linear(read, weight), gain, bias, training ? null : fixed) : linear(read, weight, bias);
      read = ACTIVATIONS[this.activation](sums);
      hidden.push(read);
    }
    throw new RangeError("the last layer is missing");
  }

  /** Compute the gradients of the loss, and return it. */
  differentiate(x, labels) {
    const loss = crossEntropy(this.forward(x, true).logits, labels);
    backward(loss);
    return loss.data[0];
  }

  /** Keep the statistics of the training points, which batch norms use outside of training. */
  settle(x) {
    let read = x;
    for (const layer of this.layers) {
      if (layer.isLast || !layer.gain) return; // then no layer has a batch norm
      const sums = linear(read, layer.weight);
      layer.fixed = columnStatistics(sums);
      read = ACTIVATIONS[this.activation](batchNorm(sums, layer.gain, layer.bias, layer.fixed));
    }
  }

  /** Return loss and share of right answers, with the statistics that are kept. */
  evaluate(x, labels) {
    const { probabilities, data } = crossEntropy(this.forward(x, false).logits, labels);
    const right = probabilities.filter((row, at) => row.indexOf(Math.max(...row)) === labels[at]).length;
    return { loss: data[0], right: right / labels.length };
  }

  /** Return for each unit of each hidden layer "dead", "saturated" or "": what it does on nearly all points. */
  conditions(x) {
    return this.forward(x, false).hidden.map(({ rows, columns, data }) => Array.from({ length: columns }, (_, unit) => {
      const count = (test) => Array.from({ length: rows }, (__, at) => data[at * columns + unit]).filter(test).length;
      if (this.activation === "relu") return count((one) => one === 0) === rows ? "dead" : "";
      return count((one) => Math.abs(one) > SATURATED) >= NEARLY_ALL * rows ? "saturated" : "";
    }));
  }
}

/** Return the coordinates of points as a matrix (N, 2). */
export function matrixOf(points) {
  return new Tensor(points.length, 2, points.flatMap(({ x, y }) => [x, y]));
}
