// The colours of the page's theme, for drawing on a canvas. viewer.css has them as custom properties.

const NAMES = ["paper", "ink", "muted", "grid", "blue", "orange", "green", "purple", "alarm"];

/** Return the colours of an element's theme by name. */
export function coloursOf(target) {
  const style = getComputedStyle(target);
  const colours = Object.fromEntries(NAMES.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
  for (const name of ["depths", "others"]) colours[name] = style.getPropertyValue(`--${name}`).split(",").map((one) => one.trim());
  return colours;
}

/** Return `count` colours from the first layer to the last. */
export function depthColours(colours, count) {
  const stops = colours.depths.map(channels);
  return Array.from({ length: count }, (_, place) => {
    const at = count < 2 ? 0 : (place / (count - 1)) * (stops.length - 1);
    const first = Math.min(Math.floor(at), stops.length - 2);
    return `rgb(${stops[first].map((from, channel) => Math.round(from + (at - first) * (stops[first + 1][channel] - from))).join(" ")})`;
  });
}

/** Return the red, green and blue of a colour like #1b2a41. */
export function channels(colour) {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

/** Call a function when the theme changes. */
export function onTheme(act) {
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", act);
}
