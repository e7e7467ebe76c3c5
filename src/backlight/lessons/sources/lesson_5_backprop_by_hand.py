# The source of a notebook: see backlight/lessons/notebook.py for its form, and `make notebooks` to make it again.

# %% [markdown]
# # Lesson 5: the gradient by hand
#
# Lesson 1 had one idea: a local derivative times the gradient from above, summed over paths. It dealt with single
# numbers. This lesson applies it to arrays: matrix products, broadcasting, indexing, batch norm. At the end, a network
# trains on names without a single call of `backward()`. In practice `backward()` will do this work for you. But it only
# hides the backward pass, and what is hidden still happens. If you can see the backward pass in the forward code, you
# can find bugs that raise no error.

# %%
import numpy as np

import backlight.torchlike as torch
import backlight.torchlike.nn.functional as F
from backlight import Value, figures
from backlight.core import compare
from backlight.lessons import check, given
from backlight.lessons.display import fast, show
from backlight.lessons.figures.backprop import (
    Mirror,
    cascade,
    influence,
    logit_pulls,
    losses_by_hand,
    mirrors,
    product_paths,
)
from backlight.models import by_hand
from backlight.text import Vocabulary, Windows, load_corpus

# %% [markdown]
# ## Three such bugs
#
# - **Clipping the loss.** Some examples have a huge loss, so somebody limits it to "at most 2 nats". The intention was
#   to limit the *gradient*. But a clipped loss is a constant, and the slope of a constant is 0: the examples with the
#   largest errors, which have most to teach, contribute nothing.
# - **Dead units.** The gradient that passes back through tanh is multiplied by the slope, 1 - output². A unit whose
#   output is 1 for every example receives no gradient (lesson 4).
# - **The same factor, many times.** A recurrent network reads a text with a single state, which it multiplies by the
#   same matrix at each character. So does its backward pass, and the 50th power of a factor is either close to nothing
#   or far too large.

# %%
logits = torch.tensor([[2.0, 0.0, 0.0], [0.0, 1.0, 0.0], [6.0, 0.0, 0.0]], requires_grad=True)
nats = -F.log_softmax(logits, dim=1)[torch.arange(3), torch.tensor([0, 1, 2])]
torch.where(nats < 2.0, nats, torch.full_like(nats, 2.0)).sum().backward()
for loss, row in zip(nats.tolist(), logits.grad.tolist(), strict=True):
    print(f"loss {loss:.2f}: gradient", [round(one, 3) for one in row])
turn = torch.tensor(np.linalg.qr(np.random.default_rng(5).normal(size=(8, 8)))[0])  # a rotation: preserves lengths
for scale in (0.8, 1.0, 1.25):
    state = start = torch.ones(8, dtype=torch.float64, requires_grad=True)
    for _ in range(50):
        state = state @ (scale * turn)
    state.sum().backward()
    print(f"50 steps, each scaled by {scale:4}: a gradient of length {(start.grad**2).sum().sqrt().item():.1e}")

# %% [markdown]
# ## From numbers to arrays
#
# An array holds many numbers, and each of them has a gradient. So the first rule is simple: **a gradient has the shape
# of the array that it is the gradient of.** Write `dX` for the gradient of the loss with respect to `X`. It has the
# shape of `X`, and each of its numbers says how the loss depends on the number of `X` in the same position.
#
# ### A matrix product, number by number
#
# Take `Y = X @ W` with two rows and two columns. Written out, it consists of sums and products:
#
#     y11 = x11 w11 + x12 w21        y12 = x11 w12 + x12 w22
#     y21 = x21 w11 + x22 w21        y22 = x21 w12 + x22 w22
#
# Find x12 on the right-hand sides. It is used twice: in y11, where it is multiplied by w21, and in y12, by w22. These
# are two paths. On each, the contribution is the local derivative (the w) times the gradient from above (of the y). And
# paths add:
#
#     dx12 = w21 dy11 + w22 dy12

# %%
X, W = np.array([[1.0, 2.0], [3.0, -1.0]]), np.array([[2.0, -1.0], [4.0, 1.0]])
show(product_paths(X, W, X @ W, row=0, k=1))

