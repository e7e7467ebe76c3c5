# The source of a notebook: see backlight/lessons/notebook.py for its form, and `make notebooks` to make it again.

# %% [markdown]
# # Lesson 9: GPT-2 at small scale
#
# GPT-2 is the network of lesson 7 with the tokens of lesson 8: nothing in its blocks is new. What is left is what
# surrounds them. Its published weights have names and layouts of their own, and loading them wrongly raises no error.
# To train such a network from the start, its first weights, its weight decay, its batch size and its learning rate have
# to be right. And attention can be computed without its largest table. Here each of these is a few lines of NumPy, and
# at the end they train a small GPT-2 on Shakespeare.

# %%
import math

import numpy as np

from backlight.core import Batch
from backlight.lessons import check
from backlight.lessons.display import fast, show
from backlight.lessons.figures.gpt import named_curves, score_tables
from backlight.lessons.recorded import recorded
from backlight.models import GPT, GPTConfig
from backlight.models.gpt2_names import gpt2_names
from backlight.optim import AdamW, clip_grad_norm
from backlight.text import Sequences, load_corpus
from backlight.text.tokenizers import BPETokenizer, TokenVocabulary
from backlight.training import mean_nll
from backlight.training.compiled_step import Stepper

# %% [markdown]
# ## Names and shapes
#
# The weights of GPT-2 are a dictionary: a name, and an array. These are the names of the smallest GPT-2 in the file
# that Hugging Face publishes, outside of the blocks and in the first of its 12 blocks:


# %%
def gpt2_shapes(layers, C, V, T):
    block = {"ln_1.weight": (C,), "ln_1.bias": (C,), "attn.c_attn.weight": (C, 3 * C), "attn.c_attn.bias": (3 * C,)}
    block |= {"attn.c_proj.weight": (C, C), "attn.c_proj.bias": (C,), "ln_2.weight": (C,), "ln_2.bias": (C,)}
    block |= {"mlp.c_fc.weight": (C, 4 * C), "mlp.c_fc.bias": (4 * C,)}
    block |= {"mlp.c_proj.weight": (4 * C, C), "mlp.c_proj.bias": (C,)}
    shapes = {"wte.weight": (V, C), "wpe.weight": (T, C)}
    for n in range(layers):
        shapes |= {f"h.{n}.{name}": shape for name, shape in block.items()}
    return {**shapes, "ln_f.weight": (C,), "ln_f.bias": (C,)}


smallest = gpt2_shapes(layers=12, C=768, V=50257, T=1024)
for name, shape in smallest.items():
    if not name.startswith("h.") or name.startswith("h.0."):
        print(f"{name:<25} {shape!s:<14} {math.prod(shape):>10,}")
print(f"{sum(map(math.prod, smallest.values())):,} numbers in {len(smallest)} arrays")

# %% [markdown]
# wte holds a vector for each token, and wpe one for each position. ln_1, ln_2 and ln_f are layer norms, whose weight is
# the gain. c_attn makes queries, keys and values at once, side by side, and c_proj is the projection back to the
# stream; c_fc and c_proj are the two layers of the MLP. There is no output layer in the file, because it has no weights
# of its own: the logits are the products of the last vector with the *embedding* of each token. The two are **tied**.
# That saves 38.6 million numbers, and is reasonable: tokens with similar embeddings should also get similar logits.
#
# Two things in such a file are traps. First, GPT-2 was written in TensorFlow, and Hugging Face kept its layout in a
# layer called `Conv1D`: it stores the weight of a linear layer as (inputs, outputs). PyTorch's `nn.Linear` has
# (outputs, inputs), and so have the lecture's model and nanoGPT. Second, there are arrays in the file that are not
# weights. Each block also saves its causal mask, as `h.0.attn.bias` with the shape (1, 1, 1024, 1024), and older files
# have the number that it hides with, `h.0.attn.masked_bias`.
#
# ### Exercise 9.1: weights from a file of GPT-2
#
# Write `from_gpt2(state)`. `state` is a dictionary of arrays with the names of the file, those above and the masks.
# Return the dictionary of the lecture's model:
#
# - Each name begins with `transformer.`, so that `wte.weight` becomes `transformer.wte.weight`.
# - The weights of the four linear layers of a block, whose names end with `attn.c_attn.weight`, `attn.c_proj.weight`,
#   `mlp.c_fc.weight` and `mlp.c_proj.weight`, are transposed. Nothing else is.
# - The masks are left out.
# - The output layer has a name of its own, `lm_head.weight`, (V, C), and the embedding's weights.
#
# `array.T` is the transpose. `name.endswith("c_fc.weight")` asks for the end of a name; given a tuple of texts, it asks
# whether any of them is the end.


