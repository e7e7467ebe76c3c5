#!/usr/bin/env bash
# @huggingface/tokenizers 0.2.0 (npm), beside tokenizers 0.23.3 and tiktoken 0.14.0 (PyPI): with the pattern that tiktoken has for
# cl100k_base, JavaScript splits blank lines that the other two keep together.
#
# JavaScript has no possessive quantifiers. The npm package reads `\s++$` as `\s+$`, and `$` as the end of any line: `\s+$` gives
# back what it took until it stands before a newline, so that each of the newlines becomes a piece. Possessive `\s++$` takes all
# white space, fails, and leaves the newlines to `\s*[\r\n]`, which takes them together.
# Why it surprises: the file is accepted, and nearly all else has the same ids (20 texts with apostrophes, digits, other scripts and
# control characters were tried); with the older form of the same pattern, without possessive quantifiers, all has. The
# guess was that a pattern which JavaScript cannot express is refused. Blank lines are in every text.
# Seen: for "a\n\nb", the newlines are one token for tokenizers and tiktoken, and two tokens for JavaScript.
# Needs Node.js with npm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check tokenizers==0.23.3 tiktoken==0.14.0
(cd "$folder" && npm install --silent --no-audit --no-fund @huggingface/tokenizers@0.2.0 >/dev/null)

cat >"$folder/look.py" <<'PYTHON'
import json
import sys

import tiktoken
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers

PATTERNS = {
    "possessive": r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s",
    "older": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}
TEXTS = json.load(open("texts.json"))
letters = sorted(pre_tokenizers.ByteLevel.alphabet())
newline = "\u010a"
for name, pattern in PATTERNS.items():
    merges = [(newline, newline), (newline * 2, newline)]
    vocabulary = {token: i for i, token in enumerate([*letters, newline * 2, newline * 3])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.save(f"{name}.json")
    ranks = {bytes([i]): i for i in range(256)} | {b"\n\n": 256, b"\n\n\n": 257}
    rust = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    for text in TEXTS:
        print(f"{name} {json.dumps(text)}: tokenizers {len(tokenizer.encode(text).ids)}, tiktoken {len(rust.encode(text))}")
PYTHON
cat >"$folder/look.mjs" <<'JAVASCRIPT'
import fs from "fs";
import { Tokenizer } from "@huggingface/tokenizers";

const texts = JSON.parse(fs.readFileSync("texts.json"));
for (const name of ["possessive", "older"]) {
  const tokenizer = new Tokenizer(JSON.parse(fs.readFileSync(`${name}.json`)), {});
  for (const text of texts) console.log(`${name} ${JSON.stringify(text)}: JavaScript ${tokenizer.encode(text).ids.length}`);
}
JAVASCRIPT
cat >"$folder/texts.json" <<'JSON'
["a\n\nb", "a\n\n  b", "a:\n\nb", "a  \n"]
JSON
cat >"$folder/expected" <<'EXPECTED'
possessive "a\n\nb": tokenizers 3, tiktoken 3
possessive "a\n\n  b": tokenizers 5, tiktoken 5
possessive "a:\n\nb": tokenizers 4, tiktoken 4
possessive "a  \n": tokenizers 4, tiktoken 4
older "a\n\nb": tokenizers 3, tiktoken 3
older "a\n\n  b": tokenizers 5, tiktoken 5
older "a:\n\nb": tokenizers 4, tiktoken 4
older "a  \n": tokenizers 4, tiktoken 4
possessive "a\n\nb": JavaScript 4
possessive "a\n\n  b": JavaScript 6
possessive "a:\n\nb": JavaScript 4
possessive "a  \n": JavaScript 4
older "a\n\nb": JavaScript 3
older "a\n\n  b": JavaScript 5
older "a:\n\nb": JavaScript 4
older "a  \n": JavaScript 4
EXPECTED

cd "$folder"
{ venv/bin/python look.py && node look.mjs; } 2>notes | tee seen || { cat notes >&2; exit 1; }
diff expected seen || { echo "js_tokenizer_blank_lines: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "js_tokenizer_blank_lines: as expected"
