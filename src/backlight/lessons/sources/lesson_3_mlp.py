# The source of a notebook: see backlight/lessons/source.py for its form, and `make notebooks` to make it again.

# %% [markdown]
# # Lesson 3: looking further back
#
# A table of counts needs a row for everything that may stand before a letter, and there are too many. This lesson puts
# a network in the table's place. It turns each letter into a few numbers, which it learns, and computes the
# probabilities from these. What it learns of one context is then of use for others that it has never seen. On the way
# comes all that training needs in practice: minibatches, a learning rate, and a way to tell what is wrong by two
# losses.

# %%
import math
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import backlight.torchlike as torch
import backlight.torchlike.nn.functional as F
from backlight.lessons import check, drawings
from backlight.lessons.pictures import fast, show
from backlight.lessons.recorded import recorded
from backlight.models import NGram, NGramConfig
from backlight.text import Vocabulary, Windows, load_corpus, split_corpus
from backlight.train import RECIPES, Plan, Recipe, mean_nats, prepare

# %% [markdown]
# ## Where the table ends
#
# The same names as in lesson 2, split in the same three parts. For each number of letters back: how many rows a table
# would have, how many of them the train part fills, and how often dev asks for a row that was never filled.

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


print("back          rows    filled   dev asks for an empty one")
for n in (1, 2, 3, 4, 6, 8):
    filled = set(contexts_in(train, n))
    asked = contexts_in(dev, n)
    empty = sum(context not in filled for context in asked) / len(asked)
    print(f"{n:4} {V**n:15,} {len(filled):8,}   {empty:6.1%}")

# %% [markdown]
# An empty row knows nothing, and a row that was seen once knows one letter. That is not for lack of text only. To the
# table, every row is a world of its own: what it has learnt after "ann" tells it nothing of "enn", because it does not
# know that a and e have anything in common.
#
# ## The idea: a letter is a point, and the points are learned
#
# Give each letter a few numbers of its own, say two: a point in a plane. Compute the probabilities from the *points* of
# the letters before, by some smooth formula. Letters whose points are near each other then have nearly the same
# consequences, and what the network learns of "ann" it has learnt of "enn" as well. Nobody needs to say which letters
# are alike. The points are parameters like all others: the gradient moves them to where they serve best.
#
# The points stand in a table `C`, a row for each letter. That is less new than it sounds. In lesson 2, one-hot times
# `W` picked a row, and the row was 27 log counts. Here the row is two numbers, and the logits come later.

# %%
C = torch.randn((V, 2), generator=torch.Generator().manual_seed(2147483647))
e = stoi["e"]
print("one-hot times C:", (F.one_hot(torch.tensor(e), num_classes=V).float() @ C).tolist())
print("C[e]:           ", C[e].tolist())

# %% [markdown]
# Such rows are called *embeddings*.
#
# ## Contexts and targets
#
# The network reads a fixed number of letters, its *block size* or context. Three, for a start. Each name gives as many
# examples as it has letters, and one for its end. The context begins with dots, and after each example it moves on by
# one: the oldest leaves on the left, the newest joins on the right.

# %%
block_size = 3


def build(words, block_size=block_size):
    X, Y = [], []
    for word in words:
        context = [0] * block_size
        for letter in word + ".":
            X.append(context)
            Y.append(stoi[letter])
            context = context[1:] + [stoi[letter]]
    return torch.tensor(X), torch.tensor(Y)


X, Y = build(["emma", "mia"])
for context, target in zip(X.tolist(), Y.tolist(), strict=True):
    print("".join(labels[i] for i in context), "->", labels[target], "  ", context, target)

# %% [markdown]
# Mind the order of the two last lines in the loop: first note the example, then move on. The other way round, the
# target would stand in its own context. The loss would be splendid, and the network good for nothing.
#
# Index `C` by the whole of `X`. Each number is replaced by its row, so an axis of length 2 joins the shape.

# %%
emb = C[X]
print("X", X.shape, " C[X]", emb.shape)

# %% [markdown]
# ## Joining, for free
#
# A layer takes a row of numbers for each example, so the three points become one row of six. `cat` can do that: it
# makes a new array and copies. `view` copies nothing.

