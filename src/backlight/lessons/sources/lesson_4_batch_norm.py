# The source of a notebook: see backlight/lessons/notebook.py for its form, and `make notebooks` to make it again.

# %% [markdown]
# # Lesson 4: keeping the signal alive
#
# Lesson 3 trained a network and looked at its loss. This one looks inside. A network is a chain of multiplications,
# both forward and backward, and along such a chain numbers tend to grow without bound or to shrink to nothing. Then the
# network learns little, and no error is raised. This lesson shows where a signal vanishes, how to choose initial
# weights so that it does not, and what batch normalisation does about it. It ends with four figures that show whether a
# network trains properly, and with checks that read them for you.
#
# The data are the names again. The network is that of lesson 3 in the lecture's size: each of three characters is
# looked up in a table `C` of vectors of 10 numbers; the resulting 30 numbers are the input of 200 tanh units, and their
# outputs give a logit for each of 27 characters. The initial weights are random numbers of standard deviation 1.

# %%
import math

import numpy as np

import backlight.torchlike as torch
import backlight.torchlike.nn.functional as F
from backlight import figures, health
from backlight.lessons import check
from backlight.lessons.display import fast, show
from backlight.lessons.figures.batch_norm import compared, minibatch_losses, std_by_depth, tanh_gate, unit_spreads
from backlight.nn import BatchNorm1d, Embedding, Linear, Module, Tanh, cross_entropy
from backlight.optim import SGD
from backlight.text import Vocabulary, Windows, load_corpus, split_corpus

# %%
corpus = load_corpus("names")
parts, vocabulary = split_corpus(corpus, seed=42), Vocabulary.of(corpus.items)
V = vocabulary.size
windows = [Windows(vocabulary.encode_items(part.items), 3) for part in (parts.train, parts.dev)]
(X, Y), (Xdev, Ydev) = ((torch.tensor(b.x), torch.tensor(b.y)) for b in (w.batch(np.arange(len(w))) for w in windows))
print(f"{len(X):,} examples in train, {len(Xdev):,} in dev")


# %%
def first_net(hidden_scale=1.0, output_scale=1.0):
    g = torch.Generator().manual_seed(2147483647)
    C = torch.randn((V, 10), generator=g)
    W1, b1 = torch.randn((30, 200), generator=g) * hidden_scale, torch.randn(200, generator=g) * hidden_scale
    W2, b2 = torch.randn((200, V), generator=g) * output_scale, torch.randn(V, generator=g) * output_scale
    return [C, W1, b1, W2, b2]


def sums_of(net, x):  # the pre-activations, which are the inputs of tanh
    return net[0][x].view(-1, 30) @ net[1] + net[2]


def logits_of(net, x):
    return torch.tanh(sums_of(net, x)) @ net[3] + net[4]


def train(net, steps, rate=0.1, forward=logits_of):
    for parameter in net:
        parameter.requires_grad = True
    optimiser, g, losses = SGD(net, rate), torch.Generator().manual_seed(1), []
    for _ in range(steps):
        rows = torch.randint(0, len(X), (32,), generator=g)
        loss = F.cross_entropy(forward(net, X[rows]), Y[rows])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


def dev_loss(net, forward=logits_of):
    with torch.no_grad():
        return F.cross_entropy(forward(net, Xdev), Ydev).item()


# %% [markdown]
# ## The first loss
#
# Before the first step the network has learnt nothing. What should its loss be? If all 27 characters are equally
# likely, each costs ln 27 (lesson 2). Anything higher means that the network makes *confident* predictions that are
# wrong. The logits are sums of 200 products, so they are large, and softmax turns large differences into near
# certainty. So start with a small last layer, scaled by 0.01:

# %%
steps = fast(2000, 40)
as_drawn, quiet = first_net(), first_net(output_scale=0.01)
for net in (as_drawn, quiet):
    logits = logits_of(net, X[:32])
    largest = F.softmax(logits, dim=1).numpy().max(1).mean()
    nats = F.cross_entropy(logits, Y[:32]).item()
    print(f"loss {nats:5.2f}, ln {V} is {math.log(V):.2f}; the largest of {V} probabilities is {largest:.2f}")
curves = {"normal": train(as_drawn, steps), "last layer x 0.01": train(quiet, steps)}
print(f"dev after {steps:,} steps: normal {dev_loss(as_drawn):.3f}, last layer x 0.01 {dev_loss(quiet):.3f}")
show(minibatch_losses(curves, uniform=math.log(V)))

# %% [markdown]
# The upper curve is called a hockey stick. It looks like fast learning, but it is not. In the steep part the logits
# merely get smaller, which a factor of 0.01 does at once. The lower curve has no such part: all its steps went into
# learning the names, and it is ahead at the end.
#
# ## The slope of tanh
#
# Now consider the layer before. In the backward pass a gradient arrives at `t = tanh(s)` and must go on to the
# pre-activation `s`. The local derivative is `1 - t²` (lesson 1). So tanh acts as a gate for the gradient: open where
# `t` is near 0, and closed where `t` is near 1 or -1. There tanh is flat, and changing `s` changes nothing. Where are
# the pre-activations of this network? The blue ones come from weights that are smaller by a factor that we derive
# below.

# %%
sums = {"normal": sums_of(first_net(), X[:1000]).numpy(), "W1 x 0.3": sums_of(first_net(0.3), X[:1000]).numpy()}
for name, s in sums.items():
    print(f"{name}: std {s.std():.2f}; on average, tanh passes {np.mean(1 - np.tanh(s) ** 2):.0%} of a gradient")
show(tanh_gate(sums))

# %% [markdown]
# Here they are unit by unit, for 32 examples. A cell is coloured where |tanh| is above 0.97, which lets less than 6 %
# of the gradient through. The third network has taken 20 steps at ten times the learning rate:

# %%
thrown = first_net()
train(thrown, 20, rate=1.0)
sums["after 20 long steps"] = sums_of(thrown, X[:32]).detach().numpy()
show(figures.saturation({name: np.abs(np.tanh(s[:32])) > 0.97 for name, s in sums.items()}))

# %% [markdown]
# Most of the first map is coloured. Training still works, because for each unit there is *some* example that does not
# saturate it. The dangerous pattern is a **column** without a gap, here in red: a unit that is saturated for every
# input, at least among these 32. Almost no gradient reaches its weights. It is a *dead neuron*, caused by initial
# weights or steps that are far too large.
#
# A tanh unit may recover, because its slope is never exactly 0. ReLU sets everything below 0 to 0, so its slope is 1 or
# exactly 0, and a unit that is below 0 for all examples never recovers. With a large last layer and a high rate:

# %%
for rate in (0.1, 0.5):
    net = first_net(hidden_scale=0.3)
    train(net, fast(100, 20), rate, lambda net, x: torch.relu(sums_of(net, x)) @ net[3] + net[4])
    dead = (sums_of(net, X[:20_000]).detach().numpy() <= 0).all(0)
    print(f"rate {rate}: {dead.sum()} of 200 units are 0 for all of 20,000 examples")

# %% [markdown]
# ## How large should a weight be?
#
# A unit sums n products. If inputs and weights are independent, with mean 0 and variance 1, then each product has
# variance 1 as well, and the variances of independent terms add: the sum has variance n and standard deviation √n. n is
# the number of inputs, the unit's **fan-in**. Divide the weights by √n, and the sum is as large as the inputs.
#
# Our 30 inputs give about √30: most units were saturated. `1 / 30**0.5` is 0.18. Before a tanh it should be 5/3 times
# as much, which is 0.3. The reason comes with deeper networks, where it matters.

