// Which units are saturated, or 0, for which examples: one dot for each, as lecture 4 looks at them.

import { channels, coloursOf } from "backlight/colours.js";
import { element, panel, say } from "backlight/dom.js";
import { counted, percent } from "backlight/numbers.js";

export class UnitMapsPanel {
  /**
   * @param {import("backlight/moment.js").Moment} moment
   * @param {import("backlight/one_unit.js").OneUnitPanel} oneUnit which shows a unit that is clicked on
   */
  constructor(moment, oneUnit) {
    this.moment = moment;
    this.oneUnit = oneUnit;
    Object.assign(this, panel("Units", "A row is an example, a column a unit; dark where an activation is saturated (tanh, sigmoid) or 0 (ReLU). A dark column is a dead unit.", { wide: true }));
    this.when = element("p", { class: "about" });
    this.maps = element("div", { class: "unit-maps" });
    this.body.append(this.when, this.maps);
    this.shown = null;
  }

  update() {
    const { records } = this.moment.recording;
    const withMap = records.filter((record) => [...record.layers.values()].some((layer) => layer.unitMap));
    const record = withMap.findLast((one) => one.step <= this.moment.step) ?? withMap[0];
    this.root.hidden = !record;
    if (!record) return;
    const dark = coloursOf(this.root).ink;
    if (this.shown === `${record.step} ${dark}`) return;
    this.shown = `${record.step} ${dark}`;
    say(this.when, `Recorded at step ${counted(record.step)}.`);
    const found = [...record.layers].filter(([, layer]) => layer.unitMap);
    this.maps.replaceChildren(...found.map(([name, layer]) => this.map(name, layer.unitMap)));
  }

  map(name, { rows, units, bits }) {
    const marked = bitsOf(bits, rows * units);
    const dead = deadUnits(marked, rows, units);
    const share = marked.reduce((sum, bit) => sum + bit, 0) / Math.max(1, rows * units);
    const text = `${percent(share)} of ${rows} × ${units}` + (dead ? `; ${dead} ${dead === 1 ? "unit" : "units"} in all of these examples` : "");
    const canvas = element("canvas", { class: "unit-map", width: units, height: rows, role: "img", "aria-label": `${name}: ${text}` });
    paint(canvas, marked, coloursOf(this.root));
    canvas.addEventListener("click", (event) => {
      const { left, width } = canvas.getBoundingClientRect();
      const unit = Math.floor(((event.clientX - left) / width) * units);
      if (this.oneUnit.has(name, unit)) this.oneUnit.jump(name, unit);
    });
    return element("div", { class: "layer" }, element("div", { class: "layer-name" }, element("b", { text: name }), ` ${text}`), canvas);
  }
}

/** Return bits that `numpy.packbits` has packed, written as hexadecimal digits. */
export function bitsOf(hexadecimal, count) {
  const bits = new Uint8Array(count);
  for (let place = 0; place < count; place += 1) {
    const digit = parseInt(hexadecimal[place >> 2], 16);
    bits[place] = (digit >> (3 - (place & 3))) & 1;
  }
  return bits;
}

function deadUnits(bits, rows, units) {
  let dead = 0;
  for (let unit = 0; unit < units; unit += 1) {
    let row = 0;
    while (row < rows && bits[row * units + unit]) row += 1;
    if (row === rows && rows > 0) dead += 1;
  }
  return dead;
}

function paint(canvas, bits, colours) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  const [off, on] = [channels(colours.grid), channels(colours.ink)];
  bits.forEach((bit, place) => image.data.set([...(bit ? on : off), 255], 4 * place));
  context.putImageData(image, 0, 0);
}
