// Texts to ids and back: characters, or the matches of a pattern (text/vocabulary.py, text/tokenizers/pattern.py).

const FIRST_LABEL = 0xf0000; // the characters that stand for labels (text/labels.py)

export class Tokens {
  /** @param {{pattern: string | null, spellings: string[], shown: string[], marks: string[] | null, form: string}} facts */
  constructor({ pattern, spellings, shown, marks, form }) {
    Object.assign(this, { spellings, shown, marks, form });
    this.pattern = pattern === null ? /[^]/gu : new RegExp(`(?:${pattern})|[^]`, "gu");
    this.ids = new Map(spellings.map((spelling, id) => [spelling, id]).slice(1)); // 0 is the boundary
  }

  /**
   * Return the ids of a text.
   * @throws {Error} if it has a character that is not in the vocabulary, with a sentence for the reader
   */
  encode(text) {
    const written = this.form === "none" ? text : text.normalize(this.form.toUpperCase());
    const matches = written.match(this.pattern) ?? [];
    return matches.flatMap((match) => (this.ids.has(match) ? [this.ids.get(match)] : [...match].map((one) => this.id(one))));
  }

  id(character) {
    const id = this.ids.get(character);
    if (id === undefined) throw new Error(`The model has no “${character}” in its vocabulary: it was not in the text that it learnt.`);
    return id;
  }

  /** Return the text of ids as it is shown; a label before it is left out. */
  decode(ids) {
    const text = ids.map((id) => this.spellings[id]).join("");
    const plain = this.marks && text.codePointAt(0) >= FIRST_LABEL ? text.slice(2) : text;
    return this.form === "nfd" ? plain.normalize("NFC") : plain;
  }

  /** Return the character that precedes texts with a label. */
  mark(label) {
    return String.fromCodePoint(FIRST_LABEL + this.marks.indexOf(label));
  }
}
