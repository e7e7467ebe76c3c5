"""What else is done with a net while it is watched: copies, exports, hooks, compilation, checkpoints."""

import copy
import io

import torch
from tests.faults.public.case import Run, fault, healthy
from tests.faults.public.loops import adam, descend, outputs, right, usual
from tests.faults.public.nets import mlp
from tests.faults.public.situations.twins import rate_zero
from tests.faults.public.tasks import classes, padded, rows
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint


def _meanwhile(act, *, steps: int = 150) -> Run:
    """Return a run that does something with the net before each step."""
    x, y = classes()
    net = mlp()
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        loss = descend(F.cross_entropy(net(x[r]), y[r]), optimiser)
        act(net, i, x)
        return loss

    return Run(net=net, step=step, optimiser=optimiser, steps=steps, quality=lambda: right(net, x, y))


def _assert_ordinary(copied: nn.Module, original: nn.Module) -> None:
    """Raise if a copy carries hooks, or does not give what the original gives."""
    for module in copied.modules():
        hooks = {name: len(held) for name, held in vars(module).items() if name.endswith("_hooks") and held}
        if hooks:
            raise AssertionError(f"the copy has hooks: {hooks}")
    x = torch.randn(4, 20)
    if not torch.equal(outputs(copied, x), outputs(original, x)):
        raise AssertionError("the copy gives something else")


@healthy(what="torch.save of the whole net in a recorded step and in another", enough=0.8)
def saved_while_watched() -> Run:
    def act(net: nn.Module, i: int, x: Tensor) -> None:
        if i in {5, 50}:
            file = io.BytesIO()
            torch.save(net, file)
            if file.tell() > 60_000:
                raise AssertionError(f"the file has {file.tell()} bytes: more than the net was saved")
            file.seek(0)
            _assert_ordinary(torch.load(file, weights_only=False), net)

    return _meanwhile(act)


@healthy(what="deepcopy in a recorded step and in another", enough=0.8)
def copied_while_watched() -> Run:
    def act(net: nn.Module, i: int, x: Tensor) -> None:
        if i in {5, 50}:
            _assert_ordinary(copy.deepcopy(net), net)

    return _meanwhile(act)


@healthy(what="AveragedModel of the net in a recorded step and in another", enough=0.8)
def averaged_while_watched() -> Run:
    def act(net: nn.Module, i: int, x: Tensor) -> None:
        if i in {5, 50}:
            _assert_ordinary(torch.optim.swa_utils.AveragedModel(net), net)

    return _meanwhile(act)


@healthy(what="jvp, jacrev, jit.trace and export of the net beside", enough=0.8)
def transformed_beside() -> Run:
    def act(net: nn.Module, i: int, x: Tensor) -> None:
        if i in {5, 50}:
            torch.func.jvp(net, (x[:2],), (x[2:4],))
            torch.func.jacrev(net)(x[0])
            torch.jit.trace(net, x[:2])
            torch.export.export(net, (x[:2],))

    return _meanwhile(act, steps=80)


@healthy(what="vmap over the net beside", enough=0.8)
def vmapped_beside() -> Run:
    def act(net: nn.Module, i: int, x: Tensor) -> None:
        torch.func.vmap(net)(x[:4])

    return _meanwhile(act)


@healthy(what="an evaluation between the steps, by no_grad and by inference_mode", enough=0.8)
def evaluated_between() -> Run:
    def act(net: nn.Module, i: int, x: Tensor) -> None:
        outputs(net, x)
        with torch.inference_mode():
            net(x)

    return _meanwhile(act)


@healthy(what="detect_anomaly, and gradients set to 0 in place of None", enough=0.8)
def anomalies_detected() -> Run:
    x, y = classes()
    net = mlp()
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        optimiser.zero_grad(set_to_none=False)
        with torch.autograd.detect_anomaly(check_nan=True):
            loss = F.cross_entropy(net(x[r]), y[r])
            loss.backward()
        optimiser.step()
        return loss

    return Run(net=net, step=step, optimiser=optimiser, steps=150, quality=lambda: right(net, x, y))


@healthy(what="full backward hooks of the user's own, which must fire in order", enough=0.8)
def hooks_of_the_user() -> Run:
    x, y = classes()
    net = mlp()
    optimiser = adam(net)
    fired: list[int] = []
    for k in (0, 2, 4):
        net[k].register_full_backward_hook(lambda *_, k=k: fired.append(k))

    def step(i: int) -> Tensor:
        fired.clear()
        r = rows(len(x))
        loss = descend(F.cross_entropy(net(x[r]), y[r]), optimiser)
        if fired != [4, 2, 0]:
            raise AssertionError(f"the hooks fired as {fired}")
        return loss

    return Run(net=net, step=step, optimiser=optimiser, steps=150, quality=lambda: right(net, x, y))


@healthy(what="reentrant checkpoints, watched and examined", enough=0.9)
def reentrant_checkpoint() -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.b, self.c = nn.Linear(20, 64), nn.Sequential(nn.ReLU(), nn.Linear(64, 64)), nn.Linear(64, 5)

        def forward(self, x: Tensor) -> Tensor:
            return self.c(checkpoint(self.b, self.a(x), use_reentrant=True).relu())

    return usual(Net(), *classes())