# %%
g = torch.Generator().manual_seed(1)
for n in (10, 100, 1000):
    x, W = torch.randn((1000, n), generator=g), torch.randn((n, 200), generator=g)
    print(f"fan-in {n:4}: std of x @ W {(x @ W).std().item():5.2f}, of x @ W / √n {(x @ W / n**0.5).std().item():.3f}")
scaled = first_net(5 / 3 / 30**0.5, output_scale=0.01)
train(scaled, steps)
print(f"dev with both layers scaled: {dev_loss(scaled):.3f}")

# %% [markdown]
# ## Could all weights start at zero?
#
# If small weights are good, are zeros better? Follow the gradient. The gradient of a matrix is its input times the
# gradient from above (lesson 2: `xenc.T @ dlogits`). What is passed further back is multiplied by the matrix, and then
# by the slope of tanh. A product with a factor of 0 is 0:

# %%
for hidden_scale, output_scale in ((0.3, 0.01), (0.3, 0.0), (0.0, 0.0)):
    net = first_net(hidden_scale, output_scale)
    train(net, 1, rate=0.0)
    sizes = "  ".join(f"{parameter.grad.abs().max().item():.1e}" for parameter in net)
    print(f"hidden x {hidden_scale}, output x {output_scale:<4}: gradients of C, W1, b1, W2, b2 up to  {sizes}")

# %% [markdown]
# ### Exercise 4.1: what starts at zero
#
# The network: `emb = C[x]`, `h = tanh(emb @ W1 + b1)`, `logits = h @ W2 + b2`, then cross-entropy. Write
# `first_moves(zero)`. `zero` is a string with the names of the parameters that start at exactly 0, such as `"W2 b2"`;
# the others start at random numbers. Then gradient descent takes steps. Return a dictionary that maps each of `"C"`,
# `"W1"`, `"b1"`, `"W2"` and `"b2"` to the first step that changes it: 1, 2, 3, or 0 if none ever does. (No gradient is
# 0 by coincidence: the gradient of the logits is never 0.) `"W2" in zero` says whether W2 starts at 0.


# %%
def first_moves(zero):
    # solution begins
    # instead: return None
    first = {"C": 0, "W1": 0, "b1": 0, "W2": 0, "b2": 0}
    alive = {name: name not in zero for name in first}
    for step in (1, 2, 3, 4):
        h, above = alive["b1"] or (alive["C"] and alive["W1"]), alive["W2"]
        moved = {"b2": True, "W2": h, "b1": above, "W1": above and alive["C"], "C": above and alive["W1"]}
        first = {name: step if moved[name] and at == 0 else at for name, at in first.items()}
        alive = {name: alive[name] or first[name] > 0 for name in first}
    return first
    # solution ends


check("4.1", first_moves)

# %% [markdown]
# If everything starts at zero, only `b2` ever changes: the network learns how often each letter occurs, and nothing
# else. Equal weights that are not 0 are hardly better: all 200 units compute the same, get the same gradient, and
# remain copies of one unit. Only randomness makes them differ. That is why initial weights are random.
#
# ## Batch normalisation
#
# The pre-activations should have a mean of about 0 and a standard deviation of about 1, or else tanh saturates. If that
# is what we want, why not enforce it? For each unit, compute the mean and the standard deviation of its pre-activations
# over the examples of the batch, subtract the mean, and divide by the standard deviation:

# %%
s = sums_of(first_net(), X[:32])
standard = (s - s.mean(0, keepdim=True)) / torch.sqrt(s.var(0, keepdim=True, unbiased=False) + 1e-5)
show(unit_spreads({"pre-activations": s.numpy(), "standardised": standard.numpy()}))