# %%
def from_gpt2(state):
    # solution begins
    # instead: return None
    linear = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight", "mlp.c_proj.weight")
    model = {}
    for name, array in state.items():
        if not name.endswith((".attn.bias", ".attn.masked_bias")):
            model[f"transformer.{name}"] = array.T if name.endswith(linear) else array
    model["lm_head.weight"] = model["transformer.wte.weight"]
    return model
    # solution ends


check("9.1", from_gpt2)

# %% [markdown]
# Why not transpose whatever does not fit? Because one of the four, attn.c_proj, is square. Untransposed it has the
# right shape, and everything runs. Only the results are wrong. So a loaded model is always compared with another
# program. This is all of GPT-2 as a function of the model's dictionary, for one text of T ids:


# %%
def layer_norm(model, name, x):
    centred = x - x.mean(-1, keepdims=True)
    scaled = centred / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
    return scaled * model[f"{name}.weight"] + model[f"{name}.bias"]


def linear(model, name, x):
    return x @ model[f"{name}.weight"].T + model[f"{name}.bias"]


def gelu(x):
    return 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def attention(q, k, v):
    T, D = q.shape[-2:]
    late = np.triu(np.ones((T, T)), 1) == 1
    scores = np.where(late, -np.inf, q @ k.swapaxes(-2, -1) / math.sqrt(D))
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True) @ v


def gpt2_logits(model, ids, layers, heads):
    T = len(ids)
    x = model["transformer.wte.weight"][ids] + model["transformer.wpe.weight"][:T]
    for n in range(layers):
        block = f"transformer.h.{n}"
        qkv = linear(model, f"{block}.attn.c_attn", layer_norm(model, f"{block}.ln_1", x))
        read = attention(*np.split(qkv.reshape(T, 3 * heads, -1).swapaxes(0, 1), 3))
        x = x + linear(model, f"{block}.attn.c_proj", read.swapaxes(0, 1).reshape(T, -1))
        inner = gelu(linear(model, f"{block}.mlp.c_fc", layer_norm(model, f"{block}.ln_2", x)))
        x = x + linear(model, f"{block}.mlp.c_proj", inner)
    return layer_norm(model, "transformer.ln_f", x) @ model["lm_head.weight"].T


# %% [markdown]
# GELU is the nonlinearity, a smooth ReLU, here with the approximation by a tanh that GPT-2 was trained with. The other
# program is the package's GPT, which stores its linear layers as the file does. Give it random weights, write them
# under GPT-2's names, and load that "file":

# %%
sizes = {"vocabulary_size": 50, "context": 16, "n_embd": 32, "n_layer": 2, "n_head": 4}
theirs = GPT(GPTConfig(**sizes, dropout=0.0, tie_weights=True), rng=np.random.default_rng(1)).eval()
rng = np.random.default_rng(2)
for parameter in theirs.parameters():
    parameter.array += 0.1 * rng.normal(size=parameter.array.shape).astype(np.float32)
