# The source of a notebook: see backlight/lessons/notebook.py for its form, and `make notebooks` to make it again.

# %% [markdown]
# # Lesson 7: letters that read each other
#
# The networks so far combined letters by their position: which letters are read, and how, was fixed before any text
# arrived. Here every letter decides *by what it is* which of the preceding letters to read. This is attention. Stack
# several such layers, with a small network between them that processes each letter on its own, and you have a GPT. In
# this lesson one GPT learns to write Shakespeare, one learns to add, and one is fine-tuned on names.

# %%
import math
from functools import partial

import numpy as np

import backlight.torchlike as torch
import backlight.torchlike.nn.functional as F
from backlight import figures
from backlight.core import Batch
from backlight.lessons import check
from backlight.lessons.display import fast, show
from backlight.lessons.figures.gpt import named_curves, score_tables
from backlight.lessons.recorded import recorded
from backlight.models import GPT, GPTConfig
from backlight.models.gpt import attention_weights
from backlight.optim import AdamW, WarmupCosine, clip_grad_norm
from backlight.text import Sequences, Vocabulary, load_corpus, split_corpus
from backlight.training import mean_nll
from backlight.training.compiled_step import Stepper

# %% [markdown]
# ## One long text
#
# The text is nine plays, a single stream of characters; the last tenth is dev, and there is no test part here. The
# network gets a *chunk* of T characters from a random position, and the same chunk shifted by one. These are T
# examples, not one: after the first character comes the second, after the first two the third, and so on. So a chunk
# trains all context lengths from 1 to T, and sampling needs them, since it begins with a single character. The baseline
# to beat is the bigram of lesson 2: counts of pairs.

# %%
text = load_corpus("shakespeare").items[0]
vocabulary = Vocabulary.of([text])
V, cut = vocabulary.size, int(0.9 * len(text))
parts = {"train": text[:cut], "dev": text[cut:]}
print(f"{len(text):,} characters, {V - 1} different ones, and id 0, which the package reserves for boundaries")


def chunks(part, context):
    return Sequences(vocabulary.encode_items([part], ends=False), context)


batch = chunks(parts["train"], 8).sample(4, np.random.default_rng(1))
print("x", batch.x.shape, "y", batch.y.shape, "so", batch.y.size, "predictions in one batch")
for t in range(5):
    print(f"after {vocabulary.decode(batch.x[0, : t + 1])!r:<12} comes {vocabulary.decode([batch.y[0, t]])!r}")
pairs = np.ones((V, V))
known, new = (vocabulary.encode(part) for part in parts.values())
np.add.at(pairs, (known[:-1], known[1:]), 1)
bigram = -np.log(pairs / pairs.sum(1, keepdims=True))[new[:-1], new[1:]].mean()
print(f"dev: {bigram:.4f} nats per character by pair counts, {math.log(V):.4f} for a uniform guess")

# %% [markdown]
# ## Three ways to average the past
#
# In a bigram, a prediction ignores everything before the last letter. The simplest way to include it is the *average*.
# Let each of T positions hold a vector of C numbers. Position t gets the mean of the vectors 0 to t; later ones are
# excluded, since we want to predict them. The first way is a loop. The second uses that a mean is a weighted sum, so
# that a matrix of weights times the vectors gives all means in one product: row t of the matrix has 1 / (t + 1) up to
# column t, and then zeros. The third makes the same matrix by a detour. Start from *scores*, all 0. Replace the scores
# of future positions by -inf. A softmax of each row turns equal scores into equal weights, and -inf into 0.

# %%
B, T, C = 4, 8, 2
x = torch.randn((B, T, C), generator=torch.Generator().manual_seed(1337))
by_loop = torch.zeros((B, T, C))
for t in range(T):
    by_loop[:, t] = x[:, : t + 1].mean(1)
past = torch.tril(torch.ones((T, T)))
by_product = (past / past.sum(1, keepdim=True)) @ x
scores = torch.zeros((T, T)).masked_fill(past == 0, -math.inf)
by_softmax = F.softmax(scores, dim=-1) @ x
print("all three the same:", torch.allclose(by_loop, by_product), torch.allclose(by_loop, by_softmax))