# %% [markdown]
# Is this allowed inside a network? The mean and the standard deviation are computed by sums, products and a square
# root. Each of these has a local derivative, so the gradient passes through as through anything else. (Lesson 5 derives
# it by hand.)
#
# But this should only hold at the *beginning*. Perhaps a unit does better with another mean or another spread. So each
# unit gets a **gain**, initially 1, and a **bias**, initially 0, which are learnt:
#
#     y = gain * (s - mean) / √(var + eps) + bias
#
# - `var` is the variance divided by N, so that the result has a standard deviation of exactly 1:
#   `s.var(0, unbiased=False)` in PyTorch, `s.var(0)` in NumPy.
# - `eps`, say 1e-5, is for a unit that gives the same value for all examples: its variance is 0, and 0 / 0 is
#   undefined.
# - `b1` has no effect any more: it shifts every pre-activation, and their mean by the same amount. It is left out, and
#   the new bias takes its place.


# %%
def normed_logits(net, x, given=None):
    s = net[0][x].view(-1, 30) @ net[1]
    mean, var = (s.mean(0), s.var(0, unbiased=False)) if given is None else given
    if given is None:
        with torch.no_grad():
            running["mean"] = 0.99 * running["mean"] + 0.01 * mean
            running["var"] = 0.99 * running["var"] + 0.01 * s.var(0)
    return torch.tanh(net[2] * (s - mean) / torch.sqrt(var + 1e-5) + net[3]) @ net[4] + net[5]


running = {"mean": torch.zeros(200), "var": torch.ones(200)}

# %% [markdown]
# `given` and `running` are explained below. First, what batch norm is good for: networks whose initial `W1` differs by
# a factor of up to 500, without batch norm and with it. (For now, all of dev is one batch.)

# %%
print("initial W1  without   with batch norm")
for scale in (0.01, 5.0, 0.3):
    plain, normed = first_net(scale, output_scale=0.01), first_net(scale, output_scale=0.01)
    normed[2:3] = [torch.ones(200), torch.zeros(200)]  # gain and bias, in place of b1
    train(plain, steps)
    train(normed, steps, forward=normed_logits)
    kept = dict(running)
    print(f"x {scale:<9} {dev_loss(plain):7.3f}   {dev_loss(normed, normed_logits):7.3f}")

# %% [markdown]
# With batch norm the initial scale hardly matters. For a single layer you can derive the right scale, and then there is
# little to gain. For fifty layers of several kinds you cannot.
#
# A network of three layers whose weights are 8 times too large, with batch norm to switch on and off:
# `backlight worlds plane --lesson 4`
#
# ### The price: examples are no longer independent
#
# What the network predicts for one example now depends on the other examples in the batch. Here is one example in six
# batches:

# %%
for seed in range(6):
    rows = np.append(7, np.random.default_rng(seed).integers(0, len(X), 31))
    print(f"{F.cross_entropy(normed_logits(normed, X[rows])[:1], Y[rows[:1]]).item():.3f}", end="  ")
print("nats for the same example")

# %% [markdown]
# That is strange, and it has an advantage. Every example is shifted and scaled a little, differently each time, which
# makes it harder to memorise: it *regularises*. But it couples examples that should be independent, and that is where
# bugs hide. Layer norm, which computes its mean over the units of one example, has none of these problems; lesson 7
# uses it.
#
# ### After training: running statistics
#
# In use there may be only one example, and a single number has no variance. So use a fixed mean and variance. They can
# be computed over all of train after the training. Or keep **running** estimates during training: above, 0.99 times the
# old estimate plus 0.01 times the batch's. They need no gradient, hence `no_grad`. (The running variance is the
# *unbiased* one, divided by N - 1: 32 examples are closer to their own mean than to the mean of all examples.)

# %%
s = (normed[0][X[: fast(len(X), 5000)]].view(-1, 30) @ normed[1]).detach()
for name, statistics in (("statistics of all of train", (s.mean(0), s.var(0))), ("running statistics", kept.values())):
    nats = dev_loss(normed, lambda net, x, given=statistics: normed_logits(net, x, given))
    print(f"dev loss with {name}: {nats:.4f}")

