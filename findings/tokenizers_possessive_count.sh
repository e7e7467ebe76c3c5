#!/usr/bin/env bash
# tokenizers 0.23.3, against tiktoken 0.14.0 and regex 2026.11.19: the same pattern cuts numbers in other places.
#
# The patterns of recent tiktoken vocabularies write their counts possessively: \p{N}{1,3}+ means "one to three digits, and
# never give one back". In the engine of `tokenizers` (Oniguruma) a plus after {1,3} is not possessive but one more repetition:
# "one to three digits, once or more". So the pattern of a tiktoken vocabulary, copied into a tokenizer.json as it is, leaves
# every number whole. After * and + the same engine does read the second plus as possessive.
# Why it surprises: both engines take the pattern without a word, and agree on text without long numbers.
# Seen: 1234567 is one piece in tokenizers, and 123 456 7 in tiktoken and regex.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check tokenizers==0.23.3 tiktoken==0.14.0 regex==2026.11.19

cat >"$folder/look.py" <<'PYTHON'
import regex
import tiktoken
from tokenizers import Regex, pre_tokenizers

TEXT = "in 1234567 days"
substrings = {TEXT[i:j].encode() for i in range(len(TEXT)) for j in range(i + 1, len(TEXT) + 1)}
ranks = {bytes([byte]): byte for byte in range(256)}
for substring in sorted(substrings):  # every piece is one token, so the tokens are the pieces
    ranks.setdefault(substring, len(ranks))

for pattern in r"\p{N}{1,3}|\P{N}+", r"\p{N}{1,3}+|\P{N}+", r"\p{N}{1,3}+|\P{N}++":
    split = pre_tokenizers.Split(Regex(pattern), "isolated")
    encoding = tiktoken.Encoding("x", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
    print(pattern)
    print("  tokenizers", [piece for piece, _ in split.pre_tokenize_str(TEXT)])
    print("  tiktoken  ", [encoding.decode([token]) for token in encoding.encode(TEXT)])
    print("  regex     ", regex.findall(pattern, TEXT))
PYTHON
cat >"$folder/expected" <<'EXPECTED'
\p{N}{1,3}|\P{N}+
  tokenizers ['in ', '123', '456', '7', ' days']
  tiktoken   ['in ', '123', '456', '7', ' days']
  regex      ['in ', '123', '456', '7', ' days']
\p{N}{1,3}+|\P{N}+
  tokenizers ['in ', '1234567', ' days']
  tiktoken   ['in ', '123', '456', '7', ' days']
  regex      ['in ', '123', '456', '7', ' days']
\p{N}{1,3}+|\P{N}++
  tokenizers ['in ', '1234567', ' days']
  tiktoken   ['in ', '123', '456', '7', ' days']
  regex      ['in ', '123', '456', '7', ' days']
EXPECTED

cd "$folder"
venv/bin/python look.py 2>notes | tee seen || { cat notes >&2; exit 1; }
diff expected seen || { echo "tokenizers_possessive_count: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "tokenizers_possessive_count: as expected"
