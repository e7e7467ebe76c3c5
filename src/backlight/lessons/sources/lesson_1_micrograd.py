# The source of a notebook: see backlight/lessons/notebook.py for its form, and `make notebooks` to make it again.

# %% [markdown]
# # Lesson 1: one number at a time
#
# A neural network is a formula with many numbers in it that may be turned up or down. To make it better, one has to
# know for each of these numbers: if I turn it up a little, does the result get better or worse, and by how much? This
# lesson answers that, for every number at once, and then does what the answers say. That is all that training is.
#
# Run the cells from top to bottom. Where a cell says `your code here`, write; the check below it tells you how far
# you are. `backlight exercise hint 1.1` gives hints, one at a time.

# %%
import math

import numpy as np

from backlight import Value, explain
from backlight.lessons import check, given
from backlight.lessons.display import fast, show
from backlight.lessons.figures.micrograd import decision_map, loss_curve, secants
from backlight.lessons.stepping import stepping
from backlight.nn.scalar import MLP, Neuron

# %% [markdown]
# ## What a derivative is
#
# Take a function, stand somewhere on it, and take a small step `h` to the right. How far does it rise? The rise,
# divided by the step, is a slope. Make the step smaller, and the slope settles on one number: the derivative there.


# %%
def f(x):
    return x**3 / 6 - x**2 / 2 + 1


x = 3.0
for h in (1.0, 0.1, 0.01, 0.001):
    print(f"step {h:<6} rise {f(x + h) - f(x):.6f}   slope {(f(x + h) - f(x)) / h:.6f}")


# %% [markdown]
# The same as a picture. The *forward* secant joins the point with its neighbour to the right. The *symmetric* one
# joins the neighbours on both sides, and its slope is much closer to the tangent's, with the same step.


# %%
show(secants(f, x=3.0, h=1.0, slope=3.0**2 / 2 - 3.0))

# %% [markdown]
# With several inputs there is a slope for each: move one, and leave the others where they are. All of them together
# are the *gradient*.
#
# ### Exercise 1.1: a gradient, by formula
#
# Write `gradient_by_formula(a, b, c)`. It returns the three derivatives of
#
#     f(a, b, c) = a² b + sin(3 b) - a / c
#
# by `a`, by `b` and by `c`, as a tuple, worked out on paper and typed in as formulas: `2 * a` for a square, `-1 / c**2`
# for `1 / c`, and `3 * math.cos(3 * b)` for `math.sin(3 * b)`, since 3 b moves three times as fast as b.


# %%
def gradient_by_formula(a, b, c):
    # solution begins
    # instead: return None
    return 2 * a * b - 1 / c, a**2 + 3 * math.cos(3 * b), a / c**2
    # solution ends


check("1.1", gradient_by_formula)

# %% [markdown]
# ### Exercise 1.2: by forward difference
#
# Write `forward_difference(f, a, b, c, h)`. It returns the three slopes of a function `f(a, b, c)`, whatever it
# computes: how far `f` rises when one letter is moved up by `h`, divided by `h`. No formula of a derivative is needed.


# %%
def forward_difference(f, a, b, c, h):
    # solution begins
    # instead: return None
    here = f(a, b, c)
    return (f(a + h, b, c) - here) / h, (f(a, b + h, c) - here) / h, (f(a, b, c + h) - here) / h
    # solution ends


check("1.2", forward_difference)

# %% [markdown]
# ### Exercise 1.3: by symmetric difference
#
# Write `symmetric_difference(f, a, b, c, h)`. It returns the three slopes of `f(a, b, c)`, each from a step of `h` up
# and a step of `h` down. Compare how far it is from the formula with how far the forward difference is.


# %%
def symmetric_difference(f, a, b, c, h):
    # solution begins
    # instead: return None
    by_a = (f(a + h, b, c) - f(a - h, b, c)) / (2 * h)
    by_b = (f(a, b + h, c) - f(a, b - h, c)) / (2 * h)
    by_c = (f(a, b, c + h) - f(a, b, c - h)) / (2 * h)
    return by_a, by_b, by_c
    # solution ends


check("1.3", symmetric_difference)

# %% [markdown]
# How good is each? For one function whose slope we know, the error of the forward difference shrinks as `h` does, and
# that of the symmetric one as `h²`. Below some `h` both get worse: the difference of two nearly equal numbers is
# mostly rounding.

# %%
true = math.cos(1.0)
print("      h   forward is off by   symmetric is off by")
for h in (1e-1, 1e-3, 1e-5, 1e-8, 1e-11):
    forward = (math.sin(1 + h) - math.sin(1)) / h
    symmetric = (math.sin(1 + h) - math.sin(1 - h)) / (2 * h)
    print(f"{h:7.0e}   {abs(forward - true):17.1e}   {abs(symmetric - true):19.1e}")

