# The source of a notebook: see backlight/lessons/notebook.py for its form, and `make notebooks` to make it again.

# %% [markdown]
# # Lesson 11: your own GPT
#
# The backward walk of lesson 1, batch norm of lessons 4 and 5, the cross-entropy of lesson 5 and the attention of
# lesson 7 are functions that you wrote. In this lesson they train a GPT on names. There is no autograd: whatever is
# differentiated, your functions differentiate. If the loss falls, they are right, all of them together.

# %%
import inspect

import numpy as np

from backlight.lessons import check
from backlight.lessons.own_gpt import Rule, first_weights, forward, rules
from backlight.text import Sequences, Vocabulary, load_corpus, split_corpus

# %% [markdown]
# ## Your parts
#
# Copy your answers to exercises 1.4, 4.4, 5.2, 5.3 and 7.1 into this cell, and run it. Each is checked again, so that a
# mistake in one of them is found here, and not in a GPT that learns a little too slowly.


# %%
def walk_back(nodes):
    # solution begins
    # instead: return None
    gradients = {name: 0.0 for name, _ in nodes}
    gradients[nodes[-1][0]] = 1.0
    for name, parents in reversed(nodes):
        for parent, local in parents:
            gradients[parent] = gradients[parent] + local * gradients[name]
    return gradients
    # solution ends


check("1.4", walk_back)


# %%
def batch_norm(x, gain, bias, running_mean, running_var, training, momentum, eps):
    # solution begins
    # instead: return None
    mean, var = running_mean, running_var
    if training:
        mean, var = x.mean(0), x.var(0)
        running_mean = (1 - momentum) * running_mean + momentum * mean
        running_var = (1 - momentum) * running_var + momentum * x.var(0, ddof=1)
    return gain * (x - mean) / np.sqrt(var + eps) + bias, running_mean, running_var
    # solution ends


check("4.4", batch_norm)


# %%
def cross_entropy_backward(logits, targets):
    # solution begins
    # instead: return None
    probs = np.exp(logits - logits.max(1, keepdims=True))
    probs /= probs.sum(1, keepdims=True)
    probs[np.arange(len(targets)), targets] -= 1
    return probs / len(targets)
    # solution ends


check("5.2", cross_entropy_backward)


# %%
def batch_norm_backward(dy, normal, rstd, gain):
    # solution begins
    # instead: return None
    N, dgain, dshift = len(dy), (dy * normal).sum(0), dy.sum(0)
    dx = gain * rstd / N * (N * dy - dshift - N / (N - 1) * normal * dgain)
    return dx, dgain, dshift
    # solution ends


check("5.3", batch_norm_backward)


# %%
def all_heads(x, Wq, Wk, Wv, heads):
    # solution begins
    # instead: return None
    B, T, C = x.shape
    D = C // heads
    q, k, v = ((x @ W).reshape(B, T, heads, D).transpose(0, 2, 1, 3) for W in (Wq, Wk, Wv))
    scores = q @ k.transpose(0, 1, 3, 2) / D**0.5
    counts = np.exp(np.where(np.tril(np.ones((T, T))) == 1, scores, -np.inf))
    read = counts / counts.sum(-1, keepdims=True) @ v
    return read.transpose(0, 2, 1, 3).reshape(B, T, C)
    # solution ends


check("7.1", all_heads)

# %% [markdown]
# ## The network
#
# It is a GPT with one block. Two things differ from lesson 7: batch norm stands where a GPT has layer norm, and tanh
# where it has a smoother function, because you have differentiated both. Batch norm takes its mean and its variance
# over all positions of all names of the batch, as in exercise 6.3. So in training a position can tell a little of what
# comes after it, through the mean. A GPT normalises each position on its own for this reason. Attention is yours:

# %%
print(inspect.getsource(forward).partition('"""')[2].partition('"""')[2])

# %% [markdown]
# ## The one piece that is missing
#
# In lesson 7 autograd went back through attention. Now you do. From lesson 5 you know all that is needed: the gradient
# of a product of matrices is a product with the other one, transposed, and a softmax with weights w, of which each row
# receives the gradient d, passes on w (d - the sum of w d over the row). Where the mask hides a position, w is 0, and
# so is the gradient of its score: the backward pass needs no mask.
#
# ### Exercise 11.1: back through attention
#
# Write `all_heads_backward(dy, x, Wq, Wk, Wv, heads)`. The last five are the inputs of `all_heads` in exercise 7.1, and
# `dy` (B, T, C) is the gradient of its result. Return `dx, dWq, dWk, dWv`, in the shapes of `x` and the three matrices.
# Compute the queries, keys, values and weights again, and go back from there: to the values and the weights, to the
# scores, to the queries and keys, and to x, which all three were computed from. For one matrix and x as (B T, C) rows,
# the gradient is `rows.T @ d`.


