// Reverse-mode differentiation of small matrices. Each operation computes its result and knows how a gradient passes back
// through it, as in autograd/ops; a test compares every gradient with Backlight's.

import { softmax } from "backlight/softmax.js";

export class Tensor {
  /**
   * @param {number} rows
   * @param {number} columns
   * @param {ArrayLike<number>} [data] its numbers, row by row; 0 by default
   * @param {Tensor[]} [inputs] what it was computed from
   * @param {((grad: Float64Array) => void) | null} [back] adds to the gradients of the inputs, given its own
   */
  constructor(rows, columns, data = new Float64Array(rows * columns), inputs = [], back = null) {
    if (data.length !== rows * columns) throw new RangeError(`a matrix of ${rows} × ${columns} needs ${rows * columns} numbers; got ${data.length}`);
    Object.assign(this, { rows, columns, inputs, back });
    this.data = Float64Array.from(data);
    this.grad = new Float64Array(data.length);
  }

  row(at) {
    return this.data.subarray(at * this.columns, (at + 1) * this.columns);
  }
}

/** Set the gradients of the only number of a tensor with respect to everything that it was computed from. */
export function backward(end) {
  const order = [];
  const seen = new Set();
  const visit = (one) => {
    if (seen.has(one)) return;
    seen.add(one);
    one.inputs.forEach(visit);
    order.push(one);
  };
  visit(end);
  for (const one of order) one.grad.fill(0);
  end.grad[0] = 1;
  for (const one of order.reverse()) one.back?.(one.grad);
}

function sameShape(a, b) {
  if (a.rows !== b.rows || a.columns !== b.columns) throw new RangeError(`shapes must be equal; got ${a.rows} × ${a.columns} and ${b.rows} × ${b.columns}`);
}

/** Return a + b. */
export function add(a, b) {
  sameShape(a, b);
  return new Tensor(a.rows, a.columns, a.data.map((one, at) => one + b.data[at]), [a, b], (grad) => {
    grad.forEach((one, at) => {
      a.grad[at] += one;
      b.grad[at] += one;
    });
  });
}

/** Return x W + b for x (N, I), W (I, O) and b (1, O), which may be null. */
export function linear(x, weight, bias = null) {
  const [count, inputs, outputs] = [x.rows, x.columns, weight.columns];
  if (weight.rows !== inputs) throw new RangeError(`a weight for ${inputs} inputs needs as many rows; got ${weight.rows}`);
  const y = new Float64Array(count * outputs);
  for (let n = 0; n < count; n += 1) {
    if (bias) y.set(bias.data, n * outputs);
    for (let i = 0; i < inputs; i += 1) {
      const factor = x.data[n * inputs + i];
      for (let o = 0; o < outputs; o += 1) y[n * outputs + o] += factor * weight.data[i * outputs + o];
    }
  }
  return new Tensor(count, outputs, y, bias ? [x, weight, bias] : [x, weight], (grad) => {
    for (let n = 0; n < count; n += 1) {
      for (let i = 0; i < inputs; i += 1) {
        const factor = x.data[n * inputs + i];
        let sum = 0;
        for (let o = 0; o < outputs; o += 1) {
          const above = grad[n * outputs + o];
          weight.grad[i * outputs + o] += factor * above; // dW = xᵀ dy
          sum += above * weight.data[i * outputs + o]; // dx = dy Wᵀ
        }
        x.grad[n * inputs + i] += sum;
      }
      if (bias) for (let o = 0; o < outputs; o += 1) bias.grad[o] += grad[n * outputs + o];
    }
  });
}

/** Return f(x) for each number; the slope is a function of x and of f(x). */
function elementwise(x, f, slope) {
  const y = x.data.map((one) => f(one));
  return new Tensor(x.rows, x.columns, y, [x], (grad) => {
    for (let at = 0; at < grad.length; at += 1) x.grad[at] += grad[at] * slope(x.data[at], y[at]);
  });
}

export const tanh = (x) => elementwise(x, Math.tanh, (_, y) => 1 - y * y);
export const relu = (x) => elementwise(x, (one) => Math.max(0, one), (one) => (one > 0 ? 1 : 0));

export const EPSILON = 1e-5;

/** Return the mean and 1 / √(variance + ε) of each column; the variance is divided by N. */
export function columnStatistics(x) {
  const [mean, scale] = [new Float64Array(x.columns), new Float64Array(x.columns)];
  for (let c = 0; c < x.columns; c += 1) {
    for (let n = 0; n < x.rows; n += 1) mean[c] += x.data[n * x.columns + c] / x.rows;
    let variance = 0;
    for (let n = 0; n < x.rows; n += 1) variance += (x.data[n * x.columns + c] - mean[c]) ** 2 / x.rows;
    scale[c] = 1 / Math.sqrt(variance + EPSILON);
  }
  return { mean, scale };
}

