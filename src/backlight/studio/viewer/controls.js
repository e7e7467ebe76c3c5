// What can be asked of the training: pause, go on, one step, run to a step, another learning rate, stop, resume; and new
// runs that go on from a checkpoint of it, or begin with its best weights.

import { element, say } from "backlight/dom.js";
import { counted } from "backlight/numbers.js";

export class Controls {
  /**
   * @param {import("backlight/viewer.js").Viewer} viewer
   * @param {() => string} nameOf the run that is shown
   * @param {(name: string) => void} onBranch called with the name of a new run
   * @param {(address: string, body?: object) => Promise<object>} ask the host, as in socket.js
   */
  constructor(viewer, nameOf, onBranch, ask) {
    this.viewer = viewer;
    this.nameOf = nameOf;
    this.ask = ask;
    const button = (text, act) => element("button", { type: "button", text, onclick: () => this.attempt(act) });
    this.pause = button("Pause", () => this.control({ pause_at: 0 }));
    this.goOn = button("Go on", () => this.control({ pause_at: null }));
    this.step = button("One step", () => this.control({ pause_at: this.paused + 1 }));
    this.to = element("input", { type: "number", min: 1, step: 1, placeholder: "step", "aria-label": "step to run to" });
    this.runTo = button("Run to step", () => this.control({ pause_at: Number(this.to.value) }));
    this.lr = element("input", { type: "number", min: 0, step: "any", placeholder: "unchanged", "aria-label": "new peak learning rate" });
    this.setLr = button("Set learning rate", () => this.control({ pause_at: this.isPaused ? this.paused : null, lr: this.given(this.lr) }));
    this.stop = button("Stop", () => this.control({ stop: true }));
    this.resume = button("Resume", () => this.ask(`./runs/${encodeURIComponent(this.nameOf())}/resume`, {}));
    const begin = async (more) => onBranch((await ask("./start", { start: this.nameOf(), lr: this.given(this.lr), ...more })).name);
    this.from = element("select", { "aria-label": "checkpoint to branch from", onchange: () => viewer.moment.choose(Number(this.from.value)) });
    this.branch = button("Branch", () => begin({ at_step: this.checkpoint }));
    this.branch.title = "A new run that continues from this step as this one did, or with the learning rate given here";
    this.again = button("Begin with best weights", () => begin({}));
    this.again.title = "A new run at step 0 that begins with the best weights of this one, with the learning rate given here";
    this.kept = element("span", { class: "kept-size" });
    this.said = element("p", { class: "said", role: "alert", hidden: true });
    const group = (...parts) => element("span", { class: "group" }, ...parts);
    this.whilePaused = [this.goOn, this.step];
    this.whileTrained = [this.to, this.runTo, this.setLr, this.stop];
    this.root = element("div", { class: "controls", role: "group", "aria-label": "training" }, 
      this.pause, ...this.whilePaused, this.stop, this.resume, group(this.to, this.runTo), group(element("span", { class: "named", text: "peak learning rate", "aria-hidden": "true" }), this.lr, this.setLr),
      group(this.from, this.branch, this.kept), group(this.again), this.said);
    viewer.moment.listen(() => this.update());
    this.update();
  }

  get isPaused() {
    return this.viewer.recording.state.state === "paused";
  }

  get paused() {
    return this.viewer.recording.state.step;
  }

  update() {
    const { state: { state } } = this.viewer.recording;
    const isTrained = state === "training" || state === "paused";
    this.root.hidden = !isTrained && state !== "stopped" && state !== "finished";
    this.pause.hidden = state !== "training";
    for (const one of this.whilePaused) one.hidden = state !== "paused";
    for (const one of this.whileTrained) one.hidden = !isTrained;
    this.resume.hidden = state !== "stopped";
    this.offer();
  }

  /** Return the step of the checkpoint that is branched from: the last one up to the step shown. */
  get checkpoint() {
    return this.viewer.recording.checkpointAt(this.viewer.moment.step);
  }

  /** Offer the checkpoints, of which the slider chooses one. */
  offer() {
    const { steps, bytes } = this.viewer.recording.checkpoints;
    for (const one of [this.from, this.branch, this.kept]) one.hidden = steps.length === 0;
    if (String(steps) !== this.offered) {
      this.offered = String(steps);
      this.from.replaceChildren(...steps.map((step) => element("option", { value: step, text: `step ${counted(step)}` })));
    }
    this.from.value = this.checkpoint ?? "";
    say(this.branch, `Branch from step ${counted(this.checkpoint ?? 0)}`);
    say(this.kept, bytes ? `${(bytes / 1e6).toLocaleString("en", { maximumFractionDigits: 1, minimumFractionDigits: 1 })} MB kept` : "");
    this.kept.hidden = !bytes;
  }

  given(input) {
    return input.value === "" ? null : Number(input.value);
  }

  control(request) {
    return this.ask(`./runs/${encodeURIComponent(this.nameOf())}/control`, request);
  }

  async attempt(act) {
    say(this.said, "");
    this.said.hidden = true;
    try {
      await act();
    } catch (error) {
      say(this.said, error.message);
      this.said.hidden = false;
    }
  }
}
