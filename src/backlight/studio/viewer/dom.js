// Elements of the page. All text is set as text and never parsed as HTML.

/**
 * Return a new element.
 * @param {string} tag
 * @param {Object<string, any>} attributes "text" sets its text, "on…" adds a listener; null and false are left out.
 * @param {...Node} children
 */
export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "text") made.textContent = value;
    else if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children);
  return made;
}

/** Set an element's text, if it has another one: a screen reader repeats what is set again. */
export function say(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** Return a panel with a heading, and the element that holds its content. */
export function panel(title, about, { wide = false } = {}) {
  const id = `panel-${title.toLowerCase().replaceAll(" ", "-")}`; // which links of a report lead to
  const head = element("div", { class: "panel-head" }, element("h2", { id, text: title }));
  const body = element("div", { class: "panel-body" });
  const root = element("section", { class: wide ? "panel wide" : "panel", "aria-labelledby": id }, head);
  if (about) root.append(element("p", { class: "about", text: about }));
  root.append(body);
  return { root, head, body };
}
