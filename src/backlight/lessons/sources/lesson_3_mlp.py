# The source of a notebook: see backlight/lessons/notebook.py for its form, and `make notebooks` to make it again.

# %% [markdown]
# # Lesson 3: looking further back
#
# A table of counts needs a row for every context, and there are too many contexts. This lesson replaces the table by a
# network. The network represents each letter by a few numbers, which it learns, and computes the probabilities from
# these. What it learns from one context then also applies to others that it has never seen. On the way you meet
# everything that training needs in practice: minibatches, a learning rate, and two losses that show what is wrong.

# %%
import math

import numpy as np

import backlight.torchlike as torch
import backlight.torchlike.nn.functional as F
from backlight.lessons import check
from backlight.lessons.display import fast, show
from backlight.lessons.figures.micrograd import loss_curve
from backlight.lessons.figures.mlp import embeddings, network_diagram, rate_losses, train_dev_losses
from backlight.lessons.recorded import recorded
from backlight.models import NGram, NGramConfig
from backlight.text import Vocabulary, Windows, load_corpus, split_corpus
from backlight.training import Run, RunConfig, TrainConfig, mean_nll

# %% [markdown]
# ## The limits of a table
#
# These are the names of lesson 2, split into the same three parts. For each context length, the table shows how many
# rows a table of counts would have, how many of them train fills, and how often dev needs one that is empty.

# %%
corpus = load_corpus("names")
parts = split_corpus(corpus, seed=42)
vocabulary = Vocabulary.of(corpus.items)
V = vocabulary.size
labels = [vocabulary.label(i) for i in range(V)]
stoi = {label: i for i, label in enumerate(labels)}
train, dev, test = (list(part.items) for part in (parts.train, parts.dev, parts.test))


def contexts_in(words, n):
    return [("." * n + word)[i : i + n] for word in words for i in range(len(word) + 1)]


print("context            rows    filled   share of dev in empty rows")
for n in (1, 2, 3, 4, 6, 8):
    filled, asked = set(contexts_in(train, n)), contexts_in(dev, n)
    empty = sum(context not in filled for context in asked) / len(asked)
    print(f"{n:7} {V**n:15,} {len(filled):9,}   {empty:6.1%}")

# %% [markdown]
# An empty row says nothing, and a row that was used once has seen a single letter. There is a deeper reason than too
# little text: in a table, every row is independent of all others. What was counted after "ann" says nothing about
# "enn", since the table does not represent that a and e have anything in common.
#
# ## The idea: a letter is a point, and the points are learnt
#
# Give each letter a few numbers of its own, say two: a point in the plane. Compute the probabilities from the *points*
# of the preceding letters, by some smooth function. Then letters with nearby points give nearly the same predictions,
# and what the network learns about "ann" also applies to "enn". Nobody has to specify which letters are similar. The
# points are parameters like all others: the gradient moves them to where they reduce the loss most.
#
# The points are stored in a table `C` with one row per letter, its *embedding*. This is less new than it sounds. In
# lesson 2, one-hot times `W` selected a row of 27 log counts. Here it selects two numbers; the logits come later.

# %%
C = torch.randn((V, 2), generator=torch.Generator().manual_seed(2147483647))
print("one-hot times C:", (F.one_hot(torch.tensor(stoi["e"]), num_classes=V).float() @ C).tolist())
print("row e of C:     ", C[stoi["e"]].tolist())

# %% [markdown]
# ## Contexts and targets
#
# The network reads a fixed number of letters, its *context length* or block size: three, to begin with. A name gives
# one example per letter, and one for its end. The first context is all dots. After each example the context shifts by
# one: the oldest letter leaves on the left, and the newest enters on the right.

# %%
block_size = 3


def build(words):
    X, Y = [], []
    for word in words:
        context = [0] * block_size
        for letter in word + ".":
            X.append(context)
            Y.append(stoi[letter])
            context = [*context[1:], stoi[letter]]
    return torch.tensor(X), torch.tensor(Y)


X, Y = build(["emma", "mia"])
for context, target in zip(X.tolist(), Y.tolist(), strict=True):
    print("".join(labels[i] for i in context), "->", labels[target], "  ", context, target)

