// The page of a model: new texts, what the reader's own line costs, and what attention reads.

import { unpacked } from "backlight/arrays.js";
import { onTheme } from "backlight/colours.js";
import { element, panel, say } from "backlight/dom.js";
import { Heads } from "backlight/heads.js";
import { LanguageModel } from "backlight/language_model.js";
import { Line } from "backlight/line.js";
import { percent, shown } from "backlight/numbers.js";
import { softmax } from "backlight/softmax.js";
import { Tokens } from "backlight/tokens.js";

const LONGEST = 2_000; // characters of the reader's own line
const PRODUCTS = 1e8; // numbers of the model times characters, which take about 0.2 s at each keystroke
const ALTERNATIVES = 5;
const CUT = "…";

class ModelPage {
  constructor(facts, arrays, host) {
    this.facts = facts;
    this.tokens = new Tokens(facts.tokens);
    const numbers = [...arrays.values()].reduce((sum, { data }) => sum + data.length, 0);
    this.longest = facts.network === null ? LONGEST : Math.max(40, Math.min(LONGEST, Math.floor(PRODUCTS / numbers)));
    this.model = new LanguageModel(facts, arrays);
    host.replaceChildren(element("div", { class: "backlight-viewer" }, this.samples(), this.own(), this.attention()));
    onTheme(() => this.score());
  }

  samples() {
    const { ends, tokens: { marks } } = this.facts;
    const { root, body } = panel("Samples", ends ? "New items, drawn one character at a time. Choose one to see what each of its characters cost." : "A new text, drawn one character at a time.");
    this.temperature = element("input", { type: "range", min: 0, max: 2, step: 0.05, value: 1, "aria-label": "temperature", oninput: () => this.tellTemperature() });
    this.temperatureSaid = element("span");
    this.label = element("select", { "aria-label": "label", onchange: () => this.score() }, ...(marks ?? []).map((text) => element("option", { value: text, text })));
    this.prefix = element("input", { "aria-label": "beginning", autocomplete: "off", spellcheck: "false" });
    this.draw = element("button", { type: "submit", text: "Sample" });
    this.complaint = element("p", { class: "said", role: "alert", hidden: true });
    this.list = element("ul", { class: "samples", "aria-live": "polite" });
    const field = (text, input) => element("label", {}, element("span", { text }), input);
    const fields = element("form", { class: "fields", onsubmit: (event) => { event.preventDefault(); this.sample(); } },
      element("label", {}, this.temperatureSaid, this.temperature));
    if (marks) fields.append(field("label", this.label));
    if (this.facts.tokens.pattern === null) fields.append(field("beginning", this.prefix));
    fields.append(this.draw);
    body.append(fields, this.complaint, this.list);
    this.tellTemperature();
    return root;
  }

  own() {
    const { root, body } = panel("Your own line", "How much each character surprises the model: a bar of full height is 6 nats or more, no bar is none.");
    this.text = element("input", { "aria-label": "your own line", maxlength: this.longest, autocomplete: "off", spellcheck: "false", oninput: () => this.score() });
    this.total = element("p", { role: "status" });
    this.unreadable = element("p", { class: "said", role: "alert", hidden: true });
    this.line = new Line("characters of your own line", () => this.tellAttention());
    body.append(element("div", { class: "fields" }, element("label", { class: "grow" }, element("span", { text: "a line" }), this.text)), this.unreadable, this.total, this.line.root);
    return root;
  }

  attention() {
    const { root, body } = panel("Attention", "For each head: a row for each position that reads, a column for each that it reads. Darker is more; the marked row predicts the chosen character.");
    this.heads = new Heads();
    this.attentionPanel = root;
    body.append(this.heads.root);
    return root;
  }

  tellTemperature() {
    const value = Number(this.temperature.value);
    const text = `temperature ${value.toFixed(2)}${value === 0 ? ", always the likeliest" : value === 1 ? ", the model's own" : ""}`;
    say(this.temperatureSaid, text);
    this.temperature.setAttribute("aria-valuetext", text);
  }