arrays = theirs.state_dict()
file = {name.removeprefix("transformer."): arrays[ours] for ours, name in gpt2_names(2, tied=True).items()}
file |= {f"h.{n}.attn.bias": np.tril(np.ones((1, 1, 16, 16))) for n in range(2)}
ids = rng.integers(0, 50, 12)
expected = theirs.next_logits(ids[None])[0]
model = from_gpt2(file)
if model is not None:
    print(f"largest difference: {abs(gpt2_logits(model, ids, 2, 4)[-1] - expected).max():.0e}")
    square = "transformer.h.0.attn.c_proj.weight"
    slip = {**model, square: model[square].T}
    print(f"if one square matrix is not transposed: {abs(gpt2_logits(slip, ids, 2, 4)[-1] - expected).max():.0e}")

# %% [markdown]
# Such a slip costs the model some quality, and a text that it writes may still look like text: compare numbers.
#
# ## First weights
#
# GPT-2 starts with all matrices drawn from a normal distribution with a standard deviation of 0.02, with biases of 0
# and gains of 1. There is one exception. In a block two layers write to the residual stream, the projection of
# attention and that of the MLP, both called c_proj. So after all layers the stream is a sum of 2 * layers
# contributions. If they are independent and of size 1, the sum has a size of √(2 * layers), and it grows with the depth
# of the network. If each is made smaller by that factor from the start, the sum has size 1 for any depth:

# %%
curves = {}
for layers in (12, 48):
    added = np.random.default_rng(layers).normal(size=(2 * layers, 768))
    for name, factor in (("1", 1.0), ("1/√(2 layers)", 1 / math.sqrt(2 * layers))):
        stream = np.cumsum(factor * added, 0).std(1)
        curves[f"{layers} layers, each of size {name}"] = (list(range(1, 2 * layers + 1)), stream.tolist())
        print(f"{layers} layers, each of size {name:<15} the stream ends at {stream[-1]:.2f}")
show(named_curves(curves, over="contributions to the stream", of="its standard deviation", log=True), height=3.8)

# %% [markdown]
# ### Exercise 9.2: the first weights
#
# Write `gpt2_weights(shapes, layers, rng)`. `shapes` is a dictionary with the shape of each array of the lecture's
# model, by name; `layers` is its number of blocks. Return a dictionary of arrays with the same names:
#
# - names that end with `.bias` are 0, and all other arrays with one axis, the gains of the norms, are 1;
# - matrices are normal with mean 0 and standard deviation 0.02; but those whose names end with `c_proj.weight` have
#   0.02 / √(2 * layers);
# - `lm_head.weight` is tied: it is the very matrix of `transformer.wte.weight`.
#
# `rng.normal(0, std, shape)` draws, and `np.zeros(shape)` and `np.ones(shape)` do what they say.


# %%
def gpt2_weights(shapes, layers, rng):
    # solution begins
    # instead: return None
    weights = {}
    for name, shape in shapes.items():
        if name.endswith(".bias"):
            weights[name] = np.zeros(shape)
        elif len(shape) == 1:
            weights[name] = np.ones(shape)
        else:
            std = 0.02 / math.sqrt(2 * layers) if name.endswith("c_proj.weight") else 0.02
            weights[name] = rng.normal(0, std, shape)
    weights["lm_head.weight"] = weights["transformer.wte.weight"]
    return weights
    # solution ends


check("9.2", gpt2_weights)

# %% [markdown]
# A first check of any language model is its first loss: near ln V, since it knows nothing yet. With large first weights
# the network would be sure of arbitrary tokens, and the loss much higher:


# %%
def model_shapes(layers, C, V, T):
    shapes = {}
    for name, shape in gpt2_shapes(layers, C, V, T).items():
        shapes[f"transformer.{name}"] = shape[::-1] if ".c_" in name else shape
    return {**shapes, "lm_head.weight": (V, C)}