/**
 * Return gain · (x − mean) / √(variance + ε) + bias, with gain and bias (1, C).
 * @param {{mean: Float64Array, scale: Float64Array} | null} [fixed] statistics that do not depend on x; by default those of x
 */
export function batchNorm(x, gain, bias, fixed = null) {
  const { rows: N, columns: C } = x;
  const { mean, scale } = fixed ?? columnStatistics(x);
  const normal = x.data.map((one, at) => (one - mean[at % C]) * scale[at % C]);
  const y = normal.map((one, at) => gain.data[at % C] * one + bias.data[at % C]);
  return new Tensor(N, C, y, [x, gain, bias], (grad) => {
    const [sum, along] = [new Float64Array(C), new Float64Array(C)];
    grad.forEach((one, at) => {
      sum[at % C] += one;
      along[at % C] += one * normal[at];
    });
    for (let c = 0; c < C; c += 1) {
      bias.grad[c] += sum[c];
      gain.grad[c] += along[c];
    }
    // through the statistics of x, each row depends on all others: dx = γ/σ (dy − mean(dy) − x̂ mean(dy x̂))
    grad.forEach((one, at) => {
      const c = at % C;
      const shared = fixed ? 0 : (sum[c] + normal[at] * along[c]) / N;
      x.grad[at] += gain.data[c] * scale[c] * (one - shared);
    });
  });
}

/** Return −log softmax(logits)[target], averaged over rows, (1, 1). `probabilities` of the result are those of the rows. */
export function crossEntropy(logits, targets) {
  const { rows: N, columns: C } = logits;
  const probabilities = Array.from({ length: N }, (_, n) => softmax(logits.row(n)));
  let sum = 0;
  targets.forEach((target, n) => {
    const row = logits.row(n);
    const highest = row.reduce((most, one) => Math.max(most, one), -Infinity);
    sum += highest + Math.log(row.reduce((total, one) => total + Math.exp(one - highest), 0)) - row[target];
  });
  const loss = new Tensor(1, 1, [sum / N], [logits], ([above]) => {
    probabilities.forEach((row, n) => row.forEach((share, c) => {
      logits.grad[n * C + c] += (above * (share - (c === targets[n] ? 1 : 0))) / N;
    }));
  });
  loss.probabilities = probabilities;
  return loss;
}

/** Return the rows `ids` of a table, as an embedding does. */
export function rows(table, ids) {
  const C = table.columns;
  const y = new Float64Array(ids.length * C);
  ids.forEach((id, n) => y.set(table.row(id), n * C));
  return new Tensor(ids.length, C, y, [table], (grad) => {
    ids.forEach((id, n) => {
      for (let c = 0; c < C; c += 1) table.grad[id * C + c] += grad[n * C + c];
    });
  });
}

/**
 * Return causal self-attention of one head: each row is the mean of the values up to it in its sequence, weighted by
 * softmax(q · k / √D). `weights` of the result are those of each row.
 * @param {Tensor} q (B T, D)
 * @param {Tensor} k (B T, D)
 * @param {Tensor} v (B T, E)
 * @param {number} length of a sequence, T
 */
export function attention(q, k, v, length) {
  const [D, E] = [q.columns, v.columns];
  const factor = 1 / Math.sqrt(D);
  const y = new Float64Array(q.rows * E);
  const weights = Array.from({ length: q.rows }, (_, t) => {
    const first = t - (t % length);
    const scores = new Float64Array(t - first + 1);
    for (let s = first; s <= t; s += 1) {
      for (let d = 0; d < D; d += 1) scores[s - first] += factor * q.data[t * D + d] * k.data[s * D + d];
    }
    const shares = softmax(scores);
    for (let s = first; s <= t; s += 1) {
      for (let e = 0; e < E; e += 1) y[t * E + e] += shares[s - first] * v.data[s * E + e];
    }
    return shares;
  });
  const out = new Tensor(q.rows, E, y, [q, k, v], (grad) => {
    for (let t = 0; t < q.rows; t += 1) {
      const first = t - (t % length);
      const shares = weights[t];
      const dShares = new Float64Array(shares.length);
      for (let s = first; s <= t; s += 1) {
        for (let e = 0; e < E; e += 1) {
          v.grad[s * E + e] += shares[s - first] * grad[t * E + e];
          dShares[s - first] += grad[t * E + e] * v.data[s * E + e];
        }
      }
      const mean = dot(shares, dShares);
      for (let s = first; s <= t; s += 1) {
        const dScore = shares[s - first] * (dShares[s - first] - mean) * factor; // softmax: dx = y (dy − Σ y dy)
        for (let d = 0; d < D; d += 1) {
          q.grad[t * D + d] += dScore * k.data[s * D + d];
          k.grad[s * D + d] += dScore * q.data[t * D + d];
        }
      }
    }
  });
  out.weights = weights;
  return out;
}

/** Return Σ a b. */
export function dot(a, b) {
  let sum = 0;
  for (let at = 0; at < a.length; at += 1) sum += a[at] * b[at];
  return sum;
}
