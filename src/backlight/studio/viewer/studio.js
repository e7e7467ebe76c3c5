// The host of the live page: the list of runs, a socket that gives messages to the viewer, and what can be asked.

import { element } from "backlight/dom.js";
import { RunHead } from "backlight/run_head.js";
import { ask, RecordSocket } from "backlight/socket.js";
import { StartForm } from "backlight/start.js";
import { Viewer } from "backlight/viewer.js";

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
    this.lost = element("p", { class: "lost", role: "alert", hidden: true, text: "The server does not answer. This page goes on when it is back." });
    const begin = async (name) => {
      await this.list();
      this.open(name);
    };
    this.form = new StartForm(begin);
    this.head = new RunHead(this.viewer, () => this.name, begin, ask);
    head.append(
      element("div", { class: "bar" }, element("h1", { text: "Backlight" }), this.choice, this.head.pill, this.start),
      this.lost, this.form.root, this.head.facts, this.head.controls.root,
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
    this.head.beside.clear();
    this.socket.open(`./runs/${encodeURIComponent(name)}/records`);
  }

  update() {
    const { title } = this.viewer.recording;
    document.title = title ? `${title} – Backlight` : "Backlight";
  }
}

new Studio(document.querySelector("#head"), document.querySelector("#viewer")).begin();
