// Points in the plane with labels: sets made here, and those of a CSV file.

import { generator, normal } from "backlight/training.js";

export const REACH = 1.5; // the plane goes from −REACH to REACH on both axes
export const MOST_CLASSES = 4;
const MOST_ROWS = 2_000;
const MOST_BYTES = 1_000_000;
const HELD = 4; // every so many points of a set are held out

/** @typedef {{x: number, y: number, label: number, held: boolean}} Point */

/** How a point of each set is drawn, given its label 0 or 1, how far along its shape it is (0 to 1), and random numbers. */
const DRAW = {
  clusters: (label, share, random) => {
    const side = share < 0.5 ? 1 : -1;
    return [0.8 * side + 0.2 * normal(random), 0.8 * side * (label ? -1 : 1) + 0.2 * normal(random)];
  },
  moons: (label, share, random, noise = 0.08) => {
    const angle = Math.PI * share;
    const [x, y] = label ? [1 - Math.cos(angle), 0.5 - Math.sin(angle)] : [Math.cos(angle), Math.sin(angle)];
    return [0.85 * (x - 0.5) + noise * normal(random), 0.85 * (y - 0.25) + noise * normal(random)];
  },
  circles: (label, share, random) => {
    const [angle, radius] = [2 * Math.PI * share, (label ? 0.45 : 1.1) + 0.09 * normal(random)];
    return [radius * Math.cos(angle), radius * Math.sin(angle)];
  },
  spirals: (label, share, random) => {
    const far = Math.sqrt(share);
    const angle = 3 * Math.PI * far + Math.PI * label;
    return [1.25 * far * Math.cos(angle) + 0.03 * normal(random), 1.25 * far * Math.sin(angle) + 0.03 * normal(random)];
  },
  noisy: (label, share, random) => DRAW.moons(label, share, random, 0.35),
};

/** The sets by name: what they are called, and how many points they have. */
export const SETS = {
  moons: { title: "two moons", count: 200 },
  circles: { title: "two circles", count: 200 },
  clusters: { title: "four clusters", count: 160 },
  spirals: { title: "two spirals", count: 240 },
  noisy: { title: "few noisy moons", count: 60 },
};

/** Return the points of a set, of which every fourth of a class is held out. @returns {Point[]} */
export function pointsOf(name, seed) {
  const random = generator(seed);
  const { count } = SETS[name];
  return Array.from({ length: count }, (_, at) => {
    const [x, y] = DRAW[name](at % 2, ((at >> 1) + random()) / (count / 2), random);
    return { x, y, label: at % 2, held: (at >> 1) % HELD === HELD - 1 };
  });
}

/**
 * Return the points of a CSV file: two columns of numbers and a label. The columns are scaled to fit into the plane.
 * @param {ArrayBuffer} bytes
 * @returns {{points: Point[], names: string[], labels: string[], ranges: number[][]}}
 * @throws {Error} with a sentence for the reader: what a file must have, what this one has, and where
 */
export function pointsOfFile(bytes) {
  if (bytes.byteLength > MOST_BYTES) throw new Error(`A file of points may have ${MOST_BYTES / 1e6} MB; this one has ${(bytes.byteLength / 1e6).toFixed(1)} MB.`);
  const rows = rowsOf(textOf(bytes));
  if (!rows.length) throw new Error("A file of points must have rows of two numbers and a label; this one is empty.");
  const hasNames = rows[0].cells.length === 3 && rows[0].cells.slice(0, 2).every((cell) => Number.isNaN(numberOf(cell)));
  const names = hasNames ? rows.shift().cells.slice(0, 2) : ["x", "y"];
  if (rows.length > MOST_ROWS) throw new Error(`A file of points may have ${MOST_ROWS.toLocaleString("en")} rows; this one has ${rows.length.toLocaleString("en")}.`);
  for (const { cells, line, text } of rows) {
    if (cells.length !== 3 || cells.slice(0, 2).some((cell) => !Number.isFinite(numberOf(cell))) || cells[2] === "") {
      throw new Error(`Each row must have two numbers and a label, as in 0.5,1.2,red; line ${line} is “${text.slice(0, 40)}”.`);
    }
  }
  const labels = [...new Set(rows.map(({ cells }) => cells[2]))].sort();
  if (labels.length < 2 || labels.length > MOST_CLASSES) throw new Error(`The last column must have 2 to ${MOST_CLASSES} different labels; it has ${labels.length}.`);
  const ranges = [0, 1].map((axis) => rangeOf(rows.map(({ cells }) => numberOf(cells[axis]))));
  const at = (cell, axis) => ((numberOf(cell) - ranges[axis][0]) / (ranges[axis][1] - ranges[axis][0]) - 0.5) * 1.7 * REACH;
  const seen = labels.map(() => 0);
  const points = rows.map(({ cells }) => {
    const label = labels.indexOf(cells[2]);
    seen[label] += 1;
    return { x: at(cells[0], 0), y: at(cells[1], 1), label, held: rows.length >= 40 && seen[label] % HELD === 0 };
  });
  return { points, names, labels, ranges };
}

function textOf(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new Error("A file of points must be text in UTF-8; this one is not.");
  }
}

/** Return the rows that are not empty, as cells; the separator is a comma, a semicolon or a tab. */
function rowsOf(text) {
  const lines = text.split(/\r\n|\n|\r/).map((one, at) => ({ line: at + 1, text: one })).filter((one) => one.text.trim());
  const separator = [",", ";", "\t"].find((one) => lines[0]?.text.split(one).length === 3) ?? ",";
  return lines.map((one) => ({ ...one, cells: one.text.split(separator).map((cell) => cell.trim().replace(/^"(.*)"$/, "$1").trim()) }));
}

const numberOf = (cell) => (cell === "" ? NaN : Number(cell));

function rangeOf(values) {
  const [low, high] = [values.reduce((a, b) => Math.min(a, b)), values.reduce((a, b) => Math.max(a, b))];
  return low === high ? [low - 1, high + 1] : [low, high];
}
