// Fields and buttons of a world, and where it begins.

import { element, say } from "backlight/dom.js";

/** Return a field with its name above it. */
export function field(text, input) {
  return element("label", {}, element("span", { text }), input);
}

/**
 * Return a list to choose from.
 * @param {[string | number, string][]} options values, and what they are called
 * @param {() => void} onChange
 */
export function choice(options, value, onChange) {
  const made = element("select", { onchange: onChange }, ...options.map(([of, text]) => element("option", { value: of, text })));
  made.value = value;
  return made;
}

/** Return a button. */
export function button(text, act) {
  return element("button", { type: "button", text, onclick: act });
}

/** Return a line that says what is wrong, and is hidden otherwise. */
export function complaint() {
  const root = element("p", { class: "said alarm", role: "alert", hidden: true });
  return { root, tell: (text) => { say(root, text); root.hidden = !text; } };
}

/** Call a function with the settings of the lesson that the page's address names, now and when it changes. */
export function onStart(act) {
  const starts = JSON.parse(document.querySelector("#starts").textContent);
  const begin = () => act(starts[location.hash.slice(1)] ?? Object.values(starts)[0]);
  addEventListener("hashchange", begin);
  begin();
}
