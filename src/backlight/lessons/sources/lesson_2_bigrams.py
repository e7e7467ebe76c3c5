# The source of a notebook: see backlight/lessons/notebook.py for its form, and `make notebooks` to make it again.

# %% [markdown]
# # Lesson 2: what follows what
#
# A language model says what comes next. The smallest one that is any good looks back at one letter only. This lesson
# builds it twice: first by counting, then as a network that learns. They turn out to be the same thing, number for
# number, and seeing why is worth more than the model.
#
# `backlight.torchlike` has PyTorch's names, and its random numbers too: what you see here is what PyTorch would print.

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
# Given names, one a line. To learn from "emma" is to learn five things: that a name may begin with e, that after e
# may come m, after m an m or an a, and that after a it may be over. A dot stands for the edge of a name, on both
# sides.

# %%
corpus = load_corpus("names")
words = list(corpus.items)
print(f"{len(words):,} names, of {min(map(len, words))} to {max(map(len, words))} letters:", ", ".join(words[:8]))


def pairs_of(word):
    text = "." + word + "."
    return list(zip(text, text[1:], strict=False))


print(" ".join(a + b for a, b in pairs_of("emma")))

# %% [markdown]
# ## Count

# %%
counted = Counter(pair for word in words for pair in pairs_of(word))
for (first, second), count in counted.most_common(6):
    print(f"{first}{second}  {count:,}")

# %% [markdown]
# To compute with the counts, put them into a table `N`. Each character gets a number, the dot gets 0; `N[i, j]` says
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
# Read a row: it is all that this model will ever know about what follows its character. Row `.` is how names begin,
# column `.` how they end. Row q is nearly empty, but for u.
#
# ### Exercise 2.1: count trigrams
#
# Two characters back instead of one. Write `trigram_counts(words, stoi)`. `stoi` gives each of V characters a number,
# "." the 0. Return an array of shape (V, V, V): `counts[i, j, k]` says how often the characters i, j, k stood in a row.
# Before a word stand two dots, so that its first letter has two characters before it; after it stands one.


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
# ## Sample
#
# Divide each row by its sum, and it is a list of probabilities. A new name is a walk: start at the dot, draw the next
# character from its row, go to that character's row, and so on, until a dot is drawn.

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
# Bad names, but far from nothing. `keepdim=True` above matters: without it the sums have shape (V,) and are laid
# *along* the rows, so that each column is divided, and no row sums to 1. No error tells you:

# %%
wrong = N.float() / N.float().sum(1)
print("row sums without keepdim:", [round(one, 3) for one in wrong.sum(1)[:4].tolist()])

# %% [markdown]
# ## How good is it?
#
# Ask the model for the probability of each character that really came. Multiplied together they say how likely it finds
# the text: the *likelihood*. That product is far too small for a computer, so take logs, which add up instead. Turn the
# sign, so that small is good, and divide by how many there were. This is the *loss*, in nats per character. (Nats go
# with the natural log; ln 2, about 0.69 of them, are one bit.)


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


print(f"all names, counted:  {loss_of(P, N):.4f} nats per character")
print(f"one that knows nothing, ln {V}: {math.log(V):.4f}")

# %% [markdown]
# ## Smoothing, and three parts of the text
#
# What never occurred has probability 0 and costs infinitely many nats. One such pair, and a name is impossible:

# %%
for word in ("anna", "axqa"):
    print(word, [round(one, 2) for one in nll_of(word, P)])

# %% [markdown]
# So pretend that every pair was seen `k` more times than it was; `k` need not be whole. More `k` is smoother: for very
# large `k` all characters are equally likely. How much is right? The text that was counted cannot tell: there, less is
# always better. It has to be text that was *not* counted. So the names are split in three: **train** to learn from,
# **dev** to choose settings by, **test** to look at once, at the end.
#
# ### Exercise 2.2: split 80 / 10 / 10
#
# Write `split(words, seed)`. Shuffle the words and return three lists: train, dev and test. Train ends at `int(0.8 *
# n)` and dev at `int(0.9 * n)` of n words. The same seed gives the same three lists. Use
# `np.random.default_rng(seed).permutation(n)`, or what you like. Which word goes where is up to you: the check looks at
# what must be true of any split.


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
# Write `tune_smoothing(train, dev, ks)`. `train` and `dev` are arrays (V, V) of pairs counted in the two parts; row:
# the first character. For each `k` in `ks`, add `k` to every count of `train` and divide each row by its sum: these are
# the probabilities. The loss of `k` is the mean of -log p over all pairs of `dev`, each as often as it was counted.
# Return an array of all the losses, and the `k` with the lowest. `np.argmin` gives the place of the lowest.


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
# With this package's own split and counts, from one letter back to three. The further a model looks back, the less it
# has seen of what may come, and the more depends on the right `k`:

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
# The dotted lines, train, only rise: smoothing spoils what was counted. The dev lines fall first, the 2-gram's by too
# little to see. (A pair is a *bigram* or 2-gram, three in a row are a *trigram*; an n-gram looks n - 1 characters
# back.) Their lowest point is the `k` to take.
#
# ## The same model as a network
#
# Now forget the counts. Make a layer of 27 neurons, each with 27 weights and nothing else: a matrix `W`. What goes in
# must be numbers, and character number 5 is not five times character number 1. So a character goes in as a
# **one-hot** vector: 27 numbers, all 0, but for a 1 in its place.

