# The source of a notebook: see backlight/lessons/notebook.py for its form, and `make notebooks` to make it again.

# %% [markdown]
# # Lesson 8: tokens
#
# All networks so far read one character at a time. GPT-2 does not, and neither does any large language model: they read
# **tokens**, pieces of text that are learnt from a corpus before the network is trained. This lesson builds such a
# tokenizer, byte-pair encoding, with nothing but lists: train it, encode, decode. Then it looks at what real tokenizers
# add, and at how losses are compared when two models cut the same text in different ways.

# %%
import math
from collections import Counter
from itertools import pairwise

import numpy as np

from backlight.lessons import check
from backlight.lessons.display import show
from backlight.lessons.figures.gpt import named_curves
from backlight.lessons.figures.tokens import cut_texts
from backlight.text import load_corpus
from backlight.text.tokenizers import BPETokenizer
from backlight.text.tokenizers.plain.basic import BasicTokenizer
from backlight.text.tokenizers.plain.pieces import PiecesTokenizer
from backlight.text.tokenizers.plain.special import SpecialTokenizer

# %% [markdown]
# ## Bytes
#
# There are about 150,000 characters in Unicode, most of them rare. A vocabulary of all of them would be large, and one
# of those in the corpus could not read others. Bytes solve this. UTF-8 writes each character as one to four bytes, and
# there are only 256 of them. With bytes as tokens, nothing is ever unknown:

# %%
for character in "aé€🐚":
    print(f"{character}  U+{ord(character):05X}  {list(character.encode())}")
line = "she sells sea shells by the sea shore"
print(f"{len(line)} characters, {len(line.encode())} bytes: English has one byte a character")

# %% [markdown]
# But then a text becomes as many tokens as it has bytes, and attention reads only so many positions. A context of 1,024
# bytes is half a page. If frequent groups of bytes were one token each, the same context would hold several times as
# much text. **Byte-pair encoding** finds these groups: it counts all pairs of neighbours, makes the most frequent pair
# a new token, and starts again.
#
# ### Exercise 8.1: the most frequent pair
#
# Write `most_frequent_pair(ids)` for a list of at least two whole numbers. Return the pair of neighbours
# `(left, right)` that occurs most often, as a tuple. If several pairs occur equally often, return the one whose first
# occurrence comes first. `pairwise(ids)` gives all pairs of neighbours, in order; `Counter` counts them and keeps the
# order in which it first saw each; and `max(counts, key=counts.get)` returns the first of the largest. Pairs may
# overlap: in `[7, 7, 7]`, the pair (7, 7) occurs twice.


# %%
def most_frequent_pair(ids):
    # solution begins
    # instead: return ids[0], ids[1]
    counts = Counter(pairwise(ids))
    return max(counts, key=counts.get)
    # solution ends


check("8.1", most_frequent_pair)

# %% [markdown]
# Why say what happens to ties at all? Because two programs that break them differently learn different tokens from the
# same text, and a network that was trained with one cannot read the ids of the other. Programs do differ in this.
#
# ### Exercise 8.2: merge a pair
#
# Write `merge_pair(ids, left, right, token)`. Return a new list in which each occurrence of `left` followed by `right`
# is replaced by `token`. Go from left to right; what has been replaced is not looked at again. So in `[7, 7, 7]` the
# pair (7, 7) becomes `[token, 7]`. Leave `ids` as it is.


# %%
def merge_pair(ids, left, right, token):
    # solution begins
    # instead: return list(ids)
    merged, i = [], 0
    while i < len(ids):
        if i + 1 < len(ids) and ids[i] == left and ids[i + 1] == right:
            merged.append(token)
            i += 2
        else:
            merged.append(ids[i])
            i += 1
    return merged
    # solution ends


check("8.2", merge_pair)

# %% [markdown]
# ## Training
#
# With these two, training is a loop. The first merge gets the id 256, after the bytes, the second 257, and so on.
# `BasicTokenizer` of the package is this loop; its source is a page, `backlight/text/tokenizers/plain/basic.py`.