@fault(
    what="a dead layer of a net whose compiled form is trained, compiled before it is watched", enough=0.8,
    names={"dead-units", "layers-not-seen"}, says="The layers were not seen: the net is compiled.", words=r"compil",
    also={"not-learning"},
)  # fmt: skip
def compiled_and_dead(faulty: bool) -> Run:
    x, y = classes()
    net = mlp()
    torch._dynamo.reset()
    fast = torch.compile(net, backend="eager")
    if faulty:
        nn.init.zeros_(net[0].weight)
        nn.init.constant_(net[0].bias, -5)
    fast(x[:32])
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        return descend(F.cross_entropy(fast(x[r]), y[r]), optimiser)

    return Run(net=net, step=step, optimiser=optimiser, quality=lambda: right(net, x, y))


@rate_zero("a part of the net is compiled in place", 0.9)
def part_compiled() -> Run:
    net = mlp()
    net[2].compile(backend="eager")
    return usual(net, *classes())


@healthy(what="deterministic algorithms, which fill fresh memory with NaN", enough=0.8, alone=True)
def deterministic() -> Run:
    x, y = classes()
    net = mlp()
    torch.use_deterministic_algorithms(mode=True)
    return usual(net, x, y, steps=150)


@healthy(what="PyTorch's encoder with padding, whose evaluation takes another path", enough=0.9)
def encoder_fast_path() -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.place = nn.Embedding(9, 32), nn.Embedding(10, 32)
            self.body = nn.TransformerEncoder(nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=True), 2)
            self.head = nn.Linear(32, 8)

        def forward(self, ids: Tensor) -> Tensor:
            x = self.embed(ids) + self.place(torch.arange(ids.shape[1]))
            return self.head(self.body(x, src_key_padding_mask=ids == 0)[:, 0])

    x, _ = padded()
    return usual(Net(), x, x[:, 2] - 1, steps=400)


@rate_zero("recurrent layers over packed sequences under autocast", 0.8)
def packed_under_autocast() -> Run:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.e, self.h = nn.Embedding(9, 16), nn.Linear(96, 8)
            self.layers = nn.ModuleList([nn.RNN(16, 32), nn.GRU(16, 32), nn.LSTM(16, 32)])

        def forward(self, ids: Tensor) -> Tensor:
            lengths = (ids > 0).sum(1)
            packed = nn.utils.rnn.pack_padded_sequence(self.e(ids), lengths, batch_first=True, enforce_sorted=False)
            last = [layer(packed)[1] for layer in self.layers]
            return self.h(torch.cat([(one[0] if isinstance(one, tuple) else one)[-1] for one in last], 1))

    x, lengths = padded(1024)
    y = x.gather(1, lengths[:, None] - 1)[:, 0] - 1
    net = Net()
    optimiser = adam(net, 5e-3)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        with torch.autocast("cpu", torch.bfloat16):
            loss = F.cross_entropy(net(x[r]), y[r])
        return descend(loss, optimiser)

    return Run(net=net, step=step, optimiser=optimiser, steps=200, quality=lambda: right(net, x, y))


@healthy(what="a loss with parameters of its own, and a target network that is run with gradients", enough=0.8)
def parameters_in_the_loss() -> Run:
    x, y = classes()
    net, target, centres = mlp(20, 16), mlp(20, 16), nn.Linear(16, 5)
    optimiser = torch.optim.AdamW([*net.parameters(), *centres.parameters()], lr=3e-3)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        out = net(x[r])
        return descend(F.cross_entropy(centres(out), y[r]) + 0.01 * F.mse_loss(out, target(x[r]).detach()), optimiser)

    return Run(net=net, step=step, optimiser=optimiser, quality=lambda: right(nn.Sequential(net, centres), x, y))


@healthy(what="a cosine schedule beyond its end, where the rate climbs again", enough=0.9)
def cosine_beyond_its_end() -> Run:
    x, y = classes()
    net = mlp()
    optimiser = adam(net)
    plan = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 100)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        loss = descend(F.cross_entropy(net(x[r]), y[r]), optimiser)
        plan.step()
        return loss

    return Run(net=net, step=step, optimiser=optimiser, quality=lambda: right(net, x, y))


@fault(what="a weight average is watched in place of the net", enough=0.9, names={"never-called", "unused-layer"},
       says="The net was never called in training mode: another one is trained.", words=r"never called|was not called",
       also={"no-step"})  # fmt: skip
def average_watched_by_mistake(faulty: bool) -> Run:
    x, y = classes()
    net = mlp()
    mean = torch.optim.swa_utils.AveragedModel(net)
    optimiser = adam(net)

    def step(i: int) -> Tensor:
        r = rows(len(x))
        return descend(F.cross_entropy(net(x[r]), y[r]), optimiser)

    watched = mean if faulty else net
    return Run(net=watched, step=step, optimiser=optimiser, quality=lambda: right(watched, x, y))
