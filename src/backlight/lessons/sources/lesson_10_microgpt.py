# The source of a notebook: see backlight/lessons/notebook.py for its form, and `make notebooks` to make it again.

# %% [markdown]
# # Lesson 10: a GPT made of single numbers
#
# Lesson 1 built a network of single numbers, and lesson 7 a GPT of arrays. This lesson joins the two: a GPT whose every
# weight, product and sum is a `Value` of lesson 1. It is the network of A. Karpathy's
# [microgpt](https://karpathy.github.io/2026/02/12/microgpt/) (2026): 4,192 parameters, one name a step. Nothing in it
# is new, so everything can be seen: any weight, and every path by which the loss reaches it.

# %%
import random

from backlight import Value, explain
from backlight.autograd import replayed
from backlight.lessons import check
from backlight.optim import ScalarAdam
from backlight.text import load_corpus

random.seed(42)
names = [name for name in load_corpus("names").items if len(name) < 16]
random.shuffle(names)
letters = sorted(set("".join(names)))
END = len(letters)  # the id that begins and ends each name
print(f"{len(names):,} names of {len(letters)} letters, such as {', '.join(names[:5])}")

# %% [markdown]
# ## The weights
#
# A matrix is a list of rows, and a row a list of Values. Each letter and each position has a row of 16 numbers. The
# matrices of a head are those of lesson 7: query, key and value. `mix` joins the four heads, `up` and `down` are the
# small network that processes each position on its own, and `out` turns 16 numbers into 27 logits. There are no biases.

# %%
WIDTH, HEADS, BLOCK = 16, 4, 16


def matrix(rows, columns):
    return [[Value(random.gauss(0, 0.08)) for _ in range(columns)] for _ in range(rows)]


weights = {"letter": matrix(END + 1, WIDTH), "position": matrix(BLOCK, WIDTH)}
weights |= {name: matrix(WIDTH, WIDTH) for name in ("query", "key", "value", "mix")}
weights |= {"up": matrix(4 * WIDTH, WIDTH), "down": matrix(WIDTH, 4 * WIDTH), "out": matrix(END + 1, WIDTH)}
parameters = [number for rows in weights.values() for row in rows for number in row]
print(f"{len(parameters):,} parameters")

# %% [markdown]
# ## The parts
#
# A matrix times a vector is a sum of products for each row. Softmax subtracts the largest logit first, as always, so
# that no power overflows. The largest is only *read*: `.data` is a number without a past, and no gradient flows through
# it. None is needed: softmax gives the same for logits that are all shifted alike.


# %%
def linear(x, rows):
    return [sum(w * number for w, number in zip(row, x, strict=True)) for row in rows]


def softmax(logits):
    largest = max(logit.data for logit in logits)
    powers = [(logit - largest).exp() for logit in logits]
    total = sum(powers)
    return [power / total for power in powers]


# %% [markdown]
# In place of layer norm there is **RMSNorm**, which is simpler: it divides a vector by the root of the mean of its
# squares. It subtracts no mean, and has no weights.
#
# ### Exercise 10.1: RMSNorm
#
# Write `rmsnorm(x)` for a list `x` of n numbers or Values. Return a list of n: each element of `x` divided by the
# square root of (the mean of the squares of all elements, plus 1e-5). Use only `+`, `*`, `/` and `**`, so that it works
# with Values.


# %%
def rmsnorm(x):
    # solution begins
    # instead: return x
    mean = sum(number * number for number in x) / len(x)
    scale = (mean + 1e-5) ** -0.5
    return [number * scale for number in x]
    # solution ends


check("10.1", rmsnorm)

# %% [markdown]
# ## The network
#
# `gpt` reads one letter, at one position. It appends the key and the value of this position to the lists, so that later
# positions can read them: nobody can read what comes later, since it is not there yet. This is the mask of lesson 7,
# and the cache that makes sampling fast, in one.


# %%
def gpt(letter, position, keys, values):
    x = rmsnorm([a + b for a, b in zip(weights["letter"][letter], weights["position"][position], strict=True)])
    before, x = x, rmsnorm(x)
    query = linear(x, weights["query"])
    keys.append(linear(x, weights["key"]))
    values.append(linear(x, weights["value"]))
    size, joined = WIDTH // HEADS, []
    for head in range(HEADS):
        here = slice(head * size, (head + 1) * size)
        scores = [sum(q * k for q, k in zip(query[here], key[here], strict=True)) / size**0.5 for key in keys]
        attention = softmax(scores)
        joined += [sum(a * value[j] for a, value in zip(attention, values, strict=True)) for j in range(WIDTH)[here]]
    x = [a + b for a, b in zip(linear(joined, weights["mix"]), before, strict=True)]
    before, x = x, linear(rmsnorm(x), weights["up"])
    x = linear([number.relu() for number in x], weights["down"])
    return linear([a + b for a, b in zip(x, before, strict=True)], weights["out"])


def name_loss(ids):
    keys, values, losses = [], [], []
    for position in range(len(ids) - 1):
        probabilities = softmax(gpt(ids[position], position, keys, values))
        losses.append(-probabilities[ids[position + 1]].log())
    return sum(losses) / len(losses)


def ids_of(name):
    return [END, *[letters.index(letter) for letter in name], END]


loss = name_loss(ids_of("ada"))
print(f"loss {loss.data:.4f}, from a graph of {len(loss.ancestry()):,} numbers")

# %% [markdown]
# ## From the loss to one weight of a query
#
# The chain rule says how the loss depends on any of these numbers. Take the first weight of the query. It was used once
# at each position, so its gradient is a sum over positions. For each of them, `explain` gives the local derivative,
# which is the number that the weight was multiplied by, and the gradient that arrives at the product:

# %%
weight = weights["query"][0][0]
explanation = explain(loss, names=[("the weight", weight)])
step = explanation["the weight"]
for position, path in enumerate(reversed(step.contributions)):
    print(f"position {position}: {path.local:9.5f} x {path.above:9.5f} = {path.product:10.7f}")
print(f"gradient of the weight: {step.grad:.7f}")

# %% [markdown]
# At position 0 the gradient is 0. There is only one key to read, its attention is 1 whatever the score, and so the
# query does not matter. Now walk back from the weight to the loss, at each number along the path that carries the most:

# %%
walk, here = [], step
while here.contributions:
    path = max(here.contributions, key=lambda path: abs(path.product))
    walk.append((here, path))
    here = explanation.steps[path.through]
for number, path in walk[:8]:
    print(f"{number.name:>10} is used in {explanation.steps[path.through].expression:<24} gradient {number.grad:10.7f}")
print(f"... and after {len(walk)} steps the loss itself, whose gradient is {here.grad:g}")

# %% [markdown]
# The weight is multiplied by an input; the product joins a sum, the query; that is multiplied by a key, and joins the
# sum that is the score. Each of these steps is the chain rule of lesson 1.
#
# ### Exercise 10.2: the gradient of a query
#
# One head, one position. `query` is a list of D numbers, `keys` a list of T keys of D numbers each, and the scores are
# `sum(query[j] * keys[t][j] for j in range(D)) / D**0.5`. `dscores` is a list of T numbers: the gradients of the
# scores. Write `query_gradient(query, keys, dscores)`, which returns the gradient of the query: a list of D numbers.


# %%
def query_gradient(query, keys, dscores):
    # solution begins
    # instead: return None
    D = len(query)
    return [sum(d * key[j] for d, key in zip(dscores, keys, strict=True)) / D**0.5 for j in range(D)]
    # solution ends


check("10.2", query_gradient)

# %% [markdown]
# ## Training
#
# A graph of 35,000 numbers for three letters is slow to make again for each name. But names of the same length have the
# same graph, with other letters. `@replayed` runs `name_loss` once with unknown numbers and records the graph. From
# then on the recording is run, in C if there was a compiler at installation. The letter chooses a row of
# `weights["letter"]`, and the recording chooses likewise.
#
# The optimiser is Adam, which lesson 7 used for tensors.
#
# ### Exercise 10.3: one step of Adam
#
# Write `adam_step(p, grad, m, v, t, lr)` for one number `p` and its gradient, where `t` counts steps from 1. With β₁ =
# 0.85 and β₂ = 0.99: m becomes β₁ m + (1 - β₁) grad, and v becomes β₂ v + (1 - β₂) grad². Both begin at 0, and so are
# too small at first: m̂ = m / (1 - β₁ᵗ) and v̂ = v / (1 - β₂ᵗ) correct this. Then p becomes p - lr m̂ / (√v̂ + 1e-8).
# Return the new `p, m, v`: m and v without the correction.


# %%
def adam_step(p, grad, m, v, t, lr):
    # solution begins
    # instead: return None
    m = 0.85 * m + (1 - 0.85) * grad
    v = 0.99 * v + (1 - 0.99) * grad**2
    m_hat, v_hat = m / (1 - 0.85**t), v / (1 - 0.99**t)
    return p - lr * m_hat / (v_hat**0.5 + 1e-8), m, v
    # solution ends


check("10.3", adam_step)

# %%
fast_loss = replayed(name_loss)
adam = ScalarAdam(parameters, betas=(0.85, 0.99))
losses, STEPS = [], 1000
for step in range(STEPS):
    loss = fast_loss(ids_of(names[step]))
    loss.backward()
    adam.lr = 0.01 * (1 - step / STEPS)
    adam.step()
    losses.append(loss.data)
    if (step + 1) % 200 == 0:
        print(f"names {step - 198:4} to {step + 1:4}: mean loss {sum(losses[-200:]) / 200:.3f}")


# %%
def sample(temperature):
    keys, values, ids = [], [], [END]
    while len(ids) <= BLOCK:
        probabilities = softmax([logit / temperature for logit in gpt(ids[-1], len(ids) - 1, keys, values)])
        ids += random.choices(range(END + 1), [p.data for p in probabilities])
        if ids[-1] == END:
            break
    return "".join(letters[i] for i in ids[1:] if i != END)


print(", ".join(sample(0.5) for _ in range(10)))

# %% [markdown]
# A thousand names are few, and the network is small; lesson 7's reads the same text with arrays, and is trained on
# thousands of names at once. It computes nothing else. A matrix product is the sums of `linear`, the mask is that the
# list of keys ends at the present, and `backward` of a tensor is the walk from above, for many numbers at a time.

# %% [markdown]
# ## What you can now do
#
# - write a GPT with nothing but numbers that record how they were computed
# - say which paths lead from the loss to a weight, and follow one of them by hand
# - compute the gradient of a query, and a step of Adam
# - run a graph of single numbers again and again, without making it anew
#
# **Sources.** Andrej Karpathy, [microgpt](https://karpathy.github.io/2026/02/12/microgpt/) (2026), whose network and
# settings these are, and [The spelled-out intro to neural networks and
# backpropagation](https://www.youtube.com/watch?v=VMj-3S1tku0). Zhang & Sennrich 2019, [Root Mean Square Layer
# Normalization](https://arxiv.org/abs/1910.07467); Kingma & Ba 2015, [Adam](https://arxiv.org/abs/1412.6980).
