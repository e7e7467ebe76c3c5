# The source of a notebook: see backlight/lessons/notebook.py for its form, and `make notebooks` to make it again.

# %% [markdown]
# # Lesson 1: one number at a time
#
# A neural network is a formula with many adjustable numbers in it, its parameters. To improve it, we need to know for
# each parameter: if I increase it a little, does the result get better or worse, and by how much? This lesson answers
# that question for all parameters at once, and then changes each of them accordingly. That is all that training is.
#
# Run the cells from top to bottom. Where a cell says `your code here`, write your answer; the check below it says
# whether it is right. `backlight exercise hint 1.1` gives hints, one at a time.

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
# Take a function, choose a point on it, and take a small step `h` to the right. How far does the function rise? The
# rise divided by the step is a slope. As the step gets smaller, the slope approaches one number: the derivative at that
# point.


# %%
def f(x):
    return x**3 / 6 - x**2 / 2 + 1


x = 3.0
for h in (1.0, 0.1, 0.01, 0.001):
    print(f"step {h:<6} rise {f(x + h) - f(x):.6f}   slope {(f(x + h) - f(x)) / h:.6f}")


# %% [markdown]
# The same as a figure. The *forward* secant joins the point to its neighbour on the right. The *symmetric* secant joins
# the neighbours on both sides. For the same step, its slope is much closer to that of the tangent.


# %%
show(secants(f, x=3.0, h=1.0, slope=3.0**2 / 2 - 3.0))

# %% [markdown]
# A function of several inputs has a slope for each of them: change one input and hold the others fixed. Together these
# slopes are the *gradient*.
#
# ### Exercise 1.1: a gradient, by formula
#
# Write `gradient_by_formula(a, b, c)`. It returns the three derivatives of
#
#     f(a, b, c) = a² b + sin(3 b) - a / c
#
# with respect to `a`, `b` and `c`, as a tuple. Work them out on paper and type them in as formulas: `2 * a` for a
# square, `-1 / c**2` for `1 / c`, and `3 * math.cos(3 * b)` for `math.sin(3 * b)`, since 3 b changes three times as
# fast as b.


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
# Write `forward_difference(f, a, b, c, h)`. It returns the three slopes of any function `f(a, b, c)`: how far `f` rises
# when one argument is increased by `h`, divided by `h`. You do not need the formula of any derivative.


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
# Write `symmetric_difference(f, a, b, c, h)`. It returns the three slopes of `f(a, b, c)`, each computed from a step of
# `h` up and a step of `h` down. Compare its error with that of the forward difference.


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
# How accurate is each? Take a function whose slope we know. The error of the forward difference shrinks in proportion
# to `h`, that of the symmetric difference in proportion to `h²`. When `h` becomes too small, both get worse: the
# difference of two nearly equal numbers is mostly rounding error.

# %%
true = math.cos(1.0)
print("      h   error of forward   error of symmetric")
for h in (1e-1, 1e-3, 1e-5, 1e-8, 1e-11):
    forward = (math.sin(1 + h) - math.sin(1)) / h
    symmetric = (math.sin(1 + h) - math.sin(1 - h)) / (2 * h)
    print(f"{h:7.0e}   {abs(forward - true):16.1e}   {abs(symmetric - true):18.1e}")

# %% [markdown]
# Finite differences evaluate the whole formula again for every parameter, and a network has thousands or billions of
# them. There is a way to get all slopes from a single evaluation. It is the main idea of this lesson.
#
# ## The idea: local derivative times the gradient from above
#
# A `Value` is a number that remembers which numbers it was computed from. Use it like any other number:

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
# This is a graph: each box is a number, and each arrow is a use of that number. The number on an arrow is a **local
# derivative**. It describes one small step and nothing else. `e = a * b` implies that if `a` grows by a little, `e`
# grows by `b` times as much, whatever `e` is used for later. Every step can compute its local derivatives right away.
#
# Now start at the other end. We ask how the output, `L`, depends on each number.
#
# - `L` changes exactly as much as itself. Its gradient is 1.
# - How much `L` changes with `d` is the number on the arrow from `d` to `L`.
# - How much does `L` change with `e`? There is no arrow from `e` to `L`. But how `d` changes with `e` is on the arrow
#   between them, and how `L` changes with `d` we have just found. If one gear turns the next three times as fast, and
#   that one turns a third gear twice as fast, then the first turns the third six times as fast: the two factors are
#   *multiplied*. This is the chain rule.
# - So for any number, **multiply what is on the arrow by the gradient of the box that the arrow points to**. This is
#   the local derivative times the gradient from above. Then do the same one step further back. ("Above" means closer to
#   the output, wherever a figure draws it.)
#
# `explain` performs this computation and prints each product:

# %%
explain(L)

# %% [markdown]
# Each row is a statement about one number. Here are the statements in words, in the order in which the gradients are
# computed:

# %%
story = explain(L)
for place in range(len(story.steps)):
    print(story.words(place))

# %% [markdown]
# And here is the computation itself, one box at a time. Use the slider, the arrow keys or *Play* to go from the start,
# where no gradient is known, to the end, where all of them are. At each step one box passes its gradient back along its
# incoming arrows. What each parent receives is the number on the arrow times the gradient of the box. Before you move
# on, predict what the next boxes will receive; with *Guess first* you are asked for a number before you see it. (Where
# there is no slider, as on paper, you see the final state.) A page with more graphs, which steps through the values as
# well: `backlight worlds graph --lesson 1`

# %%
stepping(L)

# %% [markdown]
# `backward()` performs this computation and stores each result in `grad`. Is the result correct? Change one of the
# inputs slightly, compute everything again, and see how much the output has changed:

# %%
L.backward()
h = 1e-4


def run(a, b, c, k):
    return (a * b + c) * k


here = run(2.0, -3.0, 10.0, -2.0)
print("     backward   change in L / h")
for node, nudged in (
    (a, run(2.0 + h, -3.0, 10.0, -2.0)),
    (b, run(2.0, -3.0 + h, 10.0, -2.0)),
    (c, run(2.0, -3.0, 10.0 + h, -2.0)),
    (k, run(2.0, -3.0, 10.0, -2.0 + h)),
):
    print(f"{node.label}    {node.grad:9.4f} {(nudged - here) / h:17.4f}")

# %% [markdown]
# ### Where paths meet, gradients add
#
# A number may be used more than once. Then it influences the output along several paths, and changing it changes the
# output through all of them. The contributions **add**. Here `x` reaches the output through `u` and, twice, through
# `v`. Three arrows leave it, so it receives three contributions. Its gradient is complete only when the last one has
# arrived. Step through it:

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
# Nothing else is needed: multiply along a path, add where paths meet. No box needs to know the formula that it is part
# of, only its own arrows and the gradient from above. That is why the method works for any computation of any size: a
# network is treated just like a sum of two numbers. A neuron, for instance, takes inputs `x`, multiplies each by a
# weight `w`, adds a bias `b`, and maps the sum to the range -1 to 1 with `tanh`:

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
# The darker a box, the larger its gradient in absolute value. Look at the arrow into `o`: the slope of `tanh` is
# `1 - o²`, and every gradient behind it is multiplied by that. If `o` is near 1 or -1, the slope is near 0 and almost
# no gradient gets through: a *saturated* neuron learns nothing. That is the topic of lesson 4.
#
# A whole network works in the same way. Here are two layers, an input, a target, and the loss, which measures how wrong
# the output is. The gradient starts with 1 at the loss and is passed back box by box until it reaches every weight:

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
# What does that cost? One multiplication and one addition per arrow, about as much as computing the loss itself. Finite
# differences would compute the loss again for every single parameter:

# %%
larger = MLP(3, [16, 16, 1], activation="tanh", rng=rng)
loss = (larger([2.0, 3.0, -1.0]) - 1.0) ** 2
arrows = sum(len(step.inputs) for step in explain(loss).steps)
parameters = len(larger.parameters())
print(f"{parameters} parameters, {arrows} arrows")
print(f"backward: one pass over {arrows} arrows gives all {parameters} slopes")
print(f"differences: {parameters} evaluations of the whole network, about {parameters * arrows:,} arrows")

# %% [markdown]
# ### Exercise 1.4: the backward pass
#
# A graph is given as a list of `(name, parents)`. Each node comes after the nodes that it was computed from. `parents`
# is a list of `(parent's name, local derivative)`. The last node is the output.
#
# Write `walk_back(nodes)`. It returns a dictionary that maps each name to the derivative of the output with respect to
# that node. This is all that `backward()` does.

