// A training as the page holds it: what messages have told, in columns and short lists that stay bounded.
//
// docs/viewer_messages.md describes the messages. Data flows one way: a host gives messages to `apply`, and panels read.

import { Columns, lastUpTo } from "backlight/columns.js";
import { number } from "backlight/numbers.js";

export const VERSION = 1;
const MOST_POINTS = 200_000; // rows of losses
const MOST_DIAGNOSES = 400;
const MOST_TEXTS = 1_000;
const MOST_CELLS = 60_000; // records of a layer in a step, each with two histograms

export class Recording {
  constructor() {
    this.listeners = new Set();
    this.others = new Map(); // losses of other runs, by name, which stay when the run shown is told anew
    this.version = 0; // rises with everything that changes what is drawn
    this.clear();
  }

  clear() {
    this.title = "";
    this.facts = [];
    this.live = false;
    this.totalSteps = null; // how many the training will have, if that is known
    this.lastStep = 0;
    this.losses = new Columns(["step", "loss"], MOST_POINTS);
    this.rates = new Columns(["step", "lr"], MOST_POINTS);
    this.evaluations = new Columns(["step", "dev"], MOST_POINTS);
    this.means = new Columns(["step", "train"], MOST_POINTS); // of the minibatches between two evaluations
    this.network = { layers: [], parameters: [] };
    this.classes = null;
    this.records = []; // of recorded steps
    this.texts = []; // what the network made of one line
    this.samples = [];
    this.diagnoses = [];
    this.notFinite = [];
    this.checkpoints = { steps: [], bytes: 0 }; // from which the training can be branched
    this.state = { state: "", step: 0 };
    this.problem = "";
  }

  /** Call a function after messages have been applied. */
  listen(act) {
    this.listeners.add(act);
  }

  /** Take in messages, in order. Messages and records of unknown types are left out. */
  apply(messages) {
    for (const message of messages) {
      if (Object.hasOwn(MESSAGES, message.type)) MESSAGES[message.type](this, message);
    }
    this.redraw();
  }

  /** Let everything be drawn again. */
  redraw() {
    this.version += 1;
    for (const act of this.listeners) act();
  }

  /** Show the losses of another run no more; without a name, those of all. */
  forget(name = null) {
    if (name === null) this.others.clear();
    else this.others.delete(name);
    this.redraw();
  }

  /** Return the record of the last recorded step up to this one; null before the first. */
  recordAt(step) {
    return upTo(this.records, step);
  }

  textAt(step) {
    return upTo(this.texts, step);
  }

  /** Return the record of a line with units that is shown at a step: the last one up to it, or the first. */
  unitsAt(step) {
    const having = this.texts.filter((one) => one.units.length);
    return upTo(having, step) ?? having[0] ?? null;
  }

  /** Return the record of a line with the weights of pairs that is shown at a step; null if there is none. */
  pairsAt(step) {
    const having = this.texts.filter((one) => one.pairs);
    return upTo(having, step) ?? having[0] ?? null;
  }

  samplesAt(step) {
    return upTo(this.samples, step);
  }

  /** Return the last step up to this one from which the training can be branched; null if there is none. */
  checkpointAt(step) {
    const { steps } = this.checkpoints;
    return steps[lastUpTo(steps, steps.length, step)] ?? null;
  }

  diagnosisAt(step) {
    return upTo(this.diagnoses, step);
  }
}

function upTo(list, step) {
  return list[lastUpTo(list, list.length, step, (one) => one.step)] ?? null;
}