# %% [markdown]
# Why the detour? Because of the zeros that it starts from. They say that *all preceding letters matter equally*. With
# any other numbers in their place, softmax still gives weights that sum to 1, and the future still gets none. So the
# scores can be **computed from the letters themselves**. That is attention.

# %%
others = torch.randn((T, T), generator=torch.Generator().manual_seed(4)).masked_fill(past == 0, -math.inf)
tables = {}
for name, table in (("scores: all equal", scores), ("scores: random", others)):
    tables |= {name: table.numpy(), name.replace("scores", "softmax"): F.softmax(table, dim=-1).numpy()}
show(score_tables(tables, rows="position that reads", columns="position that is read"))

# %% [markdown]
# ## Self-attention
#
# Every position computes three vectors, each with a learnt matrix: a **query**, which describes what the position is
# looking for; a **key**, which describes what it offers; and a **value**, which is what others receive if they read it.
# The score of "t reads s" is the dot product of the query of t and the key of s: large where they point the same way.
# Softmax turns the scores of t into weights, and the output of t is the weighted sum of the *values*.
#
# Here is such a head, not learnt but set by hand. A letter is represented by two numbers: whether it is a vowel, and
# whether it is a consonant. These two are the key. The query is the same two, *swapped*: vowels look for consonants,
# and consonants for vowels.

# %%
line = "hamlet remained"
letters = torch.tensor([[float(one in "aeiou"), float(one.isalpha() and one not in "aeiou")] for one in line])
query, key = letters @ torch.tensor([[0.0, 4.0], [4.0, 0.0]]), letters
future = torch.tril(torch.ones((len(line), len(line)))) == 0
weights = F.softmax((query @ key.T).masked_fill(future, -math.inf), dim=-1)
show(figures.attention({"set by hand": weights.numpy()[None]}, list(line.replace(" ", "\N{OPEN BOX}"))))

# %% [markdown]
# Each row is a letter that reads: a vowel reads the preceding consonants, a consonant the preceding vowels. The first
# letter can only read itself, and the space, whose query is zero, reads all letters equally. In a trained network
# nobody sets this: the three matrices start from random numbers, and the gradient finds what is worth reading.
#
# A head that is trained on your own text, and whose numbers you follow step by step from the query to the weighted sum:
# `backlight worlds attention --lesson 7`
#
# Queries and keys here come from the same text: *self*-attention. If the queries come from another text, as when a
# translation reads the original, it is *cross*-attention: the same formula, without a mask. Does the order of keys and
# values matter? Shuffle them:

# %%
C, D, generator = 32, 16, torch.Generator().manual_seed(1337)
x = torch.randn((B, T, C), generator=generator)
q, k, v = (x @ (torch.randn((C, D), generator=generator) / C**0.5) for _ in range(3))
scores = (q @ k.transpose(-2, -1) / D**0.5).masked_fill(past == 0, -math.inf)
out = F.softmax(scores, dim=-1) @ v
order = [6, 3, 0, 7, 5, 2, 4, 1]
shuffled = F.softmax(q[:, 7:] @ k[:, order].transpose(-2, -1) / D**0.5, dim=-1) @ v[:, order]
print("after shuffling, the output of the last position is the same:", torch.allclose(out[:, 7:], shuffled, atol=1e-6))

# %% [markdown]
# Attention treats its inputs as a set of vectors, without an order. So the order has to be *in* the vectors: a GPT adds
# a second learnt vector to that of each letter, which depends on the position.
#
# ### Why divide by the square root of D?
#
# Let queries and keys have D numbers each. Then a score is a sum of D products. If all these numbers are independent,
# with mean 0 and variance 1, each product has mean 0 and variance 1 as well, and the sum has variance D. Large scores
# make softmax sharp: one position gets nearly all the weight before the network has learnt what is worth reading. And
# where the largest weight p is close to 1, the slope of softmax, p (1 - p), is close to 0: almost no gradient gets
# through, as with a saturated tanh.

