// The backward pass of a graph, with a slider. Python (walk.py) made all numbers and texts; this script only displays
// those of the current step. It loads nothing and needs no kernel.

const PAUSE = 1600; // milliseconds per step of "Play"
const SVG = "http://www.w3.org/2000/svg";

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function button(text, label, act) {
  const made = element("button", "", text);
  made.type = "button";
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", act);
  return made;
}

/** A copy of an arrow that points from its head to its tail, the direction of the gradient. */
function backward(arrow) {
  const group = document.createElementNS(SVG, "g");
  const line = document.createElementNS(SVG, "path");
  line.setAttribute("d", arrow.getAttribute("d"));
  line.setAttribute("class", "flow");
  const tail = arrow.getPointAtLength(0);
  const next = arrow.getPointAtLength(8);
  const turn = (Math.atan2(next.y - tail.y, next.x - tail.x) * 180) / Math.PI;
  const head = document.createElementNS(SVG, "polygon");
  head.setAttribute("points", "0,0 10,-5 10,5");
  head.setAttribute("transform", `translate(${tail.x} ${tail.y}) rotate(${turn})`);
  group.append(line, head);
  return group;
}

function table(rows) {
  const made = element("table");
  const head = made.createTHead().insertRow();
  for (const name of ["to", "local derivative", "× from above", "= share", "grad so far"]) {
    const cell = element("th", "", name);
    cell.scope = "col";
    head.append(cell);
  }
  const body = made.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    for (const text of row) line.insertCell().textContent = text;
  }
  return made;
}

function render({ model, el }) {
  const steps = model.get("steps");
  const last = steps.length - 1;

  const root = element("div", "backlight-stepping");
  const slider = element("input");
  Object.assign(slider, { type: "range", min: 0, max: last, step: 1 });
  slider.setAttribute("aria-label", "step of the backward pass");
  const back = button("◂", "one step back", () => go(at() - 1));
  const on = button("▸", "one step forward", () => go(at() + 1));
  const play = button("Play", "", () => (timer ? stop() : start()));
  play.classList.add("play");
  const guessing = element("input");
  guessing.type = "checkbox";
  const guessed = element("label", "guessing");
  guessed.append(guessing, "Guess first");
  const ends = element("div", "ends");
  ends.append(element("span", "", steps[0].values ? "nothing is computed yet" : "no gradient is known yet"), element("span", "", "all gradients known"));
  for (const one of [slider, back, on, play, guessing]) {
    one.dataset.lmSuppressShortcuts = "true"; // Jupyter would use an arrow key to select another cell
  }
  const along = element("div", "along");
  along.append(slider, ends);
  const controls = element("div", "controls");
  controls.append(back, along, on, play, guessed);
  const graph = element("div", "graph");
  graph.innerHTML = model.get("drawing"); // made and escaped by Python
  const below = element("div", "below");
  below.setAttribute("aria-live", "polite");
  const asked = element("div", "asked");
  root.append(controls, asked, graph, below);
  el.append(root);

  const part = (name, tag = "") => graph.querySelector(`${tag}[data-part="${name}"]`);
  const flows = document.createElementNS(SVG, "g");
  part("card 0").parentNode.insertBefore(flows, part("note 0")?.previousSibling ?? part("card 0"));

  const at = () => Math.max(0, Math.min(model.get("step"), last));
  let timer = null;

  function go(step) {
    stop();
    if (guessing.checked && step === at() + 1 && steps[step]?.guess) ask(step);
    else move(step);
  }

  /** Ask for a number of a step before it is shown. */
  function ask(step) {
    const { guess } = steps[step];
    const form = element("form", "guess");
    const input = element("input");
    Object.assign(input, { type: "text", inputMode: "decimal", autocomplete: "off" });
    const reply = element("span", "reply");
    reply.setAttribute("role", "status");
    const label = element("label", "", `${guess.ask} `);
    label.append(input);
    const show = (text) => {
      move(step);
      asked.replaceChildren(element("p", "reply", text));
      on.focus();
    };
    const check = element("button", "", "Check");
    check.type = "submit";
    form.append(label, check, button("Show it", "", () => show(`It is ${guess.shown}.`)), reply);
    for (const one of form.querySelectorAll("input, button")) one.dataset.lmSuppressShortcuts = "true";
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const given = Number(input.value.trim().replace("−", "-").replace(",", "."));
      if (input.value.trim() === "" || Number.isNaN(given)) reply.textContent = "Write a number, such as -0.5.";
      else if (Math.abs(given - guess.answer) <= 0.005 + 0.01 * Math.abs(guess.answer)) show(`Right: it is ${guess.shown}.`);
      else reply.textContent = `${input.value.trim()} is not it. ${guess.hint}`;
    });
    asked.replaceChildren(form);
    input.focus();
  }

  function move(step) {
    asked.replaceChildren();
    model.set("step", Math.max(0, Math.min(step, last)));
    model.save_changes();
    show();
  }

  function start() {
    if (at() === last) move(0);
    timer = setInterval(() => {
      move(at() + 1);
      if (at() === last) stop();
    }, PAUSE);
    play.textContent = "Pause";
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
  }

  function show() {
    const now = at();
    const { node, arrows, to, grads, known, head, rows, words, values, hidden = [] } = steps[now];
    slider.value = now;
    slider.setAttribute("aria-valuetext", `step ${now} of ${last}: ${head}`);
    back.setAttribute("aria-disabled", now === 0); // a disabled button would lose the focus
    on.setAttribute("aria-disabled", now === last);

    grads.forEach((text, place) => {
      const number = part(`grad ${place}`);
      number.textContent = text;
      number.classList.toggle("unknown", !known[place]);
      part(`light ${place}`)?.classList.toggle("out", !known[place]);
      const card = part(`card ${place}`);
      card.classList.toggle("hands", place === node);
      card.classList.toggle("gets", to.includes(place));
    });
    values?.forEach((text, place) => {
      const number = part(`data ${place}`);
      number.textContent = text;
      number.classList.toggle("unknown", text === "?");
    });
    for (const note of graph.querySelectorAll('text[data-part^="note "]')) {
      const arrow = Number(note.dataset.part.slice(5));
      note.classList.toggle("used", arrows.includes(arrow));
      note.classList.toggle("hidden", hidden.includes(arrow));
    }
    flows.replaceChildren(...arrows.map((arrow) => backward(part(`arrow ${arrow}`, "path"))));

    const title = element("p", "head");
    title.append(element("b", "", head), ` step ${now} of ${last}`);
    below.replaceChildren(title);
    if (rows.length) below.append(table(rows));
    for (const line of words) below.append(element("p", "", line));
  }

  slider.addEventListener("input", () => go(Number(slider.value)));
  guessing.addEventListener("change", () => asked.replaceChildren());
  root.addEventListener("keydown", (event) => {
    const to = { ArrowRight: at() + 1, ArrowUp: at() + 1, ArrowLeft: at() - 1, ArrowDown: at() - 1, Home: 0, End: last };
    if (event.target.type === "text" || !(event.key in to) || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    go(to[event.key]);
  });
  model.on("change:step", show);
  show();
  return () => {
    stop();
    model.off?.("change:step", show);
  };
}

export default { render };