# %%
copied = torch.cat(torch.unbind(emb, 1), 1)
x = emb.view(len(X), 6)
print("the same numbers:", (copied == x).all().item(), x.shape)
print("the very same memory: cat", np.shares_memory(emb.numpy(), copied.numpy()), end=", ")
print("view", np.shares_memory(emb.numpy(), x.numpy()))
print("in memory:", [round(one, 2) for one in emb.storage()[:9].tolist()], "...")
print("bytes from one place to the next, by axis:", emb.numpy().strides, "as a view:", x.numpy().strides)

# %% [markdown]
# In memory there are no axes. An array is a line of numbers, and a note of how to walk along it: how many bytes to the
# next example, to the next letter, to the next number. A view is a new note for the same line. It is free, whatever the
# size. It also says what a view can *not* do: it never reorders. Here the numbers of an example lie side by side
# already, letter after letter, and that is the order that we want.
#
# ## The network
#
# One layer of tanh units reads the six numbers. A second layer makes 27 logits of what the units say. In the order in
# which a context goes through it:


# %%
def new_network(embedding, hidden, seed=2147483647):
    generator = torch.Generator().manual_seed(seed)
    shapes = ((V, embedding), (block_size * embedding, hidden), (hidden,), (hidden, V), (V,))
    return [torch.randn(shape, generator=generator, requires_grad=True) for shape in shapes]


def hidden_units(network, X):
    C, W1, b1, W2, b2 = network
    return torch.tanh(C[X].view(len(X), -1) @ W1 + b1)


def forward(network, X):
    C, W1, b1, W2, b2 = network
    return hidden_units(network, X) @ W2 + b2


network = new_network(2, 100)
print("parameters:", sum(p.numel() for p in network))
logits = forward(network, X)
seen = network[0][X[2]].detach().numpy(), hidden_units(network, X)[2].detach().numpy(), logits[2].detach().numpy()
show(drawings.network(".em", *seen, labels[seen[2].argmax()]), width=10, height=4.2)

# %% [markdown]
# The loss is what it was in lesson 2: softmax, the log of the target's probability, the minus, the mean. By hand, and
# by `F.cross_entropy`:

# %%
counts = logits.exp()
probs = counts / counts.sum(1, keepdim=True)
by_hand = -probs[torch.arange(len(Y)), Y].log().mean()
print(f"by hand {by_hand.item():.5f}   cross_entropy {F.cross_entropy(logits, Y).item():.5f}")

# %% [markdown]
# Why one function for four steps? First, because it is safe. e to the 100 is more than a float32 holds; the function
# takes the largest logit off first, as you did in exercise 2.5.

# %%
large = torch.tensor([[-5.0, 0.0, 100.0]])
with np.errstate(all="ignore"):
    naive = large.exp() / large.exp().sum(1, keepdim=True)
print("by hand", naive.tolist(), "  loss by cross_entropy", F.cross_entropy(large, torch.tensor([2])).item())

# %% [markdown]
# Second, because of the way back. The derivatives of the four steps, multiplied, shrink to what lesson 1 ended with:
# the probabilities, less 1 at the target. One function goes there at once, with no arrays in between.

# %%
logits.retain_grad()
F.cross_entropy(logits, Y).backward()
short = (probs - F.one_hot(Y, num_classes=V).float()) / len(Y)
print("the gradient is (probs - onehot) / N:", torch.allclose(logits.grad, short.detach(), atol=1e-6))

# %% [markdown]
# ## A first test: learn a few by heart
#
# Before a long training, a short one: five names. A network with a hundred times more parameters than examples must be
# able to learn them by heart. If it is not, something is wrong, and no other setting will mend it. It is the cheapest
# test there is.


# %%
def step(network, X, Y, rate):
    loss = F.cross_entropy(forward(network, X), Y)
    for p in network:
        p.grad = None
    loss.backward()
    for p in network:
        p.data -= rate * p.grad
    return loss.item()


Xfew, Yfew = build(["emma", "olivia", "ava", "isabella", "sophia"])
few = new_network(2, 100)
history = [step(few, Xfew, Yfew, 0.1) for _ in range(fast(1000, 50))]
print(f"{len(Xfew)} examples; first loss {history[0]:.2f}, last {history[-1]:.4f}")
begins = [labels[y] for x, y in zip(Xfew.tolist(), Yfew.tolist(), strict=True) if x == [0, 0, 0]]
print("after '...':", begins)
show(drawings.curve(history, of="loss on the five names"), height=3)

# %% [markdown]
# It does not get to 0, and should not. After three dots come five different letters, and all that a model can do is to
# give each a fifth. No other context has two answers, so we know what the loss can get to:

# %%
print(f"the least that is possible: {len(begins) * math.log(len(begins)) / len(Xfew):.4f}")

# %% [markdown]
# ## Minibatches: a noisy gradient is good enough
#
# Now all of train. One gradient from all examples is a lot of work for one small step. How much worse is a gradient
# from a few examples, drawn by chance? Compare directions: the cosine between the two is 1 if they point the same way,
# and 0 if they have nothing to do with each other.

# %%
Xtr, Ytr = build(train)
Xdev, Ydev = build(dev)
all_of_it = fast(len(Xtr), 5000)
print(f"{len(Xtr):,} examples in train, {len(Xdev):,} in dev")


def gradient(network, X, Y):
    for p in network:
        p.grad = None
    F.cross_entropy(forward(network, X), Y).backward()
    return np.concatenate([p.grad.numpy().ravel() for p in network])


network = new_network(2, 100)
whole = gradient(network, Xtr[:all_of_it], Ytr[:all_of_it])
chance = torch.Generator().manual_seed(1)
print("batch   cosine with the whole gradient, mean of 20   of the work")
for size in (1, 8, 32, 256, 2048):
    cosines = []
    for _ in range(20):
        ix = torch.randint(0, all_of_it, (size,), generator=chance)
        noisy = gradient(network, Xtr[ix], Ytr[ix])
        cosines.append(noisy @ whole / np.linalg.norm(noisy) / np.linalg.norm(whole))
    print(f"{size:5}   {np.mean(cosines):36.2f}   {size / all_of_it:15.4%}")

# %% [markdown]
# A few dozen examples already point roughly the right way, for next to no work. And the direction need not be exact: it
# will be another one after the step anyhow. **Many rough steps beat few exact ones.** Such a batch, drawn anew for each
# step, is a *minibatch*.
#
# ## Which learning rate?
#
# Nobody knows it beforehand, and a wrong one spoils everything. So try them all, in one short training: let the rate
# grow with each step. Grow how? A rate of 0.001 and one of 0.002 differ as much as 0.1 and 0.2 do. So let the
# *exponent* rise evenly, from -3 to 1. Then see at which rates the loss fell.

# %%
sweep_steps = fast(1000, 100)
rates = 10 ** torch.linspace(-3, 1, sweep_steps)
network = new_network(2, 100)
chance = torch.Generator().manual_seed(1)
losses = []
for rate in rates.tolist():
    ix = torch.randint(0, len(Xtr), (32,), generator=chance)
    losses.append(step(network, Xtr[ix], Ytr[ix], rate))
width = sweep_steps // 20
smoothed = np.array([np.mean(losses[max(0, i - width) : i + width + 1]) for i in range(sweep_steps)])
show(drawings.sweep(rates.numpy(), np.array(losses), smoothed))

# %% [markdown]
# Read it from left to right. At first nothing happens: the rate is too small. Then the loss falls. Then there is a
# valley: the rate is still good, and most of what can be had quickly is had. To the right of it the loss rises and
# jumps: steps so long that they land on the other side. Take a rate from the valley, nearer to its left side, where it
# is safe. 0.1 is one.
#
# ## Training, and decay
#
# With a rate of 0.1 the network soon stops getting better. It is not that nothing is left to learn. The steps are too
# long for what is left: each minibatch throws it to and fro around the bottom of the valley. So lower the rate for the
# end, to a tenth. This is called *decay*.

# %%
network = new_network(2, 100)
before = network[0].detach().numpy().copy()
chance = torch.Generator().manual_seed(1)
steps, seen = fast(12_000, 400), []


def loss_on(network, X, Y):
    with torch.no_grad():
        return F.cross_entropy(forward(network, X), Y).item()


