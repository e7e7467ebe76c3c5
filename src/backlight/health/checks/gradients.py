"""Whether gradients reach the first layers in a size that can be used."""

import math
from typing import Final

import numpy as np

from backlight.health.context import Context
from backlight.health.findings import Evidence, Finding
from backlight.health.thresholds import limit

_SLOPES: Final = {
    None: "",
    "sigmoid": " (a sigmoid's slope is at most 0.25)",
    "tanh": " (a tanh's slope is 1 near 0 and nothing at its ends)",
    "relu": " (a ReLU's slope is 0 for half of its inputs)",
}

_WITH_WEIGHTS = frozenset({"linear", "convolution", "embedding", "recurrent", "attention"})


def vanishing_gradients(context: Context) -> list[Finding] | None:
    """Gradients that shrink from layer to layer on the way back. Not judged of a net that learns."""
    sizes = _gradient_sizes(context)
    if len(sizes) < 2:
        return None
    first, last = next(iter(sizes)), list(sizes)[-1]
    ratio = sizes[first] / sizes[last] if sizes[last] else math.nan
    if context.learns or not ratio < limit("gradient decay"):
        return []
    slope = _SLOPES[context.nonlinearity]
    return [
        Finding(
            id="vanishing-gradients",
            severity="serious",
            title="Gradients vanish on the way back: the first layers hear next to nothing of the loss.",
            where=tuple(name for name, size in sizes.items() if size < limit("gradient decay") ** 0.5 * sizes[last]),
            evidence=(
                Evidence(what=f"gradient at {first} over gradient at {last} (rms)", value=ratio, expected="near 1"),
                Evidence(
                    what="factor from layer to layer", value=ratio ** (1 / (len(sizes) - 1)) if ratio > 0 else 0.0,
                    expected="near 1",
                ),
            ),
            because=f"The gradient is multiplied by each layer's slope and weights{slope}: "
            "a few factors below 1 leave nothing for the layers that read the input.",
            try_this=(
                _let_through(context),
                "Shortcuts past the layers, x + f(x), or a norm before each activation.",
            ),
        )
    ]  # fmt: skip


def _let_through(context: Context) -> str:
    if context.nonlinearity == "sigmoid":
        return context.say(
            torch="nn.ReLU() or nn.GELU() in place of nn.Sigmoid(), with Kaiming weights.",
            ours="ReLU() or GELU() in place of Sigmoid(), with Linear's matching nonlinearity=.",
        )
    kind = context.nonlinearity or "relu"
    return context.say(
        torch=f'Larger first weights: nn.init.kaiming_normal_(layer.weight, nonlinearity="{kind}").',
        ours=f'Larger first weights: Linear(..., nonlinearity="{kind}", rng=rng), of std gain / sqrt(fan_in).',
    )


def exploding_gradients(context: Context) -> list[Finding] | None:
    """Gradients that grow on the way back, or burst now and then. Not judged of a net that learns."""
    sizes = _gradient_sizes(context)
    norms = [r.gradient_norm for r in context.records if r.gradient_norm is not None and math.isfinite(r.gradient_norm)]
    if len(sizes) < 2 and not norms:
        return None
    if context.learns:
        return []
    names = list(sizes)
    ratio = sizes[names[0]] / sizes[names[-1]] if len(names) > 1 and sizes[names[-1]] else 0.0
    burst = max(norms) / float(np.median(norms)) if norms and np.median(norms) > 0 else 0.0
    if not ratio > 1 / limit("gradient decay") and not burst > limit("gradient burst"):
        return []
    return [
        Finding(
            id="exploding-gradients",
            severity="serious",
            title="Gradients explode on the way back." if ratio > burst else "Now and then a gradient bursts.",
            where=tuple(names[:1]) if ratio > burst else (),
            evidence=(
                Evidence(
                    what="gradient of the first layer over that of the last (rms)", value=ratio, expected="near 1"
                ),
                Evidence(what="largest gradient norm over the usual one", value=burst, expected="below 10"),
            ),
            because="One step along such a gradient throws the weights far from where they were: the loss jumps.",
            try_this=(
                context.say(
                    torch="torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0) between backward() and step().",
                    ours="clip_grad_norm(parameters, 1.0) before the step, or --clip 1.",
                ),
                "Smaller first weights (gain / sqrt(fan_in)), or a norm in each layer.",
            ),
        )
    ]


def _gradient_sizes(context: Context) -> dict[str, float]:
    """Return the median rms of the gradient by each layer's output, first layer to last."""
    found: dict[str, float] = {}
    for facts in context.called(*_WITH_WEIGHTS):
        sizes = context.over_time(facts.name, lambda record: None if record.gradient is None else record.gradient.rms)
        usable = [size for size in sizes if math.isfinite(size)]
        if usable:
            found[facts.name] = float(np.median(usable))
    return found