# %%
def all_heads_backward(dy, x, Wq, Wk, Wv, heads):
    # solution begins
    # instead: return None
    B, T, C = x.shape
    D = C // heads
    q, k, v = ((x @ W).reshape(B, T, heads, D).transpose(0, 2, 1, 3) for W in (Wq, Wk, Wv))
    scores = q @ k.transpose(0, 1, 3, 2) / D**0.5
    counts = np.exp(np.where(np.tril(np.ones((T, T))) == 1, scores, -np.inf))
    weights = counts / counts.sum(-1, keepdims=True)
    dread = dy.reshape(B, T, heads, D).transpose(0, 2, 1, 3)
    dweights, dv = dread @ v.transpose(0, 1, 3, 2), weights.transpose(0, 1, 3, 2) @ dread
    dscores = weights * (dweights - (weights * dweights).sum(-1, keepdims=True)) / D**0.5
    dq, dk = dscores @ k, dscores.transpose(0, 1, 3, 2) @ q
    dq, dk, dv = (d.transpose(0, 2, 1, 3).reshape(B, T, C) for d in (dq, dk, dv))
    rows = x.reshape(B * T, C).T
    dW = [rows @ d.reshape(B * T, C) for d in (dq, dk, dv)]
    return dq @ Wq.T + dk @ Wk.T + dv @ Wv.T, *dW
    # solution ends


check("11.1", all_heads_backward)

# %% [markdown]
# ## Lesson 1's walk, for arrays
#
# `walk_back` multiplies a local derivative by the gradient from above and adds the product to the gradient of the
# parent. For arrays, the product becomes a *rule*: a function from the gradient of a result to the gradient of a
# parent. Let `rule * gradient` apply the rule, and `walk_back` works as it is:

# %%
W = np.array([[1.0, 2.0], [3.0, 4.0]])
row = np.array([[5.0, 6.0]])
product = [("row", Rule(lambda d: d @ W.T)), ("W", Rule(lambda d: row.T @ d))]
total = [("product", Rule(lambda d: d * np.ones((1, 2))))]
nodes = [("row", []), ("W", []), ("product", product), ("total", total)]
print("the gradient of W, for the sum of row @ W:", (walk_back(nodes) or {}).get("W"), sep="\n")

# %% [markdown]
# A function such as yours, which returns the gradients of several parents at once, becomes rules by `rules(names of the
# parents, function of the gradient from above)`.
#
# ### Exercise 11.2: the gradients of a GPT
#
# Write `gpt_gradients(weights, steps, x, y, heads)`: the gradients of the loss, in a dictionary with the names of
# `weights`. `weights` is a dictionary with `token` (V, C), `position` (T, C), `gain1`, `shift1` (C,), `Wq`, `Wk`, `Wv`
# (C, C), `gain2`, `shift2` (C,), `W1` (C, H), `b1` (H,), `W2` (H, C), `b2` (C,), `W3` (C, V) and `b3` (V,). `steps` has
# the results of the forward pass above: `vectors`, `normal1`, `scaled1`, `read`, `after1`, `normal2`, `scaled2` and
# `after2` (B, T, C), `rstd1` and `rstd2` (C,), `hidden` (B, T, H) and `logits` (B, T, V). `x` (B, T) holds ids, and `y`
# (B, T) the targets; where a name has ended `y` is -1, and the position does not count. The loss is the cross-entropy,
# averaged over the positions that count: `steps.logits[y >= 0]` are their rows. Build the list of nodes and let
# `walk_back` walk it. `cross_entropy_backward` and `batch_norm_backward` take rows (N, C), so reshape before and after.
# Beware of what is used twice: `vectors` and `after1`.


# %%
def gpt_gradients(weights, steps, x, y, heads):
    # solution begins
    # instead: return None
    def rows(array):
        return array.reshape(-1, array.shape[-1])

    def linear(inputs, W, names):
        return rules(names, lambda d: (d @ W.T, rows(inputs).T @ rows(d), rows(d).sum(0)))

    def norm(normal, rstd, gain, names):
        def back(d):
            dx, dgain, dshift = batch_norm_backward(rows(d), rows(normal), rstd, gain)
            return dx.reshape(d.shape), dgain, dshift

        return rules(names, back)

    def attention(d):
        return all_heads_backward(d, steps.scaled1, weights["Wq"], weights["Wk"], weights["Wv"], heads)

    def embedded(d):
        dtoken = np.zeros_like(weights["token"])
        np.add.at(dtoken, x, d)
        return dtoken, d.sum(0)

    def loss(d):
        dlogits = np.zeros_like(steps.logits)
        dlogits[y >= 0] = cross_entropy_backward(steps.logits[y >= 0], y[y >= 0])
        return d * dlogits

    same = Rule(lambda d: d.copy())
    nodes = [(name, []) for name in weights]
    nodes += [
        ("vectors", rules(("token", "position"), embedded)),
        ("scaled1", norm(steps.normal1, steps.rstd1, weights["gain1"], ("vectors", "gain1", "shift1"))),
        ("read", rules(("scaled1", "Wq", "Wk", "Wv"), attention)),
        ("after1", [("vectors", same), ("read", same)]),
        ("scaled2", norm(steps.normal2, steps.rstd2, weights["gain2"], ("after1", "gain2", "shift2"))),
        ("sums", linear(steps.scaled2, weights["W1"], ("scaled2", "W1", "b1"))),
        ("hidden", [("sums", Rule(lambda d: d * (1 - steps.hidden**2)))]),
        ("mlp", linear(steps.hidden, weights["W2"], ("hidden", "W2", "b2"))),
        ("after2", [("after1", same), ("mlp", same)]),
        ("logits", linear(steps.after2, weights["W3"], ("after2", "W3", "b3"))),
        ("loss", [("logits", Rule(loss))]),
    ]
    return walk_back(nodes)
    # solution ends


