// A panel with a plot of curves and their legend.

import { coloursOf } from "backlight/colours.js";
import { drawCurve } from "backlight/curves.js";
import { panel } from "backlight/dom.js";
import { Legend, valueAt } from "backlight/legend.js";
import { shown } from "backlight/numbers.js";
import { Plot } from "backlight/plot.js";

/**
 * @typedef {Object} Chart
 * @property {import("backlight/curves.js").Curve[]} curves in the order of the legend, in which they are drawn too
 * @property {[number, number] | null} range null if there is nothing to draw
 * @property {{value: number, label: string}[]} [guides]
 * @property {number} [last] a step that the axis reaches at least
 */

export class ChartPanel {
  /**
   * @param {import("backlight/moment.js").Moment} moment
   * @param {Object} options
   * @param {string} options.title
   * @param {string} options.about what is drawn, and how it should look
   * @param {boolean} [options.wide] whether it takes a whole row
   * @param {boolean} [options.log]
   * @param {number} [options.height]
   * @param {(value: number) => string} [options.format] of values
   * @param {(value: number) => string} [options.tick] of labels on the axis
   * @param {(colours: Object<string, any>) => Chart} options.chart
   */
  constructor(moment, { title, about, wide = false, log = false, height, format = shown, tick, chart }) {
    this.moment = moment;
    this.options = { log, format, tick, chart };
    Object.assign(this, panel(title, about, { wide }));
    this.legend = new Legend(this.body);
    this.plot = new Plot(this.body, moment, { label: title, height });
  }

  /** Draw the curves again if they have changed, and otherwise only what depends on the shown step. */
  update() {
    const { version } = this.moment.recording;
    if (version !== this.version) {
      this.version = version;
      this.draw();
    } else this.plot.mark();
    if (!this.root.hidden) this.legend.show(this.curves, this.moment.step, this.options.format);
  }

  draw() {
    const { chart, format, tick, log } = this.options;
    const { curves, range, guides, last } = chart(coloursOf(this.root));
    this.curves = curves;
    this.root.hidden = range === null;
    if (range === null) return;
    this.plot.draw({
      range, guides, last, log, tick,
      draw: (area) => [...curves.filter((one) => one.under), ...curves.filter((one) => !one.under)].forEach((one) => drawCurve(area, one)),
      readout: (step) => curves.map((curve) => {
        const value = valueAt(curve, step);
        return `${curve.name} ${value === null ? "–" : format(value)}`;
      }),
    });
  }
}
