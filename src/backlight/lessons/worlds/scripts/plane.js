// The world of points in the plane: a network learns to separate them, and everything in it can be changed meanwhile.

import { ChartPanel } from "backlight/chart.js";
import { onTheme } from "backlight/colours.js";
import { rangeOf } from "backlight/curves.js";
import { element, panel, say } from "backlight/dom.js";
import { button, choice, complaint, field, onStart } from "backlight/form.js";
import { History } from "backlight/history.js";
import { CELLS, NetDiagram } from "backlight/net_diagram.js";
import { counted, percent, shown } from "backlight/numbers.js";
import { GRID, gridOf, PlaneMap } from "backlight/plane_map.js";
import { matrixOf, PlaneNetwork } from "backlight/plane_network.js";
import { pointsOf, pointsOfFile, REACH, SETS } from "backlight/points.js";
import { descend, Loop } from "backlight/training.js";

const DEFAULT = { points: "moons", layers: 2, units: 8, activation: "tanh", norm: false, scale: 1, rate: 0.3, seed: 1 };
const OWN = "own";
const DIVERGED = 1_000; // nats, of which a guess costs about 1
const RATES = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100];
const [FINE, COARSE] = [gridOf(GRID), gridOf(CELLS)];

class PlaneWorld {
  constructor(host) {
    this.history = new History((step) => this.goTo(step));
    this.loop = new Loop(() => this.step(), () => this.draw());
    this.map = new PlaneMap((x, y) => this.touched(x, y));
    this.diagram = new NetDiagram(() => this.pulled());
    const plane = panel("The plane", "Filled points are trained on, hollow ones are held out. The background is what the network says; a line where its answer changes.");
    const network = panel("The network", "A line is a weight: blue above 0, orange and dashed below, wide if large. Drag one up or down, or choose one with ← → and pull it with ↑ ↓ (0 sets it to 0). A square is a unit, with its output all over the plane; drag it to change its bias.");
    plane.body.append(this.pointFields(), this.complaint.root, this.map.root);
    network.body.append(this.diagram.root, this.conditions);
    this.chart = new ChartPanel(this.history.moment, {
      title: "Loss", about: "Cross-entropy in nats: ln 2 = 0.69 for a guess between two. Choose a step to go back to its weights.",
      chart: (colours) => this.curves(colours),
    });
    host.replaceChildren(element("div", { class: "backlight-viewer" }, this.settings(), this.running(),
      element("div", { class: "panels two" }, plane.root, element("div", { class: "stacked" }, network.root, this.chart.root))));
    this.droppable(plane.root);
    onTheme(() => { this.history.changed(this.history.recording.lastStep); this.draw(); });
    onStart((settings) => this.begin(settings));
  }

  settings() {
    const restart = () => this.reset();
    const numbers = (values) => values.map((one) => [one, String(one)]);
    this.inputs = {
      layers: choice(numbers([1, 2, 3]), 1, restart),
      units: choice(numbers([1, 2, 3, 4, 6, 8, 12, 16]), 1, restart),
      activation: choice([["tanh", "tanh"], ["relu", "ReLU"]], "tanh", restart),
      norm: element("input", { type: "checkbox", onchange: restart }),
      scale: choice([[0.1, "0.1 ×"], [0.5, "0.5 ×"], [1, "1 ×"], [3, "3 ×"], [8, "8 ×"]], 1, restart),
      rate: choice(numbers(RATES), 1, () => {}),
      seed: element("input", { type: "number", min: 0, step: 1, value: 1, onchange: restart }),
    };
    const { layers, units, activation, norm, scale, rate, seed } = this.inputs;
    return element("form", { class: "fields", "aria-label": "network and training", onsubmit: (event) => event.preventDefault() },
      field("hidden layers", layers), field("units in each", units), field("activation", activation),
      element("label", { class: "choice" }, norm, element("span", { text: "batch norm" })),
      field("first weights", scale), field("rate", rate), field("seed", seed));
  }