# %% [markdown]
# ### Exercise 4.2: fold batch norm into the linear layer
#
# With fixed statistics, batch norm shifts and scales each unit by constants. A linear layer before it can do the same.
#
# Write `fold(W, b, gain, bias, running_mean, running_var, eps)`. A linear layer, `x @ W + b`, is followed by a batch
# norm in evaluation mode: it subtracts `running_mean`, divides by the square root of `running_var + eps`, multiplies by
# `gain` and adds `bias`. `W` is an array (I, O), all others are (O,), and `eps` is a number. Return two arrays, the `W`
# (I, O) and the `b` (O,) of a single linear layer that gives the same result as the two together. `np.sqrt` computes
# square roots.


# %%
def fold(W, b, gain, bias, running_mean, running_var, eps):
    # solution begins
    # instead: return None
    s = gain / np.sqrt(running_var + eps)
    return W * s, (b - running_mean) * s + bias
    # solution ends


check("4.2", fold)

# %% [markdown]
# In evaluation, batch norm costs nothing. Here is your function, applied to the network from above (`backlight.nn.fold`
# does it for a whole model):

# %%
W1, gain, bias = (parameter.detach().numpy() for parameter in normed[1:4])
folded = fold(W1, np.zeros(200), gain, bias, kept["mean"].numpy(), kept["var"].numpy(), 1e-5)
if folded is not None:
    plain = [normed[0], torch.tensor(folded[0]), torch.tensor(folded[1]), normed[4], normed[5]]
    print(f"dev loss with batch norm folded in: {dev_loss(plain):.4f}")

# %% [markdown]
# ## Deeper networks
#
# With one hidden layer the scale of `W1` cost less than a tenth of a nat. With many layers it decides whether anything
# is learnt at all: each layer multiplies the size of the signal by some factor, and ten layers do so ten times. Here
# are ten layers of 200 tanh units, with weights of standard deviation `gain / √200`:


# %%
def stds_by_depth(gain):
    g = torch.Generator().manual_seed(3)
    x, stds = torch.randn((500, 200), generator=g), []
    for _ in range(10):
        x = torch.tanh(x @ (torch.randn((200, 200), generator=g) * gain / 200**0.5))
        stds.append(x.std().item())
    return stds


gains = {"gain 0.5": 0.5, "gain 1": 1.0, "gain 5/3": 5 / 3, "gain 3": 3.0}
show(std_by_depth({name: stds_by_depth(gain) for name, gain in gains.items()}))

# %% [markdown]
# A gain of 0.5 halves the signal in each layer. But a gain of 1 does not preserve it either: tanh moves everything
# towards 0, so a little is lost each time. That is **why tanh needs a gain above 1**. It shrinks large numbers more
# than small ones. So a signal that is too large shrinks, one that is too small grows, and with a gain of 5/3 the size
# soon settles. That number is not a law: a gain of 3 also preserves the size, but with more saturated units.
#
# For ReLU the gain can be derived. Half of the numbers become 0, which halves the mean square, so the variance of the
# weights must be doubled: a gain of √2. Without a nonlinearity after the layer the gain is 1. All of this is called
# *Kaiming* initialisation.
#
# ### Exercise 4.3: initial weights that preserve the signal
#
# Write `first_weights(fan_in, fan_out, function, rng)`. Return random weights, an array (fan_in, fan_out) with mean 0,
# for a layer that is followed by `function`: `"linear"` (nothing), `"tanh"` or `"relu"`. Their standard deviation is
# the gain of that function (1, 5/3 or the square root of 2) divided by the square root of `fan_in`. `rng` is a NumPy
# generator: `rng.normal(0, std, (rows, columns))`. The check stacks layers with weights from your function, passes
# random inputs through them, and measures the size of the outputs.


# %%
def first_weights(fan_in, fan_out, function, rng):
    # solution begins
    # instead: return None
    gains = {"linear": 1, "tanh": 5 / 3, "relu": 2**0.5}
    return rng.normal(0, gains[function] / fan_in**0.5, (fan_in, fan_out))
    # solution ends


