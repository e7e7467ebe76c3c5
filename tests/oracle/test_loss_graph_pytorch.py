"""What PyTorch's graph tells of a loss: its kind, where the classes are, which reshapes stand for an exchange."""

import copy

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812

from backlight.health import examine, watch  # noqa: E402
from backlight.watch.records import LossFacts, StepRecord  # noqa: E402

B, C, T = 8, 3, 5


def seen(net, x, y, loss) -> tuple[LossFacts, StepRecord]:
    torch.manual_seed(0)
    found = examine(net, x, y, loss=loss).measurements
    assert found.loss is not None
    return found.loss, found.steps[0]


def linear(loss, y, out: int = C, *more: nn.Module) -> tuple[LossFacts, StepRecord]:
    return seen(nn.Sequential(nn.Linear(4, out), *more), torch.randn(B, 4), y, loss)


CLASSES = torch.arange(B) % C
YES = (torch.arange(B) % 2).float()[:, None]
SOFT = torch.linspace(0, 1, B * C).reshape(B, C).softmax(1)


@pytest.mark.parametrize(
    ("kind", "pure", "loss", "y"),
    [
        ("cross_entropy", True, F.cross_entropy, CLASSES),
        ("cross_entropy", True, lambda out, y: F.cross_entropy(out, y, weight=torch.rand(C)), CLASSES),
        ("cross_entropy", True, lambda out, y: -(out.log_softmax(1).gather(1, y[:, None])).mean(), CLASSES),
        ("cross_entropy", False, lambda out, y: F.cross_entropy(out, y) + 0.1 * out.square().mean(), CLASSES),
        ("other", False, lambda out, y: F.cross_entropy(out @ torch.rand(C, 7), y), CLASSES),
        ("other", False, lambda out, y: F.kl_div(out.log_softmax(1), y, reduction="batchmean"), SOFT),
        ("other", False, lambda out, y: F.nll_loss(out.softmax(1), y), CLASSES),
        ("other", False, F.nll_loss, CLASSES),
        ("mse", False, lambda out, y: -torch.distributions.Normal(out, 1.0).log_prob(y).mean(), SOFT),
        ("mse", True, F.mse_loss, SOFT),
        ("mse", True, lambda out, y: (out - y).pow(2).mean(), SOFT),
        ("mse", False, lambda out, y: F.mse_loss(out.exp(), y), SOFT),
        ("mse", False, lambda out, y: F.mse_loss(out, y) + out.abs().mean(), SOFT),
        ("mse", False, lambda out, y: 0.5 * F.mse_loss(out, y), SOFT),
    ],
)
def test_the_kind_of_a_loss(kind, pure, loss, y):
    facts, record = linear(loss, y)
    assert (facts.kind, facts.pure) == (kind, pure)
    if kind == "mse":
        assert (record.target_mean is not None) == pure
    if kind != "cross_entropy":
        assert record.logits is None
    elif y is SOFT:
        assert record.logits is not None
        assert record.logits.targets is None


def test_binary_cross_entropies():
    with_logits = F.binary_cross_entropy_with_logits
    assert linear(with_logits, YES, 1)[0].pure
    assert linear(F.binary_cross_entropy, YES, 1, nn.Sigmoid())[0].pure
    twice = linear(with_logits, YES, 1, nn.Sigmoid())[0]
    assert twice.chain[:2] == ("binary_cross_entropy_with_logits", "sigmoid")
    judged = nn.Linear(1, 1)
    assert not linear(lambda out, y: with_logits(judged(out), y), YES, 1)[0].pure