  /** Return the mark of the chosen label and a text as ids; null with a complaint if it cannot be read. */
  read(text, complaint) {
    let ids = null;
    let said = "";
    try {
      ids = this.tokens.encode((this.facts.tokens.marks ? this.tokens.mark(this.label.value) : "") + text);
    } catch (error) {
      said = error.message;
    }
    say(complaint, said);
    complaint.hidden = !said;
    return ids;
  }

  async sample() {
    const prefix = this.read(this.prefix.value, this.complaint);
    if (!prefix) return;
    this.draw.disabled = true;
    this.list.replaceChildren();
    for (let count = 0; count < this.facts.samples; count += 1) {
      const { ids, ended } = await this.model.sample({ prefix, most: this.facts.length, temperature: Number(this.temperature.value) });
      const text = this.tokens.decode(ids);
      const score = element("button", { type: "button", class: "link", text: "score", "aria-label": `score ${text}`, onclick: () => this.choose(text) });
      this.list.append(element("li", {}, element("span", { text: ended || !this.facts.ends ? text : text + CUT }), score));
    }
    this.draw.disabled = false;
  }

  choose(text) {
    this.text.value = text.replaceAll("\n", " ").slice(0, this.longest);
    this.score();
    this.text.focus();
  }

  score() {
    const ids = this.read(this.text.value, this.unreadable);
    this.targets = ids ? this.model.score(ids) : [];
    const nats = this.targets.reduce((sum, one) => sum + one.nats, 0);
    const count = this.targets.length;
    say(this.total, count ? `${shown(nats)} nats together, ${shown(nats / count, 3)} for each of ${count} ${count === 1 ? "target" : "targets"}.` : "");
    this.line.show(this.targets.map(({ id, nats: cost }) => ({ text: this.facts.tokens.shown[id], nats: cost })), (place) => this.expected(place));
    this.tellAttention();
  }

  expected(place) {
    const shares = [...softmax(this.targets[place].logits)].map((share, id) => [share, id]);
    shares.sort((a, b) => b[0] - a[0]);
    return `Expected: ${shares.slice(0, ALTERNATIVES).map(([share, id]) => `${this.facts.tokens.shown[id]} ${percent(share)}`).join(", ")}.`;
  }

  /** Show the attention of the chunk of text in which the chosen character was predicted. */
  tellAttention() {
    const chosen = this.targets[this.line.place];
    this.attentionPanel.hidden = !chosen?.attention;
    if (this.attentionPanel.hidden) return;
    const { sequences, context } = this.facts;
    const first = sequences ? Math.floor(this.line.place / context) * context : 0;
    const chunk = this.targets.slice(first, first + context);
    const weights = chosen.attention.map((heads, layer) => heads.map((_, head) => chunk.map((one) => one.attention[layer][head])));
    this.heads.show(chunk.at(-1).read.map((id) => this.facts.tokens.shown[id]), weights, this.line.place - first);
  }

  /** Compare with what the package computed when it wrote the page. */
  check(target) {
    let furthest = 0;
    for (const { ids, nats } of this.facts.check) {
      this.model.score(ids).forEach((one, place) => {
        const apart = Math.abs(one.nats - nats[place]) / Math.max(1, Math.abs(nats[place]));
        furthest = Math.max(furthest, Number.isNaN(apart) ? Infinity : apart);
      });
    }
    const agrees = furthest <= this.facts.bound;
    target.classList.toggle("alarm", !agrees);
    say(target, agrees
      ? `This page computes what Backlight computes: the largest relative difference in ${this.facts.check.length} texts is ${shown(furthest, 2)}.`
      : `This page computes something else than Backlight: a difference of ${shown(furthest, 2)} (accepted: ${shown(this.facts.bound, 2)}).`);
  }
}

/** Show the model that is in the page. */
export function open() {
  const facts = JSON.parse(document.querySelector("#facts").textContent);
  const page = new ModelPage(facts, unpacked(facts.arrays, document.querySelector("#arrays").textContent), document.querySelector("#model"));
  page.choose(facts.first);
  document.activeElement?.blur();
  page.check(document.querySelector("#check"));
  page.sample();
}