# %% [markdown]
# So dx12 is the dot product of row 1 of `dY` and row 2 of `W`. Two rows are multiplied, so this is a matrix product
# with the transpose of `W`. The same holds for all four numbers: `dX = dY @ W.T`. For W, find w21 on the right-hand
# sides: it is in y11 with x12 and in y21 with x22. So a column of `X` is multiplied by a column of `dY`:
# `dW = X.T @ dY`.
#
# Is that right? Verify it with the `Value`s of lesson 1, which have no matrix operations. (To use any `dY` as the
# gradient from above, let the output be the sum of `dY * Y`: its derivative with respect to a number of `Y` is the
# corresponding number of `dY`.)

# %%
above = np.array([[1.0, -2.0], [0.5, 3.0]])  # dY
xs, ws = ([[Value(number) for number in row] for row in array.tolist()] for array in (X, W))
ys = [[sum(xs[i][k] * ws[k][j] for k in range(2)) for j in range(2)] for i in range(2)]
end = sum(above[i, j].item() * ys[i][j] for i in range(2) for j in range(2))
end.backward()
print("numbers: dX", [[one.grad for one in row] for row in xs], "  dW", [[one.grad for one in row] for row in ws])
print("arrays:  dX", (above @ W.T).tolist(), "  dW", (X.T @ above).tolist())

# %% [markdown]
# You need not remember which matrix is transposed: the shapes determine it. For X (32, 30) and W (30, 64), Y and dY are
# (32, 64). dX must be (32, 30), and of all products of `dY` and `W` only `dY @ W.T` has that shape.
#
# ### Each operation and its reverse
#
# All other array operations of the network are of four kinds. Each has a counterpart in the backward pass, and each
# counterpart is another case of "summed over paths".
#
# - **Broadcast.** A bias has one row, and is added to every row of a batch: N uses, N paths. Backward: **sum**.
# - **Sum.** Each number enters one sum, with slope 1. Backward, it receives the gradient of the sum unchanged:
#   **broadcast**. (A mean is a sum divided by N, so its gradient is divided by N.)
# - **Index.** `C[ids]` copies rows. Backward, a row receives the gradients of its copies, **added** if there are
#   several; a row that was not selected gets 0. `np.add.at(dC, ids, dY)` does that.
# - **Max.** It copies the largest number. Backward, **only the largest** receives the gradient: a small change to
#   another number has no effect.

# %%
x = np.array([[4.0, 1.0, 2.0], [0.0, 7.0, 3.0], [5.0, 6.0, 1.0]])
b, table, ids = np.array([[1.0, 2.0, 3.0]]), np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]), [2, 0, 2]
for_b, for_sum = np.array([[1.0, -2.0, 0.0], [3.0, 1.0, -1.0], [2.0, 2.0, 5.0]]), np.array([[2.0, -1.0, 3.0]])
for_rows, for_max = np.array([[1.0, -2.0], [3.0, 1.0], [2.0, 2.0]]), np.array([[2.0], [-3.0], [1.0]])
db, dx_sum, dtable, dx_max = for_b.sum(0, keepdims=True), np.ones_like(x) * for_sum, np.zeros_like(table), x * 0
np.add.at(dtable, ids, for_rows)
dx_max[np.arange(3), x.argmax(1)] = for_max[:, 0]
moves = []
for name, mirror, move, array, above, ours in (
    ("broadcast to 3 rows", "sum over 3 rows", lambda b: b + torch.zeros((3, 3)), b, for_b, db),
    ("sum over the rows", "broadcast to all rows", lambda x: x.sum(0, keepdim=True), x, for_sum, dx_sum),
    ("select rows 2, 0, 2", "add into rows 2, 0, 2", lambda table: table[torch.tensor(ids)], table, for_rows, dtable),
    ("largest of each row", "only to the largest", lambda x: x.max(1, keepdim=True).values, x, for_max, dx_max),
):
    leaf = torch.tensor(array, requires_grad=True)
    y = move(leaf)
    y.backward(torch.tensor(above))
    print(compare(f"{name:19}", ours, leaf.grad.numpy()))
    moves.append(Mirror(name, mirror, array, y.detach().numpy(), above, ours))
show(mirrors(moves))

# %% [markdown]
# Row 2 of the table was selected twice, so two gradients add up in it. Elementwise operations (+, *, exp, log, tanh)
# are as in lesson 1: at each position, their own slope times the gradient from above.
#
# ## A whole network, one operation per line
#
# This is the network of lesson 4 with 64 units. It keeps the `b1` that lesson 4 left out: watch its gradient. Three
# characters are embedded and joined; then come a linear layer, batch norm, tanh, another linear layer, and
# cross-entropy. It is broken down until each line is *one* operation whose slope you know.

