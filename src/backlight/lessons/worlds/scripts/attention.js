// The world of attention: one head, which is trained in the page, walked through number by number on the reader's line.

import { AttentionModel, checked, CONTEXT, HEAD, WIDTH } from "backlight/attention_model.js";
import { AttentionSteps } from "backlight/attention_steps.js";
import { onTheme } from "backlight/colours.js";
import { element, panel, say } from "backlight/dom.js";
import { button, complaint, field, onStart } from "backlight/form.js";
import { Heads } from "backlight/heads.js";
import { Line } from "backlight/line.js";
import { NextBars } from "backlight/next_bars.js";
import { counted, shown } from "backlight/numbers.js";
import { softmax } from "backlight/softmax.js";
import { Loop } from "backlight/training.js";

const TEXT = "the cat sat on the mat\nthe rat sat on the cat\nthe bat ate the rat\na cat and a rat ran\nthe rat ran at the bat\na bat sat on a mat";
const LINE = "the rat sat on the mat";
const RATE = 1;
const FIRST = 200; // steps after which the training of a new text is paused
const SEED = 3;
const REST = 400; // milliseconds between two drawings of all numbers while the model is trained

class AttentionWorld {
  constructor(host) {
    this.drawn = -Infinity;
    this.loop = new Loop(() => this.train(), () => this.draw());
    this.line = new Line("characters of your line", () => this.read());
    this.steps = new AttentionSteps();
    this.heads = new Heads();
    this.bars = new NextBars((id) => this.append(id));
    const panels = [this.textPanel(), this.linePanel(), this.walkPanel(), this.mapPanel(), this.nextPanel()];
    host.replaceChildren(element("div", { class: "backlight-viewer" }, element("div", { class: "panels two" }, ...panels)));
    onTheme(() => this.draw());
    onStart(() => this.begin());
  }

  textPanel() {
    const { root, body } = panel("A text to learn", `A model with one head is trained on it here: vectors of ${WIDTH} numbers, and queries, keys and values of ${HEAD}. It reads ${CONTEXT} characters at most.`);
    this.text = element("textarea", { rows: 6, "aria-label": "a text to learn", spellcheck: "false" });
    this.text.value = TEXT;
    this.complaint = complaint();
    this.play = button("Train on", () => (this.loop.running ? this.pause() : this.start(Infinity)));
    this.status = element("p", { class: "state", role: "status" });
    body.append(this.text, this.complaint.root, element("div", { class: "controls" }, button("Learn this text", () => this.begin()), this.play, button("Random weights", () => this.forget()), this.status));
    return root;
  }

  linePanel() {
    const { root, body } = panel("Your own line", "Choose the character that is to be predicted: the position before it reads. A bar is how much the character surprises the model.");
    this.own = element("input", { "aria-label": "your own line", maxlength: CONTEXT - 1, autocomplete: "off", spellcheck: "false", oninput: () => this.draw() });
    this.own.value = LINE;
    this.unreadable = complaint();
    body.append(element("div", { class: "fields" }, element("label", { class: "grow" }, element("span", { text: "a line" }), this.own)), this.unreadable.root, this.line.root);
    return root;
  }

  walkPanel() {
    const { root, body } = panel("Number by number", "Go on step by step; choose a position to see its sum written out.", { wide: true });
    body.append(this.steps.root);
    return root;
  }

  mapPanel() {
    const { root, body } = panel("All positions", "A row for each position that reads, a column for each that it reads. Darker is more.");
    body.append(this.heads.root);
    return root;
  }

  nextPanel() {
    const { root, body } = panel("The next character", "Temperature divides the logits before the softmax: low is sure, high is even. Top-k keeps the k likeliest only.");
    body.append(this.bars.root);
    return root;
  }

  /** Learn the text from random weights. */
  begin() {
    if (this.forget()) this.start(FIRST);
  }

  /** Take the text with random weights; false with a complaint if it cannot be learnt. */
  forget() {
    this.loop.stop();
    try {
      this.model = new AttentionModel(checked(this.text.value), SEED);
    } catch (error) {
      this.complaint.tell(error.message);
      return false;
    }
    this.complaint.tell("");
    this.draw();
    return true;
  }

  start(until) {
    this.until = until;
    this.loop.start();
  }

  pause() {
    this.loop.stop();
    this.draw();
  }

  train() {
    return this.model.step(RATE) && this.model.steps < this.until;
  }

  append(id) {
    const character = this.model.characters[id];
    const line = this.own.value;
    if (character === "\n") this.unreadable.tell("The end of the line was drawn.");
    else {
      this.own.value = (line.slice(0, this.line.place) + character).slice(0, CONTEXT - 1);
      this.line.place += 1;
      this.draw();
    }
  }

  /** Show the model; while it is trained, what it computes is drawn a few times a second only. */
  draw() {
    this.tell();
    if (this.loop.running && performance.now() - this.drawn < REST) return;
    this.drawn = performance.now();
    const { model } = this;
    let ids;
    try {
      ids = model.encode(this.own.value);
      this.unreadable.tell("");
    } catch (error) {
      this.unreadable.tell(error.message);
      ids = this.reading ? this.reading.ids.slice(1).filter((id) => id < model.characters.length) : [];
    }
    this.reading = model.read(ids);
    const targets = [...this.reading.ids.slice(1), 0].map((id, at) => ({ text: model.shown(id), nats: -Math.log(softmax(this.reading.logits.row(at))[id]) }));
    this.line.show(targets);
    this.read();
  }

  tell() {
    const { model, loop } = this;
    say(this.play, loop.running ? "Pause" : "Train on");
    this.status.setAttribute("aria-live", loop.running ? "off" : "polite"); // a screen reader would not come to an end
    const chance = shown(Math.log(model.characters.length), 3);
    if (!Number.isFinite(model.loss)) this.complaint.tell(`The loss is ${shown(model.loss)} at step ${counted(model.steps)}, so training has diverged and stopped. Press “Learn this text” to begin again.`);
    say(this.status, model.steps ? `Trained ${counted(model.steps)} steps in this page: ${shown(model.loss, 3)} nats a character; a guess costs ${chance}.` : `Random weights, not trained: a guess costs ${chance} nats a character.`);
  }

  /** Show what the position before the chosen character reads. */
  read() {
    const { reading, model, line } = this;
    const of = (at) => model.shown(reading.ids[at]);
    this.steps.show(reading, line.place, of);
    this.heads.show(reading.ids.map((_, at) => of(at)), [[reading.weights]], line.place);
    this.bars.show(reading.logits.row(line.place), (id) => model.shown(id));
  }
}

/** Show the world. */
export function open() {
  return new AttentionWorld(document.querySelector("#world"));
}