rng = np.random.default_rng(3)
first = gpt2_weights(model_shapes(layers=4, C=128, V=513, T=64), 4, rng)
if first is not None:
    ids, targets = rng.integers(0, 513, 64), rng.integers(0, 513, 64)
    for times in (1, 10):
        larger = {name: array * times if array.ndim == 2 else array for name, array in first.items()}
        logits = gpt2_logits(larger, ids, 4, 4)
        nats = np.log(np.exp(logits).sum(1)) - logits[np.arange(64), targets]
        print(f"matrices times {times:2}: the first loss is {nats.mean():6.2f}; ln V is {math.log(513):.2f}")

# %% [markdown]
# ## What decays
#
# Weight decay pulls weights towards 0, a little in each step, so that a large weight must be worth it. That makes sense
# for numbers that are multiplied and summed, the matrices. It makes none for a norm's gain, which is 1 when it does
# nothing, nor for a bias. So the optimiser gets two groups: the arrays with at least two axes decay, and those with one
# do not. The tied matrix has two names, but is one array, and may be in a group only once.
#
# ### Exercise 9.3: two groups
#
# Write `decay_groups(shapes, tied)`. `shapes` is a dictionary with the shape of each array of a model, by name. `tied`
# is a dictionary with the second names of arrays: its keys are names of `shapes`, and its values the first names of the
# same arrays, as `{"lm_head.weight": "transformer.wte.weight"}`. Return two lists of names: those that decay, which
# have two axes or more, and all others. A tied array is in a list once, under its first name.


# %%
def decay_groups(shapes, tied):
    # solution begins
    # instead: return None
    names = [name for name in shapes if name not in tied]
    decay = [name for name in names if len(shapes[name]) >= 2]
    return decay, [name for name in names if len(shapes[name]) < 2]
    # solution ends


check("9.3", decay_groups)

# %%
shapes = model_shapes(layers=12, C=768, V=50257, T=1024)
groups = decay_groups(shapes, {"lm_head.weight": "transformer.wte.weight"})
for said, names in zip(("decay", "do not"), groups or (), strict=False):
    print(f"{len(names):3} arrays with {sum(math.prod(shapes[name]) for name in names):>11,} numbers {said}")

# %% [markdown]
# The second group is large in names and tiny in numbers. `AdamW(..., decay_vectors=False)` of the package makes these
# groups by the same rule.
#
# ## A batch that does not fit
#
# GPT-2 was trained with about half a million tokens in a batch. No single device holds the activations of so many, so
# the batch is cut into **micro-batches**: compute the gradient of each, add them up, and only then take a step. The sum
# is exact, since the gradient of a sum is the sum of the gradients. But the loss is a *mean*. `backward()` of a
# micro-batch gives the gradient of the mean over *its* targets, and these means must be put together as one mean over
# all targets. If all micro-batches have n targets, that is the mean of the means: divide by the number of
# micro-batches. If they differ, because the last one is smaller or because some targets are -1 and do not count, each
# one has to be weighted by its number of targets.
#
# ### Exercise 9.4: accumulate gradients
#
# Write `accumulate(loss_and_gradient, batches)`. `batches` is a list of micro-batches (x, y), where x and y are arrays
# (B, T) of ids and targets, and B may differ; a target of -1 does not count. `loss_and_gradient(x, y)` returns the mean
# loss over the targets of a micro-batch, a number, and its gradient, an array. Return the mean loss over the targets of
# *all* micro-batches, and its gradient. `(y >= 0).sum()` is the number of targets.


# %%
def accumulate(loss_and_gradient, batches):
    # solution begins
    # instead: return None
    total, summed, count = 0.0, 0.0, 0
    for x, y in batches:
        loss, gradient = loss_and_gradient(x, y)
        n = (y >= 0).sum()
        total, summed, count = total + n * loss, summed + n * gradient, count + n
    return total / count, summed / count
    # solution ends


check("9.4", accumulate)