# %%
print("   D   variance of scores   largest of 8 weights   slope p(1 - p)   divided by √D: largest   slope")
for size in (1, 4, 16, 64, 256):
    dots = np.random.default_rng(1).normal(size=(2, 4000, 8, size)).prod(0).sum(2)
    tops = [F.softmax(torch.tensor(dots / by), dim=-1).numpy().max(1) for by in (1, size**0.5)]
    (sharp, flat), (stuck, free) = (top.mean() for top in tops), ((top * (1 - top)).mean() for top in tops)
    print(f"{size:4}   {dots.var():18.1f}   {sharp:20.2f}   {stuck:14.3f}   {flat:22.2f}   {free:5.3f}")


# %% [markdown]
# ## Several heads
#
# One head has one set of weights; to read the last vowel *and* the start of the line takes two heads. So the C channels
# are divided among the heads: each has D = C / heads of them. Heads work in parallel and independently, and their
# results are concatenated.
#
# ### Exercise 7.1: all heads at once
#
# Write `all_heads(x, Wq, Wk, Wv, heads)`: causal self-attention for all heads in one batched computation, with NumPy.
# `x` is an array (B, T, C). `Wq`, `Wk` and `Wv` are (C, C) and hold the weights of all heads side by side: with D = C /
# heads, columns 0 to D - 1 belong to the first head, the next D to the second, and so on. The scores of each head are
# divided by √D; a position reads itself and the positions before it. Return an array (B, T, C), in which the outputs of
# the heads are side by side, beginning with the D channels of the first head.
#
# `@` multiplies along the *last two* axes, once for each index of the axes before them. So split C in two by
# `reshape(B, T, heads, D)`, and move the heads forward by `transpose(0, 2, 1, 3)`. Then use
# `np.where(seen, scores, -np.inf)`, with `np.tril(np.ones((T, T)))` for the positions that may be read, and `np.exp`.


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
# ## A block: attention, then an MLP
#
# Attention only moves vectors between positions: its output is a weighted mean. Something must be *computed* from what
# was read. So it is followed by a small MLP, two linear layers with a nonlinearity between them, from C channels to 4 C
# and back, applied to each position separately. First the letters exchange information, then each is processed on its
# own. Together the two form a block, and a GPT is a stack of blocks. To train such a deep network takes two more
# things.
#
# **The residual stream.** The output of a part is *added* to its input, x + f(x), and does not replace it. A sum passes
# the gradient from above to both of its inputs unchanged (lesson 1: its local derivatives are 1). So there is a path
# from the loss to the first layer that consists only of sums, on which no gradient is lost. Each part reads from this
# stream and adds to it, through a final linear layer, the *projection*, that maps its result to the channels of the
# stream.
#
# **Layer norm.** Sums accumulate: the stream grows from part to part. So each part first normalises its input to mean 0
# and variance 1. ("Pre-norm": the norm is on the branch, and the path of sums has none.) Batch norm does that for a
# *column*, one channel over all examples. Then the result of an example depends on the others, and to use it alone
# takes running statistics. Layer norm does it for a *row*, the C numbers of one position, and needs nothing else.
#
# First we compare the two norms. Then we send a gradient of length 1 back through 24 parts of two random matrices and a
# ReLU each.


# %%
def norm(x, dim=-1):
    return (x - x.mean(dim, keepdim=True)) / (x.var(dim, keepdim=True, unbiased=False) + 1e-5) ** 0.5


def gradient_lengths(form, depth=24, C=64):
    generator = torch.Generator().manual_seed(3)
    stations = [torch.randn((32, C), generator=generator, requires_grad=True)]
    for _ in range(depth):
        W1, W2 = (torch.randn((C, C), generator=generator) / C**0.5 for _ in range(2))
        stations.append(form(stations[-1], lambda x, W1=W1, W2=W2: torch.relu(x @ W1) @ W2))
        stations[-1].retain_grad()
    end = torch.randn((32, C), generator=generator)
    (stations[-1] * end / (end**2).sum() ** 0.5).sum().backward()
    return [(one.grad**2).sum().item() ** 0.5 for one in stations]


rows = torch.randn((4, 32), generator=torch.Generator().manual_seed(2)) * 3 + 1
for name, dim in (("layer norm, rows", -1), ("batch norm, columns", 0)):
    alone = torch.allclose(norm(rows, dim)[:2], norm(rows[:2], dim), atol=1e-5)
    print(f"{name:<20} two rows have the same result without the other two: {alone}")