# %% [markdown]
# Differences need a run of the whole formula for every number in it. A network has thousands, or billions. There is a
# way to get all slopes from one run, and it is the idea of this lesson.
#
# ## The idea: local derivative times the gradient from above
#
# A `Value` is a number that remembers which numbers it was made of. Compute with it as with any number:

# %%
a = Value(2.0, label="a")
b = Value(-3.0, label="b")
c = Value(10.0, label="c")
e = a * b
e.label = "e"
d = e + c
d.label = "d"
k = Value(-2.0, label="k")
L = d * k
L.label = "L"
L

# %% [markdown]
# That is a graph: each box a number, each arrow a use. The number on an arrow is a **local derivative**. It belongs
# to one small step and nothing else. `e = a * b` knows that if `a` grows by a little, `e` grows by `b` times as much;
# it has no idea what `e` is used for. Every step can say that much of itself, as soon as it is computed.
#
# Now start from the other side. We ask how the end, `L`, feels each number.
#
# - `L` feels itself one to one. Its gradient is 1.
# - `L` feels `d` by the number on the arrow from `d` to `L`.
# - How does `L` feel `e`? It does not see `e`. But `d` feels `e` by its arrow, and `L` feels `d` by what we just
#   found. If one gear turns the next three times as fast, and that one the next twice as fast, the first turns the
#   last six times as fast: the two numbers are *multiplied*. That is the chain rule.
# - So for any number: **what is on the arrow, times the gradient of the box at its head**. Local derivative times the
#   gradient from above. Then the same again, one step further. (Above is where the end is, wherever a picture draws
#   it.)
#
# `explain` does this walk and writes down each product:

# %%
explain(L)

# %% [markdown]
# Read a row as a sentence. Here are these sentences, in the order in which the walk comes to the boxes:

# %%
story = explain(L)
for place in range(len(story.steps)):
    print(story.words(place))

# %% [markdown]
# And here is the walk itself, one box at a time. With the slider, the arrow keys or *Play*, go from "nothing known
# yet" to "all gradients known". At each step one box hands its gradient back along its arrows, against the way in
# which they point, and each share is what is on the arrow times what the box has. Before you move on, guess what the
# next boxes get. (Where there is no slider, as on paper, you see the end of the walk.)

# %%
stepping(L)

# %% [markdown]
# `backward()` is that walk. It leaves each answer in `grad`. Is it true? Nudge one of the numbers, compute everything
# again, and look at how far the end has moved:

# %%
L.backward()
h = 1e-4


def run(a, b, c, k):
    return (a * b + c) * k


here = run(2.0, -3.0, 10.0, -2.0)
print("     backward   nudged")
for node, nudged in (
    (a, run(2.0 + h, -3.0, 10.0, -2.0)),
    (b, run(2.0, -3.0 + h, 10.0, -2.0)),
    (c, run(2.0, -3.0, 10.0 + h, -2.0)),
    (k, run(2.0, -3.0, 10.0, -2.0 + h)),
):
    print(f"{node.label}    {node.grad:9.4f} {(nudged - here) / h:8.4f}")

# %% [markdown]
# ### Where paths meet, they add
#
# A number may be used twice. Then the end feels it along two paths, and turning it moves both. The shares **add**.
# Here `x` reaches the end through `u` and, twice over, through `v`. Three arrows leave it, and three shares come
# back. Its gradient is complete when the last has arrived, and not before; step through it:

# %%
x = Value(3.0, label="x")
u = x * 2
u.label = "u"
v = x * x
v.label = "v"
end = u + v
end.label = "end"
print(explain(end).words([step.name for step in explain(end).steps].index("x")))
stepping(end)

# %% [markdown]
# Nothing else is needed. Multiply along a path, add where paths meet. No box knows the formula it is part of; each
# looks at its own arrows, and at what comes from above. That is why it works for any system, of any size: a sum of
# two numbers is treated as a network is. A neuron, for instance, takes inputs `x`, weighs each by a `w`, adds a bias
# `b`, and squashes the sum by `tanh` to between -1 and 1:

# %%
x1, x2 = Value(2.0, label="x1"), Value(0.5, label="x2")
w1, w2 = Value(-3.0, label="w1"), Value(1.0, label="w2")
b = Value(6.2, label="b")
n = x1 * w1 + x2 * w2 + b
n.label = "n"
o = n.tanh()
o.label = "o"
show(explain(o).picture("A neuron"))

