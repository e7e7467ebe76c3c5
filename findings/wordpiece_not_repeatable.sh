#!/usr/bin/env bash
# tokenizers 0.23.3: a trainer with a prefix or suffix learns another vocabulary each time, from the same text.
#
# Twenty times in one process, the same sentence goes to the same trainer. Plain BPE gives one vocabulary. WordPiece, and BPE with
# `continuing_subword_prefix`, give the letters new ids on nearly every run, and as ids break ties, even other tokens. BPE with
# `end_of_word_suffix` gives the same tokens under other ids. Nothing takes a seed.
# Why it surprises: the trainer counts, it draws nothing at random, and the BPE trainer beside it is repeatable. A tokenizer
# trained again for the same model has ids that mean something else.
# Seen: 1 vocabulary in 20 for BPE, for the others (nearly) 20, with more than one set of tokens for those with a prefix.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-compile --disable-pip-version-check tokenizers==0.23.3

cat >"$folder/look.py" <<'PYTHON'
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

TEXT = "the theory of the thing is that the other things then gather there rather than in the north "
KINDS = {
    "BPE": (models.BPE, trainers.BpeTrainer, {}),
    "BPE with suffix": (models.BPE, trainers.BpeTrainer, {"end_of_word_suffix": "</w>"}),
    "BPE with prefix": (models.BPE, trainers.BpeTrainer, {"continuing_subword_prefix": "##"}),
    "WordPiece": (models.WordPiece, trainers.WordPieceTrainer, {}),
}
for name, (model, trainer, options) in KINDS.items():
    numbered, tokens = set(), set()
    for _ in range(20):
        tokenizer = Tokenizer(model())
        tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
        tokenizer.train_from_iterator([TEXT * 3], trainer(vocab_size=30, show_progress=False, **options))
        vocabulary = tokenizer.get_vocab()
        numbered.add(tuple(sorted(vocabulary, key=vocabulary.get)))
        tokens.add(frozenset(vocabulary))
    ids = "always the same ids" if len(numbered) == 1 else "ids differ"
    print(f"{name}: {ids}, {'always the same tokens' if len(tokens) == 1 else 'tokens differ'}")
PYTHON
cat >"$folder/expected" <<'EXPECTED'
BPE: always the same ids, always the same tokens
BPE with suffix: ids differ, always the same tokens
BPE with prefix: ids differ, tokens differ
WordPiece: ids differ, tokens differ
EXPECTED

cd "$folder"
venv/bin/python look.py 2>notes | tee seen || { cat notes >&2; exit 1; }
diff expected seen || { echo "wordpiece_not_repeatable: not what was seen before (< expected, > seen now)" >&2; exit 1; }
echo "wordpiece_not_repeatable: as expected"
