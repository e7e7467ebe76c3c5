"""Healthy networks that are built or run in unusual ways."""

from dataclasses import dataclass
from typing import Any

import torch
from tests.faults.public.case import Run, healthy
from tests.faults.public.loops import adam, descend, explained, outputs, right, usual
from tests.faults.public.nets import TinyGPT, mlp, over_time
from tests.faults.public.tasks import chain, classes, curve, padded, rows
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, rnn
from torch.utils.checkpoint import checkpoint


@healthy(what="modules in ModuleDicts in a ModuleList, called in another order", enough=0.9)
def nested_modules() -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            blocks = [
                nn.ModuleDict({"a": nn.Linear(64, 64), "b": nn.ModuleList([nn.GELU(), nn.LayerNorm(64)])})
                for _ in range(3)
            ]
            self.first, self.blocks, self.last = nn.Linear(20, 64), nn.ModuleList(blocks), nn.Linear(64, 5)

        def forward(self, x: Tensor) -> Tensor:
            h = self.first(x)
            for one in self.blocks:
                h = h + one["b"][0](one["a"](one["b"][1](h)))
            return self.last(h)

    return usual(Net(), *classes())


def _compiled(watched_is_inner: bool) -> Run:
    x, y = classes()
    net = mlp()
    fast = torch.compile(net, backend="eager")
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        return descend(F.cross_entropy(fast(x[r]), y[r]), optimiser)

    return Run(
        net=net if watched_is_inner else fast, step=step, optimiser=optimiser, quality=lambda: right(net, x, y),
        batch=None if watched_is_inner else (x[:32], y[:32]),
    )  # fmt: skip


@healthy(what="the compiled form of the watched net is trained", enough=0.9)
def compiled_beside() -> Run:
    return _compiled(True)


@healthy(what="the compiled net itself is given", enough=0.9, refusable=True)
def compiled_given() -> Run:
    return _compiled(False)


@healthy(what="PyTorch's own TransformerEncoder with dropout", enough=0.9)
def transformer_encoder() -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.place = nn.Embedding(10, 32), nn.Parameter(torch.randn(8, 32))
            self.body = nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, 0.1, batch_first=True), 2)
            self.head = nn.Linear(32, 4)

        def forward(self, ids: Tensor) -> Tensor:
            return self.head(self.body(self.embed(ids) + self.place).mean(1))

    x = torch.randint(10, (1024, 8))
    return usual(Net(), x, x[:, 3] % 4, steps=400)


@healthy(what="a GRU over packed sequences", enough=0.9)
def packed_gru() -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.gru, self.head = nn.Embedding(9, 16), nn.GRU(16, 32, batch_first=True), nn.Linear(32, 8)

        def forward(self, ids: Tensor) -> Tensor:
            lengths = (ids > 0).sum(1)
            packed = rnn.pack_padded_sequence(self.embed(ids), lengths, batch_first=True, enforce_sorted=False)
            return self.head(self.gru(packed)[1][-1])

    x, lengths = padded()
    net = Net()
    return usual(net, x, x.gather(1, lengths[:, None] - 1)[:, 0] - 1, optimiser=adam(net, 5e-3))


@dataclass
class Output:
    loss: Tensor
    logits: Tensor
    hidden_states: tuple[Tensor, ...] = ()


@healthy(what="a net that is called with keywords and returns a dataclass with the loss in it", enough=0.9)
def model_output() -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = nn.Sequential(nn.Linear(20, 64), nn.GELU()), nn.Linear(64, 5)

        def forward(self, inputs: Any = None, labels: Any = None) -> Output:
            h = self.body(inputs)
            logits = self.head(h)
            return Output(F.cross_entropy(logits, labels), logits, (h,))

    x, y = classes()
    net = Net()
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        return descend(net(inputs=x[r], labels=y[r]).loss, optimiser)

    return Run(
        net=net, step=step, optimiser=optimiser, batch=({"inputs": x[:32], "labels": y[:32]},),
        quality=lambda: right(nn.Sequential(net.body, net.head), x, y),
    )  # fmt: skip


@healthy(what="activations that are computed again in backward", enough=0.9)
def checkpointing() -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.c = nn.Linear(20, 64), nn.Linear(64, 5)
            self.b = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Dropout(0.1))

        def forward(self, x: Tensor) -> Tensor:
            return self.c(checkpoint(self.b, self.a(x).relu(), use_reentrant=False))

    return usual(Net(), *classes())


