// A line of text whose characters each have a bar: how much each surprised the model. One of them is chosen.

import { element, say } from "backlight/dom.js";
import { percent, shown } from "backlight/numbers.js";

const FULL = 6; // nats of a bar of full height

export class Line {
  /**
   * @param {string} label what the line is, for screen readers
   * @param {(place: number) => void} onChoice called with the place of the chosen character
   */
  constructor(label, onChoice) {
    this.onChoice = onChoice;
    this.characters = element("div", { class: "line", role: "group", "aria-label": label });
    this.said = element("p", { class: "line-said", role: "status" });
    this.root = element("div", {}, this.characters, this.said);
    this.characters.addEventListener("keydown", (event) => this.pressed(event));
    this.buttons = [];
    this.place = 0;
  }

  /**
   * Show characters and what each cost.
   * @param {{text: string, nats: number}[]} targets
   * @param {(place: number) => string} [more] a sentence about one of them
   */
  show(targets, more = () => "") {
    this.targets = targets;
    this.more = more;
    if (this.buttons.length !== targets.length) this.build(targets.length);
    this.buttons.forEach((button, place) => {
      const { text, nats } = targets[place];
      say(button.lastChild, text);
      button.firstChild.style.height = `${3.2 * Math.min(1, Number.isFinite(nats) ? nats / FULL : 1)}rem`;
      button.setAttribute("aria-label", `${text}: ${shown(nats, 3)} nats`);
    });
    if (targets.length) this.mark(Math.min(this.place, targets.length - 1));
    else say(this.said, "");
  }

  build(count) {
    this.buttons = Array.from({ length: count }, (_, place) =>
      element("button", { type: "button", onclick: () => this.choose(place) }, element("i", { "aria-hidden": "true" }), element("span")));
    this.characters.replaceChildren(...this.buttons);
  }

  choose(place) {
    this.mark(place);
    this.onChoice(place);
  }

  mark(place) {
    this.place = place;
    this.buttons.forEach((button, at) => {
      button.setAttribute("aria-pressed", String(at === place));
      button.tabIndex = at === place ? 0 : -1; // Tab reaches the line once; the arrow keys go along it
    });
    const { text, nats } = this.targets[place];
    say(this.said, `${text}: ${shown(nats, 3)} nats, probability ${percent(Math.exp(-nats))}. ${this.more(place)}`);
  }

  pressed(event) {
    const moves = { ArrowRight: this.place + 1, ArrowLeft: this.place - 1, Home: 0, End: this.buttons.length - 1 };
    const to = moves[event.key];
    if (to === undefined || !this.buttons[to]) return;
    this.choose(to);
    this.buttons[to].focus();
    event.preventDefault();
  }
}