# %%
corpus = load_corpus("names")
vocabulary = Vocabulary.of(corpus.items)
windows = Windows(vocabulary.encode_items(corpus.items), 3)
V, N = vocabulary.size, 32
labels = [".", *sorted(set("".join(corpus.items)))]
batch = windows.sample(N, np.random.default_rng(1))
x, y = batch.x, batch.y
weights = by_hand.first_weights(V, rng=np.random.default_rng(2), dtype=np.float64)
C, W1, b1, gain, shift, W2, b2 = (torch.tensor(array, requires_grad=True) for array in weights)
print("first example of the batch:", [labels[i] for i in x[0]], "then", labels[y[0]])

# %%
# the first layer
vectors = C[torch.tensor(x)]  # (N, 3, 10): a vector for each character
joined = vectors.view(N, -1)  # (N, 30): concatenated
sums = joined @ W1 + b1  # (N, 64)
# batch norm
mean = sums.sum(0) / N  # (64,): for each unit, over the batch
centred = sums - mean
squares = centred**2
variance = squares.sum(0) / (N - 1)
rstd = (variance + 1e-5) ** -0.5  # 1 / standard deviation
normal = centred * rstd
scaled = gain * normal + shift
# tanh, and the second layer
h = scaled.tanh()
logits = h @ W2 + b2  # (N, V)
# cross-entropy
largest = logits.max(1, keepdim=True).values  # (N, 1): subtracted so that exp cannot overflow
shifted = logits - largest
counts = shifted.exp()
total = counts.sum(1, keepdim=True)
inverse = total**-1
probs = counts * inverse
logprobs = probs.log()
loss = -logprobs[torch.arange(N), torch.tensor(y)].mean()
print(f"loss {loss.item():.4f} nats")

# %% [markdown]
# Why N - 1? The mean was computed from these very numbers, so their squared distances from it are a little too small:
# on average, by a factor of (N - 1)/N. Dividing by N - 1 corrects that. This is *Bessel's correction*. (Lesson 4
# divided by N, as PyTorch's batch norm does in training. The lecture divides by N - 1 here, and so do we. Batch norm's
# `bias` is called `shift` here, to distinguish it from `b1` and `b2`.)
#
# Now compute autograd's gradients for comparison. `retain_grad()` keeps the gradients of intermediate results:

# %%
arrays = {name: globals()[name] for name in by_hand.Weights._fields + by_hand.Intermediates._fields}
for array in arrays.values():
    array.retain_grad()
loss.backward()
auto = {name: array.grad.numpy() for name, array in arrays.items()}
steps = by_hand.forward(weights, x, y)  # the same steps as plain arrays: steps.probs, ...

# %% [markdown]
# ### The first three steps back
#
# `loss`: it selects one number from each row, takes the mean, and changes the sign. So each selected number has slope
# -1/N, and all others 0. `logprobs`: the slope of log is 1 / its input. `probs = counts * inverse`: the derivative of a
# product with respect to one factor is the other factor. But `inverse` is (N, 1): it was broadcast along a row, so its
# gradient is summed along the row.

# %%
dlogprobs = np.zeros_like(steps.logprobs)
dlogprobs[np.arange(N), y] = -1 / N
print(compare("logprobs", dlogprobs, auto["logprobs"]))
dprobs = dlogprobs / steps.probs
print(compare("probs", dprobs, auto["probs"]))
dinverse = (steps.counts * dprobs).sum(1, keepdims=True)
print(compare("inverse", dinverse, auto["inverse"]))

