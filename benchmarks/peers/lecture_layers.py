"""Layers in the style of lectures 4 and 6 of "Neural Networks: Zero to Hero", on plain tensors; our own code.

A layer is a class with `__call__` and `parameters()` that keeps its last output. Batch norm computes mean and variance
of the batch and updates its running buffers under `no_grad`. A model is a list of layers, and a step is a loop over the
layers, `backward()`, and a loop over the parameters.
"""

import torch


class Linear:
    """y = x W + b."""

    def __init__(self, weight, bias=None):
        self.weight = torch.tensor(weight)
        self.bias = None if bias is None else torch.tensor(bias)

    def __call__(self, x):
        self.out = x @ self.weight
        if self.bias is not None:
            self.out += self.bias
        return self.out

    def parameters(self):
        return [self.weight] + ([] if self.bias is None else [self.bias])


class BatchNorm1d:
    """Batch norm over the batch and, for (B, T, C), over the positions."""

    def __init__(self, dim, eps=1e-5, momentum=0.1):
        self.eps = eps
        self.momentum = momentum
        self.training = True
        self.gamma = torch.ones(dim)
        self.beta = torch.zeros(dim)
        self.running_mean = torch.zeros(dim)
        self.running_var = torch.ones(dim)

    def __call__(self, x):
        if self.training:
            dim = 0 if x.ndim == 2 else (0, 1)
            xmean = x.mean(dim, keepdim=True)
            # biased, so that both sides do the same work; the lecture's default divides by N - 1
            xvar = x.var(dim, keepdim=True, unbiased=False)
        else:
            xmean, xvar = self.running_mean, self.running_var
        xhat = (x - xmean) / torch.sqrt(xvar + self.eps)
        self.out = self.gamma * xhat + self.beta
        if self.training:
            with torch.no_grad():
                self.running_mean = (1 - self.momentum) * self.running_mean + self.momentum * xmean
                self.running_var = (1 - self.momentum) * self.running_var + self.momentum * xvar
        return self.out

    def parameters(self):
        return [self.gamma, self.beta]


class Tanh:
    """tanh of each element."""

    def __call__(self, x):
        self.out = torch.tanh(x)
        return self.out

    def parameters(self):
        return []


class Embedding:
    """A lookup table with a row for each id."""

    def __init__(self, weight):
        self.weight = torch.tensor(weight)

    def __call__(self, ids):
        self.out = self.weight[ids]
        return self.out

    def parameters(self):
        return [self.weight]


class FlattenConsecutive:
    """Join every n consecutive positions, or all of them."""

    def __init__(self, n=None):
        self.n = n

    def __call__(self, x):
        B, T, C = x.shape
        n = self.n or T
        x = x.view(B, T // n, C * n)
        if x.shape[1] == 1:
            x = x.squeeze(1)
        self.out = x
        return self.out

    def parameters(self):
        return []


class Sequential:
    """Layers in sequence."""

    def __init__(self, layers):
        self.layers = layers

    def __call__(self, x):
        for layer in self.layers:
            x = layer(x)
        self.out = x
        return self.out

    def parameters(self):
        return [p for layer in self.layers for p in layer.parameters()]


def lecture_step(model, x, y, rows, lr, losses):
    """Return the lecture's step: draw a batch, forward, backward, and update each parameter.

    Args:
        model: a `Sequential`.
        x: (N, T) ids.
        y: (N,) targets.
        rows: (steps, B) the rows of each minibatch.
        lr: learning rate.
        losses: the list to which each loss is appended.
    """
    parameters = model.parameters()
    for p in parameters:
        p.requires_grad = True

    def step(i):
        ix = rows[i]
        Xb, Yb = x[ix], y[ix]
        logits = model(Xb)
        loss = torch.nn.functional.cross_entropy(logits, Yb)
        for p in parameters:
            p.grad = None
        loss.backward()
        for p in parameters:
            p.data += -lr * p.grad
        losses.append(loss.item())

    return step
