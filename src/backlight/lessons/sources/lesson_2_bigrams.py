# The source of a notebook: see backlight/lessons/notebook.py for its form, and `make notebooks` to make it again.

# %% [markdown]
# # Lesson 2: what follows what
#
# A language model predicts what comes next. The smallest useful one looks back at a single character. This lesson
# builds it twice: first by counting, then as a neural network that is trained. The two turn out to be the same model,
# number for number, and understanding why is worth more than the model itself.
#
# `backlight.torchlike` has PyTorch's function names, and its random numbers too: what you see here is what PyTorch
# would print.

# %%
import math
from collections import Counter

import numpy as np

import backlight.torchlike as torch
import backlight.torchlike.nn.functional as F
from backlight import figures
from backlight.lessons import check
from backlight.lessons.display import fast, show
from backlight.lessons.figures.bigrams import one_hot_rows, picked_row, smoothing_losses
from backlight.models import NGram, NGramConfig
from backlight.text import Vocabulary, Windows, load_corpus, split_corpus

# %% [markdown]
# ## The text
#
# The data are given names, one per line. The name "emma" contains five things to learn: a name may begin with e, e may
# be followed by m, m by m or a, and after a the name may end. A dot marks the start and the end of a name.

# %%
corpus = load_corpus("names")
words = list(corpus.items)
print(f"{len(words):,} names, of {min(map(len, words))} to {max(map(len, words))} letters:", ", ".join(words[:8]))


def pairs_of(word):
    text = "." + word + "."
    return list(zip(text, text[1:], strict=False))


print(" ".join(a + b for a, b in pairs_of("emma")))

# %% [markdown]
# ## Counting

# %%
counted = Counter(pair for word in words for pair in pairs_of(word))
for (first, second), count in counted.most_common(6):
    print(f"{first}{second}  {count:,}")

# %% [markdown]
# To compute with the counts, put them into a table `N`. Each character gets a number, and the dot gets 0; `N[i, j]` is
# how often character j came after character i.

# %%
letters = sorted(set("".join(words)))
stoi = {".": 0, **{letter: i for i, letter in enumerate(letters, 1)}}
itos = {i: letter for letter, i in stoi.items()}
V = len(stoi)
N = torch.zeros((V, V), dtype=torch.int32)
for (first, second), count in counted.items():
    N[stoi[first], stoi[second]] += count
labels = [itos[i] for i in range(V)]
print(f"{V} characters, a table of {V * V} cells, {(N == 0).sum().item()} of them empty")

# %%
show(figures.bigram_counts(N.numpy(), labels))

# %% [markdown]
# A row holds everything that this model will ever know about what follows its character. Row `.` shows how names begin,
# and column `.` how they end. Row q is nearly empty, except for u.
#
# ### Exercise 2.1: count trigrams
#
# Look back two characters instead of one. Write `trigram_counts(words, stoi)`. `stoi` maps each of V characters to a
# number, "." to 0. Return an array of shape (V, V, V): `counts[i, j, k]` is how often the characters i, j, k occurred
# in this order. Put two dots before each word, so that its first letter has two characters before it, and one dot after
# it.


# %%
def trigram_counts(words, stoi):
    # solution begins
    # instead: return None
    counts = np.zeros((len(stoi), len(stoi), len(stoi)), dtype=int)
    for word in words:
        text = ".." + word + "."
        for a, b, c in zip(text, text[1:], text[2:], strict=False):
            counts[stoi[a], stoi[b], stoi[c]] += 1
    return counts
    # solution ends


check("2.1", trigram_counts)

# %% [markdown]
# ## Sampling
#
# Divide each row by its sum, and it becomes a probability distribution. To sample a new name, start at the dot, draw
# the next character from the dot's row, go to the row of that character, and continue until a dot is drawn.

# %%
P = N.float()
P = P / P.sum(1, keepdim=True)
print("row sums:", P.sum(1)[:4].tolist(), "...")
show(figures.next_character(P[0].numpy(), labels, after=""))


# %%
def sample(P, count, seed):
    generator, found = torch.Generator().manual_seed(seed), []
    for _ in range(count):
        at, word = 0, ""
        while True:
            at = torch.multinomial(P[at], num_samples=1, replacement=True, generator=generator).item()
            if at == 0:
                break
            word += itos[at]
        found.append(word)
    return found


print("bigram: ", *sample(P, 8, seed=2147483647))
print("uniform:", *sample(torch.ones((V, V)) / V, 2, seed=2147483647))