# %% [markdown]
# Does it hold for a GPT? Here are 32 rows of a batch in one piece, in four equal parts, and in parts of 5, 5, 5 and 17,
# where the mean of the means would be wrong. The text is lesson 7's, in 512 tokens that were learnt from its first nine
# tenths.

# %%
text = load_corpus("shakespeare").items[0]
cut = int(0.9 * len(text))
vocabulary = TokenVocabulary(BPETokenizer.train(text[:cut], 512))


def chunks(part, context):
    return Sequences(vocabulary.encode_items([part], ends=False), context)


def differentiated(model):
    flat, stepper = model.flat(), Stepper(model)

    def loss_and_gradient(x, y):
        loss = stepper.forward(Batch(x, y))
        stepper.backward()
        return loss, flat.gather().copy()

    return loss_and_gradient


def network(**sizes):
    sizes = {"vocabulary_size": vocabulary.size, "context": 64, "n_embd": 64, "n_layer": 2, "n_head": 4, **sizes}
    return GPT(GPTConfig(**sizes, dropout=0.0, tie_weights=True), rng=np.random.default_rng(1))


train, dev = chunks(text[:cut], 64), chunks(text[cut:], 64)
batch, by_hand = train.sample(32, np.random.default_rng(1)), differentiated(network())
whole, gradient = by_hand(batch.x, batch.y)
for rows in ((8, 16, 24), (5, 10, 15)):
    parts = list(zip(np.split(batch.x, rows), np.split(batch.y, rows), strict=True))
    if (found := accumulate(by_hand, parts)) is not None:
        means = np.mean([by_hand(x, y)[1] for x, y in parts], 0)
        print(f"cut at {rows}: loss {found[0]:.5f} for {whole:.5f}, gradient", end=" ")
        errors = [abs(one - gradient).max() / abs(gradient).max() for one in (found[1], means)]
        print(f"within {errors[0]:.0e}; the mean of the means within {errors[1]:.0e}")

# %% [markdown]
# ## The learning rate over time
#
# In the first steps the gradients are large and all point the same way, towards the frequencies of the tokens, and
# Adam's running means are made of a few gradients only. So the rate begins small and rises in a straight line: the
# **warm-up**. Later it falls, first slowly, then faster, then slowly again, along half a **cosine**, to a tenth of the
# highest rate.
#
# ### Exercise 9.5: warm-up and cosine
#
# Write `rate_at(step, highest, lowest, warmup, steps)` for the lecture's schedule. `step` counts from 0. In the first
# `warmup` steps the rate rises in equal amounts: step 0 has `highest` / `warmup`, and the last one of them `highest`.
# From step number `warmup` to step number `steps` it falls from `highest` to `lowest`: let `share` go from 0 to 1
# between the two; then (1 + cos(π * share)) / 2 goes from 1 to 0. After that the rate stays at `lowest`. Return a
# number. Use `math.cos` and `math.pi`.


# %%
def rate_at(step, highest, lowest, warmup, steps):
    # solution begins
    # instead: return None
    if step < warmup:
        return highest * (step + 1) / warmup
    if step > steps:
        return lowest
    share = (step - warmup) / (steps - warmup)
    return lowest + 0.5 * (1 + math.cos(math.pi * share)) * (highest - lowest)
    # solution ends


check("9.5", rate_at)

# %%
at = list(range(0, 701, 5))
curves = {f"the {name} rate": ([0, 700], [rate, rate]) for name, rate in (("highest", 6e-4), ("lowest", 6e-5))}
if rate_at(0, 6e-4, 6e-5, 50, 600) is not None:
    rates = [rate_at(step, 6e-4, 6e-5, 50, 600) for step in at]
    curves["50 steps of warm-up, 600 in all"] = (at, rates)
show(named_curves(curves, over="step", of="learning rate"))

