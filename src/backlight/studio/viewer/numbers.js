// Numbers as the record stream writes them, and as people read them.

/** Return a number of a message: what is not finite is a string there ("NaN", "Infinity"), what is missing is null. */
export function number(value) {
  return value === null || value === undefined ? null : Number(value);
}

/** Return a number with 4 significant digits; very large and small ones as a power of ten. */
export function shown(value, digits = 4) {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  const size = Math.abs(value);
  if (value === 0) return "0";
  if (size < 1e-3 || size >= 1e6) return value.toExponential(Math.min(2, digits - 1)).replace("e+", "e").replace("-", "−");
  const text = value.toPrecision(digits);
  return (size >= 1000 ? Math.round(value).toLocaleString("en") : text).replace("-", "−");
}

/** Return a step with separators of thousands. */
export function counted(step) {
  return Math.round(step).toLocaleString("en");
}

/** Return a share as a percentage. */
export function percent(share) {
  if (!Number.isFinite(share)) return shown(share);
  return `${Number((100 * share).toFixed(share < 0.0995 ? 1 : 0))} %`;
}