@pytest.mark.parametrize(
    ("axis", "exchanges", "loss"),
    [
        (1, 0, F.cross_entropy),
        (1, 0, lambda out, y: F.cross_entropy(out.transpose(1, 2).reshape(-1, C), y.reshape(-1))),
        (1, 0, lambda out, y: F.cross_entropy(out.permute(2, 0, 1).flatten(0, 1), y.T.reshape(-1))),
        (1, 0, lambda out, y: F.nll_loss(out.movedim(1, -1).log_softmax(-1).flatten(0, 1), y.flatten())),
        (None, 1, lambda out, y: F.cross_entropy(out.reshape(-1, C), y.reshape(-1))),
    ],
)
def test_the_classes_axis_is_followed(axis, exchanges, loss):
    net = nn.Conv1d(2, C, 3, padding=1)
    y = torch.randint(C, (B, T), generator=torch.Generator().manual_seed(1))
    facts, record = seen(net, torch.randn(B, 2, T), y, loss)
    assert (facts.softmax_axis, len(facts.exchanges)) == (axis, exchanges)
    assert all(one.in_loss for one in facts.exchanges)
    if axis is not None:
        assert record.logits is not None
        assert record.logits.nats == pytest.approx(record.loss, rel=1e-4)


def test_reshapes_in_the_network():
    class Heads(nn.Module):
        def __init__(self, whole: bool) -> None:
            super().__init__()
            self.layer, self.whole = nn.Linear(8, 8), whole

        def forward(self, x):
            h = self.layer(x)
            split = h.view(*h.shape[:2], 4, -1).transpose(1, 2) if self.whole else h.view(len(h), 4, h.shape[1], -1)
            return split.tanh().sum((1, 2, 3))

    for whole in (True, False):
        facts, _ = seen(Heads(whole), torch.randn(B, 6, 8), torch.randn(B), F.mse_loss)
        assert len(facts.exchanges) == (not whole)
    for attention in (True, False):
        layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=attention)
        facts, _ = seen(layer, torch.randn(6, 5, 16), torch.randn(6, 5, 16), F.mse_loss)
        assert facts.exchanges == ()


def test_parameters_that_are_not_the_network_s():
    class Hidden(nn.Module):
        def __init__(self, known: bool) -> None:
            super().__init__()
            layers = [nn.Linear(4, 4), nn.Linear(4, 4)]
            self.layers, self.head = nn.ModuleList(layers) if known else layers, nn.Linear(4, C)

        def forward(self, x):
            for one in self.layers:
                x = one(x).tanh()
            return self.head(x)

    x = torch.randn(B, 4)
    assert seen(Hidden(known=True), x, CLASSES, F.cross_entropy)[0].foreign == 0
    assert seen(Hidden(known=False), x, CLASSES, F.cross_entropy)[0].foreign == 4
    given = nn.Linear(4, 4)(x)  # what another network made, and what is an input itself
    assert seen(Hidden(known=True), given, CLASSES, F.cross_entropy)[0].foreign == 0
    assert seen(Hidden(known=True), x.clone().requires_grad_(), CLASSES, F.cross_entropy)[0].foreign == 0

    class Slope(Hidden):
        def forward(self, x):
            with torch.enable_grad():
                x = x.detach().requires_grad_()
                return torch.autograd.grad(super().forward(x).square().sum(), x, create_graph=True)[0]

    assert seen(Slope(known=True), x, torch.randn(B, 4), F.mse_loss)[0].foreign == 0
    assert seen(Slope(known=False), x, torch.randn(B, 4), F.mse_loss)[0].foreign == 4


@pytest.mark.parametrize("loss", [F.mse_loss, F.l1_loss, F.smooth_l1_loss])
def test_targets_beyond_the_output(loss):
    y = torch.linspace(-3, 1, B)[:, None]
    beyond = linear(loss, y, 1, nn.ReLU())[1].beyond
    assert beyond is not None
    if loss is F.mse_loss:
        assert beyond == pytest.approx(float((y < -0.02 * y.std(correction=0)).float().mean()))
    assert linear(loss, y, 1)[1].beyond is None
    assert linear(F.mse_loss, y.sigmoid(), 1, nn.Sigmoid())[1].beyond == 0
    assert linear(loss, y.abs() + 1, 1, nn.ReLU())[1].beyond == 0


