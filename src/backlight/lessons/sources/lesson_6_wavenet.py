# The source of a notebook: see backlight/lessons/notebook.py for its form, and `make notebooks` to make it again.

# %% [markdown]
# # Lesson 6: two by two
#
# The network of lessons 3 and 4 joins all characters of its context in one layer. To let it use longer contexts, this
# lesson changes how they are joined: two neighbours become one, then two of the results, until one is left. Such a
# network has many layers, so first they become modules. Then we train it, find a bug that raises no error, and see that
# the tree is a stack of convolutions.
#
# The text is that of lesson 2, as windows: for each character, the T characters before it, padded with dots (number 0)
# at the beginning of a name.

# %%
import numpy as np

import backlight
import backlight.torchlike as torch
import backlight.torchlike.nn.functional as F
from backlight import figures
from backlight.lessons import check
from backlight.lessons.display import fast, show
from backlight.lessons.figures.wavenet import dilations, mean_losses
from backlight.lessons.recorded import load_pretrained, recorded, trains
from backlight.text import Vocabulary, Windows, load_corpus, split_corpus
from backlight.training import TrainConfig

corpus = load_corpus("names")
parts = split_corpus(corpus, seed=42)
vocabulary = Vocabulary.of(corpus.items)
V = vocabulary.size
letters = [".", *vocabulary.characters]


def examples(part, T):
    windows = Windows(vocabulary.encode_items(part.items), T)
    batch = windows.batch(np.arange(len(windows)))
    return torch.tensor(batch.x), torch.tensor(batch.y)


X, Y = examples(parts.train, 8)
print(f"x {tuple(X.shape)}, y {tuple(Y.shape)}")
for context, target in zip(X[:5].tolist(), Y[:5].tolist(), strict=True):
    print("".join(letters[i] for i in context), "->", letters[target])

# %% [markdown]
# ## From loose tensors to modules
#
# So far a network was a collection of tensors, and its forward pass was written out line by line. With two layers that
# is easy to read. With ten, every change has to be made in four places: where a tensor is created, in the list of
# parameters, in the forward pass, and in the forward pass of the evaluation. If you forget one, a matrix may never be
# trained, and no error is raised.
#
# A **module** keeps together what belongs together: its tensors, and what it computes from an input. Every module can
# be called with an input, returns its `parameters()`, and has a flag that says whether it is in training mode. Shapes
# are written (B, T, C): B examples, T positions, and C numbers at each position, its *channels*. `FlattenConsecutive`
# is the `view` before the first layer: it joins n neighbours, or all of them if n is the context length.


# %%
class Module:
    own, training = (), True

    def parameters(self):
        return list(self.own)

    def train(self, on=True):
        self.training = on


class Linear(Module):
    def __init__(self, fan_in, fan_out, bias=True):
        self.weight = torch.randn((fan_in, fan_out)) / fan_in**0.5
        self.bias = torch.zeros(fan_out)
        self.own = (self.weight, self.bias) if bias else (self.weight,)

    def __call__(self, x):
        return x @ self.weight + self.bias if len(self.own) == 2 else x @ self.weight


class Tanh(Module):
    def __call__(self, x):
        return x.tanh()


class Embedding(Module):
    def __init__(self, count, size):
        self.weight = torch.randn((count, size))
        self.own = (self.weight,)

    def __call__(self, ids):
        return self.weight[ids]


