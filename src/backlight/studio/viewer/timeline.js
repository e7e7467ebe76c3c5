// The slider over the whole training, with a mark where a finding became true.

import { element, say } from "backlight/dom.js";
import { counted } from "backlight/numbers.js";

const SECONDS = 12; // in which "Play" goes through the whole training

export class Timeline {
  /** @param {import("backlight/moment.js").Moment} moment */
  constructor(moment) {
    this.moment = moment;
    this.slider = element("input", { type: "range", min: 0, max: 0, step: 1, "aria-label": "step of the training", oninput: () => this.slid() });
    this.slider.addEventListener("keydown", (event) => this.pressed(event));
    this.marks = element("div", { class: "marks", "aria-hidden": "true" });
    this.kept = element("div", { class: "marks kept", "aria-hidden": "true" }); // for those who see it; a list of controls.js has the steps too
    this.where = element("output", { class: "where-now" });
    this.play = element("button", { type: "button", text: "Play", onclick: () => (this.timer ? this.stop() : this.start()) });
    this.latest = element("button", { type: "button", text: "Latest", onclick: () => { this.stop(); moment.choose(null); } });
    const button = (text, label, count) => element("button", { type: "button", text, "aria-label": label, onclick: () => { this.stop(); moment.move(count); } });
    this.root = element("div", { class: "timeline", role: "group", "aria-label": "time" },
      button("◂", "back", -1), element("div", { class: "track" }, this.slider, this.marks, this.kept), button("▸", "forward", 1), this.play, this.latest, this.where);
    this.timer = null;
  }

  update() {
    const { recording, step, follows } = this.moment;
    this.root.hidden = recording.lastStep === 0;
    this.slider.max = recording.lastStep;
    this.slider.value = step;
    const of = Math.max(recording.totalSteps ?? 0, recording.lastStep);
    const text = `step ${counted(step)} of ${counted(of)}`;
    say(this.where, text);
    this.slider.setAttribute("aria-valuetext", text);
    this.latest.setAttribute("aria-pressed", String(follows));
    this.markFindings();
    this.markCheckpoints();
  }

  markCheckpoints() {
    const { checkpoints: { steps }, lastStep } = this.moment.recording;
    const key = `${steps} ${lastStep}`;
    if (key === this.markedKept) return;
    this.markedKept = key;
    this.kept.replaceChildren(...steps.map((step) => {
      const mark = element("i", { title: `checkpoint of step ${counted(step)}` });
      mark.style.left = `${(100 * step) / Math.max(1, lastStep)}%`;
      return mark;
    }));
  }

  markFindings() {
    const { diagnoses, lastStep } = this.moment.recording;
    const known = new Set();
    const marks = [];
    for (const { step, findings } of diagnoses) {
      const fresh = findings.filter((one) => !known.has(one.id));
      fresh.forEach((one) => known.add(one.id));
      if (fresh.length) marks.push([step, fresh]);
    }
    const key = marks.map(([step, fresh]) => `${step}/${lastStep} ${fresh.map((one) => one.id)}`).join(";");
    if (key === this.marked) return;
    this.marked = key;
    this.marks.replaceChildren(...marks.map(([step, fresh]) => {
      const mark = element("i", { class: fresh[0].severity, title: fresh.map((one) => one.title).join("\n") });
      mark.style.left = `${(100 * step) / Math.max(1, lastStep)}%`;
      return mark;
    }));
  }

  slid() {
    this.stop();
    this.moment.choose(Number(this.slider.value));
  }

  /** The arrow keys go from record to record: a slider's own step may be a single one of a million. */
  pressed(event) {
    const moves = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 };
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (Object.hasOwn(moves, event.key)) this.moment.move(moves[event.key]);
    else if (event.key === "Home") this.moment.choose(0);
    else if (event.key === "End") this.moment.choose(null);
    else return;
    this.stop();
    event.preventDefault();
  }

  start() {
    const from = this.moment.follows ? 0 : this.moment.step;
    const began = performance.now();
    this.play.textContent = "Pause";
    const frame = () => {
      const step = from + ((performance.now() - began) / (1000 * SECONDS)) * this.moment.recording.lastStep;
      this.moment.choose(step);
      if (this.moment.follows) this.stop();
      else this.timer = requestAnimationFrame(frame);
    };
    this.timer = requestAnimationFrame(frame);
  }

  stop() {
    cancelAnimationFrame(this.timer);
    this.timer = null;
    this.play.textContent = "Play";
  }
}