const MESSAGES = {
  hello(recording, message) {
    recording.clear();
    if (message.version !== VERSION) {
      recording.problem = `This page reads version ${VERSION} of the messages; the host sends version ${message.version}. Reload the page.`;
    }
    Object.assign(recording, { title: message.title, facts: message.facts, live: message.live, totalSteps: message.total_steps ?? null });
  },
  records(recording, message) {
    for (const record of message.records) {
      if (Object.hasOwn(RECORDS, record.type)) RECORDS[record.type](recording, record);
    }
  },
  samples(recording, message) {
    recording.samples.push(message);
    seen(recording, message.step);
  },
  diagnosis(recording, message) {
    recording.diagnoses = [...recording.diagnoses.filter((one) => one.step < message.step), message];
    if (recording.diagnoses.length > MOST_DIAGNOSES) {
      recording.diagnoses = recording.diagnoses.filter((one, place, all) => place % 2 === 0 || found(one) !== found(all[place - 1]));
    }
  },
  curves(recording, { name, scale, records }) {
    const other = { losses: new Columns(["step", "loss"], MOST_POINTS), evaluations: new Columns(["step", "dev"], MOST_POINTS) };
    for (const one of records) {
      if (one.type === "loss") other.losses.add(one.step, scale * number(one.loss));
      if (one.type === "evaluation") other.evaluations.add(one.step, scale * number(one.dev));
    }
    const taken = new Set([...recording.others.values()].map((one) => one.slot));
    let slot = 0; // of its colour, which it keeps
    while (taken.has(slot)) slot += 1;
    recording.others.set(name, { ...other, slot: recording.others.get(name)?.slot ?? slot });
  },
  checkpoints(recording, message) {
    recording.checkpoints = message;
  },
  state(recording, message) {
    recording.state = message;
    seen(recording, message.step); // where it is paused, of which nothing may be recorded
  },
  problem(recording, message) {
    recording.problem = message.text;
  },
};

function found(diagnosis) {
  return diagnosis.findings.map((one) => `${one.severity} ${one.id}`).join();
}

function seen(recording, step) {
  recording.lastStep = Math.max(recording.lastStep, step);
}

// the types of lines of the record stream that are drawn
const RECORDS = {
  network(recording, record) {
    recording.network = { layers: record.layers ?? [], parameters: record.parameters ?? [] };
    recording.classes = record.loss?.classes ?? null;
  },
  loss(recording, record) {
    recording.losses.add(record.step, number(record.loss));
    if (record.lr !== undefined) recording.rates.add(record.step, number(record.lr));
    seen(recording, record.step + 1);
  },
  evaluation(recording, record) {
    recording.evaluations.add(record.step, number(record.dev));
    if (record.train !== undefined) recording.means.add(record.step, number(record.train));
    seen(recording, record.step);
  },
  text(recording, record) {
    recording.texts.push({ ...record, nats: record.nats.map(number), attention: record.attention ?? [], embedding: record.embedding ?? null, units: record.units ?? [] });
    if (recording.texts.length > MOST_TEXTS) recording.texts = recording.texts.filter((_, place, all) => place % 2 === 0 || place === all.length - 1);
    seen(recording, record.step);
  },
  step(recording, record) {
    if (record.lr?.length) recording.rates.add(record.step, number(record.lr[0]));
    const kept = compact(record);
    recording.records.push(kept);
    const cells = recording.records.length * (kept.layers.size + kept.parameters.size);
    if (cells > MOST_CELLS) thin(recording);
    seen(recording, record.step + 1);
  },
  not_finite(recording, record) {
    recording.notFinite.push(record);
  },
  end(recording, record) {
    seen(recording, record.step);
  },
};

/** Drop every second record of the steps that are not among the latest. */
function thin(recording) {
  const recent = recording.records.length - 32;
  recording.records = recording.records.filter((_, place) => place >= recent || place % 2 === 0);
}

/** Return what is drawn of the record of a step. */
function compact(record) {
  const layers = new Map((record.layers ?? []).map((layer) => [layer.name, {
    output: spread(layer.output),
    gradient: spread(layer.gradient),
    saturated: number(layer.saturated),
    dead: number(layer.dead),
    deadOver: layer.dead_over ?? 0,
    unitMap: layer.unit_map ?? null,
  }]));
  const parameters = new Map((record.parameters ?? []).map((one) => [one.name, {
    data: number(one.data?.std),
    gradient: number(one.gradient?.std),
    update: number(one.update_to_data),
    ratio: number(one.grad_to_data),
  }]));
  return { step: record.step, layers, parameters, gradientNorm: number(record.gradient_norm) };
}

function spread(value) {
  if (!value) return null;
  const { histogram } = value;
  return {
    mean: number(value.mean), std: number(value.std), low: number(value.low), high: number(value.high),
    nonfinite: value.nonfinite, count: value.count,
    histogram: histogram ? { low: number(histogram.low), high: number(histogram.high), shares: shares(histogram.counts) } : null,
  };
}

/** Return the counts of a histogram as shares of the largest, in 255ths. */
function shares(counts) {
  const most = Math.max(1, ...counts);
  return Uint8Array.from(counts, (count) => Math.ceil((255 * count) / most));
}
