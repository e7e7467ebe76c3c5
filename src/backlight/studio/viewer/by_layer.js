// Curves with one number for each layer or parameter: updates, gradients, saturated and dead units.

import { ChartPanel } from "backlight/chart.js";
import { depthColours } from "backlight/colours.js";
import { rangeOf } from "backlight/curves.js";
import { percent } from "backlight/numbers.js";

const MOST = 12; // curves; of more, evenly spaced ones from the first to the last

/** Return the update-to-data ratio of each weight matrix. */
export function updateRatios(moment) {
  return new ChartPanel(moment, {
    title: "Update to data",
    about: "The size of a step's change of each weight matrix beside its weights. About 10⁻³ is usual.",
    log: true,
    chart: (colours) => parameterCurves(moment, colours, (one) => one.update, [{ value: 1e-3, label: "10⁻³" }]),
  });
}

/** Return the standard deviation of each weight matrix's gradient. */
export function gradientSizes(moment) {
  return new ChartPanel(moment, {
    title: "Gradients of the weights",
    about: "Standard deviation of the gradient of each weight matrix: similar sizes from first to last are healthy.",
    log: true,
    chart: (colours) => parameterCurves(moment, colours, (one) => one.gradient),
  });
}

/** Return the gradient of each weight matrix beside its weights. */
export function gradientRatios(moment) {
  return new ChartPanel(moment, {
    title: "Gradient to data",
    about: "The size of the gradient of each weight matrix beside its weights. A layer far above the others learns too fast.",
    log: true,
    chart: (colours) => parameterCurves(moment, colours, (one) => one.ratio),
  });
}

/** Return the share of saturated activations of each bounded layer. */
export function saturatedUnits(moment) {
  return new ChartPanel(moment, {
    title: "Saturated activations",
    about: "Share of a layer's activations near the ends of its range, where hardly any gradient passes.",
    format: percent,
    tick: percent,
    chart: (colours) => layerCurves(moment, colours, (one) => one.saturated),
  });
}

/** Return the share of dead units of each layer that can have some. */
export function deadUnits(moment) {
  return new ChartPanel(moment, {
    title: "Dead units",
    about: "Share of a layer's units that no example of the last ten recorded batches made active.",
    format: percent,
    tick: percent,
    chart: (colours) => layerCurves(moment, colours, (one) => one.dead),
  });
}

/** Return the learning rate. */
export function learningRate(moment) {
  return new ChartPanel(moment, {
    title: "Learning rate",
    about: "",
    chart: (colours) => {
      const { rates } = moment.recording;
      const curve = { name: "rate", colour: colours.green, steps: rates.column("step"), values: rates.column("lr"), length: rates.length };
      const range = rangeOf([curve]);
      return { curves: [curve], range: rates.length > 1 && range ? [Math.min(0, range[0]), range[1]] : null };
    },
  });
}

function parameterCurves(moment, colours, numberOf, guides = []) {
  const { records, network } = moment.recording;
  const names = chosen(network.parameters.filter((one) => one.weight_matrix).map((one) => one.name));
  const curves = curvesOf(records, names, colours, (record, name) => record.parameters.get(name), numberOf);
  const range = rangeOf(curves, 0, { log: true }) ?? (curves.some((one) => one.length) ? [1e-4, 1] : null); // all are 0
  const within = range && guides.reduce(([low, high], { value }) => [Math.min(low, value / 1.5), Math.max(high, value * 1.5)], range);
  return { curves, guides, range: within };
}

function layerCurves(moment, colours, numberOf) {
  const { records, network } = moment.recording;
  const measured = (name) => records.some((record) => (numberOf(record.layers.get(name) ?? {}) ?? null) !== null);
  const names = chosen(network.layers.map((one) => one.name).filter(measured));
  const curves = curvesOf(records, names, colours, (record, name) => record.layers.get(name), numberOf);
  const most = Math.max(0.05, ...curves.flatMap((one) => one.values.filter(Number.isFinite)));
  return { curves, range: curves.length ? [0, Math.min(1.02, 1.1 * most)] : null };
}

function curvesOf(records, names, colours, of, numberOf) {
  const shades = depthColours(colours, names.length);
  return names.map((name, place) => {
    const curve = { name, colour: shades[place], width: 1.6, steps: [], values: [] };
    for (const record of records) {
      const value = numberOf(of(record, name) ?? {}) ?? null;
      if (value === null) continue; // not measured in this step, which is no gap
      curve.steps.push(record.step);
      curve.values.push(value);
    }
    return { ...curve, length: curve.steps.length };
  });
}

/** Return at most `MOST` names, evenly spaced, with the first and the last. */
export function chosen(names, most = MOST) {
  if (names.length <= most) return names;
  return Array.from({ length: most }, (_, place) => names[Math.round((place * (names.length - 1)) / (most - 1))]);
}