# %% [markdown]
# The darker a box, the larger its gradient, whatever the sign. Look at the arrow into `o`: `tanh` has a slope of its
# own, `1 - o²`, and everything behind it gets multiplied by that. If `o` is near 1 or -1, that slope is near 0, and
# nothing gets through: a *saturated* neuron learns nothing. Lesson 4 is about that.
#
# And a whole network is the same once more. Here are two layers, an input, a target, and the loss, which says how wrong
# the output is. The gradient begins at the loss with 1 and goes back, box by box, until it reaches every weight:

# %%
rng = np.random.default_rng(1)
tiny = MLP(2, [2, 1], activation="tanh", rng=rng)
neurons = [neuron for layer in tiny.layers for neuron in layer.neurons]
for place, neuron in enumerate(neurons):
    neuron.b.label = f"b of {place + 1}"
    for i, weight in enumerate(neuron.w):
        weight.label = f"w{i + 1} of {place + 1}"
loss = (tiny([0.5, -0.4]) - 1.0) ** 2
loss.label = "loss"
show(explain(loss).picture("Two layers and a loss"))

# %% [markdown]
# What does that cost? One multiplication and one addition for each arrow, about as much as computing the loss.
# Differences would compute the loss again for every single parameter:

# %%
larger = MLP(3, [16, 16, 1], activation="tanh", rng=rng)
loss = (larger([2.0, 3.0, -1.0]) - 1.0) ** 2
arrows = sum(len(step.inputs) for step in explain(loss).steps)
parameters = len(larger.parameters())
print(f"{parameters} parameters, {arrows} arrows")
print(f"backward: one walk over {arrows} arrows, and all {parameters} slopes are known")
print(f"differences: {parameters} runs of the whole network, about {parameters * arrows:,} arrows")

# %% [markdown]
# ### Exercise 1.4: the walk back
#
# A graph is written down as a list of `(name, parents)`, each node after those that it was made of. `parents` is a list
# of `(parent's name, local derivative)`. The last node is the end.
#
# Write `walk_back(nodes)`. It returns a dictionary: for every name, the derivative of the end by that node. This is all
# that `backward()` does.

# %%
given("1.4")["nodes"]

# %% [markdown]
# Write `walk_back(nodes)`: for every name, the derivative of the end by it, as a dictionary.


# %%
def walk_back(nodes):
    # solution begins
    # instead: return None
    grad = {name: 0.0 for name, parents in nodes}
    grad[nodes[-1][0]] = 1.0
    for name, parents in nodes[::-1]:
        for parent, local in parents:
            grad[parent] += local * grad[name]
    return grad
    # solution ends


check("1.4", walk_back)

# %% [markdown]
# You have now written `backward()`. What is left is to use it.
#
# ## Gradient descent
#
# The gradient says which way is up. So: compute the loss, walk back, move every parameter a little *against* its
# gradient. Do it again. `zero_grad()` belongs in the loop, because `backward()` *adds* to what is in `grad` (a number
# may be used twice, after all). Leave it out, and each step repeats the steps before it:


# %%
def losses(zeroed):
    w, seen = Value(0.0), []
    for _ in range(8):
        if zeroed:
            w.zero_grad()
        loss = (w * 1.5 - 3.0) ** 2
        loss.backward()
        w.data -= 0.1 * w.grad
        seen.append(loss.data)
    return seen


print("with zero_grad   ", " ".join(f"{one:6.3f}" for one in losses(zeroed=True)))
print("without zero_grad", " ".join(f"{one:6.3f}" for one in losses(zeroed=False)))

# %% [markdown]
# ### Exercise 1.5: gradient descent
#
# Write `descend(w, xs, ys, rate, steps)`. Make a `Value` of the number `w`. Then, `steps` times: compute the loss,
# the sum of `(w * x - y) ** 2` over all pairs; get its gradient; move `w` by `rate` times the gradient, downhill.
# Return the last `w` as a plain number.


# %%
def descend(w, xs, ys, rate, steps):
    # solution begins
    # instead: return None
    w = Value(w)
    for _ in range(steps):
        w.zero_grad()
        loss = sum((w * x - y) ** 2 for x, y in zip(xs, ys, strict=True))
        loss.backward()
        w.data -= rate * w.grad
    return w.data
    # solution ends


check("1.5", descend)

# %% [markdown]
# ## A network that learns
#
# Four heaps of points. Blue stands for 1 and orange for -1, and no straight line parts them. One neuron draws a
# straight line. A layer of neurons draws several, and a neuron on top of them puts these together.