def test_an_output_without_a_graph():
    class Cut(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(4, C)

        def forward(self, x):
            return self.layer(x).detach()

    assert "no-graph" in {one.id for one in examine(Cut(), torch.randn(B, 4), CLASSES).findings}
    assert not linear(F.cross_entropy, CLASSES)[1].detached


@pytest.mark.parametrize(
    ("compared", "loss"),
    [
        (B, lambda out, y: F.mse_loss(out.sum(), y)),
        (B, lambda out, y: (out.mean() - y).pow(2).mean()),
        (B, lambda out, y: F.smooth_l1_loss(y, out.sum(1).mean())),
        (0, lambda out, y: F.mse_loss(out.sum(1), y)),
        (0, lambda out, y: F.mse_loss(out.sum(), y.sum())),
        (0, lambda out, y: torch.stack([F.mse_loss(one.sum(), other) for one, other in zip(out, y)]).mean()),  # noqa: B905
        (0, lambda out, y: (out / out.norm() - y[:, None]).pow(2).mean()),
        (0, lambda out, y: (out - out.mean()).pow(2).mean() * y.mean()),
    ],
)
@pytest.mark.filterwarnings("ignore:Using a target size")
def test_one_number_that_is_compared_with_many(compared, loss):
    assert linear(loss, torch.randn(B))[0].compared == compared


@pytest.mark.parametrize(("axis", "count"), [(1, 0), (2, 1), (-1, 1), (0, 0)])
def test_softmaxes_of_one_number(axis, count):
    class Pooling(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.score, self.head = nn.Linear(4, 1), nn.Linear(4, C)

        def forward(self, x):
            return self.head((self.score(x).softmax(axis) * x).sum(1))

    facts, _ = seen(Pooling(), torch.randn(B, T, 4), CLASSES, F.cross_entropy)
    assert facts.single_softmaxes == count


def test_choices_of_a_loss_that_compares_examples():
    def loss(out, y):
        z = F.normalize(out, dim=1)
        return F.cross_entropy(z @ z.T / 0.2, y)

    assert linear(loss, torch.arange(B))[0].choices == B
    assert linear(F.mse_loss, SOFT)[0].choices is None


@pytest.mark.parametrize("stepped", [True, False])
def test_weights_of_the_loss_that_nobody_steps(stepped):
    torch.manual_seed(0)
    net, centres, scale = nn.Linear(4, C), nn.Parameter(torch.randn(C, C)), nn.Parameter(torch.tensor(2.0))
    given = [*net.parameters(), scale, *([centres] if stepped else [])]
    optimiser = torch.optim.SGD(given, 0.1)
    with watch(net) as watcher:
        for _ in range(30):
            loss = F.cross_entropy(net(torch.randn(B, 4)) @ centres * scale, CLASSES)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            watcher.step(loss)
    facts = watcher.measurements().loss
    assert facts is not None
    assert facts.unstepped == (() if stepped else ((C, C),))


@pytest.mark.parametrize("keep", [lambda net: net.state_dict(), lambda net: copy.deepcopy(net.state_dict())])
def test_weights_that_are_restored_by_reference(keep):
    net = nn.Sequential(nn.Linear(4, C), nn.BatchNorm1d(C))
    optimiser = torch.optim.SGD(net.parameters(), 0.1)
    net.load_state_dict(net.state_dict())
    with watch(net) as watcher:
        for _ in range(3):
            best = keep(net)
            loss = F.cross_entropy(net(torch.randn(B, 4)), CLASSES)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            watcher.step(loss)
        copied = copy.deepcopy(net)
        net.load_state_dict(best)
        copied.load_state_dict(copied.state_dict())
    shared = best["0.weight"].data_ptr() == net[0].weight.data_ptr()
    assert watcher.measurements().restored_itself == (3 if shared else None)
    assert not net._load_state_dict_pre_hooks
    assert not copied._load_state_dict_pre_hooks