# %% [markdown]
# ## Attention in blocks
#
# Attention makes a table of T times T scores for each head, and softmax makes another. For the smallest GPT-2 with T =
# 1024 these are 12.6 million numbers in each layer, for one text. On a GPU they are written to the device's main memory
# and read back, and that takes longer than the arithmetic. FlashAttention never stores the table. It goes through the
# keys in blocks, and keeps only what is needed to continue.
#
# What is needed? The output of a query is Σ exp(s) v / Σ exp(s) over the keys: two sums, to which blocks can be added
# one after another. The difficulty is that exp(s) may overflow, so softmax first subtracts the largest score of the row
# (lesson 5). But while there are more blocks to come, the largest score is not known. So use the largest *so far*, m.
# The sums hold exp(s - m). If the next block has a larger score, and the maximum becomes m', then all that was summed
# must become exp(s - m') instead, and that is a factor: exp(s - m') = exp(s - m) * exp(m - m'). This is the **online
# softmax**. Here is one row of scores in two blocks:

# %%
scores, values = np.array([[1.0, 3.0], [5.0, 2.0]]), np.array([[10.0, 20.0], [30.0, 40.0]])
largest, total, read = -math.inf, 0.0, 0.0
for block, v in zip(scores, values, strict=True):
    new = max(largest, block.max())
    factor = math.exp(largest - new)
    counts = np.exp(block - new)
    total, read, largest = factor * total + counts.sum(), factor * read + counts @ v, new
    print(f"maximum {largest:.0f}, earlier sums times {factor:.4f}, total {total:.4f}, read {read:8.4f}")
softmax = np.exp(scores.ravel()) / np.exp(scores).sum()
print(f"read / total is {read / total:.6f}; softmax of the whole row gives {softmax @ values.ravel():.6f}")

# %% [markdown]
# ### Exercise 9.6: one more block
#
# Write `add_block(scores, v, largest, total, read)` for R queries and a block of S keys. `scores` is an array (R, S),
# with -inf where a query may not read a key, and `v` (S, D) has the values. `largest` (R,), `total` (R,) and `read` (R,
# D) hold what was computed from earlier blocks: for each query the largest score, the sum of exp(score - largest), and
# the sum of exp(score - largest) times the value. Before the first block they are -inf, 0 and 0. Return the three with
# this block included. Nothing is divided by `total` yet. `np.maximum(a, b)` is the larger of two arrays, number by
# number, and `scores.max(1)` the largest of each row.


# %%
def add_block(scores, v, largest, total, read):
    # solution begins
    # instead: return None
    new = np.maximum(largest, scores.max(1))
    factor = np.exp(largest - new)
    counts = np.exp(scores - new[:, None])
    return new, factor * total + counts.sum(1), factor[:, None] * read + counts @ v
    # solution ends


check("9.6", add_block)

# %% [markdown]
# Queries are cut into blocks as well. With the causal mask, there are three kinds of blocks. If all keys come before
# the queries, nothing is hidden. On the diagonal the block is half hidden. And if all keys come after the queries, the
# whole block is hidden, and need not be computed: nearly half of the work. The numbers show the order of the blocks of
# size 2 in a text of 8:

# %%
T, size = 8, 2
order, hidden = np.full((T, T), np.nan), np.triu(np.ones((T, T)), 1) == 1
number = 0
for i in range(0, T, size):
    for j in range(0, i + 1, size):
        number += 1
        order[i : i + size, j : j + size] = number
masked = np.where(hidden, np.nan, order)
show(score_tables({"blocks that are computed": order, "scores that count": masked}, rows="query", columns="key"))

# %% [markdown]
# ### Exercise 9.7: attention in blocks
#
# Write `attention_in_blocks(q, k, v, size)`: causal self-attention of one head. `q`, `k` and `v` are arrays (T, D).
# Return what `attention(q, k, v)` above returns, (T, D), but compute no more than `size` times `size` scores at once,
# and none of blocks that are hidden completely. Row t may read keys 0 to t, and scores are divided by √D. If T is no
# multiple of `size`, the last block is smaller. You may call `add_block`. `range(0, T, size)` has the beginnings of the
# blocks, and `np.full(R, -np.inf)` is an array of R times -inf; `np.arange(i, i + R)` are the positions in a block.