class FlattenConsecutive(Module):
    def __init__(self, n):
        self.n = n

    def __call__(self, x):
        B, T, C = x.shape
        joined = x.view(B, T // self.n, self.n * C)
        return joined.squeeze(1) if self.n == T else joined


# %% [markdown]
# Batch norm has more state. In training it uses the mean and the variance of the batch, and updates its running mean
# and variance slowly towards them; in evaluation it uses the running statistics. They are not moved by a gradient, so
# they are not parameters. (To keep it short, this one normalises by the unbiased variance; exercise 6.3 does it as
# PyTorch does.)


# %%
class BatchNorm1d(Module):
    def __init__(self, channels):
        self.gain, self.shift = torch.ones(channels), torch.zeros(channels)
        self.own = (self.gain, self.shift)
        self.running_mean, self.running_var = torch.zeros(channels), torch.ones(channels)

    def __call__(self, x):
        mean, var = self.running_mean, self.running_var
        if self.training:
            mean, var = x.mean(0, keepdim=True), x.var(0, keepdim=True)
            with torch.no_grad():
                self.running_mean = 0.9 * self.running_mean + 0.1 * mean
                self.running_var = 0.9 * self.running_var + 0.1 * var
        return self.gain * (x - mean) / (var + 1e-5).sqrt() + self.shift


# %% [markdown]
# A **container** is a module made of modules. `Sequential` passes the output of each module to the next. From the
# outside it looks like a single layer: one call runs everything, one `parameters()` returns every tensor, and one
# `train(False)` reaches every batch norm. So a network of ten layers is used like a single layer, and can be part of a
# larger one. The training loop at the end of this cell works for any module.


# %%
class Sequential(Module):
    def __init__(self, *layers):
        self.layers = layers

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

    def parameters(self):
        return [parameter for layer in self.layers for parameter in layer.parameters()]

    def train(self, on=True):
        for layer in self.layers:
            layer.train(on)


def network(*layers):
    layers[-1].weight *= 0.1  # the first logits are nearly equal, and the first loss is ln V
    net = Sequential(*layers)
    for parameter in net.parameters():
        parameter.requires_grad = True
    return net


def flat(T, embedding, hidden):
    joined = [Embedding(V, embedding), FlattenConsecutive(T), Linear(T * embedding, hidden, bias=False)]
    return network(*joined, BatchNorm1d(hidden), Tanh(), Linear(hidden, V))


def count(net):
    return sum(parameter.numel() for parameter in net.parameters())


for T in (3, 8):
    print(f"flat, context {T}: {count(flat(T, 10, 200)):,} parameters, {T * 10 * 200:,} of them in the first matrix")


def fit(net, X, Y, steps):
    losses = []
    for step in range(steps):
        rows = torch.randint(0, len(X), (32,))
        loss = F.cross_entropy(net(X[rows]), Y[rows])
        for parameter in net.parameters():
            parameter.grad = None
        loss.backward()
        rate = 0.1 if step < steps * 3 // 4 else 0.01
        for parameter in net.parameters():
            parameter.data -= rate * parameter.grad
        losses.append(loss.item())
    return losses


# %%
steps, window = fast((3000, 100), (30, 10))
torch.manual_seed(1)
flat3 = flat(3, 10, 200)
losses3 = fit(flat3, X[:, -3:], Y, steps)
print(
    f"first {losses3[0]:.2f}, last {losses3[-1]:.2f}, the ten before that:", [round(one, 2) for one in losses3[-11:-1]]
)

# %% [markdown]
# ## A loss curve that can be read
#
# The loss of 32 examples is a noisy estimate of the loss over all examples. So arrange the steps in the rows of a table
# and take the mean of each row. The mean of 100 steps has a tenth of the noise of a single one, and the trend becomes
# visible.

# %%
means = torch.tensor(losses3).view(-1, window).mean(1)
print(f"{len(losses3):,} losses, {len(means)} means; the last three:", [round(one, 3) for one in means[-3:].tolist()])
show(mean_losses({"context 3": losses3}, window))

# %% [markdown]
# ## Training and evaluation mode
#
# Before you evaluate a network, switch it to evaluation mode. In training mode, its output for an example depends on
# the rest of the batch:


# %%
def loss_on(net, part, T):
    x, y = examples(part, T)
    net.train(False)
    with torch.no_grad():
        return F.cross_entropy(net(x), y).item()


for mode in (True, False):
    flat3.train(mode)
    said = [round(flat3(X[:size, -3:])[0, 1].item(), 3) for size in (2, 8, 32)]
    print("training:  " if mode else "evaluation:", "one context, in batches of 2, 8 and 32:", said)

# %% [markdown]
# ## A longer context, joined at once
#
# Three characters of context are few. To use eight, only one number has to change:

# %%
torch.manual_seed(1)
flat8 = flat(8, 10, 200)
losses8 = fit(flat8, X, Y, steps)
for name, net, T in (("context 3", flat3, 3), ("context 8", flat8, 8)):
    print(f"flat, {name}: {count(net):,} parameters, dev {loss_on(net, parts.dev, T):.4f}")

# %% [markdown]
# It helps. But consider what the first layer does: eight vectors are concatenated, and every hidden unit computes one
# sum over all 80 numbers. The layer does not know that two letters are neighbours. A common pair, say `sh`, has to be
# learnt separately for each position at which it may occur. And the matrix grows with the context.
#
# ## The idea: join neighbours, then neighbours of neighbours
#
# Do not join eight at once. Join two, by a small layer that is **the same for all pairs**: what it learns about `sh` in
# one pair applies to every pair. This leaves four positions, each of which represents two characters. Join these two by
# two, and repeat. After three levels there is one position:

# %%
levels = ["vectors", "pairs", "groups of four", "all eight"]
show(figures.receptive_field(list("..jennif"), levels, outcome="e"))

# %% [markdown]
# So a level puts two neighbours side by side, (B, T, C) to (B, T/2, 2 C), and is followed by Linear, batch norm and
# Tanh as before. `Linear` needs no change: `@` acts on the last axis. Nor does `FlattenConsecutive`: in memory, the
# channels of one position are followed by those of the next, so a `view` joins neighbours without a copy.


# %%
def tree(embedding, hidden, norm):
    layers: list[Module] = [Embedding(V, embedding)]
    for channels in (embedding, hidden, hidden):
        layers += [FlattenConsecutive(2), Linear(2 * channels, hidden, bias=False), norm(hidden), Tanh()]
    return network(*layers, Linear(hidden, V))


x = torch.randn((2, 8, 3))
apart = torch.cat([x[:, 0::2], x[:, 1::2]], dim=2)  # the older of each pair, then the newer
print("view joins neighbours, the older first:", torch.allclose(FlattenConsecutive(2)(x), apart), "\n")

torch.manual_seed(1)
net = tree(10, 68, BatchNorm1d)
x = X[:32]
for layer in net.layers:
    x = layer(x)
    print(f"{type(layer).__name__:20}{tuple(x.shape)}")
print(f"\n{count(net):,} parameters; flat, context 8: {count(flat8):,}")

# %% [markdown]
# Each `FlattenConsecutive` halves the number of positions, and nothing else changes it. With 68 units per level the
# tree has about as many parameters as the flat network with context 8. Now train it:

# %%
losses_tree = fit(net, X, Y, steps)
dev_flat, dev_tree = loss_on(flat8, parts.dev, 8), loss_on(net, parts.dev, 8)
print(f"dev: flat, context 8 {dev_flat:.4f}, tree {dev_tree:.4f}")
show(mean_losses({"flat, context 3": losses3, "flat, context 8": losses8, "tree": losses_tree}, window))

# %% [markdown]
# ## A bug that raises no error
#
# The tree trains, and its loss is lower than that of the flat network. Nothing looks wrong. But look at the running
# means of batch norm:

# %%
for level, norm in enumerate([layer for layer in net.layers if isinstance(layer, BatchNorm1d)], 1):
    means = 32 * 2 ** (3 - level) * 68 // norm.running_mean.numel()
    print(f"level {level}: running mean {tuple(norm.running_mean.shape)}, each a mean of {means} numbers")

# %% [markdown]
# Level 1 should have 68 means, one for each channel. It has 4 times 68. `x.mean(0)` was written for (B, C). Given (B,
# T, C), it averages over the batch alone, which leaves a separate mean for every position. All shapes still fit,
# because broadcasting makes them fit. What is wrong with that?
#
# - All positions share one `Linear`, so that `sh` is the same in every pair. If each pair is then shifted and scaled
#   differently, it is not the same any more.
# - Each mean is taken over 32 numbers, although 128 are available. A mean of fewer numbers is noisier.
#
# The mean and the variance must be taken over batch *and* position, axes 0 and 1. So merge the two into one axis, (B T,
# C), and normalise:


# %%
class BatchNormOverPositions(BatchNorm1d):
    def __call__(self, x):
        return super().__call__(x.view(-1, x.shape[-1])).view(*x.shape)


torch.manual_seed(1)
fixed = tree(10, 68, BatchNormOverPositions)
fit(fixed, X, Y, steps)
print("running means now:", [tuple(layer.running_mean.shape) for layer in fixed.layers if hasattr(layer, "gain")])
print(f"dev: over the batch {dev_tree:.4f}, over batch and position {loss_on(fixed, parts.dev, 8):.4f}")

# %% [markdown]
# From the same initial weights and with the same batches, the result is a little better. Only the shape of an array
# revealed the bug.
#
# ## The same tree at every position
#
# To score a name, the tree reads a window for each of its letters. Two windows that are two positions apart share three
# of their four pairs, and what was computed for one is computed again for the other. Since all positions are treated
# alike, this is wasteful. Compute each level **once for every position of the text**, and keep the results.
#
# Level 1 joins each letter with the one before it. Each result represents two letters. So on level 2 the partner of a
# result is not the adjacent one, which overlaps with it, but the one **two** positions back. On level 3 it is four
# positions back.

# %%
show(dilations([".", *"jennifer"], 3))

# %% [markdown]
# A layer that computes the same weighted sum at every position is a *convolution*. It is *causal* if it reads nothing
# that comes later, and *dilated* if the inputs that it joins are several positions apart. With dilations 1, 2, 4, ...
# the receptive field of a position doubles from level to level. How much does this save? Count the multiplications for
# each letter of a long text:

# %%
print("context   flat, 200 units   tree, each window   tree, sliding   ratio")
for T in (8, 16, 64, 1024):
    E, H, depth = 10, 68, T.bit_length() - 1
    products = [2 * E * H] + [2 * H * H] * (depth - 1)  # of one pair, level by level
    windowed = sum(one * (T >> level) for level, one in enumerate(products, 1))
    slid = sum(products)
    print(f"{T:7}   {T * E * 200:15,}   {windowed:17,}   {slid:13,}   {windowed / slid:5.1f}")

# %% [markdown]
# At a context of 8 the flat network is still the cheapest, but its cost and that of the windowed tree grow in
# proportion to the context. The cost of the sliding tree grows only with the number of levels: a window holds T - 1
# pairs, and only one per level is new. What about batch norm? In evaluation it multiplies a channel by one number and
# adds another, which can be folded into the `Linear` before it. So a level consists of a matrix `W`, a bias `b` and a
# tanh:


# %%
def folded(linear, norm):
    scale = norm.gain / (norm.running_var.view(-1) + 1e-5).sqrt()
    W, b = linear.weight * scale, norm.shift - norm.running_mean.view(-1) * scale
    return W.detach().numpy(), b.detach().numpy()


stack = [folded(fixed.layers[i], fixed.layers[i + 1]) for i in (2, 6, 10)]
print([(W.shape, b.shape) for W, b in stack])

# %% [markdown]
# ### Exercise 6.1: the tree at every position
#
# Write `tree_everywhere(vectors, edge, levels)` in NumPy, without cutting the text into windows. `vectors` is an array
# (N, E), the vectors of the N characters of a text; `edge` (E,) is the vector of the dot, which pads the text at the
# beginning, as often as needed. `levels` is a list of k pairs `(W, b)`, the lowest level first: one level of the tree
# computes `np.tanh(pair @ W + b)` from two neighbours. `W` has shape (2 C, H): its first half, `np.split(W, 2)[0]`, is
# for the older of the two, its second half for the newer. Return an array (N, H): row t is the output of the tree for
# the window of 2ᵏ characters that *ends* with character t. `np.tile(edge, (n, 1))` makes n copies of a row, and
# `np.concatenate([a, b])` puts b below a.


# %%
def tree_everywhere(vectors, edge, levels):
    # solution begins
    # instead: return None
    h = np.concatenate([np.tile(edge, (2 ** len(levels) - 1, 1)), vectors])
    for level, (W, b) in enumerate(levels):
        d = 2**level
        left, right = np.split(W, 2)
        h = np.tanh(h[:-d] @ left + h[d:] @ right + b)
    return h
    # solution ends


check("6.1", tree_everywhere)

# %% [markdown]
# Now use your function with the weights that were just trained. Does it give the same as the tree, letter by letter?

# %%
ids = [0, *vocabulary.encode("jennifer").tolist()]
table = fixed.layers[0].weight.detach().numpy()
tops = tree_everywhere(table[ids], table[0], stack)
fixed.train(False)
by_window = fixed(torch.tensor([([0] * 7 + ids)[t : t + 8] for t in range(len(ids))])).detach().numpy()
last = fixed.layers[-1]
if tops is not None:
    slid = tops @ last.weight.detach().numpy() + last.bias.detach().numpy()
    print(f"largest difference of {slid.shape} logits: {np.abs(slid - by_window).max():.1e}")

# %% [markdown]
# With the original batch norm this could not work. It normalises the first pair of a window differently from the
# second, and the first pair of one window is the second pair of another.
#
# **What is the same as in WaveNet, and what is not.** The WaveNet of 2016 generates audio: softmax gives a probability
# to each of 256 values of the next sample, as it does here for 27 characters. Causal convolutions with doubling
# dilations are its idea, and are used here. Three things are left out: *gated units*, in which a second convolution,
# through a sigmoid, decides how much of the tanh gets through; *residual* connections, by which each layer adds to its
# input instead of replacing it; and *skip* connections, which carry every layer's output to the end. They matter with
# dozens of layers. Here there are three, with batch norm, which WaveNet does not have.
#
# ## Longer training
#
# The package has both networks and trains them in compiled kernels. So we can afford as many steps as the lecture
# takes: 200,000 minibatches of 32 examples, at a rate of 0.1 that is divided by ten for the last quarter.
# `trained(model, settings, config)`, which differs from the function of lesson 3, calls `backlight.train`, prints the
# losses, and returns the network and a dictionary of its size and losses.


# %%
def trained(model, settings, config):
    made = backlight.train("names", model, progress=None, **settings, **vars(config))
    size, train, dev = (made.result[key] for key in ("parameters", "train_nats", "dev_nats"))
    print(f"{model}, {size:,} parameters: train {train:.4f}, dev {dev:.4f}")
    return made.network, {"parameters": size, "train": train, "dev": dev}


# %%
sgd = TrainConfig(steps=200_000, batch_size=32, lr=0.1, optimiser="sgd", schedule="step", eval_interval=50_000)
nets = {
    "flat, context 3": ("mlp", {"context": 3, "embedding": 10, "hidden": (200,), "batch_norm": True}),
    "flat, context 8": ("mlp", {"context": 8, "embedding": 10, "hidden": (200,), "batch_norm": True}),
    "tree, context 8": ("wavenet", {"context": 8, "embedding": 10, "hidden": (68,)}),
    "flat, larger": ("mlp", {"context": 8, "embedding": 24, "hidden": (340,), "batch_norm": True}),
    "tree, larger": ("wavenet", {"context": 8, "embedding": 24, "hidden": (128,)}),
}
found = recorded("lesson_6_four_nets", lambda: {name: trained(*nets[name], sgd)[1] for name in [*nets][:4]})
found |= recorded("lesson_6_largest", lambda: {name: trained(*nets[name], sgd)[1] for name in [*nets][4:]})
print(f"\n{'':15}   parameters    train      dev")
for name, one in found.items():
    print(f"{name:15} {one['parameters']:12,} {one['train']:8.4f} {one['dev']:8.4f}")

# %% [markdown]
# The longer context gains most. At about the same size the tree is slightly ahead of the flat network, by thousandths
# of a nat, which another seed may reverse. Both gain from more parameters, but look at train: the larger ones have
# begun to overfit.
#
# ### Exercise 6.2: beat the lecture
#
# The lecture's network of 76 thousand parameters reached 1.993 on the lecture's own list of names, some of which are in
# both its train and its dev part. In this package's `names` no name of dev is in train, and there the same network,
# trained the same way, reaches 2.015. So the target here is **2.00 nats per character of dev**. (The largest network of
# lesson 3, with 123,003 parameters, is below it.) Train any model you like on the train part of
# `split_corpus(load_corpus("names"), seed=42)`, for as long as you like, and write `logits_for(contexts)`. `contexts`
# is an array (N, 16) of ids, oldest first: the 16 characters before the one to predict, the newest in the last column,
# padded with 0, the dot, before the beginning of a name. Use as many of the last columns as your model reads, as in
# `contexts[:, -8:]`. Return (N, 27) logits, one for each id, beginning with the dot. The ids are those of
# `Vocabulary.of(corpus.items)`. The check itself measures the loss on dev.

# %% [markdown]
# Here is a starting point, trained for a short time; `start.next_logits(contexts[:, -8:])` gives its logits.
# `load_pretrained()` is a network that reaches the target, a flat one that reads six characters, made by
# `scripts/train_lesson_6.py`: `load_pretrained().next_logits(contexts[:, -6:])`. Hand in one of your own.

# %%
short = TrainConfig.of("wavenet", steps=fast(1500, 10))
start, _ = trained("wavenet", {"context": 8, "embedding": 10, "hidden": (68,)}, short)
print(f"load_pretrained() has {load_pretrained().num_parameters():,} parameters")

# %%
# solution begins
# instead: def logits_for(contexts):
# instead:     return None
if trains():
    # not a tree: on names this short, a flat network of two layers that reads six characters does better
    config = TrainConfig.of("mlp", steps=8000, weight_decay=0.07)
    best, _ = trained("mlp", {"context": 6, "embedding": 24, "hidden": (176, 176)}, config)
else:
    best = load_pretrained()


def logits_for(contexts):
    return best.next_logits(contexts[:, -6:])
    # solution ends


check("6.2", logits_for)

# %% [markdown]
# On the lecture's own list, which contains some names twice, and with its own split:
#
#     backlight train makemore-names --duplicates keep --model wavenet --embedding 24 --hidden 128
#
# ### Exercise 6.3: batch norm over batch and position
#
# Write `batch_norm_3d(x, gain, shift, running_mean, running_var, momentum)`, batch norm in training mode, in NumPy. `x`
# is an array (B, T, C); `gain`, `shift`, `running_mean` and `running_var` are (C,), one number for each channel.
# Compute each channel's mean and variance over all B T numbers, with the *biased* variance (divided by B T). Normalise
# with 1e-5 added to the variance, multiply by `gain` and add `shift`. Return three arrays: y, (B, T, C), and the new
# running mean and variance, each (C,). The new one is `(1 - momentum)` times the old one plus `momentum` times the
# batch's. For the running variance use the *unbiased* variance of the batch (divided by B T - 1, in NumPy `ddof=1`).


# %%
def batch_norm_3d(x, gain, shift, running_mean, running_var, momentum):
    # solution begins
    # instead: return None
    mean, var = x.mean((0, 1)), x.var((0, 1))
    y = gain * (x - mean) / (var + 1e-5) ** 0.5 + shift
    running_mean = (1 - momentum) * running_mean + momentum * mean
    running_var = (1 - momentum) * running_var + momentum * x.var((0, 1), ddof=1)
    return y, running_mean, running_var
    # solution ends


check("6.3", batch_norm_3d)

# %% [markdown]
# ## What you can now do
#
# - write layers as modules, say what a container is for, and read a noisy loss
# - join a context as a tree, and follow the shapes through it
# - find a bug that broadcasting hides, by the shape of a layer's state
# - apply a tree to a text as dilated causal convolutions, and say what that saves
#
# On the command line: `backlight train names --model wavenet`; then `backlight figures` draws the tree over a name.
#
# **Next:** `backlight lessons open 7`.
#
# **Sources.** The lecture: Andrej Karpathy, [Building makemore Part 5: Building a
# WaveNet](https://www.youtube.com/watch?v=t3YJ5hKiMQ0). The papers: van den Oord et al., [WaveNet: A Generative Model
# for Raw Audio](https://arxiv.org/abs/1609.03499), 2016; Ioffe & Szegedy, [Batch Normalization: Accelerating Deep
# Network Training by Reducing Internal Covariate Shift](https://arxiv.org/abs/1502.03167), 2015.