check("11.2", gpt_gradients)

# %% [markdown]
# ## Training
#
# Now everything is there. Names are padded to 16 positions, with -1 as the target after the end.

# %%
names = load_corpus("names")
halves, letters = split_corpus(names, seed=42), Vocabulary.of(names.items)
train = Sequences(letters.encode_items(halves.train.items), 16)
batch = train.sample(2, np.random.default_rng(1))
print(batch.x[0], batch.y[0], sep="\n")

# %% [markdown]
# ### Exercise 11.3: train it on names
#
# Train your GPT until its loss on dev is below 2.3 nats per character; counts of pairs reach 2.45. Start with
# `first_weights(27, 16, 32, 128, rng)` and 4 heads. A step is: draw a batch, `forward`, `gpt_gradients`, and subtract a
# rate times its gradient from each weight. Keep running statistics of `steps.vectors` and `steps.after1`, as rows (B T,
# C), with your `batch_norm`. Then write `name_logits(x)`, which the check evaluates on dev: `x` (N, 16) holds ids as in
# `batch.x`, and the result, (N, 16, 27), is the logits of the character after each position. Evaluation uses the
# running statistics: pass `forward` a function of your own as `norm`. A rate of 0.5, batches of 32 and 400 steps
# suffice, and take a few seconds.


# %%
# solution begins
# instead: def name_logits(x):
# instead:     return None
rng, C = np.random.default_rng(1), 32
learnt = first_weights(27, 16, C, 128, rng)
ones, zeros = np.ones(C, np.float32), np.zeros(C, np.float32)
running = {1: (zeros, ones), 2: (zeros, ones)}
for step in range(400):
    batch, rate = train.sample(32, rng), 0.5 * (1 - step / 400)
    steps = forward(learnt, batch.x, 4, all_heads)
    for name, gradient in gpt_gradients(learnt, steps, batch.x, batch.y, 4).items():
        if name in learnt:
            learnt[name] -= rate * gradient
    for layer, seen in ((1, steps.vectors), (2, steps.after1)):
        _, *running[layer] = batch_norm(seen.reshape(-1, C), ones, zeros, *running[layer], True, 0.1, 1e-5)


def by_running(x, layer):
    y, *_ = batch_norm(x.reshape(-1, C), ones, zeros, *running[layer], False, 0.1, 1e-5)
    return y.reshape(x.shape), None


def name_logits(x):
    return forward(learnt, x, 4, all_heads, norm=by_running).logits
    # solution ends


check("11.3", name_logits)

# %% [markdown]
# ## What it writes
#
# One letter at a time: the logits at the last letter, softmax, a draw.

# %%
draw, written = np.random.default_rng(3), []
for _ in range(10):
    ids = [0]
    while len(ids) < 16 and name_logits(np.zeros((1, 16), int)) is not None:
        logits = name_logits(np.array([ids + [0] * (16 - len(ids))]))[0, len(ids) - 1]
        p = np.exp(logits - logits.max())
        ids.append(int(draw.choice(27, p=p / p.sum())))
        if ids[-1] == 0:
            break
    written.append(letters.decode([i for i in ids if i]))
print(", ".join(written))

# %% [markdown]
# Nothing in this network is hidden from you any more: each number of each gradient came from a function that you wrote.

# %% [markdown]
# ## What you can now do
#
# - put functions that were written and checked one by one together into a model that learns
# - differentiate attention
# - say what a framework's autograd does, and do without it
# - see why batch norm has no place in a GPT
#
# **Sources.** Andrej Karpathy, [Building makemore Part 4: Becoming a Backprop
# Ninja](https://www.youtube.com/watch?v=q8SA3rM6ckI) and [Let's build
# GPT](https://www.youtube.com/watch?v=kCc8FmEb1nY); Vaswani et al. 2017, [Attention Is All You
# Need](https://arxiv.org/abs/1706.03762); Ioffe & Szegedy 2015, [Batch
# Normalization](https://arxiv.org/abs/1502.03167).