forms = {"f(x)": lambda x, f: f(x), "x + f(x)": lambda x, f: x + f(x), "x + f(norm(x))": lambda x, f: x + f(norm(x))}
roads = {name: (list(range(25)), gradient_lengths(form)) for name, form in forms.items()}
print("at the first part:", ", ".join(f"{name} {lengths[0]:.2g}" for name, (_, lengths) in roads.items()))
show(named_curves(roads, over="part", of="length of the gradient", log=True))

# %% [markdown]
# Without the sum, almost no gradient arrives. With it the gradient even grows, as the stream does; the norm on the
# branch removes most of that growth.
#
# The last ingredient is **dropout**: in training, each number of a vector is set to 0 with probability p, and the
# others are divided by 1 - p, which preserves the mean. Then no unit can rely on a single channel, and memorising gets
# harder. Dropout helps where the same text is read many times; Shakespeare below is read about once, so p is 0.
#
# This is a whole block, as in `backlight/models/gpt.py`:
#
#     x = x + attention(norm(x))        heads side by side, then a projection
#     x = x + mlp(norm(x))              C to 4 C, a nonlinearity, 4 C to C
#
# ## A GPT, trained
#
# Before the blocks come the embeddings of characters and positions; after them a norm and a linear layer that gives the
# logits. The training loop is the one you know. `Stepper` computes the loss and the gradient in compiled kernels. AdamW
# is gradient descent with a separate step size for each parameter, and `weight_decay` pulls all weights a little
# towards 0. The learning rate rises over the first tenth of the steps and then falls along half a cosine. A gradient
# longer than 1 is clipped to length 1.
#
# To write, the network predicts, draws a character, appends it, and repeats. It reads at most T characters, so older
# ones are cut off. The logits are divided by the *temperature*: below 1, likely characters become more likely; above 1,
# all become more equal.


