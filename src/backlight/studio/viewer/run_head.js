// Above the panels: what the training does, what is known of it, and what can be asked of it.

import { Beside } from "backlight/beside.js";
import { Controls } from "backlight/controls.js";
import { element, say } from "backlight/dom.js";
import { counted } from "backlight/numbers.js";

const WORDS = {
  training: "training", paused: "paused", finished: "finished", stopped: "stopped", waiting: "begins", watched: "recorded by another loop",
};

export class RunHead {
  /**
   * @param {import("backlight/viewer.js").Viewer} viewer
   * @param {() => string} nameOf the run that is shown
   * @param {(name: string) => void} onBranch called with the name of a new run
   * @param {(address: string, body?: object) => Promise<object>} ask the host, as in socket.js
   */
  constructor(viewer, nameOf, onBranch, ask) {
    this.viewer = viewer;
    this.pill = element("span", { class: "state", role: "status" });
    this.facts = element("dl", { class: "facts" });
    this.controls = new Controls(viewer, nameOf, onBranch, ask);
    this.beside = new Beside(viewer, nameOf, ask);
    viewer.losses.body.append(this.beside.root);
    viewer.recording.listen(() => this.update());
  }

  update() {
    const { facts, state, lastStep, totalSteps } = this.viewer.recording;
    const of = totalSteps ? ` of ${counted(totalSteps)}` : "";
    say(this.pill, state.state ? `${WORDS[state.state] ?? state.state}, step ${counted(lastStep)}${of}` : "");
    this.pill.dataset.state = state.state;
    const key = JSON.stringify(facts);
    if (key !== this.shown) {
      this.shown = key;
      this.facts.replaceChildren(...facts.map(([name, value]) => element("div", {}, element("dt", { text: name }), element("dd", { text: value }))));
    }
    this.controls.update();
  }
}
