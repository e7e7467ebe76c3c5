#!/usr/bin/env bash
# tokenizers 0.23.3: with `limit_alphabet`, BPE learns tokens that occur nowhere in the text.
#
# `limit_alphabet=2` keeps the two most frequent letters, here c and t. The others are not set aside as unknown: they are taken
# out of the words before pairs are counted, so c and t become neighbours across the gap and `ct` becomes the first and only
# merge. Without an unknown token the encoder drops letters the same way, and reads `cat`, `cut` and `ct` as one token, with
# offsets that count the letters that are left: in `cart` the token `ct` claims to be `ca`.
# Why it surprises: the guess was that a rare letter ends a run of mergeable ones, so that this text teaches no merge at all.
# Seen: the merge (c, t) from a text without `ct`, and `cart` encoded as `ct` at (0, 2).
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check tokenizers==0.23.3

cat >"$folder/look.py" <<'PYTHON'
import json
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

TEXT = "caat coot ciit " * 3
tokenizer = Tokenizer(models.BPE())
tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
tokenizer.train_from_iterator([TEXT], trainers.BpeTrainer(vocab_size=50, limit_alphabet=2, show_progress=False))
print("'ct' in the text:", "ct" in TEXT)
print("merges:", json.loads(tokenizer.to_str())["model"]["merges"])
for word in "cat", "cut", "ct", "cart":
    encoding = tokenizer.encode(word)
    print(word, encoding.tokens, encoding.offsets)
PYTHON
cat >"$folder/expected" <<'EXPECTED'
'ct' in the text: False
merges: [['c', 't']]
cat ['ct'] [(0, 2)]
cut ['ct'] [(0, 2)]
ct ['ct'] [(0, 2)]
cart ['ct'] [(0, 2)]
EXPECTED

cd "$folder"
venv/bin/python look.py 2>notes | tee seen || { cat notes >&2; exit 1; }
diff expected seen || { echo "tokenizers_limit_alphabet: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "tokenizers_limit_alphabet: as expected"