# %% [markdown]
# The order in the loop matters: first store the example, then shift the context. The other way round, the target would
# be part of its own context. The loss would be excellent, and the network useless.
#
# ## Joining vectors without a copy
#
# Index `C` with all of `X`: each id is replaced by its row, so the shape gains a last axis of 2. But a layer takes one
# row of numbers per example, so three points must become one row of six numbers. `cat` allocates a new array and
# copies. `view` copies nothing.

# %%
emb = C[X]
copied = torch.cat(torch.unbind(emb, 1), 1)
x = emb.view(len(X), 6)
print("X", X.shape, "  C[X]", emb.shape, "  joined", x.shape, "  equal:", torch.allclose(copied, x))
print(
    "shares memory with C[X]:", [np.shares_memory(emb.numpy(), one.numpy()) for one in (copied, x)], "for cat and view"
)
print("strides, in bytes along each axis:", emb.numpy().strides, "and as a view", x.numpy().strides)

# %% [markdown]
# Memory has no axes. An array is a sequence of numbers plus a description of how to traverse it: how many bytes it is
# to the next example, the next letter, the next number. A view is a new description of the same memory, so it costs
# nothing, whatever its size. It cannot reorder the numbers, and it need not: the numbers of one example are adjacent,
# letter after letter.
#
# ## The network
#
# A layer of tanh units reads the six numbers. A second layer computes 27 logits from their outputs.


# %%
def new_network(embedding, hidden, seed=2147483647):
    generator = torch.Generator().manual_seed(seed)
    shapes = ((V, embedding), (block_size * embedding, hidden), (hidden,), (hidden, V), (V,))
    return [torch.randn(shape, generator=generator, requires_grad=True) for shape in shapes]


def forward(network, X):
    C, W1, b1, W2, b2 = network
    h = torch.tanh(C[X].view(len(X), -1) @ W1 + b1)
    return h @ W2 + b2


network = new_network(2, 100)
logits = forward(network, X)
print("parameters:", sum(p.numel() for p in network))
show(network_diagram([p.detach().numpy() for p in network], X[2].tolist(), labels))

# %% [markdown]
# The loss is that of lesson 2: softmax, the log of the target's probability, the minus sign and the mean.
# `F.cross_entropy` does all four in one function. There are two reasons. First, it is numerically safe: it subtracts
# the largest logit before exponentiating, as you did in exercise 2.5. Second, the backward pass is simple. The product
# of the four derivatives reduces to what lesson 1 ended with: the probabilities, minus 1 at the target. A single
# function can compute that directly, without intermediate arrays.

# %%
probs = F.softmax(logits, dim=1)
by_hand = -probs[torch.arange(len(Y)), Y].log().mean()
print(f"by hand {by_hand.item():.5f}   cross_entropy {F.cross_entropy(logits, Y).item():.5f}")
logits.retain_grad()
F.cross_entropy(logits, Y).backward()
short = (probs - F.one_hot(Y, num_classes=V).float()) / len(Y)
print("its gradient is (probs - onehot) / N:", torch.allclose(logits.grad, short.detach(), atol=1e-6))

# %% [markdown]
# ## A first test: overfit a few examples
#
# Before a long training run, do a short one on five names. A network with a hundred times more parameters than examples
# must be able to memorise them. If it cannot, something is wrong that no setting will fix. No test is cheaper.


# %%
def step(network, X, Y, rate):
    loss = F.cross_entropy(forward(network, X), Y)
    for p in network:
        p.grad = None
    loss.backward()
    for p in network:
        p.data -= rate * p.grad
    return loss.item()


def loss_on(network, X, Y):
    with torch.no_grad():
        return F.cross_entropy(forward(network, X), Y).item()


X, Y = build(["emma", "olivia", "ava", "isabella", "sophia"])
network = new_network(2, 100)
history = [step(network, X, Y, 0.1) for _ in range(fast(1000, 50))]
print(f"{len(X)} examples; first loss {history[0]:.2f}, last {history[-1]:.4f}, minimum {5 * math.log(5) / len(X):.4f}")
show(loss_curve(history, of="loss on the five names"), height=2.6)

