// The viewer: all panels of a training in an element. A host makes one, and gives it messages.

import { deadUnits, gradientRatios, gradientSizes, learningRate, saturatedUnits, updateRatios } from "backlight/by_layer.js";
import { onTheme } from "backlight/colours.js";
import { element, say } from "backlight/dom.js";
import { EmbeddingsPanel } from "backlight/embeddings.js";
import { FindingsPanel } from "backlight/findings.js";
import { LayersPanel } from "backlight/layers.js";
import { LossPanel } from "backlight/losses.js";
import { Moment } from "backlight/moment.js";
import { OneUnitPanel } from "backlight/one_unit.js";
import { AttentionPanel, OwnLinePanel } from "backlight/own_line.js";
import { PairsPanel } from "backlight/pairs.js";
import { Recording } from "backlight/recording.js";
import { SamplesPanel } from "backlight/samples.js";
import { Timeline } from "backlight/timeline.js";
import { UnitMapsPanel } from "backlight/unit_maps.js";

export class Viewer {
  /** @param {HTMLElement} host where the viewer is shown */
  constructor(host) {
    this.recording = new Recording();
    this.moment = new Moment(this.recording);
    const timeline = new Timeline(this.moment);
    const ownLine = new OwnLinePanel(this.moment);
    const oneUnit = new OneUnitPanel(this.moment);
    this.losses = new LossPanel(this.moment);
    this.panels = [
      this.losses, new SamplesPanel(this.moment), ownLine, new AttentionPanel(this.moment, ownLine.line), oneUnit,
      new PairsPanel(this.moment), new EmbeddingsPanel(this.moment), new FindingsPanel(this.moment),
      updateRatios(this.moment), gradientSizes(this.moment), gradientRatios(this.moment), saturatedUnits(this.moment), deadUnits(this.moment),
      learningRate(this.moment), new LayersPanel(this.moment), new UnitMapsPanel(this.moment, oneUnit),
    ];
    this.notice = element("p", { class: "notice", role: "status", hidden: true });
    const grid = element("div", { class: "panels" }, ...this.panels.map((one) => one.root));
    this.root = element("div", { class: "backlight-viewer" }, this.notice, grid, timeline.root);
    host.replaceChildren(this.root);
    this.panels.push(timeline);
    this.dirty = false;
    const later = () => this.later();
    this.recording.listen(later);
    this.moment.listen(later);
    onTheme(() => this.recording.redraw());
    new ResizeObserver(() => this.missed && this.later()).observe(this.root);
    this.later();
  }

  /** Take in messages, in order; see docs/viewer_messages.md. */
  apply(messages) {
    this.recording.apply(messages);
  }

  /** Draw in the next frame, once, however much changes before it. */
  later() {
    if (this.dirty) return;
    this.dirty = true;
    requestAnimationFrame(() => {
      this.dirty = false;
      this.update();
    });
  }

  /** Draw, but not what is out of the page, as an output that a notebook has put aside: it has no colours. */
  update() {
    this.missed = !this.root.isConnected;
    if (this.missed) return;
    const { problem, lastStep, notFinite } = this.recording;
    const [first] = notFinite;
    const text = problem || (lastStep === 0 && !this.recording.records.length ? "Nothing has been recorded yet." : first ? `Not finite: ${first.where} in step ${first.step.toLocaleString("en")}${first.op ? `, by ${first.op}` : ""}.` : "");
    say(this.notice, text);
    this.notice.hidden = !text;
    this.notice.classList.toggle("alarm", Boolean(problem || first));
    for (const one of this.panels) one.update();
  }
}
