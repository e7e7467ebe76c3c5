// Numbers to probabilities.

/** Return the softmax of numbers, of which one is finite. */
export function softmax(values) {
  const highest = values.reduce((most, one) => Math.max(most, one), -Infinity);
  const found = Float64Array.from(values, (one) => Math.exp(one - highest));
  const sum = found.reduce((total, one) => total + one, 0);
  for (let at = 0; at < found.length; at += 1) found[at] /= sum;
  return found;
}
