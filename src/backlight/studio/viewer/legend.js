// The legend of a plot, with the value of each curve at the shown step.

import { lastUpTo } from "backlight/columns.js";
import { element, say } from "backlight/dom.js";
import { shown } from "backlight/numbers.js";

/** Return the value of a curve at a step: of its last point up to there; null before the first. */
export function valueAt({ steps, values, length }, step) {
  const at = lastUpTo(steps, length, step);
  return at < 0 ? null : values[at];
}

export class Legend {
  constructor(host) {
    this.root = element("ul", { class: "legend" });
    this.items = new Map();
    host.append(this.root);
  }

  /** Show curves with their values at a step. @param {import("backlight/curves.js").Curve[]} curves */
  show(curves, step, format = shown) {
    const names = curves.map((one) => one.name);
    if (names.length !== this.items.size || names.some((name) => !this.items.has(name))) this.build(names);
    for (const curve of curves) {
      const { key, value } = this.items.get(curve.name);
      key.style.background = curve.dash ? `repeating-linear-gradient(90deg, ${curve.colour} 0 5px, transparent 5px 8px)` : curve.colour;
      key.style.opacity = curve.alpha ?? 1;
      const found = valueAt(curve, step);
      say(value, found === null ? "–" : format(found));
      value.classList.toggle("alarm", found !== null && !Number.isFinite(found));
    }
  }

  build(names) {
    this.items = new Map(names.map((name) => [name, { key: element("i", { "aria-hidden": "true" }), value: element("b") }]));
    this.root.replaceChildren(...names.map((name) => {
      const { key, value } = this.items.get(name);
      return element("li", {}, key, element("span", { text: `${name} ` }), value);
    }));
  }
}
