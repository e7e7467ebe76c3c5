// The model of a page: what follows a text, what a text costs, and new texts.

import { logSoftmax } from "backlight/arrays.js";
import { Mixture, NGram, UNKNOWN } from "backlight/counts.js";
import { GPT } from "backlight/gpt.js";
import { Recurrent } from "backlight/recurrent.js";
import { softmax } from "backlight/softmax.js";
import { Bigram, MLP, WaveNet } from "backlight/windows.js";

const BOUNDARY = 0;
const NETWORKS = { bigram: Bigram, mlp: MLP, wavenet: WaveNet, rnn: Recurrent, gru: Recurrent, lstm: Recurrent, gpt: GPT };

export class LanguageModel {
  /**
   * @param {{network: string | null, settings: object, mixed: boolean, context: number, sequences: boolean, ends: boolean}} facts
   * @param {Map<string, object>} arrays
   */
  constructor(facts, arrays) {
    const { network, settings, mixed } = facts;
    this.facts = facts;
    this.ngram = network === null || mixed ? new NGram(settings, arrays, mixed ? "ngram." : "") : null;
    const made = network === null ? this.ngram : new NETWORKS[network](settings, arrays, network);
    this.model = mixed ? new Mixture(made, this.ngram, arrays) : made;
  }

  /** Return a text under way: `push(id)` returns the logits of what follows, and `attention` has its weights, if any. */
  reader(before = BOUNDARY) {
    return this.model.reader(before);
  }

  /**
   * Return what is known of each target of a text: its characters, and its end if ends are predicted.
   *
   * As in `backlight score`, a model of sequences reads a text of more than T targets in chunks.
   * @param {number[]} ids
   * @returns {{id: number, nats: number, read: number[], logits: Float64Array, attention: ArrayLike<number>[][] | null}[]}
   */
  score(ids) {
    const { sequences, context, ends } = this.facts;
    const found = [];
    let [reader, read] = [null, []];
    (ends ? [...ids, BOUNDARY] : ids).forEach((id, place, all) => {
      if (place === 0 || (sequences && place % context === 0)) {
        reader = this.reader(place === 0 ? BOUNDARY : UNKNOWN);
        read = [];
      }
      const last = place === 0 ? BOUNDARY : all[place - 1];
      read.push(last); // shared by the targets of a chunk
      const logits = reader.push(last);
      found.push({ id, nats: -logSoftmax(logits)[id], read, logits, attention: reader.attention ?? null });
    });
    return found;
  }

  /**
   * Return the ids of a new text that begins with some, and whether its end was drawn. It lets the page breathe.
   * @param {{prefix: number[], most: number, temperature: number, random?: () => number}} how
   */
  async sample({ prefix, most, temperature, random = Math.random }) {
    const reader = this.reader();
    let logits = reader.push(BOUNDARY);
    for (const id of prefix) logits = reader.push(id);
    const ids = [...prefix];
    let rested = performance.now();
    for (let drawn = 0; drawn < most; drawn += 1) {
      const id = draw(this.facts.ends ? logits : withoutEnd(logits), temperature, random);
      if (id === BOUNDARY) return { ids, ended: true };
      ids.push(id);
      logits = reader.push(id);
      if (performance.now() - rested > 12) {
        await new Promise((done) => setTimeout(done));
        rested = performance.now();
      }
    }
    return { ids, ended: false };
  }
}

/** Draw an id from softmax(logits / temperature); at 0 the most likely one. */
export function draw(logits, temperature, random) {
  if (temperature === 0) return logits.indexOf(Math.max(...logits));
  const highest = Math.max(...logits);
  const shares = softmax(logits.map((one) => (one - highest) / temperature));
  let left = random();
  let last = 0;
  for (let id = 0; id < shares.length; id += 1) {
    if (shares[id] === 0) continue;
    last = id;
    left -= shares[id];
    if (left < 0) return id;
  }
  return last; // the shares may sum to a little less than 1
}

function withoutEnd(logits) {
  const allowed = Float64Array.from(logits);
  allowed[BOUNDARY] = -Infinity;
  return allowed;
}
