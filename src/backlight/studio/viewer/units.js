// What a record of units holds: numbers of 2 hexadecimal digits, and for each unit its strongest inputs.

/** Return the value of a unit at a position of the line. */
export function valueAt({ units, scale, values }, position, unit) {
  return byteAt(values, position * units + unit) * Number(scale);
}

/**
 * Return the strongest inputs of a unit, the strongest first.
 * @param {object} text the record of the line, whose embedding has the tokens
 * @param {object} record of the layer's units
 * @returns {{text: string, weight: number, layer?: string, unit?: number}[]} layer and unit, where an input is one
 */
export function inputsOf(text, { strongest = 0, inputs = "", input_scale: scale = 1, sources = [] }, unit) {
  return Array.from({ length: strongest }, (_, nth) => {
    const at = 8 * (unit * strongest + nth);
    const place = parseInt(inputs.slice(at, at + 6), 16);
    return { ...named(place, sources, text.embedding?.tokens ?? []), weight: byteAt(inputs, at / 2 + 3) * Number(scale) };
  });
}

function byteAt(digits, at) {
  return (parseInt(digits.slice(2 * at, 2 * at + 2), 16) - 128) / 127;
}

function named(place, sources, tokens) {
  let left = place;
  const at = sources.findIndex((one) => {
    if (left < one.count) return true;
    left -= one.count;
    return false;
  });
  const { layer, places = 0, before = false } = sources[at] ?? { layer: "" };
  if (places) {
    const back = places - Math.floor(left / tokens.length);
    const token = `“${tokens[left % tokens.length]}”`;
    return { text: places === 1 ? token : `${token}, ${back === 1 ? "read last" : `${back} back`}` };
  }
  if (!layer) return { text: `input ${left}` };
  const same = sources.filter((one) => one.layer === layer && Boolean(one.before) === before);
  const which = same.length > 1 ? `, place ${same.indexOf(sources[at]) + 1} of ${same.length}` : before ? ", before" : "";
  return { text: `unit ${left} of ${layer}${which}`, layer, unit: left };
}
