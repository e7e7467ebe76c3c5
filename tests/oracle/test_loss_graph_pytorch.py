"""What PyTorch's graph tells of a loss: its kind, where the classes are, which reshapes stand for an exchange."""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402, N812

from backlight.health import examine  # noqa: E402
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
        ("cross_entropy", False, lambda out, y: F.cross_entropy(out @ torch.rand(C, 7), y), CLASSES),
        ("cross_entropy", False, lambda out, y: F.kl_div(out.log_softmax(1), y, reduction="batchmean"), SOFT),
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