# %% [markdown]
# It goes on like this, 23 more times. This table shows the slope of each operation. From above comes the gradient of
# the variable on the left of `=`; what you compute is the gradient of the variables on the right.
#
# | operation | its own slope | in the backward pass |
# |---|---|---|
# | `inverse = total**-1` | `-total**-2` | |
# | `total = counts.sum(1)` | 1 | a sum: broadcast along the row |
# | `counts = shifted.exp()` | itself, `counts` | used twice, in `probs` and in `total`: add two contributions |
# | `shifted = logits - largest` | 1 and -1 | `largest` was broadcast: sum along the row |
# | `largest = logits.max(1)` | 1 where it is the largest | `logits` get this and the gradient of `shifted` |
# | `logits = h @ W2 + b2` | a product | `b2` was broadcast: sum over the batch |
# | `h = scaled.tanh()` | `1 - h**2` | |
# | `scaled = gain * normal + shift` | the other factor; 1 | `gain` and `shift` were broadcast |
# | `normal = centred * rstd` | the other factor | `rstd` was broadcast |
# | `rstd = (variance + 1e-5)**-0.5` | `-0.5 * (variance + 1e-5)**-1.5` | |
# | `variance = squares.sum(0) / (N - 1)` | 1 / (N - 1) | a sum: broadcast over the batch |
# | `squares = centred**2` | `2 * centred` | `centred` is used twice, also in `normal` |
# | `centred = sums - mean` | 1 and -1 | `mean` was broadcast: sum over the batch |
# | `mean = sums.sum(0) / N` | 1 / N | a sum; and `sums` are used twice |
# | `sums = joined @ W1 + b1` | a product | `b1` was broadcast |
# | `joined = vectors.view(N, -1)` | 1 | the same numbers: `reshape` them back |
# | `vectors = C[x]` | 1 | add into the selected rows |
#
# ### Exercise 5.1: every step by hand
#
# Write `all_gradients(weights, steps, x, y)`: the gradient of the loss with respect to each of 26 arrays. `weights` has
# `C` (V, E), `W1` (I, H), `b1`, `gain` and `shift` (H,), `W2` (H, V), `b2` (V,). `steps` has the intermediate results
# of the forward pass: `steps.probs` and so on. `x` (N, T) holds ids, `y` (N,) targets. Return a dictionary by name:
# `d["probs"]` is the gradient of `steps.probs`, in the same shape. In the order of the backward pass, the names are
# logprobs, probs, inverse, total, counts, shifted, largest, logits, h, W2, b2, scaled, gain, shift, normal, rstd,
# variance, squares, centred, mean, sums, joined, W1, b1, vectors, C. You may hand in only the first few: the check says
# how many are right.

# %% [markdown]
# The first three are already there. Add one line, run the cell, read the result, and go on to the next. (The lecture's
# names, such as `norm_logits` or `bndiff`, are accepted, too.)


# %%
def all_gradients(weights, steps, x, y):
    N, rows, d = len(x), np.arange(len(x)), {}
    d["logprobs"] = np.zeros_like(steps.logprobs)
    d["logprobs"][rows, y] = -1 / N
    d["probs"] = d["logprobs"] / steps.probs
    d["inverse"] = (steps.counts * d["probs"]).sum(1, keepdims=True)
    # solution begins
    d["total"] = -(steps.total**-2) * d["inverse"]
    d["counts"] = steps.inverse * d["probs"] + d["total"]
    d["shifted"] = steps.counts * d["counts"]
    d["largest"] = -d["shifted"].sum(1, keepdims=True)
    d["logits"] = d["shifted"].copy()
    d["logits"][rows, steps.logits.argmax(1)] += d["largest"][:, 0]
    d["h"] = d["logits"] @ weights.W2.T
    d["W2"], d["b2"] = steps.h.T @ d["logits"], d["logits"].sum(0)
    d["scaled"] = (1 - steps.h**2) * d["h"]
    d["gain"], d["shift"] = (steps.normal * d["scaled"]).sum(0), d["scaled"].sum(0)
    d["normal"] = weights.gain * d["scaled"]
    d["rstd"] = (steps.centred * d["normal"]).sum(0)
    d["variance"] = -0.5 * (steps.variance + 1e-5) ** -1.5 * d["rstd"]
    d["squares"] = np.ones_like(steps.squares) * d["variance"] / (N - 1)
    d["centred"] = steps.rstd * d["normal"] + 2 * steps.centred * d["squares"]
    d["mean"] = -d["centred"].sum(0)
    d["sums"] = d["centred"] + d["mean"] / N
    d["joined"] = d["sums"] @ weights.W1.T
    d["W1"], d["b1"] = steps.joined.T @ d["sums"], d["sums"].sum(0)
    d["vectors"] = d["joined"].reshape(steps.vectors.shape)
    d["C"] = np.zeros_like(weights.C)
    np.add.at(d["C"], x, d["vectors"])
    # solution ends
    return d


check("5.1", all_gradients)

