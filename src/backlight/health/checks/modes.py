"""Training mode and evaluation mode: whether steps are taken in the right one, and whether the two agree."""

import math

from backlight.health.check import check
from backlight.health.context import Context, late
from backlight.health.findings import Case, Evidence, Finding, FindingText
from backlight.health.thresholds import limit
from backlight.watch.records import BatchStatistics, LayerFacts

EVALUATION_MODE = FindingText(
    id="evaluation-mode",
    title="The network is trained in evaluation mode.",
    because="Dropout drops nothing, and batch norm uses running statistics that never move: those of the initial "
    "weights, or of another training.",
    try_this=(
        "model.train() before the training loop, and again after each evaluation (model.eval() stays on).",
        "To freeze batch norms on purpose, set only them: norm.eval() after model.train().",
    ),
    figures=("activations", "loss"),
    about="""
    All layers were in evaluation mode while the network was trained, from the start or from some step on, and some of
    them differ between the modes. Batch norms that were frozen on purpose, in a network in training mode, are not
    reported.
    """,
    cases={
        "since": Case(
            title="The network is trained in evaluation mode from step {step} on: an evaluation left it so.",
            because="Dropout drops nothing any more, and batch norm uses running statistics that no longer move, while "
            "the weights do.",
        )
    },
)


@check("training mode", EVALUATION_MODE)
def evaluation_mode(context: Context) -> list[Finding] | None:
    """Steps taken in evaluation mode, by a network in which that makes a difference."""
    differ = [
        one for one in context.seen.layers
        if one.role == "batch_norm" or (one.role in {"dropout", "attention", "recurrent"} and _drops(one.settings))
    ]  # fmt: skip
    if not context.trained or not differ:
        return None
    names = {one.name for one in differ}
    seen = [(r, [one.training for one in r.layers]) for r in context.records if any(x.name in names for x in r.layers)]
    if not seen:
        return None
    # in a network in training mode, any layer that does not differ shows it, though norms may be frozen
    right = [at for at, (_, modes) in enumerate(seen) if any(modes)]
    wrong = seen[right[-1] + 1 :] if right else seen
    if not wrong or (right and len(wrong) < limit("records for a verdict")):
        return []
    return [
        context.finding(
            EVALUATION_MODE,
            severity="serious",
            where=[one.name for one in differ],
            cases=("since",) if right else (),
            evidence=(
                Evidence(what="layers that differ between the modes", value=len(differ)),
                Evidence(what="recorded steps in evaluation mode", value=len(wrong), expected="none"),
                Evidence(what="recorded steps", value=len(seen)),
            ),
            values={"step": wrong[0][0].step},
        )
    ]


def _drops(settings: object) -> bool:
    """Return whether a layer's settings say that it drops numbers."""
    if not hasattr(settings, "get"):
        return False
    shares = (settings.get("p"), settings.get("dropout"))
    return any(isinstance(share, int | float) and share > 0 for share in shares)


RUNNING_STATISTICS = FindingText(
    id="running-statistics",
    title="The running statistics of {where} are not those of the batches: evaluation mode sees other numbers.",
    because="In training a batch norm uses each batch's own mean and spread, in evaluation the running ones. Where the "
    "two are far apart, the layers after it read numbers that they were never trained on.",
    try_this=(
        (
            "A larger momentum of the batch norm: 0.1 is PyTorch's default; with m, the first numbers fade by 1 - m a "
            "step, so that 0.001 needs thousands of steps. (Other libraries give 1 - m.)"
        ),
        "Or compute the statistics anew before evaluating: torch.optim.swa_utils.update_bn(loader, model).",
        "If training and evaluation data are scaled differently, scale them alike.",
    ),
    figures=("activations", "loss"),
    about="""
    A batch norm's running mean is more than a standard deviation away from the mean of the batches it reads, or its
    running spread is another, late in the training; and either its momentum is too small for the number of steps, or
    the loss in evaluation mode shows it. Ioffe & Szegedy 2015, arXiv:1502.03167.
    """,
)


@check("running statistics", RUNNING_STATISTICS)
def running_statistics(context: Context) -> list[Finding] | None:
    """Batch norms whose running statistics lag behind the batches."""
    if not context.trained:
        return None
    found = {one.name: last for one in context.called("batch_norm") if (last := _last(context, one.name)) is not None}
    if not found:
        return None
    costs = _evaluation_costs(context)
    far = [
        name for name, (step, batch) in found.items()
        if _is_apart(batch) and (costs or _is_slow(context.layers[name], step))
    ]  # fmt: skip
    if not far:
        return []
    step, batch = found[far[0]]
    momentum = context.layers[far[0]].settings.get("momentum")
    return [
        context.finding(
            RUNNING_STATISTICS,
            severity="serious",
            where=far,
            evidence=(
                Evidence(
                    what=f"running mean of {far[0]}, away from the batch's", value=batch.mean_apart,
                    unit="standard deviations", expected="below 0.5",
                ),
                Evidence(what="running standard deviation over the batch's", value=batch.std_ratio, expected="1"),
                Evidence(what="step", value=step),
                *((Evidence(what="momentum", value=momentum),) if isinstance(momentum, float) else ()),
            ),
            values={"where": far[0]},
        )
    ]  # fmt: skip


def _last(context: Context, name: str) -> tuple[int, BatchStatistics] | None:
    """Return the latest comparison of a batch norm with its batch, and its step; None if there is none late enough."""
    compared = [(r.step, one.batch) for r in context.records for one in r.layers if one.name == name and one.batch]
    late_enough = [one for one in compared if one[0] >= limit("steps for a verdict")]
    return late_enough[-1] if late_enough else None


def _is_apart(batch: BatchStatistics) -> bool:
    ratio, factor = batch.std_ratio, limit("running spread")
    return batch.mean_apart > limit("running mean") or not 1 / factor < ratio < factor


def _is_slow(norm: LayerFacts, step: int) -> bool:
    """Return whether what a batch norm's statistics began with is still a good part of them."""
    momentum = norm.settings.get("momentum")
    return isinstance(momentum, float) and (1 - momentum) ** step > limit("first statistics left")


def _evaluation_costs(context: Context) -> bool:
    """Return whether training examples cost far more in evaluation mode than in training mode."""
    progress = context.progress
    train = [one.train for one in context.seen.evaluations if one.train is not None and math.isfinite(one.train)]
    if progress is None or not train or not math.isfinite(progress.late):
        return False
    return late(train)[-1] > limit("divergence") * abs(progress.late) + 2 * progress.spread
