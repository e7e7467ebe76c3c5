// The host of a cell in a notebook: a widget of anywidget, which the kernel tells of a training, and which asks it.
//
// The kernel keeps the recording so far in `recording`, and sends what follows in parts with numbers: `parts` is the
// number of the last one that is in `recording`. A page that missed a part goes on with the next `recording`.

import { element } from "backlight/dom.js";
import { RunHead } from "backlight/run_head.js";
import { Viewer } from "backlight/viewer.js";

const PATIENCE = 1_000; // milliseconds after which a reader is told that the kernel is busy
const DARK = "(prefers-color-scheme: dark)";

/** What the kernel has told so far, for views that come later, too. */
class Told {
  constructor(model) {
    this.model = model;
    this.views = new Set();
    this.answers = new Map();
    this.number = 0;
    this.begin();
    model.on("change:recording", () => this.renewed());
    model.on("msg:custom", (content, buffers) => this.arrived(content, buffers));
  }

  begin() {
    this.parts = this.model.get("parts");
    this.messages = parsed(this.model.get("recording"));
  }

  /** Take the whole recording where a part was missed; otherwise it is known already. */
  renewed() {
    const missed = this.model.get("parts") > this.parts;
    if (missed || this.messages.length === 0) {
      this.begin();
      for (const view of this.views) view.viewer.apply(this.messages);
    }
  }

  arrived(content, buffers) {
    if (content.answer !== undefined) {
      this.answers.get(content.answer)?.(content);
      this.answers.delete(content.answer);
    } else if (content.part === this.parts + 1) {
      const messages = parsed(buffers[0]);
      this.parts = content.part;
      this.messages = messages.some((one) => one.type === "hello") ? messages : [...this.messages, ...messages];
      for (const view of this.views) view.viewer.apply(messages);
    }
  }

  /**
   * Ask the kernel something, and return its answer, which comes when it has finished what it does.
   * @throws {Error} with a sentence for the reader, if it is refused
   */
  async ask(address, body = null) {
    const number = (this.number += 1);
    const content = await new Promise((resolve) => {
      this.answers.set(number, resolve);
      this.model.send({ ask: number, address, body });
    });
    if (content.problem) throw new Error(content.problem);
    return content.found;
  }
}

/** One picture of the recording in the page. */
class View {
  constructor(told, el) {
    this.told = told;
    this.shadow = el.attachShadow ? el.attachShadow({ mode: "open" }) : el;
    this.style = element("style");
    const host = element("div", { class: "scrolled" });
    this.viewer = new Viewer(host);
    this.name = told.model.get("name");
    this.head = new RunHead(this.viewer, () => this.name, (name) => this.open(name), (address, body) => this.ask(address, body));
    this.busy = element("p", { class: "about", role: "status", hidden: true, text: "The kernel is busy. It answers when the cell that it runs is over." });
    this.title = element("b", { class: "run-name" });
    this.choice = element("select", { "aria-label": "run", hidden: true, onchange: () => this.open(this.choice.value) });
    this.controls = element("div", { hidden: true }, this.head.controls.root);
    this.head.beside.root.hidden = true;
    this.root = element("section", { class: "backlight-page backlight-notebook", "aria-label": "training" },
      element("div", { class: "bar" }, this.title, this.choice, this.head.pill), this.head.facts, this.controls, this.busy, host);
    this.shadow.append(this.style, this.root);
    this.watchTheme();
    this.viewer.recording.listen(() => this.update());
    this.viewer.apply(told.messages);
    this.meet();
  }

  /** Show what can be asked once the kernel has answered: it may be gone, or busy with the training itself. */
  async meet() {
    const { asked, names } = await this.told.ask("./here", { parts: this.told.parts });
    this.controls.hidden = this.head.beside.root.hidden = !asked;
    this.offer(names);
  }

  async ask(address, body) {
    const timer = setTimeout(() => { this.busy.hidden = false; }, PATIENCE);
    try {
      return await this.told.ask(address, body);
    } finally {
      clearTimeout(timer);
      this.busy.hidden = true;
    }
  }

  /** Show another run: a branch, or one that was shown before. */
  async open(name) {
    const { names } = await this.ask("./show", { name });
    this.name = name;
    this.offer(names);
    this.head.beside.clear();
    this.viewer.moment.choose(null);
  }

  offer(names) {
    this.choice.replaceChildren(...names.map((name) => element("option", { value: name, text: name })));
    this.choice.value = this.name;
    this.choice.hidden = names.length < 2;
    this.title.hidden = !this.choice.hidden;
  }

  update() {
    this.title.textContent = this.viewer.recording.title;
  }

  /** Follow the theme of the notebook, which is not that of the system. */
  watchTheme() {
    this.stop = new AbortController();
    const change = () => this.dress();
    this.observer = new MutationObserver(change);
    this.observer.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-vscode-theme-kind"] });
    matchMedia(DARK).addEventListener("change", change, { signal: this.stop.signal });
    this.dress();
  }

  dress() {
    const dark = isDark();
    this.root.style.colorScheme = dark ? "dark" : "light";
    this.style.textContent = this.told.model.get("sheets").replaceAll(DARK, dark ? "all" : "not all");
    this.viewer.recording.redraw();
  }

  close() {
    this.observer.disconnect();
    this.stop.abort();
    this.told.views.delete(this);
  }
}

function isDark() {
  const { jpThemeLight, vscodeThemeKind } = document.body.dataset;
  if (jpThemeLight !== undefined) return jpThemeLight === "false";
  if (vscodeThemeKind !== undefined) return ["vscode-dark", "vscode-high-contrast"].includes(vscodeThemeKind);
  return matchMedia(DARK).matches;
}

function parsed(bytes) {
  return bytes?.byteLength ? JSON.parse(new TextDecoder().decode(bytes)) : [];
}

export default () => {
  let told;
  return {
    initialize({ model }) {
      told = new Told(model);
    },
    render({ el }) {
      const box = element("div", { "data-lm-suppress-shortcuts": "true" }); // the keys are the viewer's, not the notebook's
      el.append(box);
      const view = new View(told, box);
      told.views.add(view);
      return () => view.close();
    },
  };
};
