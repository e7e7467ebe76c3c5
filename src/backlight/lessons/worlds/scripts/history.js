// What a training was at earlier steps: its losses, and weights to go back to.

import { Columns, lastUpTo } from "backlight/columns.js";
import { Moment } from "backlight/moment.js";

const MOST = 300; // weights that are kept; beyond, every second of them goes

export class History {
  /** @param {(step: number) => void} onChoice called with a step that the reader chose on the curves */
  constructor(onChoice) {
    this.recording = { lastStep: 0, version: 0 }; // what curves read of a recording
    this.moment = new Moment(this.recording);
    this.moment.choose = onChoice;
    this.clear();
  }

  clear() {
    this.losses = new Columns(["step", "train", "held"], 4_000);
    this.kept = [];
    this.every = 1;
    this.moment.chosen = null;
    this.changed(0);
  }

  /** Keep the losses of a step, and a copy of the weights with which it began. */
  add(step, train, held, parameters) {
    this.losses.add(step, train, held);
    if (!this.kept.length || step - this.kept.at(-1).step >= this.every) this.kept.push({ step, copy: parameters.map(({ data }) => Float64Array.from(data)) });
    if (this.kept.length > MOST) {
      this.kept = this.kept.filter((_, at) => at % 2 === 0);
      this.every *= 2;
    }
    this.changed(step);
  }

  changed(lastStep) {
    this.recording.lastStep = lastStep;
    this.recording.version += 1;
  }

  /** Set the weights to those kept last at or before a step, and return their step; null if there are none. */
  restore(step, parameters) {
    const found = this.kept[lastUpTo(this.kept, this.kept.length, step, (one) => one.step)];
    if (!found) return null;
    parameters.forEach(({ data }, at) => data.set(found.copy[at]));
    this.moment.chosen = found.step < this.recording.lastStep ? found.step : null;
    return found.step;
  }

  /** Forget what came after a step, from which the training goes on. */
  forgetAfter(step) {
    this.losses.length = lastUpTo(this.losses.column("step"), this.losses.length, step) + 1;
    this.kept = this.kept.slice(0, lastUpTo(this.kept, this.kept.length, step, (one) => one.step) + 1);
    this.moment.chosen = null;
    this.changed(step);
  }
}