# %%
rng = np.random.default_rng(5)
corners = [(-1, -1, 1), (1, 1, 1), (-1, 1, -1), (1, -1, -1)]
points = [(*(np.array([x, y]) + rng.normal(0, 0.25, 2)).tolist(), kind) for x, y, kind in corners for _ in range(10)]
net = MLP(2, [6, 1], activation="tanh", rng=rng)
print(net)
print(len(net.parameters()), "parameters,", len(points), "points")


# %%
def mean_loss(net):
    return sum((net([x, y]) - kind) ** 2 for x, y, kind in points) / len(points)


history = []
for step in range(fast(60, 4)):
    net.zero_grad()
    loss = mean_loss(net)
    loss.backward()
    for parameter in net.parameters():
        parameter.data -= 0.1 * parameter.grad
    history.append(loss.data)
    if step % 10 == 0:
        print(f"step {step:2}  loss {loss.data:.4f}")
print(f"last     loss {mean_loss(net).data:.4f}")
right = sum((net([x, y]).data > 0) == (kind > 0) for x, y, kind in points)
print(f"{right} of {len(points)} points on the right side")


# %%
show(decision_map(lambda x, y: net([x, y]).data, points))


# %%
show(loss_curve(history, of="mean squared error"))

# %% [markdown]
# A neuron, a layer and an MLP are a few lines each, in `backlight/nn/scalar.py`; they hold Values and compute with
# them, and `backward()` knows nothing of them.

# %%
neuron = Neuron(3, activation="tanh", rng=rng)
print(neuron, "has", len(neuron.parameters()), "parameters and says", round(neuron([1.0, 2.0, 3.0]).data, 4))

# %% [markdown]
# ## From numbers to choices
#
# A language model will have to choose among letters. Its outputs, one for each letter, are any numbers: *logits*. To
# make probabilities of them, raise e to the power of each, which makes them positive, and divide by the sum, which
# makes them sum to 1. This is *softmax*. If the letter that really came had the probability p, the loss is -log p:
# nothing where it was certain, and more the less it was expected.

# %%
for p in (1.0, 0.5, 0.1, 0.001):
    print(f"p = {p:<6} -log p = {(1 / Value(p)).log().data:.4f}")
print(f"e to the power of 1 is {Value(1.0).exp().data:.4f}")

# %% [markdown]
# ### Exercise 1.6: softmax and its loss
#
# Write `softmax_nll(logits, target)`. `logits` is a list of `Value`s, `target` a place in it. Make the logits into
# probabilities by softmax: e to each, divided by the sum of these. Return the negative log of the probability at
# `target`, as a `Value`. The check calls `backward()` on it and looks at the gradient of each logit, too, so stay with
# Values to the end.


# %%
def softmax_nll(logits, target):
    # solution begins
    # instead: return None
    counts = [logit.exp() for logit in logits]
    return -(counts[target] / sum(counts)).log()
    # solution ends


check("1.6", softmax_nll)

# %% [markdown]
# When it is right, look at the gradient of the logits: it is the probabilities, and 1 less at the target. What came
# is pulled up by how much it was not expected; all others are pushed down by how much they were. Lesson 2 trains on
# nothing else.

# %%
logits = [Value(logit, label=f"logit {i}") for i, logit in enumerate(given("1.6")["logits"])]
nll = softmax_nll(logits, given("1.6")["target"])
if nll is not None:
    nll.backward()
    shares = np.exp([logit.data for logit in logits])
    for logit, share in zip(logits, shares / shares.sum(), strict=True):
        print(f"{logit.label}: probability {share:.4f}, gradient {logit.grad:+.4f}")

# %% [markdown]
# ## What you can now do
#
# - say what a derivative is, and measure one without any formula
# - say where each gradient in a graph comes from: local derivative times the gradient from above, added where paths
#   meet
# - write `backward()` yourself, and know why it adds
# - train a small network by hand, and know what happens without `zero_grad()`
# - turn any numbers into probabilities, and those into a loss
#
# On the command line, `backlight explain 'tanh(x*w + b)' --at x=2,w=-3,b=6.9 --walk` goes through any formula of yours.
#
# **Next:** `backlight lessons open 2`, a language model.
#
# **Sources.** The lecture: Andrej Karpathy, [The spelled-out intro to neural networks and
# backpropagation](https://www.youtube.com/watch?v=VMj-3S1tku0), and
# [micrograd](https://github.com/karpathy/micrograd), whose interface `Value` keeps. The paper: Rumelhart, Hinton &
# Williams, [Learning representations by back-propagating errors](https://doi.org/10.1038/323533a0), Nature 323, 1986.