# %%
# compare what you have with autograd's gradients, on the names
mine = all_gradients(weights, steps, x, y)
for name, array in mine.items():
    if name in auto and np.shape(array) == auto[name].shape:
        print(compare(f"{name:8} {np.shape(array)!s:12}", array, auto[name]))

# %% [markdown]
# ## All gradients in one figure
#
# The figure shows the same backward pass on a network small enough to see every number. Follow the blue arrows, row by
# row, down to `logprobs`, one step before the loss. (Above, each array has its own scale, from pale for its smallest
# number to dark for its largest.) Then follow the orange arrows from the bottom up to `C`. A blue cell below means that
# the loss grows if this number grows; an orange cell means that it falls.

# %%
small, (few_x, few_y) = given("5.4")["weights"], given("5.4")["batches"][0]
few = by_hand.forward(small, few_x, few_y)
by_weight, by_step = by_hand.backward(small, few, few_x, few_y)
both = cascade(small._asdict() | few._asdict(), by_weight._asdict() | by_step._asdict())
show(both)

# %% [markdown]
# It begins with one number per row. `total` broadcasts it along the row, so that every character receives a gradient.
# `W2` spreads it over all units, batch norm over all rows, and in the end it is collected in the rows of `C` that were
# used. No step used anything but its own slope. That is why the same method works for any computation that can be
# broken down into steps. (`backlight.explain(loss)` shows it as a table.)
#
# Two gradients are 0, and must be. Subtracting `largest` changes no probability, so the loss cannot depend on it. And
# whatever `b1` adds to a unit, batch norm's mean subtracts again: a bias before batch norm has no effect.
#
# ## Cross-entropy as a single formula
#
# Eight steps for such a short formula: much must cancel. On paper, for one row z with target t,
#
#     loss = -log p_t = -z_t + log(sum of all e^z)
#
# The log of a sum has slope 1 / sum, and the sum has slope e^z_v with respect to z_v. Together this is e^z_v / sum,
# which is p_v. The first term contributes -1 at the target. So
#
#     dz_v = p_v          dz_t = p_t - 1
#
# **the prediction minus the one-hot target**. With a mean over N rows, divide by N.
#
# ### Exercise 5.2: cross-entropy as a single formula
#
# Write `cross_entropy_backward(logits, targets)`. `logits` is an array (N, V), and `targets` (N,) holds integers. The
# loss is the mean over the rows of -log p, where p is the softmax of the row at its target. Return its gradient with
# respect to the logits, (N, V), computed directly: without the gradients of logprobs, probs and so on. Logits as large
# as 1000 are allowed. (Instead of the function you may pass the gradient itself to `check`, computed from the logits
# and targets in `given("5.2")`.)


# %%
def cross_entropy_backward(logits, targets):
    # solution begins
    # instead: return None
    dlogits = np.exp(logits - logits.max(1, keepdims=True))
    dlogits /= dlogits.sum(1, keepdims=True)
    dlogits[np.arange(len(targets)), targets] -= 1
    return dlogits / len(targets)
    # solution ends


check("5.2", cross_entropy_backward)

# %% [markdown]
# Gradient descent goes against the gradient. It lowers the logit of each wrong character by the probability that the
# character was given, and raises the logit of the right one by what its probability lacks to 1. Think of these changes
# as forces. Here they are for one row of our batch:

# %%
show(logit_pulls(N * auto["logits"][0], labels, target=int(y[0])))

# %% [markdown]
# The forces balance: the row sums to 0, because the probabilities sum to 1. For a row that was predicted correctly and
# confidently they are close to 0. For one that was confidently wrong they are largest. These forces, for all rows, are
# the only input of the backward pass. Every other step passes them on.

# %%
print(f"the largest sum over a row: {np.abs(auto['logits'].sum(1)).max():.0e}")
show(figures.dlogits(auto["logits"], labels))

# %% [markdown]
# ## Batch norm as a single formula
#
# Consider one column of a batch, the N pre-activations of a unit. Call them x, their mean m, and let r = rstd:
#
#     normal_i = (x_i - m) r          y_i = gain normal_i + shift
#
# It looks as if y_1 depended on x_1 alone. But m and r are computed from *all* x. Here are eight examples. Each is
# changed slightly in turn, and the figure shows the effect on all eight outputs:

# %%
column, step = np.random.default_rng(5).normal(size=(8, 1)), 1e-5
nudges = step * np.eye(8)  # eight copies of the column, each with a different x changed
up, down = (by_hand.batch_norm(column + nudge, np.ones(8), np.zeros(8)).y for nudge in (nudges, -nudges))
slopes = (up - down) / (2 * step)
show(influence(slopes))

# %% [markdown]
# No cell is 0: every example changes the mean and the variance, and through them all other outputs. So the gradient
# contains sums over the batch. There are three paths. Let g be `gain * dy`, the gradient of normal:
#
# 1. **Directly.** normal has slope r with respect to x: the contribution is `r * g`.
# 2. **Through the mean.** m has slope -r in every row, so `dm = -r * g.sum(0)`. Each x contributes 1/N to m: `dm / N`.
#    (m also occurs in the variance. But there the paths cancel: distances from a mean sum to 0.)
# 3. **Through the variance** v. With x - m = normal / r, `dr = (g * normal).sum(0) / r`, and `dv = -0.5 * r**3 * dr`.
#    Each x has slope 2 (x - m) / (N - 1) in v. Altogether: `-r * normal * (g * normal).sum(0) / (N - 1)`.
#
# Add the three, and factor out what they share. You already have both sums over the batch: `dshift` and `dgain`.
#
# ### Exercise 5.3: batch norm as a single formula
#
# Write `batch_norm_backward(dy, normal, rstd, gain)`. In the forward pass, each column of x (N, H) was transformed as
# follows: `normal = (x - mean) * rstd` and `y = gain * normal + shift`, where `rstd` is 1 over the square root of the
# variance + 1e-5, and the variance is divided by N - 1. `dy` (N, H) is the gradient from above; `gain` (H,), `normal`
# (N, H) and `rstd` (H,) are the values from the forward pass. Return `dx, dgain, dshift`, of shapes (N, H), (H,) and
# (H,), with one formula for each.


# %%
def batch_norm_backward(dy, normal, rstd, gain):
    # solution begins
    # instead: return None
    N = len(dy)
    dgain, dshift = (dy * normal).sum(0), dy.sum(0)
    dx = gain * rstd / N * (N * dy - dshift - N / (N - 1) * normal * dgain)
    return dx, dgain, dshift
    # solution ends


check("5.3", batch_norm_backward)

# %% [markdown]
# Two remarks. If `dy` is all ones, `dx` is 0 everywhere, with the right formula and with many wrong ones: always test
# with a random `dy`. And with N instead of N - 1 the error is so small that only a comparison with autograd reveals it:

# %%
for name, correction in (("N - 1", 1), ("N", 0)):
    dx, *_ = by_hand.batch_norm_backward(auto["scaled"], steps.normal, steps.rstd, weights.gain, correction)
    print(f"{name:5} off by {np.abs(dx - auto['sums']).max():.1e}; the largest gradient is {np.abs(dx).max():.1e}")

# %% [markdown]
# ## Putting it all together
#
# ### Exercise 5.4: train without autograd
#
# Write `train_by_hand(weights, batches, lr)`. `weights` has `C`, `W1`, `b1`, `gain`, `shift`, `W2`, `b2` as in 5.1;
# `batches` is a list of pairs `(x, y)` of ids (N, 3) and targets (N,). For each batch: run the forward pass, with batch
# norm as in 5.3; compute the loss; compute all seven gradients by hand; then change every weight by `lr` times its
# gradient, in the direction in which the loss decreases. Return two things: the list of losses, each from before its
# step, and the seven weights at the end, in the order above. If you change the arrays in place (`W -= ...`), returning
# the losses is enough. (NumPy's `sums.var(0)` divides by N; with `ddof=1`, by N - 1.)


# %%
def train_by_hand(weights, batches, lr):
    # solution begins
    # instead: return None
    C, W1, b1, gain, shift, W2, b2 = weights
    losses = []
    for x, y in batches:
        N, joined = len(x), C[x].reshape(len(x), -1)
        sums = joined @ W1 + b1
        rstd = (sums.var(0, ddof=1) + 1e-5) ** -0.5
        normal = (sums - sums.mean(0)) * rstd
        h = np.tanh(gain * normal + shift)
        logits = h @ W2 + b2
        shifted = logits - logits.max(1, keepdims=True)
        losses.append((np.log(np.exp(shifted).sum(1)) - shifted[np.arange(N), y]).mean())
        dlogits = cross_entropy_backward(logits, y)
        dW2, db2 = h.T @ dlogits, dlogits.sum(0)
        dsums, dgain, dshift = batch_norm_backward((1 - h**2) * (dlogits @ W2.T), normal, rstd, gain)
        dW1, db1 = joined.T @ dsums, dsums.sum(0)
        dC = np.zeros_like(C)
        np.add.at(dC, x, (dsums @ W1.T).reshape(N, 3, -1))
        for weight, gradient in zip(weights, (dC, dW1, db1, dgain, dshift, dW2, db2), strict=True):
            weight -= lr * gradient
    return losses, weights
    # solution ends