# %%
basic = BasicTokenizer()
basic.train(line, 256 + 8)
for (left, right), token in basic.merges.items():
    print(f"{token}: {basic.tokens[left]!r} + {basic.tokens[right]!r} = {basic.tokens[token]!r}")
ids = basic.encode(line)
print(f"{len(line)} bytes are now {len(ids)} tokens: {ids}")

# %% [markdown]
# The first merges join letters, and later ones join what earlier ones made. So a token has a history, a small tree of
# merges. On nine plays of Shakespeare, the tokens become syllables, then words. How much shorter does the text get?

# %%
play = load_corpus("shakespeare").items[0]
train, held_out = play[:900_000], play[900_000:1_000_000]
curve, sizes = [], [256, 300, 400, 512, 768, 1024, 2048, 4096]
for size in sizes:
    tokenizer = BPETokenizer.train(train, size)
    curve.append(len(held_out.encode()) / len(tokenizer.encode(held_out)))
    print(f"{size:5,} tokens in the vocabulary: {curve[-1]:.2f} bytes a token on text that was not in training")
show(named_curves({"Shakespeare": (sizes, curve)}, over="tokens in the vocabulary", of="bytes a token"))

# %% [markdown]
# The first hundred merges gain the most, and then each doubling gains less. Larger vocabularies also cost: the
# embedding and the output layer have a row for each token, and rare tokens are seen rarely in training. GPT-2 has
# 50,257 tokens.
#
# ## Encoding
#
# A new text must be cut as the training would have cut it. So the merges are applied in the order in which they were
# learnt: among the pairs of the text, find the one that was learnt first, merge it wherever it occurs, and repeat until
# no pair has a merge. It is tempting to take the merges in the order of the *text* instead, from left to right. That
# would merge ab first here, and give other tokens:

# %%
two = BasicTokenizer()
two.add((ord("b"), ord("c")), 256)
two.add((ord("a"), ord("b")), 257)
print(f"merges {two.tokens[256:]}: the text abc is {[two.tokens[i] for i in two.encode('abc')]}")

# %% [markdown]
# ### Exercise 8.3: encode
#
# Write `apply_merges(ids, merges)`. `ids` is a list of bytes, and `merges` a list of pairs `(left, right)` in the order
# in which they were learnt: the first makes the token 256, the next 257, and so on. Return the list of tokens. You may
# call `merge_pair`, and find the number of a merge with `merges.index(pair)`.


# %%
def apply_merges(ids, merges):
    # solution begins
    # instead: return list(ids)
    for number, (left, right) in enumerate(merges):
        ids = merge_pair(ids, left, right, 256 + number)
    return list(ids)
    # solution ends


check("8.3", apply_merges)

# %% [markdown]
# ## Decoding, and bytes that are no text
#
# Decoding is easier: each token stands for some bytes; put them together, and read them as UTF-8. But a token may end
# inside a character. A network can generate any sequence of tokens, also one that is no valid UTF-8, and decoding must
# not fail on it. Such bytes are shown as U+FFFD:

# %%
shell = list("🐚".encode())
print(shell, "is", basic.decode(shell))
print(shell[:3], "is", ascii(basic.decode(shell[:3])))

# %% [markdown]
# ## Pieces first
#
# Without further rules, merges cross the borders of words: "the cat," and "the cat." would become different tokens,
# with nothing in common. So GPT-2 first splits the text into pieces with a regular expression, and merges only within
# them: words with the space before them, numbers, punctuation, and white space. GPT-4 splits differently: for example,
# it cuts numbers after three digits.

# %%
sentence = "the cat, the cat. the cat! the cat? 12345 cats"
cuts = {}
for pattern in ("gpt2", "gpt4"):
    pieces = PiecesTokenizer(pattern)
    pieces.train(sentence, 256 + 10)
    print(f"{pattern} splits {pieces.splitter.split(sentence)}")
    print(f"     and learns {pieces.tokens[256:]}")
    cuts[f"{pattern}, 10 merges"] = [pieces.tokens[i].decode() for i in pieces.encode(sentence)]
whole = BasicTokenizer()
whole.train(sentence, 256 + 10)
cuts["no pieces, 10 merges"] = [whole.tokens[i].decode() for i in whole.encode(sentence)]
show(cut_texts(cuts))