  running() {
    this.play = button("Play", () => this.toggle());
    this.status = element("p", { class: "state", role: "status" });
    return element("div", { class: "controls", role: "group", "aria-label": "training" }, this.play,
      button("One step", () => this.once()), button("Back", () => this.goTo(this.steps - 1)), button("Reset", () => this.reset()), this.status);
  }

  pointFields() {
    this.complaint = complaint();
    this.conditions = element("p", { class: "line-said", role: "status" });
    const sets = [...Object.entries(SETS).map(([name, { title }]) => [name, title]), [OWN, "your own"]];
    this.set = choice(sets, "moons", () => this.take(this.set.value));
    this.act = choice([[0, ""]], 0, () => {});
    this.file = element("input", { type: "file", accept: ".csv,.tsv,.txt,text/csv", onchange: () => this.read(this.file.files[0]) });
    return element("div", { class: "fields" }, field("points", this.set), field("a click", this.act), field("CSV: two numbers and a label (or drop it here)", this.file));
  }

  /** Take a CSV file that is dropped; elsewhere on the page a browser would open it instead. */
  droppable(target) {
    addEventListener("dragover", (event) => event.preventDefault());
    addEventListener("drop", (event) => event.preventDefault());
    target.addEventListener("drop", (event) => this.read(event.dataTransfer.files[0]));
  }

  async read(file) {
    if (!file) return;
    try {
      const { points, ...words } = pointsOfFile(await file.arrayBuffer());
      this.set.value = OWN;
      this.use(points, words);
    } catch (error) {
      this.complaint.tell(`${error.message} Nothing was changed.`);
    }
    this.file.value = ""; // so that the same file can be chosen again
  }

  begin(settings) {
    const all = { ...DEFAULT, ...settings };
    for (const [name, input] of Object.entries(this.inputs)) {
      if (name === "norm") input.checked = all.norm;
      else input.value = all[name];
    }
    this.set.value = all.points;
    this.take(all.points);
  }

  take(name) {
    this.use(name === OWN ? [] : pointsOf(name, this.seed), { labels: ["class 1", "class 2"], names: ["x", "y"], ranges: null });
  }

  use(points, words) {
    this.points = points;
    this.words = words;
    this.act.replaceChildren(...words.labels.map((label, at) => element("option", { value: at, text: `adds ${label}` })), element("option", { value: -1, text: "removes the nearest" }));
    this.reset();
  }

  get seed() {
    return Math.max(0, Math.round(Number(this.inputs.seed.value)) || 0);
  }

  reset() {
    const { layers, units, activation, norm, scale } = this.inputs;
    this.network = new PlaneNetwork({
      hidden: new Array(Number(layers.value)).fill(Number(units.value)), classes: this.words.labels.length,
      activation: activation.value, norm: norm.checked, scale: Number(scale.value), seed: this.seed,
    });
    this.diagram.build(this.network, this.words.labels);
    this.steps = 0;
    this.history.clear();
    this.split();
  }

  /** Divide the points into those to train on and those held out, after they have changed. */
  split() {
    const of = (held) => this.points.filter((one) => one.held === held);
    [this.train, this.held] = [of(false), of(true)].map((points) => ({ x: matrixOf(points), labels: points.map((one) => one.label) }));
    this.pulled();
  }

  /** Why there can be no step, in a sentence; "" if there can. */
  get obstacle() {
    if (new Set(this.train.labels).size < 2) return "Training needs points of two classes at least: click into the plane, choose another class, and click again.";
    return this.diverged ? `The loss is ${shown(this.loss, 3)} at step ${counted(this.steps)}, so training has diverged and stopped: its steps were too large. Choose a lower rate, then Reset or Back.` : "";
  }

  touched(x, y) {
    const label = Number(this.act.value);
    const within = Math.max(Math.abs(x), Math.abs(y)) <= REACH;
    if (label >= 0 && within) this.points = [...this.points, { x, y, label, held: false }];
    else if (this.points.length) {
      const far = (one) => (one.x - x) ** 2 + (one.y - y) ** 2;
      const nearest = this.points.reduce((best, one) => (far(one) < far(best) ? one : best));
      this.points = this.points.filter((one) => one !== nearest);
    }
    this.split();
    say(this.map.said, `${label >= 0 ? `Added ${this.words.labels[label]}` : "Removed a point"} at ${x.toFixed(1)}, ${y.toFixed(1)}. ${this.points.length} ${this.points.length === 1 ? "point" : "points"}.`);
  }

