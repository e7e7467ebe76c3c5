// Numbers to probabilities.

/** Return the softmax of numbers, of which one is finite. */
export function softmax(values) {
  const count = values.length;
  let highest = -Infinity;
  for (let at = 0; at < count; at += 1) highest = Math.max(highest, values[at]);
  const found = new Float64Array(count);
  let sum = 0;
  for (let at = 0; at < count; at += 1) {
    found[at] = Math.exp(values[at] - highest);
    sum += found[at];
  }
  for (let at = 0; at < count; at += 1) found[at] /= sum;
  return found;
}