# %% [markdown]
# These are bad names, but far better than random letters. `keepdim=True` above matters. Without it the sums have shape
# (V,) and broadcast *along* the rows: each column is divided by a sum, and the rows do not sum to 1. No error is
# raised:

# %%
wrong = N.float() / N.float().sum(1)
print("row sums without keepdim:", [round(one, 3) for one in wrong.sum(1)[:4].tolist()])

# %% [markdown]
# ## How good is it?
#
# Ask the model for the probability of each character that actually came next. The product of these probabilities is the
# *likelihood* of the text. It is far too small for floating-point numbers, so take logs, which add up instead. Change
# the sign, so that smaller is better, and divide by the number of characters. This is the *loss*, in nats per
# character. (A nat is the unit that belongs to the natural log; ln 2 nats, about 0.69, are one bit.)


# %%
def nll_of(word, P):
    return [-math.log(p) if p else math.inf for p in (P[stoi[a], stoi[b]].item() for a, b in pairs_of(word))]


nats = nll_of("emma", P)
print(f"emma: {sum(nats):.2f} nats, {sum(nats) / len(nats):.2f} per character")
show(figures.surprise([*"emma", "."], np.array(nats), uniform=math.log(V)))


# %%
def loss_of(P, N):
    N, P = N.numpy().astype(float), P.numpy().astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        return -np.where(N > 0, N * np.log(P), 0.0).sum() / N.sum()


print(f"all names, counted:     {loss_of(P, N):.4f} nats per character")
print(f"a uniform guess, ln {V}: {math.log(V):.4f}")

# %% [markdown]
# ## Smoothing, and splitting the data
#
# A pair that never occurred has probability 0 and therefore infinite loss. One such pair makes a name impossible:

# %%
for word in ("anna", "axqa"):
    print(word, [round(one, 2) for one in nll_of(word, P)])

# %% [markdown]
# So pretend that every pair was seen `k` more times than it was; `k` need not be an integer. The larger `k`, the
# smoother the distribution: for a very large `k` all characters are equally likely. Which `k` is best? The text that
# was counted cannot answer that, since on that text less smoothing is always better. It takes text that was *not*
# counted. So the names are split into three parts: **train** to learn from, **dev** to choose settings by, and **test**
# to use once, at the end.
#
# ### Exercise 2.2: split 80 / 10 / 10
#
# Write `split(words, seed)`. Shuffle the words and return three lists: train, dev and test. Of n words, train ends at
# `int(0.8 * n)` and dev at `int(0.9 * n)`. The same seed must give the same three lists. Use
# `np.random.default_rng(seed).permutation(n)` or anything else that shuffles. Which word goes where is up to you: the
# check tests only what must be true of any split.


# %%
def split(words, seed):
    # solution begins
    # instead: return None
    order = np.random.default_rng(seed).permutation(len(words))
    mixed = [words[i] for i in order]
    n1, n2 = int(0.8 * len(words)), int(0.9 * len(words))
    return mixed[:n1], mixed[n1:n2], mixed[n2:]
    # solution ends


check("2.2", split)

# %% [markdown]
# ### Exercise 2.3: smoothing, tuned on dev
#
# Write `tune_smoothing(train, dev, ks)`. `train` and `dev` are arrays (V, V) with the pair counts of the two parts; the
# row is the first character. For each `k` in `ks`, add `k` to every count of `train` and divide each row by its sum:
# these are the probabilities. The loss of `k` is the mean of -log p over all pairs of `dev`, each weighted by its
# count. Return an array of all the losses, and the `k` with the lowest loss. `np.argmin` gives the index of the lowest.


# %%
def tune_smoothing(train, dev, ks):
    # solution begins
    # instead: return None
    losses = []
    for k in ks:
        probs = train + k
        probs = probs / probs.sum(1, keepdims=True)
        losses.append(-(dev * np.log(probs)).sum() / dev.sum())
    return np.array(losses), ks[int(np.argmin(losses))]
    # solution ends


check("2.3", tune_smoothing)

# %% [markdown]
# Now use this package's own split and counts, and look back one to three characters. The further a model looks back,
# the fewer examples it has of each context, and the more it depends on the right `k`:

# %%
parts = split_corpus(corpus, seed=42)
vocabulary = Vocabulary.of(words)
train, dev, test = (vocabulary.encode_items(part.items) for part in (parts.train, parts.dev, parts.test))
ks = fast([0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0], [0.1, 1.0])