check("4.3", first_weights)

# %% [markdown]
# ### Exercise 4.4: batch norm in training and in evaluation
#
# Write `batch_norm(x, gain, bias, running_mean, running_var, training, momentum, eps)` in NumPy. `x` is an array (N,
# C), the next four are (C,). If `training`, standardise each column of `x` by its own mean and its variance divided by
# N, with `eps` added to the variance. Also update the running statistics: the new one is `(1 - momentum)` times the old
# one plus `momentum` times the batch's, where the variance is the unbiased one, divided by N - 1. Otherwise,
# standardise by the running statistics and do not change them. In both cases, multiply by `gain` and add `bias`. Return
# `y` (N, C), the running mean and the running variance. `x.var(0)` divides by N, `x.var(0, ddof=1)` by N - 1.


# %%
def batch_norm(x, gain, bias, running_mean, running_var, training, momentum, eps):
    # solution begins
    # instead: return None
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean(0), x.var(0)
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * x.var(0, ddof=1)
    y = gain * (x - mean) / np.sqrt(var + eps) + bias
    return y, running_mean, running_var
    # solution ends


check("4.4", batch_norm)

# %% [markdown]
# ## Four figures that show how a network trains
#
# This network is built from the package's layers: five hidden layers of 100 tanh units, and the output layer. We train
# five such networks that differ in their initialisation. `health.watch` records measurements while they train.


# %%
class Deep(Module):
    def __init__(self, gain, norm=False):
        rng = np.random.default_rng(1)
        fan_ins = (30, 100, 100, 100, 100)
        self.embedding = Embedding(V, 10, rng=rng)
        self.linear = [Linear(fan_in, 100, bias=not norm, scale=gain, rng=rng) for fan_in in fan_ins]
        self.norm = [BatchNorm1d(100) for _ in fan_ins] if norm else []
        self.tanh = [Tanh() for _ in fan_ins]
        self.output = Linear(100, V, scale=0.1, rng=rng)

    def forward(self, x):
        h = self.embedding(x).view(len(x), -1)
        for place, (linear, tanh) in enumerate(zip(self.linear, self.tanh, strict=True)):
            s = linear(h)
            h = tanh(self.norm[place](s) if self.norm else s)
        return self.output(h)