@healthy(what="weights in a dict, put in by functional_call", enough=0.9)
def functional_call() -> Run:
    x, y = classes()
    net = mlp()
    weights = {k: v.detach().clone().requires_grad_() for k, v in net.named_parameters()}
    optimiser = torch.optim.AdamW(weights.values(), lr=3e-3)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        return descend(F.cross_entropy(torch.func.functional_call(net, weights, (x[r],)), y[r]), optimiser)

    def quality() -> Tensor:
        return (torch.func.functional_call(net, weights, (x,)).argmax(1) == y).float().mean()

    return Run(net=net, step=step, optimiser=optimiser, quality=quality)


@healthy(what="gradients of each example by torch.func.vmap of grad, put into .grad by hand", enough=0.85)
def per_example_gradients() -> Run:
    x, y = classes()
    net = mlp()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)

    def one(p: Any, a: Tensor, b: Tensor) -> Tensor:
        return F.cross_entropy(torch.func.functional_call(net, p, (a[None],)), b[None])

    each = torch.func.vmap(torch.func.grad(one), in_dims=(None, 0, 0))

    def step(i: int) -> Tensor:
        r = rows(len(x))
        gradients = each({k: v.detach() for k, v in net.named_parameters()}, x[r], y[r])
        for k, p in net.named_parameters():
            p.grad = gradients[k].mean(0)
        optimiser.step()
        with torch.no_grad():
            return F.cross_entropy(net(x[r]), y[r])

    return Run(net=net, step=step, optimiser=optimiser, quality=lambda: right(net, x, y))


@healthy(what="torch.func.grad_and_value of functional_call, gradients put into .grad by hand", enough=0.85)
def func_grad() -> Run:
    x, y = classes()
    net = mlp()
    optimiser = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    grad = torch.func.grad_and_value(lambda p, a, b: F.cross_entropy(torch.func.functional_call(net, p, (a,)), b))

    def step(i: int) -> Tensor:
        r = rows(len(x))
        gradients, loss = grad({k: v.detach() for k, v in net.named_parameters()}, x[r], y[r])
        for k, p in net.named_parameters():
            p.grad = gradients[k]
        optimiser.step()
        return loss

    return Run(net=net, step=step, optimiser=optimiser, quality=lambda: right(net, x, y))


@healthy(what="an ensemble run by vmap over stacked weights", enough=0.9)
def ensemble_by_vmap() -> Run:
    x, y = classes()
    net = mlp()
    stacked, buffers = torch.func.stack_module_state([mlp() for _ in range(3)])
    optimiser = torch.optim.AdamW(stacked.values(), lr=3e-3)

    def all_of(x: Tensor) -> Tensor:
        run = torch.func.vmap(lambda p, b, x: torch.func.functional_call(net, (p, b), (x,)), (0, 0, None))
        return run(stacked, buffers, x)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        return descend(F.cross_entropy(all_of(x[r]).flatten(0, 1), y[r].repeat(3)), optimiser)

    return Run(
        net=net, step=step, optimiser=optimiser, quality=lambda: (all_of(x).mean(0).argmax(1) == y).float().mean()
    )


@healthy(what="weight norm and spectral norm", enough=0.9)
def weight_norm() -> Run:
    net = nn.Sequential(
        parametrizations.weight_norm(nn.Linear(20, 64)), nn.ReLU(),
        parametrizations.spectral_norm(nn.Linear(64, 64)), nn.ReLU(), nn.Linear(64, 5),
    )  # fmt: skip
    return usual(net, *classes())


@healthy(what="a frozen backbone whose batch norm is in evaluation mode", enough=0.8)
def frozen_backbone() -> Run:
    x, y = classes()
    body = nn.Sequential(nn.Linear(20, 128, bias=False), nn.BatchNorm1d(128), nn.ReLU())
    with torch.no_grad():
        for _ in range(50):
            body(x[rows(len(x))])
    body.requires_grad_(False).eval()
    head = nn.Linear(128, 5)
    return usual(nn.Sequential(body, head), x, y, optimiser=adam(head, 1e-2), steps=400)


