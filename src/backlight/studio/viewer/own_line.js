// What the network makes of one line of text: how much each character surprises it, and what each head reads.

import { element, panel, say } from "backlight/dom.js";
import { Heads } from "backlight/heads.js";
import { Line } from "backlight/line.js";
import { counted, shown } from "backlight/numbers.js";

export class OwnLinePanel {
  /** @param {import("backlight/moment.js").Moment} moment */
  constructor(moment) {
    this.moment = moment;
    Object.assign(this, panel("One line", "How much each character of it surprises the network at the evaluation before the step shown: a bar of full height is 6 nats or more."));
    this.when = element("p", { class: "about" });
    this.line = new Line("characters of the line", () => moment.tell());
    this.body.append(this.when, this.line.root);
    this.shown = null;
  }

  update() {
    const { recording, step } = this.moment;
    this.root.hidden = recording.texts.length === 0;
    const found = recording.textAt(step) ?? recording.texts[0];
    if (this.root.hidden || found === this.shown) return;
    this.shown = found;
    const sum = found.nats.reduce((total, one) => total + one, 0);
    say(this.when, `At step ${counted(found.step)}: ${shown(sum)} nats together, ${shown(sum / found.nats.length, 3)} for each target.`);
    this.line.show(found.targets.map((text, place) => ({ text, nats: found.nats[place] })));
  }
}

export class AttentionPanel {
  /**
   * @param {import("backlight/moment.js").Moment} moment
   * @param {Line} line whose chosen character is predicted by the marked row
   */
  constructor(moment, line) {
    this.moment = moment;
    this.line = line;
    Object.assign(this, panel("Attention", "For each head: a row for each position of the line that reads, a column for each that it reads. Darker is more; the marked row predicts the chosen character of the line.", { wide: true }));
    this.heads = new Heads();
    this.body.append(this.heads.root);
    this.shown = "";
  }

  update() {
    const { recording, step } = this.moment;
    const found = recording.textAt(step) ?? recording.texts[0];
    this.root.hidden = !found?.attention.length;
    const key = `${found?.step} ${this.line.place} ${recording.version}`; // a new version is also another theme
    if (this.root.hidden || key === this.shown) return;
    this.shown = key;
    const weights = found.attention.map((layer) => triangles(layer, found.read.length));
    this.heads.show(found.read, weights, Math.min(this.line.place, found.read.length - 1));
  }
}

/** Return the weights of each head and reading position, which are written as 2 hexadecimal digits each. */
export function triangles({ heads, weights }, positions) {
  let at = 0;
  const next = () => {
    at += 2;
    return parseInt(weights.slice(at - 2, at), 16) / 255;
  };
  return Array.from({ length: heads }, () => Array.from({ length: positions }, (_, row) => Array.from({ length: row + 1 }, next)));
}
