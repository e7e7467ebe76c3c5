// What the model wrote at the shown step.

import { element, panel, say } from "backlight/dom.js";
import { counted } from "backlight/numbers.js";

export class SamplesPanel {
  /** @param {import("backlight/moment.js").Moment} moment */
  constructor(moment) {
    this.moment = moment;
    Object.assign(this, panel("Samples", "What the model wrote at the evaluation before the step shown."));
    this.when = element("p", { class: "about", role: "status" });
    this.list = element("ul", { class: "samples" });
    this.body.append(this.when, this.list);
    this.shown = null;
  }

  update() {
    const { samples } = this.moment.recording;
    this.root.hidden = samples.length === 0;
    const found = this.moment.recording.samplesAt(this.moment.step);
    if (found === this.shown || this.root.hidden) return;
    this.shown = found;
    say(this.when, found ? `At step ${counted(found.step)}:` : "Nothing was sampled before this step.");
    this.list.replaceChildren(...(found?.samples ?? []).map((text) => element("li", { text })));
  }
}