# %% [markdown]
# The loss does not reach 0, and it should not. Three dots are followed by five different letters, and no model can do
# better than give each of them probability 1/5. So the minimum is ln 5 for each of these five examples and 0 for all
# others, whose contexts determine the answer.
#
# ## Minibatches: a noisy gradient is good enough
#
# Now use all of train. A gradient over all examples is a lot of work for one small step. How much worse is a gradient
# over a few examples, drawn at random? Compare their directions. The cosine of the angle between two gradients is 1 if
# they point the same way and 0 if they are orthogonal.

# %%
Xtr, Ytr = build(train)
Xdev, Ydev = build(dev)


def gradient(network, X, Y):
    step(network, X, Y, 0.0)
    return np.concatenate([p.grad.numpy().ravel() for p in network])


network, chance, N = new_network(2, 100), torch.Generator().manual_seed(1), fast(len(Xtr), 5000)
whole = gradient(network, Xtr[:N], Ytr[:N])
print("batch   cosine with the full gradient, mean of 20   share of the work")
for size in (1, 8, 32, 256, 2048):
    drawn = [torch.randint(0, N, (size,), generator=chance) for _ in range(20)]
    noisy = [gradient(network, Xtr[ix], Ytr[ix]) for ix in drawn]
    cosine = np.mean([one @ whole / np.linalg.norm(one) / np.linalg.norm(whole) for one in noisy])
    print(f"{size:5}   {cosine:41.2f}   {size / N:17.4%}")

# %% [markdown]
# A few dozen examples already point roughly the right way, for a tiny fraction of the work. And after the step the
# gradient has a new direction anyway. **Many rough steps beat a few exact ones.** A batch drawn afresh for each step is
# called a *minibatch*.
#
# ## Which learning rate?
#
# Nobody knows it beforehand, and a wrong one ruins the training. So try many in one short run: increase the rate at
# each step. From 0.001 to 0.002 matters as much as from 0.1 to 0.2, so it is the *exponent* that increases linearly.

# %%
rates = 10 ** torch.linspace(-4, 1, fast(1000, 100))
network, chance, losses = new_network(2, 100), torch.Generator().manual_seed(1), []
for rate in rates.tolist():
    ix = torch.randint(0, len(Xtr), (32,), generator=chance)
    losses.append(step(network, Xtr[ix], Ytr[ix], rate))
show(rate_losses(rates.numpy(), np.array(losses)))

# %% [markdown]
# Read it from left to right. At first almost nothing happens: the rate is too small. Then the loss falls, until it
# reaches a minimum. To the right of it the loss rises and jumps: the steps are so long that they overshoot. Take a rate
# from the left side of the minimum, where it is safe: 0.1.
#
# ## Training, and learning rate decay
#
# At a rate of 0.1 the network improves ever more slowly, and sometimes gets worse. The steps are too long for the
# remaining distance: each minibatch pushes the weights to a different side of the minimum. So for the last quarter the
# rate is divided by ten. This is called *decay*.