@healthy(what="input and output embeddings share their weights", enough=0.8)
def tied_weights() -> Run:
    net, ids = TinyGPT(), chain()
    nn.init.normal_(net.token.weight, std=0.1)
    net.head = nn.Linear(32, 12, bias=False)
    net.head.weight = net.token.weight
    return usual(net, ids[:, :-1], ids[:, 1:], over_time)


@healthy(what="sparse gradients of an embedding, by SparseAdam", enough=0.9)
def sparse_embedding() -> Run:
    x = torch.randint(50, (1024, 6))
    y = x[:, 0] % 4
    net = nn.Sequential(nn.Embedding(50, 16, sparse=True), nn.Flatten(), nn.Linear(96, 4))
    pair = torch.optim.SparseAdam(net[0].parameters(), lr=1e-2), adam(net[2], 1e-2)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        return descend(F.cross_entropy(net(x[r]), y[r]), *pair)

    return Run(net=net, step=step, optimiser=pair, batch=(x[:32], y[:32]), quality=lambda: right(net, x, y))


@healthy(what="a scripted module", enough=0.9, refusable=True)
def scripted() -> Run:
    return usual(torch.jit.script(mlp()), *classes())


class LowRank(nn.Module):
    """A frozen layer and a low-rank change that begins at 0."""

    def __init__(self, inner: nn.Linear) -> None:
        super().__init__()
        self.inner, self.a = inner, nn.Parameter(torch.randn(4, inner.in_features) * 0.1)
        self.b = nn.Parameter(torch.zeros(inner.out_features, 4))

    def forward(self, x: Tensor) -> Tensor:
        return self.inner(x) + x @ self.a.T @ self.b.T


@healthy(what="low-rank changes of a frozen trained body, and a fresh head for other classes", enough=0.9)
def lora_new_head() -> Run:
    x, y = classes()
    body, head = mlp(20, 64)[:4], nn.Linear(64, 5)
    optimiser = torch.optim.AdamW([*body.parameters(), *head.parameters()], lr=3e-3)
    for _ in range(200):
        r = rows(len(x))
        descend(F.cross_entropy(head(body(x[r])), y[r]), optimiser)
    body.requires_grad_(False)
    net = nn.Sequential(*(LowRank(one) if isinstance(one, nn.Linear) else one for one in body), nn.Linear(64, 3))
    return usual(net, x, y % 3, optimiser=adam(net, 5e-3), steps=400)


@healthy(what="a second derivative in the loss: the slope of the output is penalised", enough=0.6)
def gradient_penalty() -> Run:
    x, y = curve()
    net = nn.Sequential(nn.Linear(6, 64), nn.Softplus(), nn.Linear(64, 1))
    optimiser = adam(net, 1e-2)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        a = x[r].clone().requires_grad_()
        out = net(a).squeeze(1)
        (slope,) = torch.autograd.grad(out.sum(), a, create_graph=True)
        return descend(F.mse_loss(out, y[r]) + 1e-3 * slope.square().sum(1).mean(), optimiser)

    return Run(net=net, step=step, optimiser=optimiser, steps=600, quality=lambda: explained(net, x, y))


@healthy(what="a small diffusion model of points on a ring", enough=-0.25)
def diffusion_of_points() -> Run:
    angle = torch.rand(2048) * 6.2832
    x = torch.stack([angle.cos(), angle.sin()], 1)
    bars = torch.linspace(0.999, 0.01, 20)
    net = nn.Sequential(nn.Linear(3, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 2))
    optimiser = adam(net, 5e-3)

    def step(i: int) -> Tensor:
        points, t = x[rows(2048, 128)], torch.randint(20, (128,))
        noise, bar = torch.randn(128, 2), bars[t][:, None]
        noised = torch.cat([bar.sqrt() * points + (1 - bar).sqrt() * noise, t[:, None] / 20], 1)
        return descend(F.mse_loss(net(noised), noise), optimiser)

    def quality() -> float:  # how far samples are from the ring, taking the noise out step by step
        z = torch.randn(512, 2)
        for t in reversed(range(20)):
            bar, before = bars[t], bars[t - 1] if t else torch.tensor(1.0)
            noise = outputs(net, torch.cat([z, torch.full((512, 1), t / 20)], 1))
            z = before.sqrt() * (z - (1 - bar).sqrt() * noise) / bar.sqrt() + (1 - before).sqrt() * noise
        return -float((z.norm(dim=1) - 1).abs().mean())

    return Run(net=net, step=step, optimiser=optimiser, steps=800, quality=quality)
