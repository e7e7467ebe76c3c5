"""Rows that belong together, branches that begin at 0, inputs of unusual kinds."""

import torch
from tests.faults.public.case import Run, fault, healthy
from tests.faults.public.loops import adam, descend, right, usual
from tests.faults.public.nets import cnn, mlp
from tests.faults.public.situations.twins import rate_zero
from tests.faults.public.tasks import classes, pictures, rows
from torch import Tensor, nn
from torch.nn import functional as F


def graph(nodes: int = 120) -> tuple[Tensor, Tensor, Tensor]:
    """Return features, edges (2, E) and labels of the nodes of a graph whose neighbours mostly share a label."""
    y = torch.randint(4, (nodes,))
    x = F.one_hot(y, 4) + 1.5 * torch.randn(nodes, 4)
    pairs = torch.randint(nodes, (2, 2400))
    alike = y[pairs[0]] == y[pairs[1]]
    return x, pairs[:, alike | (torch.rand(2400) < 0.05)], y


def adjacency(edges: Tensor, nodes: int = 120) -> Tensor:
    """Return the adjacency with self-loops, each row divided by its sum."""
    a = torch.eye(nodes).index_put((edges[1], edges[0]), torch.tensor(1.0))
    return a / a.sum(1, keepdim=True)


class GCN(nn.Module):
    """Two graph convolutions: matrices (N, N) times features (N, C)."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(4, 16), nn.Linear(16, 4)

    def forward(self, x: Tensor, around: Tensor) -> Tensor:
        return around @ self.b((around @ self.a(x)).relu())


def _on_a_graph(net: nn.Module, x: Tensor, around: Tensor, y: Tensor, *, examined: bool = True) -> Run:
    optimiser = adam(net, 1e-2)

    def step(i: int) -> Tensor:
        return descend(F.cross_entropy(net(x, around), y), optimiser)

    def quality() -> Tensor:
        return (net(x, around).argmax(1) == y).float().mean()

    batch = ((x, around), y) if examined else None
    return Run(net=net, step=step, optimiser=optimiser, batch=batch, steps=150, quality=quality)


@healthy(what="a graph convolution over a dense matrix", enough=0.8)
def gcn_dense() -> Run:
    x, edges, y = graph()
    return _on_a_graph(GCN(), x, adjacency(edges), y)


@healthy(what="a graph convolution over a sparse matrix", enough=0.8)
def gcn_sparse() -> Run:
    x, edges, y = graph()
    return _on_a_graph(GCN(), x, adjacency(edges).to_sparse_csr(), y)


@healthy(what="a graph convolution over a list of edges", enough=0.8)
def gcn_edges() -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b = nn.Linear(4, 16), nn.Linear(16, 4)

        def gathered(self, x: Tensor, edges: Tensor) -> Tensor:
            return x.index_add(0, edges[1], x[edges[0]]) / 8

        def forward(self, x: Tensor, edges: Tensor) -> Tensor:
            return self.gathered(self.b(self.gathered(self.a(x), edges).relu()), edges)

    x, edges, y = graph()
    return _on_a_graph(Net(), x, edges, y)


@healthy(what="graph attention over a list of edges", enough=0.7)
def gat() -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.l, self.a, self.h = nn.Linear(4, 32), nn.Linear(64, 1), nn.Linear(32, 4)

        def forward(self, x: Tensor, edges: Tensor) -> Tensor:
            z = self.l(x)
            e = F.leaky_relu(self.a(torch.cat([z[edges[0]], z[edges[1]]], 1))).clamp(-5, 5).exp()
            total = torch.full((len(x), 1), 1e-3).index_add(0, edges[1], e)
            return self.h(F.elu(torch.zeros_like(z).index_add(0, edges[1], e * z[edges[0]]) / total + z))

    x, edges, y = graph()
    return _on_a_graph(Net(), x, edges, y)


@healthy(what="attention between the rows of a table", enough=0.8)
def attention_between_rows() -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.e, self.a, self.h = mlp(20, 32), nn.MultiheadAttention(32, 2), nn.Linear(32, 5)

        def forward(self, x: Tensor) -> Tensor:
            z = self.e(x)[:, None]
            return self.h((z + self.a(z, z, z, need_weights=False)[0])[:, 0])

    x, y = classes()
    net = Net()
    return usual(net, x, y, quality=lambda: right(net, x[:256], y[:256]))


class Branch(nn.Module):
    """A residual branch whose last layer begins at 0, or one with a gain that does."""

    def __init__(self, width: int = 64, *, gain: bool = False) -> None:
        super().__init__()
        self.a, self.b = nn.Linear(width, width), nn.Linear(width, width)
        self.gain = nn.Parameter(torch.zeros(())) if gain else 1.0
        if not gain:
            nn.init.zeros_(self.b.weight)
            nn.init.zeros_(self.b.bias)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gain * self.b(self.a(x).relu())


@rate_zero("residual branches whose last layer begins at 0", 0.9)
def branches_from_zero() -> Run:
    return usual(nn.Sequential(nn.Linear(20, 64), Branch(), Branch(), nn.Linear(64, 5)), *classes())


@rate_zero("residual branches with a gain that begins at 0 (ReZero)", 0.9)
def rezero() -> Run:
    net = nn.Sequential(nn.Linear(20, 64), *(Branch(gain=True) for _ in range(4)), nn.Linear(64, 5))
    return usual(net, *classes())


class Bytes(nn.Module):
    """A CNN that takes bytes, 0 to 255, and scales them itself, or does not."""

    def __init__(self, divisor: float) -> None:
        super().__init__()
        self.body, self.divisor = cnn(), divisor

    def forward(self, x: Tensor) -> Tensor:
        return self.body((x.float() - 128) / self.divisor if self.divisor > 1 else x.float())


@fault(what="pictures of bytes that are not scaled", names={"input-scale"}, enough=-0.1)
def bytes_not_scaled(faulty: bool) -> Run:
    x, y = pictures(512)
    x = (x * 50 + 100).clamp(0, 255).to(torch.uint8)
    net = Bytes(1.0 if faulty else 64.0)
    net(x[:2])

    def quality() -> float:  # minus the first loss
        torch.manual_seed(0)
        fresh = Bytes(1.0 if faulty else 64.0)
        return 1.4 - float(F.cross_entropy(fresh(x[:64]), y[:64]).detach())

    return usual(net, x, y, optimiser=adam(net, 1e-3), steps=150, quality=quality)


@healthy(what="pictures in the channels-last layout", enough=0.85)
def channels_last() -> Run:
    x, y = pictures()
    net = cnn()
    net(x[:2])
    return usual(net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last), y)


@healthy(what="an input that is a subclass of Tensor", enough=0.9)
def subclass_as_input() -> Run:
    class Marked(torch.Tensor):
        pass

    x, y = classes()
    return usual(mlp(), x.as_subclass(Marked), y)


@healthy(what="one sequence without a batch axis", enough=0.5)
def one_unbatched_sequence() -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.r, self.h = nn.GRU(20, 32), nn.Linear(32, 5)

        def forward(self, x: Tensor) -> Tensor:
            return self.h(self.r(x)[0])

    x, y = classes()
    net = Net()
    return usual(net, x, y, optimiser=adam(net, 1e-2), steps=200, draw=lambda i: (torch.arange(32) + 32 * i) % 1024)


@healthy(what="inputs, targets and a masked input by keyword only", enough=0.9)
def keywords_only() -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = mlp()

        def forward(self, *, x: Tensor, keep: Tensor) -> Tensor:
            return self.body(x * keep)

    x, y = classes()
    keep = torch.ones(20)
    net = Net()
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        return descend(F.cross_entropy(net(x=x[r], keep=keep), y[r]), optimiser)

    def quality() -> Tensor:
        return (net(x=x, keep=keep).argmax(1) == y).float().mean()

    batch = {"x": x[:32], "keep": keep}, y[:32]
    return Run(net=net, step=step, optimiser=optimiser, batch=batch, quality=quality)


@healthy(what="a number beside the inputs, as the count of a batch's items", enough=0.9)
def count_beside_the_inputs() -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = mlp()

        def forward(self, x: Tensor, y: Tensor, num_items_in_batch: Tensor) -> Tensor:
            return F.cross_entropy(self.body(x), y, reduction="sum") / num_items_in_batch

    x, y = classes()
    net = Net()
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r = rows(len(x), 384)
        return descend(net(x[r], y[r], num_items_in_batch=torch.tensor(384.0)), optimiser)

    return Run(net=net, step=step, optimiser=optimiser, quality=lambda: right(net.body, x, y))