def add_k(order, k):
    return NGram(NGramConfig(vocabulary_size=V, order=order, smoothing="add-k", k=k)).fit(train, dev)


def loss_with(model, items):
    windows = Windows(items, model.context)
    batch = windows.batch(np.arange(len(windows)))
    return model.nll(batch.x, batch.y).mean()


curves = {(order, part): [] for order in (2, 3, 4) for part in ("train", "dev")}
for (order, part), losses in curves.items():
    losses += [loss_with(add_k(order, k), {"train": train, "dev": dev}[part]) for k in ks]
show(smoothing_losses(ks, curves))

# %% [markdown]
# The dotted lines (train) only rise: smoothing moves the model away from the counts. The dev lines fall first, that of
# the 2-gram by too little to see. (A pair is a *bigram* or 2-gram, and a triple is a *trigram*; an n-gram model looks
# back by `n - 1` characters.) Use the `k` at their lowest point.
#
# ## The same model as a network
#
# Now forget the counts. Make a layer of 27 neurons, each with 27 weights and nothing else: a matrix `W`. Its inputs
# must be numbers, and character number 5 is not five times character number 1. So a character is encoded as a
# **one-hot** vector: 27 numbers, all 0 except for a single 1 at the index of the character.

# %%
xs = torch.tensor([stoi[letter] for letter in ".emma"])
ys = torch.tensor([stoi[letter] for letter in "emma."])
xenc = F.one_hot(xs, num_classes=V).float()


show(one_hot_rows(xenc.numpy(), ".emma", labels))

# %% [markdown]
# ## The idea: one-hot times W selects a row, and the row holds log counts
#
# What does the layer do with such a vector? Each output is a sum of 27 products of an input and a weight. But 26 of the
# inputs are 0, and the other one is 1. So nothing is really multiplied or added. **The output is one row of `W`,
# unchanged.**

# %%
generator = torch.Generator().manual_seed(2147483647)
W = torch.randn((V, V), generator=generator, requires_grad=True)
logits = xenc @ W
e = stoi["e"]
print("the layer's output for e:", [round(one, 3) for one in logits[1][:6].tolist()], "...")
print("row e of W:              ", [round(one, 3) for one in W[e][:6].tolist()], "...")
print("all five the same:", torch.allclose(logits, W[xs]))

# %% [markdown]
# Here is the same as a figure. On the left is the one-hot vector of e as a column, so that each of its numbers stands
# next to the row of `W` that it multiplies. All rows but one are multiplied by 0. Below is the sum.


# %%
show(picked_row(W.detach().numpy(), e, labels))

# %% [markdown]
# So the layer is a table with a row for each possible preceding character. We have already seen such a table: `N`. But
# `N` holds counts, which are never negative, while the rows of a layer may hold any numbers. Exponentiation connects
# the two, since it makes any number positive. In other words: **the outputs of the layer are *logs* of counts**, and
# `exp` turns them into counts. Then divide by the sum of the row, as before. These two steps are softmax.

# %%
counts = logits.exp()
probs = counts / counts.sum(1, keepdim=True)
print("rows sum to", [round(one, 4) for one in probs.sum(1).tolist()])
print(f"loss on emma with random weights: {-probs[torch.arange(5), ys].log().mean().item():.4f}")

# %% [markdown]
# Is this more than an analogy? Add 1 to each count, and put the logs of the results into `W`. If it is right, the
# network must now be identical to the counting model: the same loss, and the same names from the same seed.

# %%
smooth = N.float() + 1
P1 = smooth / smooth.sum(1, keepdim=True)
W_counted = smooth.log()
P_network = F.softmax(W_counted, dim=1)
print(f"counted: {loss_of(P1, N):.6f}   network: {loss_of(P_network, N):.6f}")
print("counted:", *sample(P1, 5, seed=1))
print("network:", *sample(P_network, 5, seed=1))

# %% [markdown]
# And will it *learn* these values? Look at the gradient. For one example, the gradient of the loss with respect to the
# logits is `probs`, minus 1 at the character that came next (see the end of lesson 1). One-hot encoding acts on the way
# back to `W` as it did in the forward pass: `xenc.T @ dlogits` adds the gradient of each example to **the row that the
# example used**, and gradients that meet in a row add up.