# %% [markdown]
# Each box is a token. Without pieces, the last merges build a single token of four words, which helps nowhere else, and
# the later cats have other tokens than the first ones. GPT-2's pieces keep words apart, and GPT-4's also keep the
# digits in groups. `backlight tokens TEXT` shows any text in this way, with the merges that made each token.
#
# ## Special tokens
#
# Some tokens stand for no text. GPT-2's `<|endoftext|>` is put between two documents, and tells the network that what
# came before no longer matters. It must be added by the program and never by the text: if a user could type the end of
# a document, or of a chat's instructions, the text would give orders. So its name within a text is an error unless the
# caller allows it.

# %%
special = SpecialTokenizer("gpt2")
special.train("once upon a time there was a text, and once it was read, it was over", 256 + 10)
end = special.add_special("<|endoftext|>")
print([special.tokens[i] for i in special.encode("it was over<|endoftext|>once", frozenset({"<|endoftext|>"}))])
try:
    special.encode("typed by a user: <|endoftext|>")
except ValueError as error:
    print(error)

# %% [markdown]
# ## Comparing losses
#
# A model that predicts tokens has a higher loss than one that predicts characters: a token is harder to guess, and
# there are more of them to choose from. But there are fewer tokens in a text. What can be compared is the loss for the
# *same text*: the sum over its tokens, divided by something that does not depend on the tokenizer, its number of bytes.
# In bits, that is **bits per byte**: how many bits a perfect compressor would need for each byte if it used the model.
#
# ### Exercise 8.4: bits per byte
#
# Write `bits_per_byte(nats, lengths)` for a text of n tokens. `nats` is a list with the negative log-likelihood of each
# token in nats, the loss as `cross_entropy` has it, before the mean. `lengths` is a list with the length of each token
# in bytes. Return the bits per byte of the whole text, a number. One nat is 1 / ln 2 bits; `math.log(2)` is ln 2.


# %%
def bits_per_byte(nats, lengths):
    # solution begins
    # instead: return None
    return sum(nats) / math.log(2) / sum(lengths)
    # solution ends


check("8.4", bits_per_byte)

# %% [markdown]
# Here are two bigram models, as in lesson 2: counts of pairs, with a little added to each. One counts pairs of bytes,
# the other pairs of tokens.

# %%
for size in (256, 512, 1024):
    tokenizer = BPETokenizer.train(train, size)
    known, new = tokenizer.encode(train), tokenizer.encode(held_out)
    pairs = np.full((size, size), 0.02)
    np.add.at(pairs, (known[:-1], known[1:]), 1)
    nats = -np.log(pairs[new[:-1], new[1:]] / pairs.sum(1)[new[:-1]])
    lengths = [len(tokenizer.token(i)) for i in new[1:].tolist()]
    bits = nats.sum() / math.log(2) / sum(lengths)
    print(f"{size:5,} tokens: {nats.mean():.3f} nats a token, {bits:.3f} bits per byte")

# %% [markdown]
# By the loss per token, the bytes would win. By bits per byte they lose: a pair of tokens spans more text than a pair
# of bytes. `backlight train FILE --tokens bpe:512` trains any network on tokens, and its losses are per character, so
# that they compare with those of characters.

# %% [markdown]
# ## What you can now do
#
# - train byte-pair encoding by hand, and say why ties and the order of merges must be fixed
# - encode a text, and decode tokens that are no valid text
# - say what splitting into pieces and special tokens are for
# - compare models with different tokens by bits per byte
#
# **Sources.** Andrej Karpathy, [Let's build the GPT Tokenizer](https://www.youtube.com/watch?v=zduSFxRajkE) (2024).
# Gage 1994, [A New Algorithm for Data Compression](http://www.pennelynn.com/Documents/CUJ/HTML/94HTML/19940045.HTM);
# Sennrich, Haddow & Birch 2016, [Neural Machine Translation of Rare Words with Subword
# Units](https://arxiv.org/abs/1508.07909); Radford et al. 2019, section 2.2, for bytes and pieces.
