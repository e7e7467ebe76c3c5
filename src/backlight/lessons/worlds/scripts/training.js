// First weights that a seed decides, and steps of gradient descent.

import { Tensor } from "backlight/engine.js";

/** Return a generator of numbers from 0 to 1 (mulberry32: a counter, and multiplications that mix its bits). */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Return a normal number of mean 0 and variance 1 (Box and Muller). */
export function normal(random) {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Return a matrix of normal numbers with a standard deviation. */
export function drawn(rows, columns, deviation, random) {
  return new Tensor(rows, columns, Float64Array.from({ length: rows * columns }, () => deviation * normal(random)));
}

/** Return a matrix in which every number is the same. */
export function filled(rows, columns, value) {
  return new Tensor(rows, columns, new Float64Array(rows * columns).fill(value));
}

/** Subtract rate · gradient from each number. */
export function descend(parameters, rate) {
  for (const { data, grad } of parameters) {
    for (let at = 0; at < data.length; at += 1) data[at] -= rate * grad[at];
  }
}

/** Calls a function again and again, between the pictures of the page, until it returns false or is paused. */
export class Loop {
  /**
   * @param {() => boolean} step returns whether to go on
   * @param {() => void} draw called after the steps of a picture
   */
  constructor(step, draw) {
    Object.assign(this, { step, draw, running: false });
    this.pause = matchMedia("(prefers-reduced-motion: reduce)").matches ? 500 : 0; // milliseconds between two pictures
  }

  start() {
    if (this.running) return;
    this.running = true;
    this.turn();
  }

  stop() {
    this.running = false;
  }

  turn() {
    if (!this.running) return;
    const end = performance.now() + 20;
    while (this.running && performance.now() < end) this.running = this.step();
    this.draw();
    if (this.running) setTimeout(() => requestAnimationFrame(() => this.turn()), this.pause);
  }
}