# %%
loss = -probs[torch.arange(5), ys].log().mean()
loss.backward()
dlogits = (probs.detach() - F.one_hot(ys, num_classes=V).float()) / 5
print("W.grad is xenc.T @ dlogits:", torch.allclose(W.grad, xenc.T @ dlogits, atol=1e-6))
show(figures.weight_gradient(W.grad.numpy(), labels))

# %% [markdown]
# Only the rows of `.`, `e`, `m` and `a` are nonzero: the characters that preceded another one. In each row, gradient
# descent raises the entry of the character that came next and lowers all others a little. (m preceded m once and a
# once, so two entries of its row are raised.)
#
# Over the whole text, row `a` receives one such gradient for every `a` in it. They sum to
#
#     how often a occurred x its probabilities - its row of counts
#
# and that is 0 exactly where the probabilities equal the relative frequencies. There is only one distribution at which
# all gradients vanish: **the softmax of the row is the normalised row of counts**. Gradient descent has nowhere else to
# converge. (For a count of 0 that point is infinitely far away: it is the log of 0.)
#
# ### Exercise 2.4: index, not one-hot
#
# `one_hot(ids) @ W` multiplies mostly by zeros. Write `layer_by_index(W, ids, dlogits)`, which does without one-hot
# vectors, in NumPy. `W` is an array (V, V), `ids` (N,) holds integers, and `dlogits` (N, V) is the gradient of the
# logits. Return two arrays: the logits, (N, V), equal to `one_hot(ids) @ W`; and the gradient of `W`, (V, V), equal to
# `one_hot(ids).T @ dlogits`. Start from `np.zeros_like(W)`. An id may occur in `ids` more than once.


# %%
def layer_by_index(W, ids, dlogits):
    # solution begins
    # instead: return None
    dW = np.zeros_like(W)
    for row, i in enumerate(ids):
        dW[i] += dlogits[row]
    return W[ids], dW
    # solution ends


check("2.4", layer_by_index)

# %% [markdown]
# ### Exercise 2.5: cross-entropy
#
# Softmax, the log of the target's probability, the minus sign and the mean: together they are called *cross-entropy*.
# Write `cross_entropy(logits, targets)` with NumPy. `logits` is an array (N, V), and `targets` (N,) holds integers.
# Return one number: the mean over the rows of -log p, where p is the softmax of the row at its target. Logits as large
# as 1000 are allowed, and e to the power of 1000 overflows. Softmax does not change if a constant is subtracted from a
# whole row; `logits.max(1, keepdims=True)` is a good choice.


# %%
def cross_entropy(logits, targets):
    # solution begins
    # instead: return None
    shifted = logits - logits.max(1, keepdims=True)
    logprobs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return -logprobs[np.arange(len(targets)), targets].mean()
    # solution ends


check("2.5", cross_entropy)

# %% [markdown]
# ### Training the network
#
# Train on all pairs of the text at once. There are only 27 different inputs, so feed in all 27 one-hot vectors
# (together they are the identity matrix) and weight each target by how often it occurred. The loss is the same as that
# over all pairs one by one.

# %%
W = torch.randn((V, V), generator=torch.Generator().manual_seed(2147483647), requires_grad=True)
weights = N.float() / N.float().sum()
history = []
for step in range(fast(1500, 20)):
    logprobs = F.log_softmax(torch.eye(V) @ W, dim=1)
    loss = -(weights * logprobs).sum()
    W.grad = None
    loss.backward()
    with torch.no_grad():
        W -= 50 * W.grad
    history.append(loss.item())
for step in sorted({0, 1, 10, 100, 1000, len(history) - 1} & set(range(len(history)))):
    print(f"step {step:4}  loss {history[step]:.4f}")
print(f"counted    loss {loss_of(P, N):.4f}")

# %% [markdown]
# Starting from random numbers and using nothing but its gradient, the network comes to within 0.001 of counting. The
# rest comes from the pairs that never occurred: their log count is minus infinity, which no number of steps reaches
# (white on the right, below). Now compare the tables themselves. Each row of `W` may differ from the log counts by a
# constant, which softmax ignores. After subtracting it:

# %%
learned = F.log_softmax(W, dim=1).detach().numpy()
with np.errstate(divide="ignore"):
    log_shares = np.log(P.numpy())
show(figures.weights(learned, log_shares, labels))

# %%
row = stoi["a"]
frequent = N[row].numpy() > 200
apart = W.detach().numpy()[row] - np.log(np.maximum(N[row].numpy(), 1))
print("row a: W minus log count, for characters that often follow a:")
print("  ".join(f"{labels[i]} {apart[i]:+.2f}" for i in np.flatnonzero(frequent)[:10]))
print(f"standard deviation of these differences: {apart[frequent].std():.4f}")

