// The world of single numbers: the stepper of the lessons, for one of several graphs.

import { choice, field } from "backlight/form.js";
import stepper from "backlight/stepping.js";

/** Show the world. */
export function open() {
  const graphs = JSON.parse(document.querySelector("#graphs").textContent);
  const host = document.querySelector("#world");
  const place = document.createElement("div");
  const show = () => {
    const state = { step: 0, ...graphs.find(({ name }) => name === chosen.value) };
    const model = { get: (name) => state[name], set: (name, to) => { state[name] = to; }, save_changes() {}, on() {} };
    place.replaceChildren();
    leave?.();
    leave = stepper.render({ model, el: place });
  };
  let leave = null;
  const chosen = choice(graphs.map(({ name }) => [name, name]), graphs[0].name, show);
  const fields = document.createElement("div");
  fields.className = "fields";
  fields.append(field("graph", chosen));
  host.replaceChildren(fields, place);
  show();
}
