// What the doctor finds at the shown step, and since when.

import { element, panel, say } from "backlight/dom.js";
import { counted, number, shown } from "backlight/numbers.js";

export class FindingsPanel {
  /** @param {import("backlight/moment.js").Moment} moment */
  constructor(moment) {
    this.moment = moment;
    Object.assign(this, panel("Findings", "What backlight health says of the training up to the step shown."));
    this.summary = element("p", { role: "status" });
    this.list = element("ol", { class: "findings" });
    this.body.append(this.summary, this.list);
    this.shown = null;
  }

  update() {
    const { recording, step } = this.moment;
    this.root.hidden = recording.diagnoses.length === 0;
    const found = recording.diagnosisAt(step);
    if (found === this.shown || this.root.hidden) return;
    this.shown = found;
    say(this.summary, found ? found.summary : "Nothing was checked yet at this step.");
    this.list.replaceChildren(...(found?.findings ?? []).map((one) => this.item(one)));
  }

  item(finding) {
    const since = firstSeen(this.moment.recording.diagnoses, finding.id);
    const go = element("button", { type: "button", class: "link", text: `since step ${counted(since)}`, onclick: () => this.moment.choose(since) });
    const head = element("div", {}, element("span", { class: `severity ${finding.severity}`, text: finding.severity }), " ", go);
    const parts = [head, element("h3", { text: finding.title })];
    if (finding.where?.length) parts.push(element("p", { class: "about", text: `In ${finding.where.slice(0, 6).join(", ")}${finding.where.length > 6 ? " and more" : ""}` }));
    const details = [
      ...(finding.evidence ?? []).map((one) => element("p", { text: evidence(one) })),
      finding.because && element("p", { text: finding.because }),
      finding.try_this && element("ul", {}, ...finding.try_this.map((text) => element("li", { text }))),
    ].filter(Boolean);
    if (details.length) parts.push(element("details", {}, element("summary", { text: "Numbers, and what to try" }), ...details));
    return element("li", { class: `finding ${finding.severity}` }, ...parts);
  }
}

function evidence({ what, value, unit = "", expected = "" }) {
  const apart = unit === "" || unit.startsWith("%") ? "" : " ";
  return `${what}: ${shown(number(value) ?? NaN)}${apart}${unit}${expected ? ` (expected: ${expected})` : ""}`;
}

/** Return the step from which on a finding is in every diagnosis up to the last one that has it. */
function firstSeen(diagnoses, id) {
  let since = null;
  for (const one of diagnoses) {
    const has = one.findings.some((finding) => finding.id === id);
    if (has && since === null) since = one.step;
  }
  return since ?? 0;
}