# %% [markdown]
# If counting is faster, why train at all? Because of the size of the table. It needs a row for every possible context:

# %%
for context in (1, 2, 3, 10):
    print(f"{context:2} letters back: {V**context:,} rows")

# %% [markdown]
# No text is long enough to fill the last of these tables. A network can replace the table by something smarter, and
# everything else in this lesson stays the same: logits, softmax, cross-entropy, gradient. That is lesson 3.
#
# ### Shrinking the weights is smoothing
#
# If all of `W` is 0, all characters are equally likely, as with infinite smoothing. So add a small multiple of the mean
# square of `W` to the loss. Its gradient pulls every weight towards 0 and smooths the network. This is called
# *regularisation*; its strength plays the part of `k`.

# %%
print("strength   loss on the text   p of z after q   largest |p - 1/27|")
for strength in (0.0, 0.01, 0.1, 1.0, 100.0):
    W = torch.zeros((V, V), requires_grad=True)
    for _ in range(fast(400, 10)):
        loss = -(weights * F.log_softmax(W, dim=1)).sum() + strength * (W**2).mean()
        W.grad = None
        loss.backward()
        with torch.no_grad():
            W -= min(50, 100 / max(strength, 1)) * W.grad
    probs = F.softmax(W, dim=1).detach()
    apart = (probs - 1 / V).abs().max().item()
    nats, z = loss_of(probs, N), probs[stoi["q"], stoi["z"]].item()
    print(f"{strength:8}   {nats:16.4f}   {z:14.5f}   {apart:18.4f}")

# %% [markdown]
# ## Looking further back
#
# ### Exercise 2.6: count n-grams
#
# Write `ngram_counts(words, n)` for any n from 1. Return a dictionary that maps each n-gram, a string of n characters,
# to how often it occurs. Put n - 1 dots before each word and one after it, so that every letter and every end is
# counted once.


# %%
def ngram_counts(words, n):
    # solution begins
    # instead: return None
    counts = {}
    for word in words:
        text = "." * (n - 1) + word + "."
        for i in range(len(text) - n + 1):
            piece = text[i : i + n]
            counts[piece] = counts.get(piece, 0) + 1
    return counts
    # solution ends


check("2.6", ngram_counts)

# %% [markdown]
# Does it help to look back further? On train, always. On dev, only until the contexts become so rare that most of them
# were seen once or never:

# %%
print("n   n-grams, total   different   train    dev      best k")
best, lowest = None, math.inf
for n in (1, 2, 3, 4, 5):
    model = add_k(n, None)  # the package chooses the best k on dev
    found, different = model.counts(1).sum(), model.num_parameters()
    on_train, on_dev = (loss_with(model, items) for items in (train, dev))
    print(f"{n}   {found:14,}   {different:9,}   {on_train:.4f}   {on_dev:.4f}   {model.k:.2g}")
    if on_dev < lowest:
        best, lowest = model, on_dev

# %% [markdown]
# Now evaluate the best of them on test, once:

# %%
print(f"{best.config.order}-gram, k = {best.k:.2g}: {loss_with(best, test):.4f} nats per character")

# %% [markdown]
# ## What you can now do
#
# - build a language model by counting, sample from it, and measure its loss in nats per character
# - split a dataset into three parts, and choose a setting on the right one
# - say what one-hot times `W` is, why its output is a log count, and why gradient descent finds the counts
# - write softmax and cross-entropy that work for logits of any size
# - say why pulling the weights towards 0 is smoothing, and why a table cannot look back ten characters
#
# On the command line: `backlight train names --model ngram --order 4`, and `backlight train names --model bigram` for
# the network; then `backlight figures` draws the figures of this page for them.
#
# **Next:** `backlight lessons open 3`.
#
# **Sources.** The lecture: Andrej Karpathy, [The spelled-out intro to language modeling: building
# makemore](https://www.youtube.com/watch?v=PaCmpygFfXo), and [makemore](https://github.com/karpathy/makemore). The
# papers: Shannon, [A Mathematical Theory of Communication](https://doi.org/10.1002/j.1538-7305.1948.tb01338.x), 1948,
# whose section 3 draws text from letter pairs; Chen & Goodman, [An empirical study of smoothing techniques for language
# modeling](https://doi.org/10.1006/csla.1999.0128), 1999.
