// Which other runs are laid over the losses of the one that is shown: its parent, its branches, and others on its text.

import { element, say } from "backlight/dom.js";

const MOST = 6; // runs at the same time, one for each colour
const EVERY = 2_000; // milliseconds after which the losses of a run that is trained are asked for again

export class Beside {
  /**
   * @param {import("backlight/viewer.js").Viewer} viewer
   * @param {() => string} nameOf the run that is shown
   * @param {(address: string, body?: object) => Promise<object>} ask the host, as in socket.js
   */
  constructor(viewer, nameOf, ask) {
    this.viewer = viewer;
    this.nameOf = nameOf;
    this.ask = ask;
    this.said = element("p", { class: "about", role: "status" });
    this.list = element("fieldset", { "aria-label": "other runs" });
    this.root = element("details", { class: "beside", ontoggle: () => this.root.open && this.offer() },
      element("summary", { text: "Compare with other runs" }), this.list, this.said);
    this.timers = new Map();
  }

  /** Show no other run, as when another one is opened. */
  clear() {
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
    this.viewer.recording.forget();
    this.list.replaceChildren();
    if (this.root.open) this.offer();
  }

  get boxes() {
    return [...this.list.querySelectorAll("input")];
  }

  async offer() {
    const shown = this.nameOf();
    const found = await this.attempt(() => this.ask(this.address()));
    if (!found || shown !== this.nameOf()) return;
    const chosen = new Set(this.boxes.filter((one) => one.checked).map((one) => one.value));
    this.list.replaceChildren(...found.others.map(({ name, about }) => {
      const box = element("input", { type: "checkbox", value: name, onchange: () => (box.checked ? this.add(name) : this.remove(name)) });
      box.checked = chosen.has(name);
      return element("label", { class: "choice" }, box, `${name} (${about})`);
    }));
    this.limit();
    if (!found.others.length) say(this.said, "No other run in this folder has the text and the tokens of this one.");
  }

  async add(name) {
    this.limit();
    const shown = this.nameOf();
    const message = await this.attempt(() => this.ask(this.address(name)));
    if (!message || shown !== this.nameOf() || !this.isChosen(name)) return;
    this.viewer.apply([message]);
    if (message.live) this.timers.set(name, setTimeout(() => this.add(name), EVERY));
  }

  remove(name) {
    clearTimeout(this.timers.get(name));
    this.timers.delete(name);
    this.viewer.recording.forget(name);
    this.limit();
  }

  isChosen(name) {
    return this.boxes.some((one) => one.value === name && one.checked);
  }

  /** Let no more be chosen than there are colours. */
  limit() {
    const full = this.boxes.filter((one) => one.checked).length >= MOST;
    for (const one of this.boxes) one.disabled = full && !one.checked;
    say(this.said, full ? `At most ${MOST} other runs are shown.` : "");
  }

  address(other = "") {
    return `./runs/${encodeURIComponent(this.nameOf())}/others${other && `/${encodeURIComponent(other)}`}`;
  }

  async attempt(act) {
    try {
      return await act();
    } catch (error) {
      say(this.said, error.message);
      return null;
    }
  }
}
