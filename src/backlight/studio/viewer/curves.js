// Curves on a plot: of many points in one column of pixels, the lowest and the highest are drawn.

/**
 * @typedef {Object} Curve
 * @property {string} name
 * @property {string} colour
 * @property {ArrayLike<number>} steps
 * @property {ArrayLike<number>} values
 * @property {number} length how many of them are in use
 * @property {number} [width] of the line
 * @property {number} [alpha]
 * @property {number[] | null} [dash] lengths of its dashes and gaps
 * @property {boolean} [under] whether it is drawn under the others
 * @property {boolean} [dots] whether each point is marked
 */

/** Draw a curve. Where a value is not finite, the curve has a gap and a mark. */
export function drawCurve(area, { colour, steps, values, length, width = 1.5, alpha = 1, dash = null, dots = false }) {
  const { context, x, y, top, height } = area;
  context.strokeStyle = colour;
  context.fillStyle = colour;
  context.globalAlpha = alpha;
  context.lineWidth = width;
  context.lineJoin = "round";
  context.setLineDash(dash ?? []);
  const within = (value) => Math.max(top - 50, Math.min(top + height + 50, y(value)));
  const gaps = [];
  context.beginPath();
  let pen = false;
  for (let row = 0; row < length; ) {
    const column = Math.round(x(steps[row]));
    let [low, high, last, next] = [NaN, NaN, NaN, row];
    for (; next < length && Math.round(x(steps[next])) === column; next += 1) {
      const value = values[next];
      if (!Number.isFinite(value)) {
        gaps.push([x(steps[next]), value]);
        continue;
      }
      last = value;
      if (!(value >= low)) low = value;
      if (!(value <= high)) high = value;
    }
    if (Number.isNaN(last)) pen = false;
    else {
      const across = next - row === 1 ? x(steps[row]) : column;
      if (!pen) context.moveTo(across, within(low));
      context.lineTo(across, within(low));
      if (high !== low) context.lineTo(across, within(high));
      if (last !== high) context.lineTo(across, within(last));
      pen = true;
    }
    row = next;
  }
  context.stroke();
  context.setLineDash([]);
  if (dots) for (let row = 0; row < length; row += 1) dot(context, x(steps[row]), within(values[row]));
  context.globalAlpha = 1;
  markGaps(area, gaps);
}

function dot(context, x, y) {
  if (!Number.isFinite(y)) return;
  context.beginPath();
  context.arc(x, y, 2.2, 0, 2 * Math.PI);
  context.fill();
}

/** Mark where values were not finite: a bar over the whole height, with what the first of them was. */
function markGaps({ context, colours, top, height, left, width }, gaps) {
  if (!gaps.length) return;
  context.fillStyle = colours.alarm;
  context.globalAlpha = 0.25;
  for (const column of new Set(gaps.map(([x]) => Math.round(x)))) context.fillRect(column, top, 1, height);
  context.globalAlpha = 1;
  const [x, value] = gaps[0];
  context.textBaseline = "top";
  context.textAlign = x > left + width - 40 ? "right" : "left";
  context.fillText(Number.isNaN(value) ? "NaN" : "∞", x + (x > left + width - 40 ? -4 : 4), top + 2);
}

/**
 * Return a curve smoothed by an exponential moving average whose weights sum to 1 from the first value on.
 * Values that are not finite are left out of it.
 * @param {number} window over about how many values
 */
export function smoothed(values, length, window) {
  const decay = 1 - 1 / Math.max(1, window);
  const smooth = new Float64Array(length);
  let [sum, weight] = [0, 0];
  for (let row = 0; row < length; row += 1) {
    if (Number.isFinite(values[row])) {
      sum = decay * sum + (1 - decay) * values[row];
      weight = decay * weight + (1 - decay);
    }
    smooth[row] = weight ? sum / weight : NaN;
  }
  return smooth;
}

/**
 * Return the range of the finite values of curves from a step on, with a margin; null if there are none.
 * @param {Curve[]} curves
 */
export function rangeOf(curves, from = 0, { log = false } = {}) {
  let [low, high] = [Infinity, -Infinity];
  for (const { steps, values, length } of curves) {
    for (let row = 0; row < length; row += 1) {
      const value = values[row];
      if (steps[row] < from || !Number.isFinite(value) || (log && value <= 0)) continue;
      if (value < low) low = value;
      if (value > high) high = value;
    }
  }
  if (low > high) return null;
  if (log) return [low / 1.5, high * 1.5];
  const margin = (high - low) * 0.08 || Math.abs(high) * 0.1 || 1;
  return [low - margin, high + margin];
}