# %%
xs = torch.tensor([stoi[letter] for letter in ".emma"])
ys = torch.tensor([stoi[letter] for letter in "emma."])
xenc = F.one_hot(xs, num_classes=V).float()


show(one_hot_rows(xenc.numpy(), ".emma", labels))

# %% [markdown]
# ## The idea: one-hot times W picks a row, and the row is log counts
#
# What does the layer do with such a vector? Each output is a sum of 27 products, input times weight. But 26 of the
# inputs are 0, and the one that is left is 1. So nothing is multiplied and nothing is added. **One row of `W` comes
# out, as it stands.**

# %%
generator = torch.Generator().manual_seed(2147483647)
W = torch.randn((V, V), generator=generator, requires_grad=True)
logits = xenc @ W
e = stoi["e"]
print("the layer's output for e:", [round(one, 3) for one in logits[1][:6].tolist()], "...")
print("row e of W:              ", [round(one, 3) for one in W[e][:6].tolist()], "...")
print("all five the same:", torch.allclose(logits, W[xs]))

# %% [markdown]
# As a picture: on the left the one-hot vector of e, upright, so that each of its numbers stands before the row of `W`
# that it multiplies. All rows but one are multiplied by 0. Below, their sum.


# %%
show(picked_row(W.detach().numpy(), e, labels))

# %% [markdown]
# So the layer is a table, with a row for each character that may stand before. Where have we seen such a table? `N`
# is one. But `N` holds counts, which are never below 0, and the row of a layer is any numbers. The step between them
# is e to the power of it, which makes any number positive. Say it the other way round: **what the layer puts out are
# *logs* of counts**, and `exp` turns them into counts. Then divide by the row's sum, as before. These two steps are
# called softmax.

# %%
counts = logits.exp()
probs = counts / counts.sum(1, keepdim=True)
print("rows sum to", [round(one, 4) for one in probs.sum(1).tolist()])
print(f"loss on emma with random weights: {-probs[torch.arange(5), ys].log().mean().item():.4f}")

# %% [markdown]
# Is that only a manner of speaking? Take the counts, each with 1 added, and put their logs into `W`. The network must
# then be the counted model: the same loss, and the same names from the same seed.

# %%
smooth = N.float() + 1
P1 = smooth / smooth.sum(1, keepdim=True)
W_counted = smooth.log()
P_network = F.softmax(W_counted, dim=1)
print(f"counted: {loss_of(P1, N):.6f}   network: {loss_of(P_network, N):.6f}")
print("counted:", *sample(P1, 5, seed=1))
print("network:", *sample(P_network, 5, seed=1))

# %% [markdown]
# And will it *learn* that? Look at the gradient. For one example, the loss pulls at the logits by `probs`, less 1 at
# the character that came (lesson 1 ended with that). On the way back to `W`, one-hot works as it did forward: `xenc.T
# @ dlogits` puts each example's pull into **the row that the example used**, and pulls that meet in a row add up.

# %%
loss = -probs[torch.arange(5), ys].log().mean()
loss.backward()
dlogits = (probs.detach() - F.one_hot(ys, num_classes=V).float()) / 5
print("W.grad is xenc.T @ dlogits:", torch.allclose(W.grad, xenc.T @ dlogits, atol=1e-6))
show(figures.weight_gradient(W.grad.numpy(), labels))

# %% [markdown]
# Only the rows of `.`, `e`, `m` and `a` are lit: those that stood before something. In each, what came is pulled up,
# and all else is pushed down a little. (m stood before an m once and before an a once, so its row is pulled up in two
# places.)
#
# Over the whole text, row `a` gets one such pull for every `a` in it. They sum to
#
#     how often a occurred x its probabilities - its row of counts
#
# and that is 0 exactly where the probabilities are the shares of the counts. There is only one place where all pulls
# rest: **the row's softmax is the counted row**. Gradient descent has nowhere else to go. (For a count of 0 that place
# is infinitely far away: the log of 0.)
#
# ### Exercise 2.4: index, not one-hot
#
# `one_hot(ids) @ W` multiplies mostly by zeros. Write `layer_by_index(W, ids, dlogits)`, which has no one-hot vectors,
# in NumPy. `W` is an array (V, V), `ids` (N,) whole numbers, `dlogits` (N, V) the gradient that comes back. Return two
# arrays: the logits, (N, V), which are what `one_hot(ids) @ W` would be; and the gradient of `W`, (V, V), which is what
# `one_hot(ids).T @ dlogits` would be. Start from `np.zeros_like(W)`. An id may stand in `ids` twice.


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
# Softmax, the log of the target's probability, the minus, the mean: together they are called *cross-entropy*. Write
# `cross_entropy(logits, targets)` with NumPy. `logits` is an array (N, V), `targets` (N,) whole numbers. Return one
# number: the mean over the rows of -log p, where p is softmax of the row at its target. Logits of 1000 are allowed, and
# e to the 1000 is more than a computer's number holds. Softmax does not see a constant that is taken off a whole row;
# `logits.max(1, keepdims=True)` is a good one.


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
# ### Let it learn
#
# All pairs of the text, at once: there are only 27 different inputs, so feed all 27 one-hot vectors (together they
# are the identity matrix) and weigh each target by how often it came. That is the same loss as over all pairs one by
# one.

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
# From random numbers, by its gradient alone, it comes to within 0.001 of counting. What is left are the pairs that
# never came: their log count is minus infinity, which no number of steps reaches (white on the right, below). Compare
# the tables themselves. Each row of `W` may differ from the log counts by one constant, which softmax does not see;
# with that taken off:

