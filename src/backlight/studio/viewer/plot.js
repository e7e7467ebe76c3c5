// A plot over the steps of a training: canvas, axes, the line of the shown step, and the readout under the pointer.

import { linearTicks, logTicks } from "backlight/axis.js";
import { cleared } from "backlight/canvas.js";
import { coloursOf } from "backlight/colours.js";
import { element } from "backlight/dom.js";
import { counted } from "backlight/numbers.js";

const FONT = "12px system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif";
const MARGIN = { left: 52, right: 12, top: 10, bottom: 26 };

/**
 * @typedef {Object} Drawn what a plot draws
 * @property {[number, number]} range of the vertical axis
 * @property {boolean} [log] whether that axis is logarithmic
 * @property {(value: number) => string} [tick] the label of a tick on it
 * @property {(area: Area) => void} draw
 * @property {{value: number, label: string}[]} [guides] horizontal lines
 * @property {number} [last] a step that the axis reaches, if that is more than the training has
 * @property {(step: number) => string[]} readout lines of text about a step
 *
 * @typedef {Object} Area where the data goes
 * @property {CanvasRenderingContext2D} context
 * @property {Object<string, any>} colours
 * @property {(step: number) => number} x
 * @property {(value: number) => number} y
 * @property {number} left
 * @property {number} top
 * @property {number} width
 * @property {number} height
 */

export class Plot {
  /**
   * @param {HTMLElement} host
   * @param {import("backlight/moment.js").Moment} moment
   * @param {{label: string, height?: number}} options `label` says what is drawn.
   */
  constructor(host, moment, { label, height = 220 }) {
    this.moment = moment;
    this.label = label;
    this.canvas = element("canvas", { role: "img", "aria-label": label });
    this.overlay = element("canvas", { class: "overlay", "aria-hidden": "true" });
    this.readout = element("div", { class: "readout", hidden: true });
    this.root = element("div", { class: "plot" }, this.canvas, this.overlay, this.readout);
    this.root.style.height = `${height}px`;
    host.append(this.root);
    this.drawn = null;
    this.root.addEventListener("pointermove", (event) => this.pointed(event));
    this.root.addEventListener("pointerleave", () => moment.point(null));
    this.root.addEventListener("click", (event) => moment.choose(this.stepAt(event)));
    new ResizeObserver(() => this.drawn && this.draw(this.drawn)).observe(this.root);
  }

  /** Draw; what is drawn is kept, to be drawn again in another size. @param {Drawn} drawn */
  draw(drawn) {
    this.drawn = drawn;
    const { clientWidth: width, clientHeight: height } = this.root;
    if (!width || !height) return;
    const context = cleared(this.canvas, width, height);
    context.font = FONT;
    const area = this.area(context, width, height);
    this.axes(area);
    context.save();
    context.beginPath();
    context.rect(area.left, area.top - 1, area.width, area.height + 2);
    context.clip();
    drawn.draw(area);
    context.restore();
    this.shown = { area, width, height };
    this.mark();
  }

  /** The step at the right end of the axis. */
  get last() {
    return Math.max(1, this.moment.recording.lastStep, this.drawn.last ?? 0);
  }

  area(context, width, height) {
    const { range, log } = this.drawn;
    const area = {
      context, colours: coloursOf(this.root), left: MARGIN.left, top: MARGIN.top,
      width: width - MARGIN.left - MARGIN.right, height: height - MARGIN.top - MARGIN.bottom,
    };
    const { last } = this;
    const [low, high] = log ? range.map(Math.log10) : range;
    area.x = (step) => area.left + (step / last) * area.width;
    area.y = (value) => area.top + area.height * (1 - ((log ? Math.log10(value) : value) - low) / (high - low || 1));
    return area;
  }

  axes(area) {
    const { context, colours, left, top, width, height } = area;
    const { range, log, tick, guides = [] } = this.drawn;
    const ticks = (log ? logTicks : linearTicks)(...range, Math.max(2, height / 42));
    context.lineWidth = 1;
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (const { value, label } of ticks) {
      const y = Math.round(area.y(value)) + 0.5;
      line(context, colours.grid, left, y, left + width, y);
      context.fillStyle = colours.muted;
      context.fillText(tick ? tick(value) : label, left - 7, y);
    }
    for (const { value, label } of guides) {
      if (!(value >= range[0] && value <= range[1])) continue;
      const y = Math.round(area.y(value)) + 0.5;
      context.setLineDash([4, 4]);
      line(context, colours.muted, left, y, left + width, y);
      context.setLineDash([]);
      context.fillStyle = colours.muted;
      context.fillText(label, left + width - 4, y - 9);
    }
    this.stepAxis(area);
  }

  stepAxis({ context, colours, left, top, width, height, x }) {
    context.textBaseline = "top";
    context.fillStyle = colours.muted;
    const ticks = linearTicks(0, this.last, Math.max(2, width / 90));
    for (const { value, label } of ticks) {
      context.textAlign = value === 0 ? "left" : x(value) > left + width - 20 ? "right" : "center";
      context.fillText(label, x(value), top + height + 8);
    }
    line(context, colours.muted, left, top + height + 0.5, left + width, top + height + 0.5);
  }

  /** Draw the lines of the shown step and of the step under the pointer, over what is drawn. */
  mark() {
    if (!this.shown) return;
    const { area: { colours, top, height, x } } = this.shown;
    const context = cleared(this.overlay, this.shown.width, this.shown.height);
    const { step, hover, follows } = this.moment;
    if (!follows) line(context, colours.ink, x(step), top, x(step), top + height);
    if (hover !== null) {
      context.setLineDash([3, 3]);
      line(context, colours.muted, x(hover), top, x(hover), top + height);
      context.setLineDash([]);
    }
    this.tell();
  }

  /** Write the values at the step under the pointer beside it, and those at the shown step for screen readers. */
  tell() {
    const { hover, step } = this.moment;
    this.canvas.setAttribute("aria-label", [`${this.label}, at step ${counted(step)}`, ...this.drawn.readout(step)].join("; "));
    const here = hover !== null && hover <= this.last && this.root.matches(":hover");
    this.readout.hidden = !here;
    if (!here) return;
    const lines = [`step ${counted(hover)}`, ...this.drawn.readout(hover)];
    this.readout.replaceChildren(...lines.map((text) => element("div", { text })));
    const width = this.root.clientWidth;
    const at = MARGIN.left + (hover / this.last) * (width - MARGIN.left - MARGIN.right);
    this.readout.style.left = at > width / 2 ? "" : `${at + 10}px`;
    this.readout.style.right = at > width / 2 ? `${width - at + 10}px` : "";
  }

  pointed(event) {
    this.moment.point(this.stepAt(event));
  }

  stepAt(event) {
    const { left, width } = this.root.getBoundingClientRect();
    const share = (event.clientX - left - MARGIN.left) / (width - MARGIN.left - MARGIN.right);
    return Math.round(Math.max(0, Math.min(1, share)) * this.last);
  }
}

function line(context, colour, fromX, fromY, toX, toY) {
  context.strokeStyle = colour;
  context.beginPath();
  context.moveTo(fromX, fromY);
  context.lineTo(toX, toY);
  context.stroke();
}