def watched(net, steps):
    optimiser, rng = SGD(net.parameters(), 0.1), np.random.default_rng(2)
    with health.watch(net, optimiser=optimiser) as watcher:
        for _ in range(steps):
            rows = rng.integers(0, len(X), 32)
            loss = cross_entropy(net(X[rows]), Y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            watcher.step(loss)
    return watcher.measurements()


nets = {"gain 5/3": Deep(5 / 3), "gain 0.1: too small": Deep(0.1), "gain 6: too large": Deep(6.0)}
nets |= {"gain 0.1, batch norm": Deep(0.1, norm=True), "gain 1, batch norm": Deep(1.0, norm=True)}
seen = {name: watched(net, fast(1000, 30)) for name, net in nets.items()}
with torch.no_grad():
    for name, net in nets.items():
        print(f"{name:20}  dev {cross_entropy(net.eval()(Xdev), Ydev).item():.3f}")
better = seen.pop("gain 1, batch norm")

# %% [markdown]
# **1. Activations.** A histogram of each layer's output, with the first layer on top. Healthy (the first network):
# about the same width in every layer, with a small share in the shaded ends, where tanh is saturated. Gain too small:
# hardly any width (read the numbers), and only the last layers have begun to learn. Gain too large: everything is at
# the ends.

# %%
show(compared(figures.activations, seen, title="Activations"))

# %% [markdown]
# **2. Gradients.** The gradient with respect to each layer's output. It starts at the last layer, so read from the
# bottom up. Healthy: the same width at the top and at the bottom. Gain too small: each layer passes on only a fraction,
# and almost nothing reaches the first layer. Gain too large: the gradients grow on the way back, since the few units
# that are not saturated multiply them by large weights.

# %%
show(compared(figures.activation_gradients, seen, title="Gradients of each layer's activations"))

# %% [markdown]
# **3. Gradient-to-data ratio.** For each matrix, the standard deviation of its gradient divided by that of its weights.
# Healthy: all within a factor of ten or so. The last layer has the largest ratio, since its weights were made small on
# purpose.

# %%
show(compared(figures.gradient_to_data, seen, title="Std of the gradient / std of the weights"))

# %% [markdown]
# **4. Update-to-data ratio, over time.** The same ratio for the update that each step really makes, which includes the
# learning rate. As a rule of thumb it should be about 1/1000: the dashed line. Far below it, a layer hardly learns; far
# above it, the updates are unstable. The fifth network is shown here, too.

# %%
seen["gain 1, batch norm"] = better
show(compared(figures.update_to_data, seen, title="Std of the update / std of the weights"))

# %% [markdown]
# Look at the fourth network. Batch norm has repaired the first two figures, although the weights are as small as those
# of the second network. But relative to such small weights each step is large: above the line by a factor of ten and
# more. **Batch norm makes the scale of the weights irrelevant to the signal, but not to the effective learning rate.**
# With a gain of 1 the lines come down, and so does the loss. (The first network shows that six layers with a good
# initialisation can do without batch norm.)

# %% [markdown]
# ## The same in words
#
# `health.diagnose` reads the same measurements and says what is wrong. `health.examine` needs only one batch and no
# training step. When printed, both say which numbers a finding is based on, why it matters, and what to try:

# %%
for name, found in seen.items():
    print(f"{name}:", *[f"\n    {one.title}" for one in health.diagnose(found).findings] or ["no findings"])
print("\nThe network of gain 0.1 before its first step:", health.examine(Deep(0.1), X[:256].numpy(), Y[:256].numpy()))

# %% [markdown]
# | figure | what you see | finding |
# |---|---|---|
# | first loss, hockey stick | it starts far above ln V | `overconfident-start` |
# | activations | they shrink, or grow, from layer to layer | `vanishing-signal`, `exploding-signal` |
# | activations, saturation map | peaks at the ends; whole columns | `saturated-units`, `dead-units` |
# | gradients of activations | narrower, or wider, on the way back | `vanishing-gradients`, `exploding-gradients` |
# | update-to-data ratio | far above, or far below, the line | `learning-rate-too-high`, `learning-rate-too-low` |
#
# `backlight health --about saturated-units` explains this finding at length, and likewise for all others. If the loss
# of a network falls as it should, there is no finding about rates and gradients, which have no correct size of their
# own: in that case the figures show more. PyTorch networks are watched in the same way.

# %% [markdown]
# ## What you can now do
#
# - say what the first loss should be, and what a hockey stick wastes
# - recognise saturated and dead units in a map, and say what caused them
# - choose the scale of initial weights by the fan-in and the nonlinearity, and say why they cannot all be 0
# - write batch norm, say what it costs and what eps, gain, bias and the running statistics are for, and fold it into a
#   linear layer
# - read four figures that show how a network trains, and get the same as findings in words
#
# On the command line: `backlight train names --model mlp --health`, then `backlight health` and `backlight figures`.
#
# **Next:** `backlight lessons open 5`.
#
# **Sources.** The lecture: Andrej Karpathy, [Building makemore Part 3: Activations & Gradients,
# BatchNorm](https://www.youtube.com/watch?v=P6sfmUTpUmc). The papers: Glorot & Bengio, [Understanding the difficulty of
# training deep feedforward neural networks](https://proceedings.mlr.press/v9/glorot10a.html), 2010; He et al., [Delving
# Deep into Rectifiers](https://arxiv.org/abs/1502.01852), 2015, for the gains; Ioffe & Szegedy, [Batch
# Normalization](https://arxiv.org/abs/1502.03167), 2015.
