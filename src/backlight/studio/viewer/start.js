// The form of a new training: own text pasted or dropped, model, steps and learning rate.

import { element, say } from "backlight/dom.js";
import { ask } from "backlight/socket.js";

const MEGABYTE = 1_000_000;

export class StartForm {
  /** @param {(name: string) => void} onStart called with the name of the new run */
  constructor(onStart) {
    this.onStart = onStart;
    this.name = "";
    this.most = 0;
    this.text = element("textarea", { rows: 6, "aria-label": "text, one item a line", placeholder: "Paste your own text here, one item a line, or drop a file." });
    this.model = element("select", { "aria-label": "model", onchange: () => this.hint() });
    this.steps = element("input", { type: "number", min: 1, step: 1, "aria-label": "steps" });
    this.lr = element("input", { type: "number", min: 0, step: "any", "aria-label": "learning rate" });
    this.line = element("input", { "aria-label": "a line to watch it on", placeholder: "a held-out one", maxlength: 200 });
    this.file = element("input", { type: "file", "aria-label": "a file of text", onchange: () => this.take(this.file.files[0]) });
    this.go = element("button", { type: "submit", text: "Train" });
    this.said = element("p", { class: "said", role: "alert", hidden: true });
    const field = (label, input) => element("label", {}, element("span", { text: label }), input);
    this.root = element("form", { class: "start", hidden: true, onsubmit: (event) => this.submit(event) },
      this.text,
      element("div", { class: "fields" }, field("file", this.file), field("model", this.model), field("steps", this.steps), field("learning rate", this.lr), field("a line to watch it on", this.line), this.go),
      this.said);
    this.root.addEventListener("dragover", (event) => event.preventDefault());
    this.root.addEventListener("drop", (event) => {
      event.preventDefault();
      if (event.dataTransfer.files.length) this.take(event.dataTransfer.files[0]);
      else this.text.value = event.dataTransfer.getData("text");
    });
  }

  toggle(open = this.root.hidden) {
    this.root.hidden = !open;
    if (open) this.text.focus();
  }

  /** Offer models, and texts of at most so many characters. */
  offer(models, most) {
    this.models = new Map(models.map((one) => [one.name, one]));
    this.most = most;
    this.model.replaceChildren(...models.map((one) => element("option", { value: one.name, text: one.name })));
    this.model.value = "mlp";
    this.hint();
  }

  hint() {
    const { steps, lr } = this.models.get(this.model.value);
    this.steps.placeholder = steps ?? "counted";
    this.lr.placeholder = lr ?? "counted";
    this.steps.disabled = this.lr.disabled = this.line.disabled = steps === null;
  }

  async take(file) {
    this.complain("");
    if (!file) return;
    if (file.size > this.most) {
      this.complain(`${file.name} has ${Math.round(file.size / MEGABYTE).toLocaleString("en")} MB; a page takes at most ${Math.round(this.most / MEGABYTE)} MB. Train on it by a command: backlight train ${file.name}`);
      this.file.value = "";
      return;
    }
    this.name = file.name;
    this.text.value = await file.text();
  }

  async submit(event) {
    event.preventDefault();
    this.complain("");
    this.go.disabled = true;
    try {
      const number = (input) => (input.value === "" || input.disabled ? null : Number(input.value));
      const { name } = await ask("./start", { text: this.text.value, name: this.name, model: this.model.value, steps: number(this.steps), lr: number(this.lr), line: this.line.disabled ? null : this.line.value || null });
      this.toggle(false);
      await this.onStart(name);
    } catch (error) {
      this.complain(error.message);
    } finally {
      this.go.disabled = false;
    }
  }

  complain(text) {
    say(this.said, text);
    this.said.hidden = !text;
  }
}
