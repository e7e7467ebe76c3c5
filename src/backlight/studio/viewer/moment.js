// The step that the page shows: one that the reader chose, or the latest.

import { lastUpTo } from "backlight/columns.js";

export class Moment {
  /** @param {import("backlight/recording.js").Recording} recording */
  constructor(recording) {
    this.recording = recording;
    this.chosen = null; // null follows the latest step
    this.hover = null; // the step under the pointer
    this.listeners = new Set();
  }

  listen(act) {
    this.listeners.add(act);
  }

  get step() {
    const last = this.recording.lastStep;
    return this.chosen === null ? last : Math.min(this.chosen, last);
  }

  get follows() {
    return this.chosen === null;
  }

  /** Show a step; from the latest on, the page follows the training. */
  choose(step) {
    this.chosen = step === null || step >= this.recording.lastStep ? null : Math.max(0, Math.round(step));
    this.tell();
  }

  point(step) {
    if (step === this.hover) return;
    this.hover = step;
    this.tell();
  }

  /** Go to the next moment of which something was recorded, or by several. */
  move(count) {
    const stops = this.stops();
    const at = lastUpTo(stops, stops.length, this.step) + count;
    this.choose(at >= stops.length - 1 ? null : stops[Math.max(0, at)]);
  }

  stops() {
    const { records, evaluations, samples, texts, losses, lastStep } = this.recording;
    const steps = new Set([0, lastStep, ...[records, samples, texts].flatMap((list) => list.map((one) => one.step))]);
    const add = (columns) => {
      const column = columns.column("step");
      const every = Math.max(1, Math.floor(columns.length / 400));
      for (let row = 0; row < columns.length; row += every) steps.add(column[row]);
    };
    add(evaluations);
    if (records.length < 2) add(losses);
    return [...steps].sort((a, b) => a - b);
  }

  tell() {
    for (const act of this.listeners) act();
  }
}
