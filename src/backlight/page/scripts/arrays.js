// Arrays of a model inside a page, and the few operations on them. Weights are float32; everything is summed in float64.

const TYPES = { float32: Float32Array, float64: Float64Array, uint8: Uint8Array, uint16: Uint16Array, uint32: Uint32Array };

/**
 * Return arrays by name.
 * @param {{name: string, type: string, shape: number[], at: number}[]} list where each array is, in bytes
 * @param {string} text all arrays one after the other, in base64
 * @returns {Map<string, {shape: number[], data: ArrayLike<number>}>}
 */
export function unpacked(list, text) {
  const decoded = atob(text);
  const bytes = new Uint8Array(decoded.length);
  for (let at = 0; at < decoded.length; at += 1) bytes[at] = decoded.charCodeAt(at);
  return new Map(list.map(({ name, type, shape, at }) => {
    const count = shape.reduce((product, size) => product * size, 1);
    return [name, { shape, data: new TYPES[type](bytes.buffer, at, count) }];
  }));
}

/** Return x W + b for x (I,), W (I, O) and b (O,), which may be missing. */
export function affine(x, weight, bias) {
  const [inputs, outputs] = weight.shape;
  const { data } = weight;
  const y = new Float64Array(outputs);
  if (bias) y.set(bias.data);
  for (let i = 0, at = 0; i < inputs; i += 1, at += outputs) {
    const factor = x[i];
    if (factor === 0) continue;
    for (let o = 0; o < outputs; o += 1) y[o] += factor * data[at + o];
  }
  return y;
}

/** Return a row of a matrix. */
export function row({ shape, data }, place) {
  return data.subarray(place * shape[1], (place + 1) * shape[1]);
}

/** Return the elements of several vectors one after the other. */
export function concatenated(vectors) {
  const joined = new Float64Array(vectors.reduce((length, one) => length + one.length, 0));
  let at = 0;
  for (const one of vectors) {
    joined.set(one, at);
    at += one.length;
  }
  return joined;
}

/** Add a vector to another one, in place. */
export function add(target, other) {
  for (let at = 0; at < target.length; at += 1) target[at] += other[at];
  return target;
}

/** Apply a function to each element, in place. */
export function each(vector, act) {
  for (let at = 0; at < vector.length; at += 1) vector[at] = act(vector[at]);
  return vector;
}

/** Return the log of the softmax; where all are -Infinity, they stay so. */
export function logSoftmax(values) {
  const highest = values.reduce((most, one) => Math.max(most, one), -Infinity);
  if (highest === -Infinity) return values;
  const sum = values.reduce((total, one) => total + Math.exp(one - highest), 0);
  return Float64Array.from(values, (one) => one - highest - Math.log(sum));
}