# %%
def training(model, sample, steps, rate):
    flat = model.flat()  # all parameters in one array, and all gradients in another
    optimiser, stepper = AdamW(flat, rate, betas=(0.9, 0.99), weight_decay=0.1), Stepper(model)
    schedule = WarmupCosine(lr=rate, steps=steps, warmup=steps // 10)
    for step in range(steps):
        model.train()  # eval() is for evaluation: dropout is for training only
        loss = stepper.forward(sample())
        stepper.backward()
        clip_grad_norm(flat, 1.0)
        optimiser.lr = schedule(step)
        optimiser.step()
        yield step + 1, loss


def network(V, context, seed=1, **sizes):
    sizes = {"vocabulary_size": V, "context": context, "n_embd": 64, "n_layer": 2, "n_head": 4, "dropout": 0.0, **sizes}
    return GPT(GPTConfig(**sizes), rng=np.random.default_rng(seed))


def write(model, count, temperature, seed=1):
    rng, said = np.random.default_rng(seed), vocabulary.encode("\n")
    for _ in range(count):
        logits = model.next_logits(said[None, -model.context :])[0].astype(float)
        logits[0] = -math.inf  # the boundary, which a stream does not have
        said = np.append(said, rng.choice(V, p=F.softmax(torch.tensor(logits / temperature), dim=-1).numpy()))
    return vocabulary.decode(said)


model, rng = network(V, 32), np.random.default_rng(2)
train, dev = chunks(parts["train"], 32), chunks(parts["dev"], 32)
print(f"{model.num_parameters():,} parameters; dev before training: {mean_nll(model.eval(), dev):.4f}")
for step, _ in training(model, lambda: train.sample(16, rng), fast(1000, 20), rate=4e-3):
    if step % fast(250, 20) == 0:
        print(f"step {step:4}  dev {mean_nll(model.eval(), dev):.4f}   ({bigram:.4f} by pair counts)")
for temperature in (0.3, 0.8, 1.5):
    print(f"--- temperature {temperature}", write(model, fast(140, 10), temperature))

# %% [markdown]
# What do its heads read? Nobody specified it. Look for a head that mostly reads the letter itself, and for one that
# goes back to the first letter of a word:

# %%
ids = vocabulary.encode("\nThe king is dead.")
layers = {f"block {i}": one for i, one in enumerate(attention_weights(model, ids[None]), 1)}
show(figures.attention(layers, [vocabulary.label(one) for one in ids]))

# %% [markdown]
# ## The same, larger
#
# Four blocks, twice the channels, twice the context. This takes a minute or two, so what you see here is a recording.


# %%
def write_shakespeare():
    model, rng = network(V, 64, n_embd=128, n_layer=4), np.random.default_rng(2)
    train, dev = chunks(parts["train"], 64), chunks(parts["dev"], 64)
    seen, losses = [], []
    for step, loss in training(model, lambda: train.sample(12, rng), 2000, rate=2e-3):
        losses.append(loss)
        if step % 250 == 0:
            seen.append((step, float(np.mean(losses[-100:])), mean_nll(model.eval(), dev)))
    return {"parameters": model.num_parameters(), "seen": seen, "text": write(model, 500, temperature=0.8)}


large = recorded("lesson_7_shakespeare", write_shakespeare)
at, on_train, on_dev = zip(*large["seen"], strict=True)
print(f"{large['parameters']:,} parameters, dev {on_dev[-1]:.4f}", large["text"])
curves = {"train, last 100 batches": (at, on_train), "dev": (at, on_dev), "pair counts": (at, [bigram] * len(at))}
show(named_curves(curves, over="step", of="nats per character"))


# %% [markdown]
# There are words, lines, and speakers who take turns, but it makes no sense. From here on nothing new is needed, only
# more of the same. (GPT-2 reads pieces of words, called tokens; its table of 50,257 of them adds another 39 million
# parameters.) Most parameters are in the blocks, 12 C² in each: 4 C² in attention and 8 C² in the MLP.

# %%
for blocks, C, what in ((4, 128, "the one above"), (6, 384, "the lecture's largest"), (12, 768, "the smallest GPT-2")):
    print(f"{blocks:2} blocks of {C} channels: about {12 * blocks * C**2 / 1e6:.1f} million in them, {what}")

# %% [markdown]
# ## A GPT that adds
#
# Anything can be written as text. Take addition: the network reads two numbers digit by digit and writes their sum. Two
# things help. First, the sum is written *backwards*: its highest digit depends on all carries at once, while the ones
# digit depends on just two digits, and each further digit on two more and a carry. Second, nothing should be learnt
# from the question, whose digits are random: where a target is -1, the loss ignores it.
#
# ### Exercise 7.2: addition as a text
#
# Write `encode_sum(a, b, digits)`. The text of 35 + 48 is 3 5 4 8 3 8 0: the digits of `a` and the digits of `b`, each
# padded with leading zeros to `digits` digits, then the sum, padded to `digits` + 1 digits and *reversed*, so that 083
# is written 3 8 0. The id of a digit is the digit itself. Return two lists: x, all digits but the last; and y, which
# holds the next digit for each position of x, or -1 where the next digit belongs to the question, since it cannot be
# predicted and must not count. Only the digits of the sum are targets. `f"{7:03d}"` is `"007"`, and `"007"[::-1]` is
# `"700"`.


# %%
def encode_sum(a, b, digits):
    # solution begins
    # instead: return None
    question = f"{a:0{digits}d}{b:0{digits}d}"
    ids = [int(one) for one in question + f"{a + b:0{digits + 1}d}"[::-1]]
    return ids[:-1], [-1] * (len(question) - 1) + ids[len(question) :]
    # solution ends


check("7.2", encode_sum)


# %% [markdown]
# Of the 10,000 sums of two numbers below 100 the network trains on 8,000. The other 2,000 are the test set: it predicts
# the most likely digit three times, and all three must be right.


# %%
def learn_to_add(seed, reverse=True):
    order = np.random.default_rng(0).permutation(10_000).tolist()
    x, y = (np.array(part) for part in zip(*(encode_sum(n // 100, n % 100, 2) for n in order), strict=True))
    if not reverse:
        y[:, 3:] = y[:, :2:-1]
        x[:, 4:] = y[:, 3:-1]  # the digits of the sum in the usual order
    model, rng = network(10, 6, seed, n_embd=32, n_head=2), np.random.default_rng(seed + 100)
    batches = (Batch(x[rows], y[rows]) for rows in rng.integers(0, 8000, (fast(1000, 10), 64)))
    list(training(model, lambda: next(batches), fast(1000, 10), rate=4e-3))
    said = x[8000:, :4]
    for _ in range(3):
        said = np.append(said, model.next_logits(said).argmax(-1)[:, None], axis=1)
    return float((said[:, 4:] == y[8000:, 3:]).all(1).mean())


if encode_sum(35, 48, 2) is not None:
    print(*(" ".join(f"{one:2}" for one in row) for row in encode_sum(35, 48, 2)), sep="\n")
    print(f"right: {learn_to_add(seed=1):.2%} of the sums in the test set")

# %% [markdown]
# So it has not simply memorised the sums. Does reversing the digits matter? Here are both ways, each from five seeds:

# %%
runs = recorded("lesson_7_addition", lambda: [[learn_to_add(i, way) for i in range(1, 6)] for way in (True, False)])
for name, right in zip(("reversed", "usual order"), runs, strict=True):
    print(f"{name:<15}", " ".join(f"{one:7.2%}" for one in right))

# %% [markdown]
# ## From one text to another
#
# Train on a large text, then continue on another, for which there is little text or little time: *pretrain* and
# *fine-tune*. What the network has learnt about letters is useful for names, too. But a network identifies characters
# by their ids, and these differ from text to text: b is 42 here and 2 there. Nearly all weights can be kept. Only where
# an id selects a row or a column must it be the right one.
#
# ### Exercise 7.3: to another text
#
# Write `splice(old, fresh, old_characters, fresh_characters)`. `old` and `fresh` are dictionaries of arrays by name,
# the weights of the trained network and of a new one; `old_characters` and `fresh_characters` are lists of the
# character of each id ("" is the boundary's). Return a dictionary with the names of `fresh`. In `token.weight`, (V, C),
# each row belongs to a character; in `output.weight`, (C, V), each column. In these two, a character that is in both
# lists gets its old numbers, at its new id; a character that is not in the old list keeps its fresh numbers. All other
# arrays are the old ones. `["", "a", "b"].index("b")` is 2.


# %%
def splice(old, fresh, old_characters, fresh_characters):
    # solution begins
    # instead: return None
    tables = ("token.weight", "output.weight")
    made = {name: (fresh if name in tables else old)[name].copy() for name in fresh}
    for i, character in enumerate(fresh_characters):
        if character in old_characters:
            j = old_characters.index(character)
            made["token.weight"][i] = old["token.weight"][j]
            made["output.weight"][:, i] = old["output.weight"][:, j]
    return made
    # solution ends


check("7.3", splice)

# %% [markdown]
# What was learnt should only help at the right index. We train for 200 steps on names, from three initialisations: the
# network trained on Shakespeare, spliced by character; the same network, spliced by index, so that each letter gets the
# weights of an unrelated character; and random weights.

# %%
names = load_corpus("names")
halves, letters = split_corpus(names, seed=42), Vocabulary.of(names.items)
train, dev = (Sequences(letters.encode_items(part.items), 32) for part in (halves.train, halves.dev))
fresh = network(letters.size, 32, seed=5)


def weights_of(net):
    return {name: array.copy() for name, array in net.state_dict().items()}


def spliced(old_characters, fresh_characters):
    return splice(weights_of(model), weights_of(fresh), old_characters, fresh_characters)


starts, curves = {"from scratch": weights_of(fresh)}, {}
if (by_character := spliced(["", *vocabulary.characters], ["", *letters.characters])) is not None:
    starts |= {"by character": by_character, "by index": spliced(list(range(V)), list(range(letters.size)))}
for name, start in starts.items():
    learner, seen, draw = network(letters.size, 32), [], partial(train.sample, 32, np.random.default_rng(3))
    learner.load_state_dict(start)
    for step, _ in training(learner, draw, fast(200, 10), rate=3e-3):
        if step % fast(25, 5) == 0:
            seen.append((step, mean_nll(learner.eval(), dev)))
    curves[name] = tuple(zip(*seen, strict=True))
    print(f"{name:<13} " + "  ".join(f"step {at}: {nats:.4f}" for at, nats in seen[1::2]))
show(named_curves(curves, over="step", of="dev, nats per character"))

# %% [markdown]
# ## One improvement: rotary positions
#
# A learnt vector for each position has a drawback: that letters 3 and 5 are two apart, and that 13 and 15 are, too,
# must be learnt separately for each pair of positions. What should matter is the *distance*. Rotary positions achieve
# that. Take two channels of a query as a point in the plane, and rotate it by an angle proportional to its position; do
# the same to the keys. A dot product depends on the lengths and on the angle *between* the vectors, so of two rotations
# only their difference matters. Each pair of channels rotates at its own speed, like the hands of a clock, so that
# small and large distances can both be distinguished.
#
# ### Exercise 7.4: rotary positions
#
# Write `rotate(x, positions, base)`. `x` is an array (T, D), a query or a key for each of T positions, with D even;
# `positions` (T,) gives the position of each row. Channels 0 and 1 are one pair, 2 and 3 the next, and so on to pair
# number D / 2 - 1. Rotate pair i of the row at position p, as a point in the plane, by the angle p * base ** (-2 * i /
# D): (a, b) becomes (a cos - b sin, a sin + b cos). Return an array (T, D), with each number in the place of the
# original. You can use `np.cos`, `np.sin`, `np.empty_like`, and `x[:, 0::2]` for every other column.


# %%
def rotate(x, positions, base):
    # solution begins
    # instead: return None
    D = x.shape[1]
    angle = positions[:, None] * base ** (-2 * np.arange(D // 2) / D)
    a, b = x[:, 0::2], x[:, 1::2]
    turned = np.empty_like(x)
    turned[:, 0::2] = a * np.cos(angle) - b * np.sin(angle)
    turned[:, 1::2] = a * np.sin(angle) + b * np.cos(angle)
    return turned
    # solution ends


check("7.4", rotate)

# %% [markdown]
# To test it, check the property itself: put the same query and the same key at all pairs of positions. If both are
# shifted by 100, no score changes. In the figure each diagonal, which is one distance, has a single colour. With added
# position vectors it does not.

# %%
rng, at = np.random.default_rng(3), np.arange(24)
q, k, places = np.tile(rng.normal(size=16), (24, 1)), np.tile(rng.normal(size=16), (24, 1)), rng.normal(size=(24, 16))
tables = {"added positions": (q + places) @ (k + places).T}
if rotate(q, at, 10_000.0) is not None:
    tables["rotary positions"] = rotate(q, at, 10_000.0) @ rotate(k, at, 10_000.0).T
    moved = rotate(q, at + 100, 10_000.0) @ rotate(k, at + 100, 10_000.0).T
    print(f"shifted by 100, scores change by at most {abs(moved - tables['rotary positions']).max():.0e}")
show(score_tables(tables, rows="position of the query", columns="position of the key"))

# %% [markdown]
# ## What you can now do
#
# - say what query, key and value are for, what the mask hides, and why scores are divided by the square root of the
#   head size
# - write attention for all heads in one computation, and recognise when a reshape has mixed them up
# - say what the residual stream, layer norm, dropout and the MLP of a block are each for
# - train a GPT, sample from it at any temperature, and interpret its heads
# - turn a task into a text, and fine-tune a trained network on another text
#
# On the command line: `backlight train shakespeare --model gpt`, `backlight sample --temperature 0.8`, and
# `backlight figures` for the attention of all heads.
#
# **Sources.** The lecture: Andrej Karpathy, [Let's build GPT: from scratch, in code, spelled
# out.](https://www.youtube.com/watch?v=kCc8FmEb1nY), and [nanoGPT](https://github.com/karpathy/nanoGPT). The papers:
# Vaswani et al. 2017, [Attention Is All You Need](https://arxiv.org/abs/1706.03762); Ba, Kiros & Hinton 2016, [Layer
# Normalization](https://arxiv.org/abs/1607.06450); He et al. 2015, [Deep Residual Learning for Image
# Recognition](https://arxiv.org/abs/1512.03385); Radford et al. 2019, Language Models are Unsupervised Multitask
# Learners ([GPT-2](https://github.com/openai/gpt-2)); Su et al. 2021, [RoFormer](https://arxiv.org/abs/2104.09864).