# %%
given("1.4")["nodes"]

# %% [markdown]
# Write `walk_back(nodes)`: the derivative of the output with respect to each node, as a dictionary by name.


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
# The gradient points in the direction in which the loss grows. So: compute the loss, run the backward pass, move every
# parameter a little *against* its gradient, and repeat. `zero_grad()` belongs in the loop because `backward()` *adds*
# to `grad` (a number may be used more than once, after all). Without it, the gradients of all earlier steps are added
# to each new one:


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
# Write `descend(w, xs, ys, rate, steps)`. Make a `Value` of the number `w`. Then, `steps` times: compute the loss, the
# sum of `(w * x - y) ** 2` over all pairs; compute its gradient; move `w` by `rate` times the gradient, in the
# direction in which the loss decreases. Return the final `w` as a plain number.


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
# Here are four clusters of points. Blue stands for 1 and orange for -1, and no straight line separates the two. A
# single neuron can only separate them by a straight line. A layer of neurons has several lines, and a neuron on top of
# the layer combines them.

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
print(f"{right} of {len(points)} points correctly classified")


# %%
show(decision_map(lambda x, y: net([x, y]).data, points))


# %%
show(loss_curve(history, of="mean squared error"))

# %% [markdown]
# A page in which such a network learns while you watch, and in which you can pull each of its weights and add points
# of your own: `backlight worlds plane --lesson 1`
#
# A neuron, a layer and an MLP take a few lines each, in `backlight/nn/scalar.py`. They hold Values and compute with
# them; `backward()` needs no special case for any of them.

# %%
neuron = Neuron(3, activation="tanh", rng=rng)
print(neuron, "has", len(neuron.parameters()), "parameters and outputs", round(neuron([1.0, 2.0, 3.0]).data, 4))

# %% [markdown]
# ## From numbers to probabilities
#
# A language model has to choose among characters. It outputs one number per character, of any size and sign: the
# *logits*. To turn them into probabilities, raise e to the power of each, which makes them positive, and divide by the
# sum, so that they sum to 1. This is *softmax*. If the character that actually came next had probability p, the loss is
# -log p: zero if it was certain, and larger the less likely it was.

# %%
for p in (1.0, 0.5, 0.1, 0.001):
    print(f"p = {p:<6} -log p = {(1 / Value(p)).log().data:.4f}")
print(f"e to the power of 1 is {Value(1.0).exp().data:.4f}")

# %% [markdown]
# ### Exercise 1.6: softmax and its loss
#
# Write `softmax_nll(logits, target)`. `logits` is a list of `Value`s, `target` an index into it. Turn the logits into
# probabilities by softmax: e to the power of each, divided by the sum of these. Return the negative log of the
# probability at `target`, as a `Value`. The check also calls `backward()` on it and compares the gradient of each
# logit, so compute with Values throughout.


# %%
def softmax_nll(logits, target):
    # solution begins
    # instead: return None
    counts = [logit.exp() for logit in logits]
    return -(counts[target] / sum(counts)).log()
    # solution ends


check("1.6", softmax_nll)

# %% [markdown]
# Once it is right, look at the gradient of the logits: it equals the probabilities, minus 1 at the target. Gradient
# descent raises the target's logit by as much as its probability fell short of 1, and lowers every other logit by its
# probability. Lesson 2 trains with exactly this loss.

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
# - say what a derivative is, and estimate one without a formula
# - say where each gradient in a graph comes from: the local derivative times the gradient from above, added where paths
#   meet
# - write `backward()` yourself, and say why it adds
# - train a small network by hand, and say what happens without `zero_grad()`
# - turn any numbers into probabilities, and those into a loss
#
# On the command line, `backlight explain 'tanh(x*w + b)' --at x=2,w=-3,b=6.9 --walk` steps through any formula.
#
# **Next:** `backlight lessons open 2`, a language model.
#
# **Sources.** The lecture: Andrej Karpathy, [The spelled-out intro to neural networks and
# backpropagation](https://www.youtube.com/watch?v=VMj-3S1tku0), and [micrograd](https://github.com/karpathy/micrograd),
# whose interface `Value` keeps. The paper: Rumelhart, Hinton & Williams, [Learning representations by back-propagating
# errors](https://doi.org/10.1038/323533a0), Nature 323, 1986.
