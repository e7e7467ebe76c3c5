#!/usr/bin/env bash
# rustbpe 0.1.0, bpeasy 0.1.6, tokenizers 0.23.3, gigabpe 0.1.0, turbobpe 0.1.2: one text, one way to cut it, many sets of merges.
#
# In `ab ba cd dc` every pair of neighbours occurs once, so each merge is a tie, and no paper says who wins a tie. rustbpe and
# bpeasy take the smaller bytes, so pairs with a space come first. tokenizers and gigabpe compare ids in GPT-2's byte alphabet,
# where the space is a letter after z and comes last. turbobpe goes by the order of the text, and takes several merges from one
# count. Counting again after each merge, as minbpe does, would make ` ba` the third.
# Why it surprises: all five present themselves as the same algorithm, and on text without spaces the first three agree.
# Seen: three different vocabularies from five trainers, none of them that of minbpe's rule.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check rustbpe==0.1.0 bpeasy==0.1.6 tokenizers==0.23.3 gigabpe==0.1.0 turbobpe==0.1.2

cat >"$folder/look.py" <<'PYTHON'
import contextlib, io, json, pathlib
import bpeasy, gigabpe, rustbpe
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers
with contextlib.redirect_stdout(io.StringIO()):  # it prints when it is imported
    import turbobpe

TEXT, PATTERN, SIZE = "ab ba cd dc", r" ?\p{L}+", 256 + 4
rust = rustbpe.Tokenizer()
rust.train_from_iterator([TEXT], vocab_size=SIZE, pattern=PATTERN)
easy = bpeasy.train_bpe(iter([TEXT]), PATTERN, 8, SIZE)
face = Tokenizer(models.BPE())
split = pre_tokenizers.Split(Regex(PATTERN), "isolated")
face.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(False, use_regex=False)])
letters = pre_tokenizers.ByteLevel.alphabet()
face.train_from_iterator([TEXT], trainers.BpeTrainer(vocab_size=SIZE, initial_alphabet=letters, show_progress=False))
pathlib.Path("text").write_text(TEXT)
_, giga = gigabpe.train_bpe(["text"], vocab_size=SIZE, pretokenizer="bytelevel")
turbo = turbobpe.RegexTokenizer(PATTERN)
turbo.train(TEXT, SIZE)

def show(name, merges):
    print(f"{name:10}", "|".join(merge.replace("\u0120", " ") for merge in merges[:4]))

show("rustbpe", [bytes(token).decode() for token, _ in rust.get_mergeable_ranks()[256:]])
show("bpeasy", [token.decode() for token in sorted(easy, key=easy.get)[256:]])
show("tokenizers", ["".join(pair) for pair in json.loads(face.to_str())["model"]["merges"]])
show("gigabpe", ["".join(pair) for pair in giga])
show("turbobpe", [turbo.vocab[i].decode() for i in range(256, SIZE)])
PYTHON
cat >"$folder/expected" <<'EXPECTED'
rustbpe     b| c| d|ab
bpeasy      b| c| d|ab
tokenizers ab|ba|cd|dc
gigabpe    ab|ba|cd|dc
turbobpe   ab| b| c| d
EXPECTED

cd "$folder"
venv/bin/python look.py 2>notes | tee seen || { cat notes >&2; exit 1; }
diff expected seen || { echo "bpe_ties: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "bpe_ties: as expected"
