// A model of characters with one head of attention: x = token + position; logits = (x + attention(x) O) W + b.

import { add, attention, backward, crossEntropy, dot, linear, rows } from "backlight/engine.js";
import { descend, drawn, filled, generator } from "backlight/training.js";

export const CONTEXT = 24; // positions that are read at most
export const WIDTH = 8; // numbers of a character's vector, C
export const HEAD = 4; // numbers of a query, a key and a value, D
const BATCH = 8;
const FEWEST = 20;
const MOST = 5_000;
const MOST_CHARACTERS = 64;
const BOUNDARY = "\n"; // the end of a line, which also comes before the first

/**
 * Return a text in the form in which it is learnt.
 * @throws {Error} with a sentence for the reader, if it cannot be
 */
export function checked(text) {
  const lines = text.split("\n").map((one) => one.trim()).filter(Boolean);
  const written = BOUNDARY + lines.map((one) => one + BOUNDARY).join("");
  const length = [...written].length - 1;
  if (length < FEWEST || length > MOST) throw new Error(`A text to learn must have ${FEWEST} to ${MOST.toLocaleString("en")} characters; this one has ${length.toLocaleString("en")}.`);
  const kinds = new Set(written).size;
  if (kinds > MOST_CHARACTERS) throw new Error(`A text to learn may have ${MOST_CHARACTERS} different characters; this one has ${kinds}.`);
  return written;
}

export class AttentionModel {
  /** @param {string} text as `checked` returns it */
  constructor(text, seed) {
    this.random = generator(seed);
    this.characters = [...new Set([BOUNDARY, ...[...text].sort()])]; // the boundary has id 0
    this.ids = [...text].map((one) => this.characters.indexOf(one));
    const count = this.characters.length;
    const make = (inputs, outputs, deviation) => drawn(inputs, outputs, deviation, this.random);
    this.arrays = {
      token: make(count, WIDTH, 0.7), position: make(CONTEXT, WIDTH, 0.7),
      query: make(WIDTH, HEAD, 0.5), key: make(WIDTH, HEAD, 0.5), value: make(WIDTH, HEAD, 0.5),
      out: make(HEAD, WIDTH, 0.5), weight: make(WIDTH, count, 0.1), bias: filled(1, count, 0),
    };
    this.steps = 0;
    this.loss = Math.log(count);
  }

  /** Return what each layer gives for sequences of ids, which all have a length, one after the other. */
  forward(ids, length) {
    const { token, position, query, key, value, out, weight, bias } = this.arrays;
    const x = add(rows(token, ids), rows(position, ids.map((_, at) => at % length)));
    const [q, k, v] = [query, key, value].map((one) => linear(x, one));
    const mixed = attention(q, k, v, length);
    const read = add(x, linear(mixed, out));
    return { x, q, k, v, mixed, read, logits: linear(read, weight, bias) };
  }

  /** Make a step of gradient descent on pieces of the text that are drawn at random. Returns whether the loss is finite. */
  step(rate) {
    const length = Math.min(CONTEXT, this.ids.length - 1);
    const starts = Array.from({ length: BATCH }, () => Math.floor(this.random() * (this.ids.length - length)));
    const ids = starts.flatMap((start) => this.ids.slice(start, start + length));
    const targets = starts.flatMap((start) => this.ids.slice(start + 1, start + length + 1));
    const loss = crossEntropy(this.forward(ids, length).logits, targets);
    if (!Number.isFinite(loss.data[0])) {
      this.loss = loss.data[0];
      return false;
    }
    backward(loss);
    descend(Object.values(this.arrays), rate);
    this.steps += 1;
    this.loss += (loss.data[0] - this.loss) * Math.max(0.02, 1 / this.steps); // a mean over about the last 50 steps
    return true;
  }

  /**
   * Return the ids of a line.
   * @throws {Error} with a sentence for the reader, if it has a character that is not in the text
   */
  encode(line) {
    return [...line].map((one) => {
      const id = this.characters.indexOf(one);
      if (id < 0) throw new Error(`The model has no “${one}”: it is not in the text that it learns.`);
      return id;
    });
  }

  /** Return how an id is shown. */
  shown(id) {
    const character = this.characters[id];
    return character === BOUNDARY ? "⏎" : character === " " ? "␣" : character;
  }

  /**
   * Return what the head computes for a line, which it reads from the boundary before it on.
   * @param {number[]} ids of the line
   */
  read(ids) {
    const all = [0, ...ids].slice(0, CONTEXT);
    const found = this.forward(all, all.length);
    const scores = all.map((_, t) => all.map((__, at) => dot(found.q.row(t), found.k.row(at))));
    return { ...found, ids: all, scores, weights: found.mixed.weights };
  }
}