# %%
learned = F.log_softmax(W, dim=1).detach().numpy()
with np.errstate(divide="ignore"):
    log_shares = np.log(P.numpy())
show(figures.weights(learned, log_shares, labels))

# %%
row = stoi["a"]
frequent = N[row].numpy() > 200
apart = W.detach().numpy()[row] - np.log(np.maximum(N[row].numpy(), 1))
print("row a: W less log count, for what often follows a:")
print("  ".join(f"{labels[i]} {apart[i]:+.2f}" for i in np.flatnonzero(frequent)[:10]))
print(f"spread of that constant: {apart[frequent].std():.4f}")

# %% [markdown]
# Then why learn at all, if counting is faster? Because of the table. It has a row for everything that may stand before:

# %%
for context in (1, 2, 3, 10):
    print(f"{context:2} letters back: {V**context:,} rows")

# %% [markdown]
# Nobody has a text to fill the last of these. A network can put something smarter in the table's place, and
# everything else in this lesson stays: logits, softmax, cross-entropy, gradient. That is lesson 3.
#
# ### A pull to 0 is smoothing
#
# If all of `W` is 0, all characters are equally likely: it is what infinitely much smoothing gives. So add to the
# loss a small multiple of the mean square of `W`, which pulls every weight to 0, and the network is smoothed. It is
# called *regularisation*; the strength plays the part of `k`.

# %%
print("strength   loss on the text   p of z after q   farthest p from 1/27")
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
    print(f"{strength:8}   {nats:16.4f}   {z:14.5f}   {apart:10.4f}")

# %% [markdown]
# ## Looking further back
#
# ### Exercise 2.6: count n-grams
#
# Write `ngram_counts(words, n)` for any n from 1. Return a dictionary: for each n-gram, a string of n characters, how
# often it occurs. Before a word stand n - 1 dots, after it stands one. So every letter, and every end, is counted
# once.


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
# Does it help to look back further? On train, always. On dev, until the contexts get so rare that most were seen once
# or never:

# %%
print("n   n-grams in all   different   train    dev      best k")
best, lowest = None, math.inf
for n in (1, 2, 3, 4, 5):
    model = add_k(n, None)  # the package finds the best k on dev
    found, different = model.counts(1).sum(), model.num_parameters()
    on_train, on_dev = (loss_with(model, items) for items in (train, dev))
    print(f"{n}   {found:14,}   {different:9,}   {on_train:.4f}   {on_dev:.4f}   {model.k:.2g}")
    if on_dev < lowest:
        best, lowest = model, on_dev

# %% [markdown]
# And test, once, for the best of them:

# %%
print(f"{best.config.order}-gram, k = {best.k:.2g}: {loss_with(best, test):.4f} nats per character")

# %% [markdown]
# ## What you can now do
#
# - build a language model by counting, draw from it, and say how good it is in nats per character
# - split a text in three, and choose a setting by the part that is for choosing
# - say what one-hot times `W` is, why its output is a log count, and why gradient descent finds the counts
# - write softmax and cross-entropy so that they hold for any logits
# - say why a pull to 0 is smoothing, and why a table cannot look back ten letters
#
# On the command line: `backlight train names --model ngram --order 4`, and `backlight train names --model bigram` for
# the network; then `backlight figures` draws what is on this page for them.
#
# **Next:** `backlight lessons open 3`.
#
# **Sources.** The lecture: Andrej Karpathy, [The spelled-out intro to language modeling: building
# makemore](https://www.youtube.com/watch?v=PaCmpygFfXo), and [makemore](https://github.com/karpathy/makemore). The
# papers: Shannon, [A Mathematical Theory of Communication](https://doi.org/10.1002/j.1538-7305.1948.tb01338.x), 1948,
# whose section 3 draws text from letter pairs; Chen & Goodman, [An empirical study of smoothing techniques for
# language modeling](https://doi.org/10.1006/csla.1999.0128), 1999.
