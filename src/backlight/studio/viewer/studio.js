// The host of the live page: the list of runs, a socket that gives messages to the viewer, and what can be asked.

import { Beside } from "backlight/beside.js";
import { Controls } from "backlight/controls.js";
import { element, say } from "backlight/dom.js";
import { counted } from "backlight/numbers.js";
import { ask, RecordSocket } from "backlight/socket.js";
import { StartForm } from "backlight/start.js";
import { Viewer } from "backlight/viewer.js";

const WORDS = {
  training: "training", paused: "paused", finished: "finished", stopped: "stopped", waiting: "begins", watched: "recorded by another loop",
};

class Studio {
  constructor(head, host) {
    this.viewer = new Viewer(host);
    this.name = null;
    this.socket = new RecordSocket({
      onMessages: (messages) => this.viewer.apply(messages),
      onLink: (linked) => { this.lost.hidden = linked; },
    });
    this.choice = element("select", { "aria-label": "run", onchange: () => this.open(this.choice.value) });
    this.start = element("button", { type: "button", text: "New training", onclick: () => this.form.toggle() });
    this.pill = element("span", { class: "state", role: "status" });
    this.lost = element("p", { class: "lost", role: "alert", hidden: true, text: "The server does not answer. This page goes on when it is back." });
    this.facts = element("dl", { class: "facts" });
    const begin = async (name) => {
      await this.list();
      this.open(name);
    };
    this.controls = new Controls(this.viewer, () => this.name, begin);
    this.form = new StartForm(begin);
    this.beside = new Beside(this.viewer, () => this.name);
    this.viewer.losses.body.append(this.beside.root);
    head.append(
      element("div", { class: "bar" }, element("h1", { text: "Backlight" }), this.choice, this.pill, this.start),
      this.lost, this.form.root, this.facts, this.controls.root,
    );
    this.viewer.recording.listen(() => this.update());
    this.choice.addEventListener("pointerdown", () => this.list());
  }

  async begin() {
    const { runs, given, models, most_text: most } = await this.list();
    this.form.offer(models, most);
    const wanted = decodeURIComponent(location.hash.slice(1));
    const name = [wanted, given, runs[0]?.name].find((one) => one && runs.some((run) => run.name === one));
    if (name) this.open(name);
    else this.form.toggle(true);
  }

  async list() {
    const found = await ask("./runs");
    const labels = found.runs.map((run) => element("option", { value: run.name, text: run.name }));
    this.choice.replaceChildren(...labels);
    this.choice.hidden = labels.length === 0;
    if (this.name) this.choice.value = this.name;
    return found;
  }

  open(name) {
    this.name = name;
    this.choice.value = name;
    history.replaceState(null, "", `#${encodeURIComponent(name)}`);
    this.viewer.moment.choose(null);
    this.beside.clear();
    this.socket.open(`./runs/${encodeURIComponent(name)}/records`);
  }

  update() {
    const { title, facts, state, lastStep, totalSteps } = this.viewer.recording;
    document.title = title ? `${title} – Backlight` : "Backlight";
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

new Studio(document.querySelector("#head"), document.querySelector("#viewer")).begin();
