// Where an axis has its ticks, and how they are labelled.

/**
 * Return ticks at multiples of 1, 2 or 5 times a power of ten.
 * @param {number} low
 * @param {number} high
 * @param {number} most about how many
 * @returns {{value: number, label: string}[]}
 */
export function linearTicks(low, high, most) {
  const rough = (high - low) / Math.max(most, 1);
  if (!(rough > 0) || !Number.isFinite(rough)) return [];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough * 0.999);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const ticks = [];
  for (let count = Math.ceil(low / step - 1e-9); count * step <= high + step * 1e-9; count += 1) {
    const value = count * step + 0; // + 0: -0 would be written with a sign
    const label = Math.abs(value) >= 1e6 ? short(value) : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits });
    ticks.push({ value, label: label.replace("-", "−") });
  }
  return ticks;
}

/** Return ticks at powers of ten; only every second, third, ... if they are too many, and also 2 and 5 times if too few. */
export function logTicks(low, high, most) {
  const first = Math.ceil(Math.log10(low) - 1e-9);
  const last = Math.floor(Math.log10(high) + 1e-9);
  const every = Math.max(1, Math.ceil((last - first + 1) / Math.max(most, 1)));
  const plain = first >= -3 && last <= 3; // one notation for all labels of an axis
  const ticks = [];
  for (let power = first; power <= last; power += 1) {
    if (power % every === 0) ticks.push({ value: 10 ** power, label: plain ? String(Number((10 ** power).toPrecision(1))) : powerOfTen(power) });
  }
  if (ticks.length > 1) return ticks;
  for (let power = first - 1; power <= last; power += 1) {
    for (const factor of [2, 5]) {
      const value = factor * 10 ** power;
      if (value >= low && value <= high) ticks.push({ value, label: power >= -3 && power < 6 ? String(Number(value.toPrecision(1))) : `${factor}·${powerOfTen(power)}` });
    }
  }
  return ticks;
}

function powerOfTen(power) {
  if (power === 0) return "1";
  return `10${String(power).replace(/./g, (digit) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(digit)])}`;
}

function short(value) {
  const [size, unit] = Math.abs(value) >= 1e9 ? [1e9, "G"] : [1e6, "M"];
  return `${Number((value / size).toPrecision(3))}${unit}`;
}