# %%
def attention_in_blocks(q, k, v, size):
    # solution begins
    # instead: return None
    T, D = q.shape
    out = np.zeros((T, D))
    for i in range(0, T, size):
        rows = q[i : i + size]
        R = len(rows)
        largest, total, read = np.full(R, -np.inf), np.zeros(R), np.zeros((R, D))
        for j in range(0, i + 1, size):
            keys = k[j : j + size]
            late = np.arange(j, j + len(keys)) > np.arange(i, i + R)[:, None]
            scores = np.where(late, -np.inf, rows @ keys.T / math.sqrt(D))
            largest, total, read = add_block(scores, v[j : j + size], largest, total, read)
        out[i : i + size] = read / total[:, None]
    return out
    # solution ends


check("9.7", attention_in_blocks)

# %%
q, k, v = np.random.default_rng(4).normal(size=(3, fast(1024, 64), 64))
if attention_in_blocks(q[:4], k[:4], v[:4], 2) is not None:
    for size in (32, 128, 1024):
        error = abs(attention_in_blocks(q, k, v, size) - attention(q, k, v)).max()
        print(f"blocks of {size:4}: {size * size:9,} scores at once, largest difference {error:.0e}")

# %% [markdown]
# The result is the same to rounding, for any size: this is no approximation. In NumPy there is little to gain, since
# each block costs a few calls. On a GPU the block stays in fast memory, and attention takes a fraction of the time.
# PyTorch's `F.scaled_dot_product_attention` does this.
#
# ## A small GPT-2, trained
#
# Now everything together: your first weights, your accumulated gradients and your learning rates, with AdamW, whose
# decay has the two groups, and gradients clipped to length 1, as GPT-2's reproduction in the lecture does. The first
# function copies weights into the package's GPT, which stores linear layers as (inputs, outputs).


# %%
def put_into(model, weights):
    names = gpt2_names(model.config.n_layer, tied=True)
    model.load_state_dict({ours: (weights[name].T if ".c_" in name else weights[name]) for ours, name in names.items()})


