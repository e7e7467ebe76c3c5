// The loss of each minibatch, smoothed, and on held-out data.

import { ChartPanel } from "backlight/chart.js";
import { lastUpTo } from "backlight/columns.js";
import { rangeOf, smoothed } from "backlight/curves.js";
import { element, say } from "backlight/dom.js";
import { counted, shown } from "backlight/numbers.js";

const RECENT = 0.1; // the axis follows what comes after this share of the steps
const WINDOW = 0.03; // of all points, for smoothing

export class LossPanel extends ChartPanel {
  constructor(moment) {
    super(moment, {
      title: "Loss",
      about: "In nats for each target: lower is better, and equal guesses among V classes cost ln V.",
      wide: true,
      height: 280,
      chart: (colours) => this.chart(colours),
    });
    this.all = element("input", { type: "checkbox", onchange: () => this.draw() });
    this.head.append(element("label", { class: "choice" }, this.all, "show all values"));
    this.smooth = { length: -1, values: new Float64Array(0) };
    this.best = element("p", { class: "about", role: "status" });
    this.body.append(this.best);
  }

  chart(colours) {
    const { losses, evaluations, means, classes, lastStep } = this.moment.recording;
    const of = (columns, name) => ({ steps: columns.column("step"), values: columns.column(name), length: columns.length });
    const minibatch = { name: "minibatch", colour: colours.blue, alpha: 0.35, width: 1, ...of(losses, "loss") };
    const smooth = { name: "smoothed", colour: colours.blue, width: 2, ...of(losses, "loss"), values: this.smoothed(losses) };
    const train = { name: "train, mean", colour: colours.green, width: 1.5, ...of(means, "train") };
    const dev = { name: "held out", colour: colours.orange, width: 2, dots: evaluations.length < 60, ...of(evaluations, "dev") };
    const curves = [minibatch, smooth];
    if (losses.length === 0) curves.splice(0, 2, train);
    if (evaluations.length) curves.push(dev);
    this.dev = dev;
    const beside = [...this.moment.recording.others].flatMap(([name, other]) => this.beside(name, other, colours));
    curves.push(...beside);
    const guides = classes ? [{ value: Math.log(classes), label: `equal guesses, ln ${classes} = ${shown(Math.log(classes))}` }] : [];
    const everything = rangeOf(curves);
    const recent = rangeOf(curves.filter((one) => one !== minibatch), RECENT * lastStep);
    const last = Math.max(0, ...beside.map((one) => (one.length ? one.steps[one.length - 1] : 0)));
    return { curves, guides, last, range: this.all?.checked ? everything : (recent ?? everything) };
  }

  /** Return the curves of another run. */
  beside(name, { losses, evaluations, slot }, colours) {
    const style = { under: true, colour: colours.others[slot % colours.others.length], dash: slot % 2 ? [7, 3] : null };
    const values = smoothed(losses.column("loss"), losses.length, Math.max(4, WINDOW * losses.length));
    const minibatch = { name: `${name}, smoothed`, ...style, width: 1, alpha: 0.6, steps: losses.column("step"), values, length: losses.length };
    const dev = { name: `${name}, held out`, ...style, width: 1.8, dots: evaluations.length < 60, steps: evaluations.column("step"), values: evaluations.column("dev"), length: evaluations.length };
    return [minibatch, dev].filter((one) => one.length);
  }

  smoothed(losses) {
    if (this.smooth.length !== losses.length) {
      const window = Math.max(4, WINDOW * losses.length);
      this.smooth = { length: losses.length, values: smoothed(losses.column("loss"), losses.length, window) };
    }
    return this.smooth.values;
  }

  update() {
    super.update();
    this.tellBest(this.dev);
  }

  tellBest({ steps, values, length }) {
    let best = -1;
    for (let row = 0; row <= lastUpTo(steps, length, this.moment.step); row += 1) {
      if (best < 0 || values[row] < values[best]) best = row;
    }
    const text = best < 0 ? "" : `Best held-out loss so far: ${shown(values[best])} at step ${counted(steps[best])}.`;
    this.best.hidden = !text;
    say(this.best, text);
  }
}