for i in range(steps):
    ix = torch.randint(0, len(Xtr), (32,), generator=chance)
    seen.append(step(network, Xtr[ix], Ytr[ix], 0.1 if i < 0.75 * steps else 0.01))
    if (i + 1) % (steps // 8) == 0:
        print(f"after {i + 1:6,} steps at {0.1 if i < 0.75 * steps else 0.01}: dev {loss_on(network, Xdev, Ydev):.4f}")
print(f"all of train {loss_on(network, Xtr[:50_000], Ytr[:50_000]):.4f}")

# %% [markdown]
# See how it jumps at the end of the long steps and falls when they get short. Training had no look at dev: that is what
# makes the number worth something.
#
# Where has it put the letters? Nobody told it what a vowel is.

# %%
vowels = [stoi[letter] for letter in "aeiou"]
show(drawings.embeddings(before, network[0].detach().numpy(), labels, vowels=vowels))

# %% [markdown]
# ## Two losses tell what is wrong
#
# To try many sizes, let this package train: the same network and the same loop, in compiled kernels, on the same
# split. (It draws smaller first weights; exercise 3.2 is about that.) `trained` returns the model and what was seen on
# the way: now and then the loss on the last minibatches, and on all of dev.


# %%
def trained(steps, fractions=(0.8, 0.1, 0.1), seed=1, recipe=None, **sizes):
    recipe = recipe or Recipe(steps=steps, batch_size=32, optimiser="sgd", lr=0.1, schedule="step")
    plan = Plan(corpus="names", model="mlp", settings=sizes, recipe=recipe, fractions=fractions, seed=seed)
    with TemporaryDirectory() as folder:
        session = prepare(plan, Path(folder) / "run")
        session.trainer().fit()
        looks = [look for look in session.run.load_metrics() if look.get("train_nats")]
    session.model.eval()
    on_train, on_dev = (mean_nats(session.model, session.data[part], at_most=50_000) for part in ("train", "dev"))
    looks.append({"step": steps, "train_nats": on_train, "dev_nats": on_dev})
    return session.model, looks


# %% [markdown]
# Three networks. One has five hidden units. One has 100 hidden units, as above, but letters of ten numbers. One is
# larger still, and gets only a twentieth of the names to learn from.

# %%
curves = {}
for name, told in {
    "five units": {"hidden": (5,), "embedding": 2},
    "100 units": {"hidden": (100,), "embedding": 10},
    "300 units, few names": {"hidden": (300,), "embedding": 10, "fractions": (0.05, 0.1, 0.85)},
}.items():
    model, looks = trained(fast(15_000, 200), context=3, **told)
    curves[name] = [[look[key] for look in looks] for key in ("step", "train_nats", "dev_nats")]
    print(f"{name:21} {model.parameter_count():6,} parameters   train {looks[-1]['train_nats']:.3f}", end="   ")
    print(f"dev {looks[-1]['dev_nats']:.3f}")
show(drawings.fits(curves), width=10)

# %% [markdown]
# - **Train and dev alike, and both high**: the network is too small, or not trained to the end. It *underfits*. Make it
#   larger, train it longer.
# - **Train far below dev**: it has learnt names by heart. It *overfits*. Give it more text, or make it smaller, or stop
#   where dev is lowest.
# - **Both low, with a small gap**: that is what one wants. A small gap is no harm; what counts is dev.
#
# Settings are chosen by dev. Choose among many, and the best is partly luck: good on these names, by chance. That is
# why there is a third part, test, to look at once.
#
# ## Growing
#
# The network of this lesson stands at two numbers a letter and 100 hidden units. More hidden units?

# %%
for hidden in (100, 300):
    model, looks = trained(fast(15_000, 200), context=3, embedding=2, hidden=(hidden,))
    print(f"{hidden} hidden units: {model.parameter_count():6,} parameters, dev {looks[-1]['dev_nats']:.4f}")

# %% [markdown]
# Three times as many hardly help. So the bottleneck is elsewhere.
#
# ### Exercise 3.1: beat 2.2
#
# Train a network on `train`, whatever its sizes, its learning rate and its number of steps, until its loss on `dev` is
# below 2.2 nats per character: by `trained(steps, context=..., embedding=..., hidden=(...,))`, or with a loop of your
# own. Then write `next_logits(contexts)`, by which it is judged. `contexts` is an array (N, 16) of ids: the characters
# before the one that is to be guessed, the nearest one last, and zeros where a name has not begun. Take as many as your
# network reads: the last three are `contexts[:, -3:]`. Return the logits, (N, 27). For a model that `trained` returned,
# that is `model.next_logits(...)` of what it reads. The check asks for all contexts of dev (`split_corpus(corpus,
# seed=42)`), mixed.

# %%
# solution begins
# instead: def next_logits(contexts):
# instead:     return None
model, looks = trained(15_000, context=4, embedding=10, hidden=(200,))
print(f"{model.parameter_count():,} parameters, dev {looks[-1]['dev_nats']:.4f}")


def next_logits(contexts):
    return model.next_logits(contexts[:, -4:])
    # solution ends


check("3.1", next_logits)