def trained(model, updates, rows, micro_batches, highest, every):
    sizes, rng = model.config, np.random.default_rng(2)
    shapes = model_shapes(sizes.n_layer, sizes.n_embd, sizes.vocabulary_size, sizes.context)
    put_into(model, gpt2_weights(shapes, sizes.n_layer, rng))
    flat, gradients_of = model.flat(), differentiated(model)
    optimiser = AdamW(flat, highest, betas=(0.9, 0.95), weight_decay=0.1, decay_vectors=False)
    for step in range(updates):
        model.train()
        batches = [train.sample(rows, rng) for _ in range(micro_batches)]
        loss, gradient = accumulate(gradients_of, [(one.x, one.y) for one in batches])
        flat.grad[:] = gradient
        clip_grad_norm(flat, 1.0)
        optimiser.lr = rate_at(step, highest, highest / 10, updates // 10, updates)
        optimiser.step()
        if (step + 1) % every == 0:
            nats = mean_nll(model.eval(), dev, at_most=fast(10_000, 500))  # a sample of dev, per character
            yield step + 1, float(loss), nats / math.log(2)


answers = (first, found, rate_at(0, 1.0, 0.1, 1, 2))
if all(answer is not None for answer in answers):
    for step, loss, bits in trained(network(), fast(200, 4), 4, 2, 6e-3, every=fast(50, 2)):
        print(f"update {step:3}  last batch {loss:.3f} nats a token   dev {bits:.3f} bits per byte")

# %% [markdown]
# The text has one byte a character, so bits per byte are the package's nats per character, divided by ln 2. Next, three
# blocks of 96 channels, with 400 updates of four micro-batches each. This takes minutes, so what you see here is a
# recording.


# %%
def write_shakespeare():
    model = network(n_embd=96, n_layer=3)
    seen = list(trained(model, 400, 8, 4, 4e-3, every=40))
    rng, said = np.random.default_rng(1), vocabulary.encode("\n")
    while len(vocabulary.decode(said)) < 400:
        logits = model.next_logits(said[None, -model.context :])[0].astype(float) / 0.8
        logits[0] = -math.inf  # the boundary, which a stream does not have
        chances = np.exp(logits - logits.max())
        said = np.append(said, rng.choice(len(chances), p=chances / chances.sum()))
    bits = mean_nll(model, dev) / math.log(2)
    return {"parameters": model.num_parameters(), "seen": seen, "bits": bits, "text": vocabulary.decode(said)}


large = recorded("lesson_9_shakespeare", write_shakespeare)
at, _, bits = zip(*large["seen"], strict=True)
print(f"{large['parameters']:,} parameters, dev {large['bits']:.3f} bits per byte", large["text"])
show(named_curves({"dev": (at, bits)}, over="update", of="bits per byte"))

# %% [markdown]
# Lesson 7's larger network, which read characters, ended at 2.614 bits per byte. It had twice as many parameters, and
# made 2,000 updates. So this comparison is not fair, and bits per byte alone do not say which part of a training is to
# blame. What tokens give for certain is reach: with 1.9 bytes a token, 64 positions hold 1.9 times as much text, at
# the same cost.
#
# ## And the large one
#
# From here to the real GPT-2 there is nothing new to learn about the network, only about machines. The lecture computes
# in bfloat16 on a GPU, which halves what is moved; compiles the model; rounds the vocabulary up to 50,304, a multiple
# of 128, because odd sizes are slow; divides each batch among eight processes, whose gradients are averaged as those of
# your micro-batches are; and reads ten billion tokens of web pages. It then asks the model to choose the likeliest end
# of each of ten thousand short stories (HellaSwag), since a loss alone says little about what a model can do.
#
# In the package, `backlight import FOLDER` reads GPT-2's published files from a folder and checks every name and shape;
# `backlight sample` and `backlight score` use it, and `backlight train letters.txt --from RUN` fine-tunes it.
# `backlight train --model gpt --engine torch` trains on a GPU, with `--micro-batch-size` for what you wrote in 9.4, and
# `--devices` for several processes.

# %% [markdown]
# ## What you can now do
#
# - load GPT-2's weights into a model of your own, and check that they are in the right places
# - say why its projections start smaller, and what a first loss should be
# - put each array into the right group of the optimiser
# - compute the gradient of a batch that does not fit, also when its parts differ in size
# - write a schedule without an error at its seams
# - write attention that never stores its table of scores, and say why the result is the same
#
# **Sources.** Andrej Karpathy, [Let's reproduce GPT-2 (124M)](https://www.youtube.com/watch?v=l8pRSuU81PU) (2024), and
# [build-nanogpt](https://github.com/karpathy/build-nanogpt). The papers: Radford et al. 2019, Language Models are
# Unsupervised Multitask Learners ([GPT-2](https://github.com/openai/gpt-2)), section 2.3 for the first weights; Press &
# Wolf 2017, [Using the Output Embedding to Improve Language Models](https://arxiv.org/abs/1608.05859); Loshchilov &
# Hutter 2017, [SGDR](https://arxiv.org/abs/1608.03983), and 2019, [Decoupled Weight Decay
# Regularization](https://arxiv.org/abs/1711.05101); Milakov & Gimelshein 2018, [Online normalizer calculation for
# softmax](https://arxiv.org/abs/1805.02867); Dao et al. 2022, [FlashAttention](https://arxiv.org/abs/2205.14135).
