"""The network: what is registered, what is changed in place, what begins at 0, what was loaded."""

import torch
from tests.faults.public.case import Run, fault
from tests.faults.public.loops import adam, descend, outputs, usual
from tests.faults.public.nets import mlp
from tests.faults.public.tasks import classes, products, rows
from torch import Tensor, nn
from torch.nn import functional as F


@fault(
    "pytorch/pytorch#1053", "pytorch/pytorch#715", "asyml/texar-pytorch#72",
    what="hidden layers are kept in a Python list: the optimiser never hears of them",
    part="network",
    names={"unregistered-layers", "not-in-optimiser"},
    says="Parameters are used that the module does not know: ModuleList.",
    words=r"ModuleList|Python list|registered", enough=-0.4,
)  # fmt: skip
def layers_in_a_list(faulty: bool) -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            layers = [nn.Linear(20 if i == 0 else 64, 64) for i in range(4)]
            self.layers = layers if faulty else nn.ModuleList(layers)
            self.head = nn.Linear(64, 1)

        def forward(self, x: Tensor) -> Tensor:
            for layer in self.layers:
                x = layer(x).relu()
            return self.head(x)

    x, y = products()
    net, loss = Net(), F.binary_cross_entropy_with_logits
    return usual(net, x, y, loss, steps=600, quality=lambda: -float(loss(outputs(net, x), y)))


@fault(
    "rosinality/vq-vae-2-pytorch#60", "iduta/iresnet#2",
    what="a residual branch begins with ReLU(inplace=True): the shortcut loses all that is negative",
    part="network",
    names={"changed-in-place"}, says="A layer's input is changed in place after it was read for the shortcut.",
    words=r"in[- ]?place", enough=0.9,
)  # fmt: skip
def shortcut_changed_in_place(faulty: bool) -> Run:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = nn.Sequential(nn.ReLU(inplace=faulty), nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 6))

        def forward(self, x: Tensor) -> Tensor:
            return self.body(x) + x

    x, mix = torch.randn(1024, 6), torch.randn(6, 6)
    y = x @ mix / 2.4
    net = nn.Sequential(Block(), Block(), nn.Linear(6, 6))

    def quality() -> Tensor:
        return 1 - (outputs(net, x) - y).square().mean() / y.var(0).mean()

    return usual(net, x, y, F.mse_loss, optimiser=adam(net, 1e-2), steps=400, quality=quality)


@fault(
    "circle-hit/SAPT#11", "NovaSky-AI/SkyRL#852", "nvidia-cosmos/cosmos-predict2.5#15",
    what="both matrices of a low-rank change begin at 0: neither gets a gradient",
    part="network",
    names={"vanishing-gradients", "identical-units", "both-zero"},
    says="Two weights that are multiplied with each other are both 0: neither can begin to learn.",
    words=r"both (begin|start|are)? ?.*(0|zero)|(0|zero) .*both", also={"no-step"}, enough=0.8,
)  # fmt: skip
def low_rank_from_zero_twice(faulty: bool) -> Run:
    class LowRank(nn.Module):
        def __init__(self, inner: nn.Linear) -> None:
            super().__init__()
            self.inner, self.b = inner, nn.Parameter(torch.zeros(inner.out_features, 8))
            self.a = nn.Parameter(torch.randn(8, inner.in_features) * (0 if faulty else 0.1))

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x) + x @ self.a.T @ self.b.T

    x, y = classes()
    body = mlp()
    optimiser = adam(body)
    for _ in range(150):
        r = rows(len(x))
        descend(F.cross_entropy(body(x[r]), y[r]), optimiser)
    body.requires_grad_(False)
    net = nn.Sequential(*(LowRank(one) if isinstance(one, nn.Linear) else one for one in body))
    return usual(net, x, (y + 1) % 5, optimiser=adam(net, 1e-2))


@fault(
    "pytorch/examples#1029",
    what="load_state_dict(strict=False) finds no name that fits: the frozen body keeps its first weights",
    part="network",
    names={"frozen-untrained"}, says="Frozen layers look like fresh ones: their weights were never loaded.",
    words=r"(frozen|loaded|pretrained|checkpoint)", enough=0.85,
)  # fmt: skip
def nothing_was_loaded(faulty: bool) -> Run:
    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.head = (
                nn.Sequential(nn.Linear(20, 12), nn.ReLU(), nn.Linear(12, 12), nn.ReLU()),
                nn.Linear(12, 5),
            )

        def forward(self, x: Tensor) -> Tensor:
            return self.head(self.body(x))

    x, y = classes()
    trained = Whole()
    optimiser = adam(trained, 1e-2)
    for _ in range(300):
        r = rows(len(x))
        descend(F.cross_entropy(trained(x[r]), y[r]), optimiser)
    saved = {f"{'module.' if faulty else ''}{name}": value for name, value in trained.body.state_dict().items()}
    net = Whole()
    net.body.load_state_dict(saved, strict=False)
    nn.init.zeros_(net.head.weight)
    net.body.requires_grad_(False)
    return usual(net, x, y, optimiser=adam(net, 1e-2))