check("5.4", train_by_hand)

# %% [markdown]
# Now train for real and compare with autograd, from the same initial weights and with the same batches. (Until your
# function is written, the package's own takes its place.)

# %%
rng = np.random.default_rng(5)
drawn = [windows.sample(N, rng) for _ in range(fast(2000, 20))]
first = by_hand.first_weights(V, rng=rng, dtype=np.float64)
trained = by_hand.Weights(*(array.copy() for array in first))
outcome = train_by_hand(trained, [(one.x, one.y) for one in drawn], 0.1)
outcome = by_hand.train(trained, drawn, 0.1) if outcome is None else outcome
by_us, trained = outcome if isinstance(outcome, tuple) else (outcome, trained)
trained = by_hand.Weights(*trained)
C, W1, b1, gain, shift, W2, b2 = leaves = [torch.tensor(array, requires_grad=True) for array in first]
by_graph = []
for one in drawn:
    sums = C[torch.tensor(one.x)].view(N, -1) @ W1 + b1
    normal = (sums - sums.mean(0)) * (sums.var(0) + 1e-5) ** -0.5
    loss = F.cross_entropy((gain * normal + shift).tanh() @ W2 + b2, torch.tensor(one.y))
    loss.backward()
    for leaf in leaves:
        leaf.data -= 0.1 * leaf.grad
        leaf.grad = None
    by_graph.append(loss.item())
for step in (0, 1, 10, len(drawn) - 1):
    print(f"step {step:4}: by hand {by_us[step]:.6f}, autograd {by_graph[step]:.6f}")
print(f"largest difference of {len(drawn)} losses: {np.abs(np.subtract(by_us, by_graph)).max():.1e}")

# %%
show(losses_by_hand(by_us, by_graph))

# %% [markdown]
# They agree except for rounding: there is nothing left in `backward()` that you have not done yourself. Here is what
# the network has learnt, with a dot after each name. (A single character is not a batch, so the mean and the variance
# are computed from many examples.)

# %%
mean, variance = by_hand.statistics(trained, windows.batch(np.arange(0, windows.targets, 10)).x)
rng, text = np.random.default_rng(8), [0, 0, 0]
for _ in range(70):
    context = [0, 0, 0] if text[-1] == 0 else text[-3:]
    sums = trained.C[context].reshape(-1) @ trained.W1 + trained.b1
    h = np.tanh(trained.gain * (sums - mean) * (variance + 1e-5) ** -0.5 + trained.shift)
    counts = np.exp(h @ trained.W2 + trained.b2)
    text.append(int(rng.choice(V, p=counts / counts.sum())))
print("".join(labels[i] for i in text[3:]))

# %% [markdown]
# ## What you can now do
#
# - say what shape a gradient has, and find half of its formula from that alone
# - reverse any array operation: a broadcast becomes a sum, a sum a broadcast, an index adds into rows, a max passes the
#   gradient to the largest
# - go through a network of 26 arrays line by line, and say at which line a gradient first goes wrong
# - write the gradients of cross-entropy and batch norm as single formulas, and say why they are so short
# - see in the forward code where a gradient will be cut off, vanish or explode
#
# On the command line, `backlight gradcheck` compares all gradients of the package with PyTorch's and with finite
# differences.
#
# **Next:** `backlight lessons open 6`.
#
# **Sources.** The lecture: Andrej Karpathy, [Building makemore Part 4: Becoming a Backprop
# Ninja](https://www.youtube.com/watch?v=q8SA3rM6ckI). The papers: Rumelhart, Hinton & Williams, [Learning
# representations by back-propagating errors](https://doi.org/10.1038/323533a0), Nature 323, 1986; Ioffe & Szegedy,
# [Batch Normalization](https://arxiv.org/abs/1502.03167), 2015.
