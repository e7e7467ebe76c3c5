// What can be asked of the training: pause, go on, one step, run to a step, another learning rate, stop, resume, branch.

import { element, say } from "backlight/dom.js";
import { shown } from "backlight/numbers.js";
import { ask } from "backlight/socket.js";

export class Controls {
  /**
   * @param {import("backlight/viewer.js").Viewer} viewer
   * @param {() => string} nameOf the run that is shown
   * @param {(name: string) => void} onBranch called with the name of a new run
   */
  constructor(viewer, nameOf, onBranch) {
    this.viewer = viewer;
    this.nameOf = nameOf;
    const button = (text, act) => element("button", { type: "button", text, onclick: () => this.attempt(act) });
    this.pause = button("Pause", () => this.control({ pause_at: 0 }));
    this.goOn = button("Go on", () => this.control({ pause_at: null }));
    this.step = button("One step", () => this.control({ pause_at: this.paused + 1 }));
    this.to = element("input", { type: "number", min: 1, step: 1, placeholder: "step", "aria-label": "step to run to" });
    this.runTo = button("Run to step", () => this.control({ pause_at: Number(this.to.value) }));
    this.lr = element("input", { type: "number", min: 0, step: "any", "aria-label": "new peak learning rate" });
    this.setLr = button("Set learning rate", () => this.control({ pause_at: this.isPaused ? this.paused : null, lr: this.given(this.lr) }));
    this.stop = button("Stop", () => this.control({ stop: true }));
    this.resume = button("Resume", () => ask(`./runs/${encodeURIComponent(this.nameOf())}/resume`, {}));
    this.branch = button("Branch", async () => onBranch((await ask("./start", { start: this.nameOf(), lr: this.given(this.lr) })).name));
    this.branch.title = "A new run that begins with the best weights of this one, with the learning rate given here";
    this.said = element("p", { class: "said", role: "alert", hidden: true });
    const group = (...parts) => element("span", { class: "group" }, ...parts);
    this.whilePaused = [this.goOn, this.step];
    this.whileTrained = [this.to, this.runTo, this.setLr, this.stop];
    this.root = element("div", { class: "controls", role: "group", "aria-label": "training" }, 
      this.pause, ...this.whilePaused, this.stop, this.resume, group(this.to, this.runTo), group(this.lr, this.setLr, this.branch), this.said);
    this.update();
  }

  get isPaused() {
    return this.viewer.recording.state.state === "paused";
  }

  get paused() {
    return this.viewer.recording.state.step;
  }

  update() {
    const { state: { state }, rates } = this.viewer.recording;
    const isTrained = state === "training" || state === "paused";
    this.root.hidden = !isTrained && state !== "stopped" && state !== "finished";
    this.pause.hidden = state !== "training";
    for (const one of this.whilePaused) one.hidden = state !== "paused";
    for (const one of this.whileTrained) one.hidden = !isTrained;
    this.resume.hidden = state !== "stopped";
    this.lr.placeholder = rates.length ? shown(rates.column("lr")[rates.length - 1]) : "0.001";
  }

  given(input) {
    return input.value === "" ? null : Number(input.value);
  }

  control(request) {
    return ask(`./runs/${encodeURIComponent(this.nameOf())}/control`, request);
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