# %%
network, chance, steps = new_network(2, 100), torch.Generator().manual_seed(1), fast(12_000, 400)
for i in range(steps):
    ix = torch.randint(0, len(Xtr), (32,), generator=chance)
    rate = 0.1 if i < 0.75 * steps else 0.01
    step(network, Xtr[ix], Ytr[ix], rate)
    if (i + 1) % (steps // 8) == 0:
        print(f"after {i + 1:6,} steps, the last with {rate}: dev {loss_on(network, Xdev, Ydev):.4f}")
print(f"train {loss_on(network, Xtr, Ytr):.4f}")

# %% [markdown]
# The first steps after the decay gain a lot. Note that nothing was learnt from dev: that is what makes its loss
# meaningful.
#
# ## Two losses show what is wrong
#
# To try many sizes, let this package do the training: the same network and the same loop, in compiled kernels, on the
# same split. (Its initial weights are smaller; exercise 3.2 is about that.) `trained` returns the model and the
# evaluations made on the way: the loss on the last minibatches, and on dev. We compare three networks: five hidden
# units, with two numbers per letter; 100 units, with ten numbers per letter; and 300 units, with a twentieth of the
# names.


# %%
def trained(steps, fractions=(0.8, 0.1, 0.1), seed=1, config=None, **sizes):
    config = config or TrainConfig(steps=steps, batch_size=32, optimiser="sgd", lr=0.1, schedule="step")
    whole = RunConfig(corpus="names", model="mlp", settings=sizes, train=config, fractions=fractions, seed=seed)
    run = Run.create(whole)
    trainer = run.trainer()
    trainer.fit()
    looks = [look for look in run.store.load_metrics() if look.get("train_nats")]
    if config.ema_decay:  # the weights that are kept are then a moving average
        trainer.model.load_state_dict(run.store.load_weights()[0])
    model = trainer.model.eval()
    on_train, on_dev = (mean_nll(model, run.data[part], at_most=50_000) for part in ("train", "dev"))
    return model, [*looks, {"step": config.steps, "train_nats": on_train, "dev_nats": on_dev}]


curves = {}
for name, hidden, size, share in (("five units", 5, 2, 0.8), ("100 units", 100, 10, 0.8), ("few names", 300, 10, 0.05)):
    fractions = (share, 0.1, 0.9 - share)
    model, looks = trained(fast(15_000, 200), fractions, context=3, embedding=size, hidden=(hidden,))
    curves[name] = [[look[key] for look in looks] for key in ("step", "train_nats", "dev_nats")]
    print(f"{name:10} train {looks[-1]['train_nats']:.3f}   dev {looks[-1]['dev_nats']:.3f}")
show(train_dev_losses(curves))

# %% [markdown]
# - **Train and dev close together, and both high**: the network is too small, or has not been trained long enough. It
#   *underfits*.
# - **Train far below dev**: it has memorised names. It *overfits*. Give it more text, make it smaller, or stop where
#   dev is lowest.
#
# A network of points in the plane that overfits while you watch: `backlight worlds plane --lesson 3`
#
# Dev is the loss that counts, and settings are chosen by it. But the best of many runs is partly luck, valid only for
# these particular names. That is why there is a third part, test, to be used once.
#
# ## Larger networks
#
# The network that was trained above, by hand, has two numbers per letter and 100 hidden units. (Here it starts from
# smaller weights and takes more steps, so it ends lower.) Do more units help? And since two numbers can be plotted:
# where has training put the letters? The vowels are in orange, although the network was never given the information
# that they are vowels.

# %%
for hidden in (100, 300):
    model, looks = trained(fast(15_000, 200), context=3, embedding=2, hidden=(hidden,))
    print(f"{hidden} hidden units: {model.num_parameters():6,} parameters, dev {looks[-1]['dev_nats']:.4f}")
start, _ = trained(1, context=3, embedding=2, hidden=(300,))  # after one step nearly the initial weights
vowels = [stoi[letter] for letter in "aeiou"]
before, after = (net.embedding.weight.detach().numpy() for net in (start, model))
show(embeddings(before, after, labels, marked=vowels))

# %% [markdown]
# Three times as many units do not help. So the bottleneck is elsewhere: compare the 100 units with ten numbers per
# letter, above.
#
# ### Exercise 3.1: beat 2.2
#
# Train a network on `train`, with any sizes, learning rate and number of steps, until its loss on `dev` is below 2.2
# nats per character. Use `trained(steps, context=..., embedding=..., hidden=(...,))` or a loop of your own. Then write
# `next_logits(contexts)`, which the check evaluates. `contexts` is an array (N, 16) of ids: the characters before the
# one to predict, the nearest last, with zeros where a name has not begun. Use as many of them as your network reads:
# the last three are `contexts[:, -3:]`. Return the logits, (N, 27), as `model.next_logits(...)` does for a model that
# `trained` returned. The check passes all contexts of dev, in random order.

# %%
# solution begins
# instead: def next_logits(contexts):
# instead:     return None
model, looks = trained(15_000, context=4, embedding=10, hidden=(200,))
print(f"{model.num_parameters():,} parameters, dev {looks[-1]['dev_nats']:.4f}")


def next_logits(contexts):
    return model.next_logits(contexts[:, -4:])
    # solution ends


check("3.1", next_logits)

# %% [markdown]
# ## What the first loss should be
#
# An untrained network should predict that all characters are equally likely, for a loss of ln V. Look back at the
# sweep: the network of this lesson started far above that. It made confident predictions without any reason, and first
# had to unlearn them.
#
# ### Exercise 3.2: a uniform start
#
# Write `even_start(V, T, E, H, seed)`: the initial weights of a network with V characters, contexts of T, vectors of E
# numbers and H hidden units. Return C (V, E), W1 (T * E, H), b1 (H,), W2 (H, V) and b2 (V,), as arrays or tensors, such
# that
#
# - the first loss is within 0.05 of ln V, whatever the targets;
# - no two hidden units are the same, and at most a quarter of their outputs are beyond ±0.99, where tanh is flat;
# - a gradient reaches W1 in the first step.


# %%
def even_start(V, T, E, H, seed):
    # solution begins
    # instead: return None
    generator = torch.Generator().manual_seed(seed)
    C = torch.randn((V, E), generator=generator)
    W1 = torch.randn((T * E, H), generator=generator) / (T * E) ** 0.5
    W2 = torch.randn((H, V), generator=generator) * 0.01
    return C, W1, torch.zeros(H), W2, torch.zeros(V)
    # solution ends


check("3.2", even_start)

# %% [markdown]
# Here is what that gains: the same 1,000 minibatches, from standard normal weights and from yours. (More about this in
# lesson 4.)

# %%
for name, weights in (("normal", new_network(2, 100)), ("yours", even_start(V, 3, 2, 100, 1))):
    if weights is not None:
        arrays = [np.asarray(one.detach() if hasattr(one, "detach") else one) for one in weights]
        network = [torch.tensor(one, dtype=torch.float32, requires_grad=True) for one in arrays]
        chance, losses = torch.Generator().manual_seed(1), []
        for _ in range(fast(1000, 20)):
            ix = torch.randint(0, len(Xtr), (32,), generator=chance)
            losses.append(step(network, Xtr[ix], Ytr[ix], 0.1))
        print(f"{name:9} first loss {losses[0]:6.3f} (ln V {math.log(V):.3f})   dev {loss_on(network, Xdev, Ydev):.3f}")

# %% [markdown]
# ## An idea from the paper
#
# The network is that of Bengio, Ducharme, Vincent and Jauvin (2003), who used words instead of letters. Their equation
# 1 has one more term: the vectors also reach the logits *directly*, by a matrix of their own that bypasses the hidden
# units.
#
#     y = b + W x + U tanh(d + H x)
#
# Simple dependencies (q is followed by u) can take the direct connection; the hidden units are for the rest.
#
# ### Exercise 3.3: direct connections
#
# Equation 1 of Bengio et al. (2003) is y = b + W x + U tanh(d + H x), where x is a column. Here a context is a row, so
# each matrix is on the right. Write `logits_with_direct(X, C, H, d, U, W, b)`, in NumPy. `X` (N, T) holds the contexts,
# as integers; the shapes of the others are `C` (V, E), `H` (T * E, h), `d` (h,), `U` (h, V), `W` (T * E, V) and `b`
# (V,). x is the vectors of a context joined into one row: in NumPy, `reshape` does what `view` does. Return y, (N, V).


# %%
def logits_with_direct(X, C, H, d, U, W, b):
    # solution begins
    # instead: return None
    x = C[X].reshape(len(X), -1)
    return b + x @ W + np.tanh(d + x @ H) @ U
    # solution ends


check("3.3", logits_with_direct)

# %% [markdown]
# Does it help? The package has it as `direct=True`. Here are three seeds each, after few steps and after many:

# %%
for steps in fast((1000, 15_000), (20, 40)):
    sizes = {"context": 3, "embedding": 10, "hidden": (50,)}
    for seed in (1, 2, 3):
        ends = [trained(steps, seed=seed, direct=direct, **sizes)[1][-1]["dev_nats"] for direct in (False, True)]
        print(f"{steps:6,} steps, seed {seed}: {ends[0]:.4f} without, {ends[1]:.4f} with: {ends[1] - ends[0]:+.4f}")

# %% [markdown]
# Most of the early gain is gone later. The authors suspected as much: the direct connections make the simple
# dependencies quick to learn, but a network without them has to find features that generalise to more contexts.
#
# ## Compared with counting
#
# How do the tables of lesson 2 compare? Kneser-Ney is one of the best smoothing methods: a row with little data falls
# back on the row for a context one letter shorter. Below are networks that were trained for longer: the one of this
# lesson, the one of the lecture, the same with a longer context, and the one of `backlight train --model mlp`. All of
# them learn from the same train part and are evaluated on the same dev part.

# %%
encoded = [vocabulary.encode_items(part) for part in (train, dev, test)]
for order in (3, 4, 5, 6):
    for smoothing in ("add-k", "kneser-ney"):
        table = NGram(NGramConfig(vocabulary_size=V, order=order, smoothing=smoothing)).fit(*encoded[:2])
        print(f"{order}-gram, {smoothing:10} dev {mean_nll(table, Windows(encoded[1], table.context)):.4f}")


def longer():
    rows = []
    for name, config, sizes in (
        ("the lesson's", None, {"context": 3, "embedding": 2, "hidden": (100,)}),
        ("the lecture's", None, {"context": 3, "embedding": 10, "hidden": (200,)}),
        ("more context", None, {"context": 6, "embedding": 10, "hidden": (200,)}),
        ("backlight train", TrainConfig.of("mlp"), {"context": 6, "embedding": 32, "hidden": (256, 256)}),
    ):
        model, looks = trained(100_000, config=config, **sizes)
        on_test = mean_nll(model, Windows(encoded[2], model.context))
        rows.append([name, model.num_parameters(), looks[-1]["train_nats"], looks[-1]["dev_nats"], on_test])
    return rows


rows = recorded("lesson_3_longer", longer)
for name, parameters, on_train, on_dev, _ in rows:
    print(f"{name:16} {parameters:9,} parameters   train {on_train:.4f}   dev {on_dev:.4f}")
best = min(rows, key=lambda row: row[3])
print(f"test, once, for the best on dev ({best[0]}): {best[4]:.4f}")

# %% [markdown]
# For three letters of context (a 4-gram), good counting beats the lecture's network, and it needs no training. But with
# longer contexts the tables soon stop improving, and the best of all here is a network.
#
# ### Exercise 3.4: sample names with a sliding context
#
# Write `write_names(next_logits, draw, block_size, count)`. `next_logits(contexts)` takes contexts (1, block_size) and
# returns logits (1, V), an array; `draw(probs)` takes V probabilities and returns a random id. Begin each name with a
# context of zeros. Draw an id from the softmax of the logits. Append it to the name and to the end of the context, and
# drop the first id of the context. A drawn 0 ends the name and is not part of it. Draw once for each letter and once
# for each end. Return `count` names, each a list of ids.


# %%
def write_names(next_logits, draw, block_size, count):
    # solution begins
    # instead: return None
    names = []
    for _ in range(count):
        name, context = [], [0] * block_size
        while True:
            counts = np.exp(next_logits(np.array([context]))[0])
            drawn = draw(counts / counts.sum())
            if drawn == 0:
                break
            name.append(drawn)
            context = [*context[1:], drawn]
        names.append(name)
    return names
    # solution ends


check("3.4", write_names)

# %%
writer, _ = trained(fast(15_000, 500), context=4, embedding=10, hidden=(200,))
generator = torch.Generator().manual_seed(2147483647)


def draw(probs):
    return torch.multinomial(torch.tensor(probs), num_samples=1, generator=generator).item()


names = write_names(writer.next_logits, draw, writer.context, 12) or []
print(*("".join(labels[i] for i in name) for name in names))

# %% [markdown]
# ## What you can now do
#
# - say why a table cannot look far back, and how learnt embeddings help
# - train on minibatches, find a learning rate by a sweep, and lower it at the end
# - test a network on a few examples, and interpret its losses on train and dev
# - say what the first loss should be, and choose initial weights that give it
#
# On the command line: `backlight train names --model mlp --context 4 --embedding 10 --hidden 200`;
# `backlight find-lr names` sweeps the rate; `backlight figures` draws the embedding of a run.
#
# **Next:** `backlight lessons open 4`.
#
# **Sources.** The lecture: Andrej Karpathy, [Building makemore Part 2:
# MLP](https://www.youtube.com/watch?v=TCH_1BHY58I). The papers: Bengio, Ducharme, Vincent & Jauvin, [A Neural
# Probabilistic Language Model](https://www.jmlr.org/papers/v3/bengio03a.html), JMLR 3, 2003,
# [doi:10.1162/153244303322533223](https://doi.org/10.1162/153244303322533223); Smith, [Cyclical Learning Rates for
# Training Neural Networks](https://arxiv.org/abs/1506.01186), 2017, whose range test the sweep is.
