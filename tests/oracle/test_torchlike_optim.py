"""Optimisers and schedules of torchlike beside PyTorch's, over 50 steps; the order of batches; clipping."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

import backlight.torchlike as bt

OPTIMISERS = [
    "SGD(p, lr=0.1)", "SGD(p, lr=0.1, momentum=0.9)", "SGD(p, 0.1, 0.9, nesterov=True, weight_decay=0.1)",
    "SGD(p, lr=0.005, maximize=True)", "Adam(p)", "Adam(p, lr=0.03, weight_decay=0.1)",
    "Adam(p, 0.03, (0.8, 0.95), 1e-6)", "Adam(p, lr=0.03, weight_decay=0.1, decoupled_weight_decay=True)",
    "AdamW(p, lr=0.03)", "AdamW(p, lr=0.03, betas=(0.9, 0.99), eps=1e-8, weight_decay=0.3)",
    "AdamW(p, lr=0.03, maximize=True)", "RMSprop(p)", "RMSprop(p, 0.02, 0.9, 1e-6, 0.1, 0.9)",
    "RMSprop(p, lr=0.02, centered=True, momentum=0.5)",
]  # fmt: skip


def array(tensor):
    return np.asarray(tensor.detach() if isinstance(tensor, torch.Tensor) else tensor.array)


def trained(module, text, steps=50, *, dtype="float64", group=False, skipping=False, through_state=False):
    """Return the weights after each step of a small network, and the optimiser."""
    module.manual_seed(3)
    nn = module.nn
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3), nn.LayerNorm(3)).to(getattr(module, dtype))
    frozen = nn.Parameter(module.ones(2), requires_grad=False)
    groups = list(net.parameters())
    if group:
        groups = [{"params": list(net[0].parameters()), "lr": 0.01}, {"params": list(net[2].parameters())}]
    else:
        groups.insert(1, frozen)
    create = f"optim.{text}"
    optimiser = eval(create, {"optim": module.optim, "p": groups})  # noqa: S307  (the cases above)
    if group:
        optimiser.add_param_group({"params": net[3].parameters(), "weight_decay": 0.05})
    rng = np.random.default_rng(1)
    history = []
    for step in range(steps):
        x = module.tensor(rng.standard_normal((6, 4)), dtype=getattr(module, dtype))
        y = net(x) if not skipping or step % 3 else net[:2](x)
        optimiser.zero_grad()
        ((y - 1) * (y - 1)).mean().backward()
        optimiser.step()
        if through_state and step == steps // 2:
            state = optimiser.state_dict()
            optimiser = eval(create, {"optim": module.optim, "p": groups})  # noqa: S307
            optimiser.load_state_dict(state)
        history.append([array(p).copy() for p in net.parameters()])
    return history, optimiser


@pytest.mark.parametrize("kind", ["plain", "groups", "skipping", "state"])
@pytest.mark.parametrize("text", OPTIMISERS)
def test_weights_after_every_step(text, kind):
    settings = {"group": kind == "groups", "skipping": kind == "skipping", "through_state": kind == "state"}
    steps = 50 if kind == "plain" else 20
    expected, theirs = trained(torch, text, steps, **settings)
    found, ours = trained(bt, text, steps, **settings)
    for step, (one, other) in enumerate(zip(expected, found, strict=True)):
        for a, b in zip(one, other, strict=True):
            assert_allclose(b, a, rtol=1e-6, atol=1e-8, err_msg=f"step {step}")
    assert repr(ours) == repr(theirs)
    state, mine = theirs.state_dict(), ours.state_dict()
    assert mine["param_groups"] == state["param_groups"]
    for number, held in state["state"].items():
        for name, value in held.items():
            if value is not None:
                assert_allclose(array(mine["state"][number][name]), array(value), rtol=1e-5, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("text", ["SGD(p, lr=0.01, momentum=0.9)", "AdamW(p, lr=0.01)", "RMSprop(p)"])
def test_float32_is_as_exact_as_pytorchs(text):
    exact, _ = trained(torch, text)
    rounded, _ = trained(torch, text, dtype="float32")
    found, _ = trained(bt, text, dtype="float32")

    def error(history):
        return max(np.abs(a - b).max() for a, b in zip(exact[-1], history[-1], strict=True))

    assert found[-1][0].dtype == np.float32
    assert error(found) < 5 * error(rounded) + 1e-6


SCHEDULES = [
    "StepLR(o, 7)", "StepLR(o, 3, gamma=0.5)", "MultiStepLR(o, [3, 3, 20], gamma=0.3)", "ExponentialLR(o, 0.9)",
    "ConstantLR(o, factor=0.5, total_iters=4)", "LinearLR(o)", "LinearLR(o, 0.2, 0.7, total_iters=9)",
    "CosineAnnealingLR(o, 10)", "CosineAnnealingLR(o, T_max=7, eta_min=0.01)",
    "LambdaLR(o, lambda t: 1 / (1 + t))", "LambdaLR(o, [lambda t: 0.9**t, lambda t: 1.0])",
    "OneCycleLR(o, max_lr=0.5, total_steps=60)",
    "OneCycleLR(o, [0.5, 0.1], epochs=6, steps_per_epoch=10, anneal_strategy='linear', pct_start=0.4, div_factor=9.0)",
    "OneCycleLR(o, max_lr=0.5, total_steps=60, cycle_momentum=False)",
    "SequentialLR(o, [s.LinearLR(o, 0.1, total_iters=5), s.CosineAnnealingLR(o, 20)], milestones=[5])",
    "SequentialLR(o, [s.ConstantLR(o, 0.1, total_iters=4), s.ExponentialLR(o, 0.9), s.StepLR(o, 3)], [5, 15])",
]  # fmt: skip


@pytest.mark.parametrize("optimiser", ["SGD(g, lr=0.2, momentum=0.9)", "AdamW(g, lr=0.2)"])
@pytest.mark.parametrize("text", SCHEDULES)
def test_learning_rates(text, optimiser):
    rates = {}
    for module in (torch, bt):
        groups = [{"params": [module.nn.Parameter(module.ones(2))]}, {"params": [module.nn.Parameter(module.ones(2))],
                  "lr": 0.03}]  # fmt: skip
        o = eval(f"optim.{optimiser}", {"optim": module.optim, "g": groups})  # noqa: S307
        s = module.optim.lr_scheduler
        schedule = eval(f"s.{text}", {"s": s, "o": o})  # noqa: S307
        seen = []
        for _ in range(50):
            o.step()
            seen.append([group["lr"] for group in o.param_groups])
            assert schedule.get_last_lr() == seen[-1]
            if "OneCycle" in text:
                seen[-1] += [group.get("betas", group.get("momentum")) for group in o.param_groups]
            schedule.step()
        rates[module] = seen
        assert schedule.last_epoch == 50
    assert rates[bt] == rates[torch]  # to the bit: the formulas are the same


@pytest.mark.parametrize("settings", [
    {}, {"mode": "max", "patience": 2, "cooldown": 3}, {"threshold_mode": "abs", "threshold": 0.3, "patience": 1},
    {"min_lr": [0.05, 0.001], "factor": 0.5, "patience": 0}, {"mode": "max", "threshold_mode": "abs", "patience": 1},
])  # fmt: skip
def test_learning_rates_on_a_plateau(settings):
    rng = np.random.default_rng(4)
    metrics = np.cumsum(rng.standard_normal(60)) - 0.05 * np.arange(60)
    rates = {}
    for module in (torch, bt):
        groups = [{"params": [module.nn.Parameter(module.ones(2))]}, {"params": [module.nn.Parameter(module.ones(2))],
                  "lr": 0.03}]  # fmt: skip
        o = module.optim.SGD(groups, lr=0.2)
        schedule = module.optim.lr_scheduler.ReduceLROnPlateau(o, **settings)
        seen = []
        for metric in metrics:
            schedule.step(module.tensor(metric))
            seen.append(schedule.get_last_lr())
        rates[module] = seen
    assert rates[bt] == rates[torch]


@pytest.mark.parametrize("norm", [1.0, 2.0, 3.0, float("inf")])
@pytest.mark.parametrize("largest", [0.1, 1.0, 100.0])
def test_clipping(norm, largest):
    clipped = {}
    for module in (torch, bt):
        rng = np.random.default_rng(2)
        tensors = [
            module.nn.Parameter(module.tensor(rng.standard_normal(s), dtype=module.float32)) for s in ((3, 4), 5)
        ]
        for tensor in tensors:
            tensor.grad = module.tensor(rng.standard_normal(tuple(tensor.shape)), dtype=module.float32)
        tensors.append(module.nn.Parameter(module.ones(2)))  # without a gradient
        total = module.nn.utils.clip_grad_norm_(tensors, largest, norm_type=norm)
        clipped[module] = [float(total), *[array(t.grad).copy() for t in tensors[:2]]]
        module.nn.utils.clip_grad_value_(tensors, 0.05)
        clipped[module] += [array(t.grad) for t in tensors[:2]]
        vector = module.nn.utils.parameters_to_vector(tensors)
        module.nn.utils.vector_to_parameters(vector * 2, tensors)
        clipped[module] += [array(vector), array(tensors[0])]
    for one, other in zip(clipped[torch], clipped[bt], strict=True):
        assert_allclose(other, one, rtol=2e-6)


def batches(module):
    """Return everything that loaders and samplers give, as text, with draws in between."""
    data, seen = module.utils.data, []
    module.manual_seed(7)
    rows = data.TensorDataset(module.arange(23) * 1.0, module.arange(23))
    first, second = data.random_split(rows, [0.8, 0.2])
    seen += [first.indices, second.indices, [len(one) for one in data.random_split(rows, [20, 3])]]
    for settings in ({"shuffle": True}, {"drop_last": True}, {"shuffle": True, "drop_last": True}):
        loader = data.DataLoader(rows, batch_size=4, **settings)
        seen.append(len(loader))
        for _ in range(2):
            seen += [(x.tolist(), y.tolist()) for x, y in loader]
            seen.append(module.rand(1).item())
    seen.append(list(data.RandomSampler(rows, replacement=True, num_samples=70)))
    seen.append(list(data.RandomSampler(rows, num_samples=30, generator=module.Generator().manual_seed(2))))
    examples = [{"a": i, "b": "x", "c": (1.5, module.tensor(2))} for i in range(5)]
    for batch in data.DataLoader(examples, batch_size=2, shuffle=True, generator=module.Generator().manual_seed(3)):
        seen.append((batch["a"].tolist(), batch["b"], [one.tolist() for one in batch["c"]]))
    seen.append(list(data.SubsetRandomSampler([5, 6, 7])))
    seen.append(list(data.WeightedRandomSampler([0.1, 0.2, 0.7], 9)))
    seen.append(list(data.WeightedRandomSampler([0.1, 0.2, 0.7], 2, replacement=False)))
    seen += [list(data.BatchSampler(data.SequentialSampler(rows), 10, last)) for last in (True, False)]
    seen.append([y.item() for _, y in data.DataLoader(rows, batch_size=None)])
    seen.append([y.tolist() for _, y in data.DataLoader(rows, batch_sampler=[[1, 2], [3]])])
    seen.append([x.tolist() for x in data.DataLoader(list(range(5)), 2, collate_fn=module.tensor)])
    both = rows + data.Subset(rows, [3, 1])
    seen.append([len(both), both[23][1].item(), both[-1][1].item()])

    class Stream(data.IterableDataset):
        def __iter__(self):
            return iter(range(7))

    seen += [[x.tolist() for x in data.DataLoader(Stream(), 3, drop_last=last)] for last in (True, False)]
    seen.append(module.rand(1).item())
    return [str(one) for one in seen]


def test_batches_come_in_pytorchs_order():
    assert batches(bt) == batches(torch)