  /** The weights or the points were changed by hand. */
  pulled() {
    this.measure();
    this.diverged = this.train.labels.length > 0 && !(this.loss <= DIVERGED);
    this.draw();
  }

  /** Compute losses and gradients of the network as it is. */
  measure() {
    const { network, train, held } = this;
    network.settle(train.x);
    this.loss = train.labels.length ? network.differentiate(train.x, train.labels) : NaN;
    this.heldOut = held.labels.length ? network.evaluate(held.x, held.labels) : null;
  }

  step() {
    if (this.obstacle) return false;
    if (this.history.moment.chosen !== null) this.history.forgetAfter(this.steps);
    if (this.steps === 0) this.keep();
    descend(this.network.parameters, Number(this.inputs.rate.value)); // `measure` has computed the gradients
    this.steps += 1;
    this.measure();
    this.keep();
    this.diverged = !(this.loss <= DIVERGED); // also NaN
    return !this.diverged;
  }

  keep() {
    this.history.add(this.steps, this.loss, this.heldOut?.loss ?? NaN, this.network.parameters);
  }

  toggle() {
    if (this.loop.running) this.loop.stop();
    else this.loop.start();
    this.draw();
  }

  once() {
    this.loop.stop();
    this.step();
    this.draw();
  }

  goTo(step) {
    this.loop.stop();
    const found = this.history.restore(Math.max(0, step), this.network.parameters);
    if (found !== null) this.steps = found;
    this.pulled();
  }

  draw() {
    const { network, loop } = this;
    const fine = network.forward(FINE, false).logits;
    this.map.show(fine, this.points, this.words);
    const coarse = network.forward(COARSE, false);
    const conditions = this.train.labels.length ? network.conditions(this.train.x) : [];
    this.diagram.update([COARSE, ...coarse.hidden, coarse.logits], conditions);
    this.chart.update();
    say(this.play, loop.running ? "Pause" : "Play");
    this.tell(conditions);
  }

  tell(conditions) {
    const { loop, heldOut, loss, network, train } = this;
    const right = train.labels.length ? network.evaluate(train.x, train.labels).right : NaN;
    const count = this.history.recording.lastStep;
    const live = loop.running ? "off" : "polite"; // a screen reader would not come to an end while the network is trained
    for (const one of [this.status, this.conditions]) one.setAttribute("aria-live", live);
    this.complaint.tell(this.obstacle);
    const held = heldOut ? `; held out ${shown(heldOut.loss, 3)}, ${percent(heldOut.right)} right` : "";
    say(this.status, `Step ${counted(this.steps)}${this.steps < count ? ` of ${counted(count)}` : ""}: loss ${shown(loss, 3)}, ${percent(right)} right${held}.`);
    const found = conditions.flatMap((layer, at) => layer.map((one, unit) => (one ? `unit ${unit + 1} of layer ${at + 1}` : "")).filter(Boolean));
    const what = network.activation === "relu" ? "Dead: 0 on all points, so no gradient passes" : "Saturated: beyond ±0.97 on nearly all points, so hardly any gradient passes";
    say(this.conditions, found.length ? `${what}: ${found.join(", ")}.` : "No unit is dead or saturated.");
    this.conditions.classList.toggle("alarm", found.length > 0);
  }

  curves(colours) {
    const { losses } = this.history;
    const curve = (name, column, colour) => ({ name, colour, steps: losses.column("step"), values: losses.column(column), length: losses.length });
    const curves = [curve("training", "train", colours.blue)];
    if (this.heldOut) curves.push(curve("held out", "held", colours.orange));
    const range = losses.length > 1 ? rangeOf(curves) : null;
    return { curves, range: range && [Math.min(0, range[0]), range[1]] };
  }
}

/** Show the world. */
export function open() {
  return new PlaneWorld(document.querySelector("#world"));
}
