"""Whether the loop does what a training loop does: gradients zeroed, steps taken, in training mode."""

from backlight.health.check import check
from backlight.health.context import Context
from backlight.health.findings import Advice, Case, Evidence, Finding, FindingText
from backlight.health.thresholds import limit

NO_STEP = FindingText(
    id="no-step",
    title="No step is taken: no weight has changed.",
    because="Gradients are computed and not used: the loss only varies with the batch.",
    try_this=(
        "optimizer.step() after loss.backward(), in every step.",
        Advice(
            torch="Make the optimiser from this model's parameters, after it is on its device: "
            "torch.optim.AdamW(model.parameters(), lr=3e-4).",
            ours="Make the optimiser from this model's parameters: AdamW(model.parameters(), 3e-3).",
        ),
    ),
    figures=("update-to-data", "loss"),
    about="""
    No parameter has changed in any recorded step.
    """,
    cases={
        "rate 0": Case(
            title="The learning rate is 0: no weight moves.",
            try_this=("Check the schedule: the learning rate was 0 in every recorded step.",),
        )
    },
    explained_by=frozenset({"single-output", "no-graph"}),
)


@check("steps taken", NO_STEP)
def no_step(context: Context) -> list[Finding] | None:
    """Weights that never change."""
    records = context.records
    moves = [one.moved for r in records for one in r.parameters if one.moved is not None]
    calls = [r.optimiser_steps for r in records if r.optimiser_steps is not None]
    if not context.trained or len(records) < limit("records for a verdict") or not (moves or calls):
        return None
    still = bool(moves) and not any(moves)
    never_called = bool(calls) and not any(calls)
    if not (still or (never_called and not any(moves))):
        return []
    rates = [rate for r in records for rate in r.lr]
    return [
        context.finding(
            NO_STEP,
            severity="fatal",
            cases=("rate 0",) if rates and not any(rates) else (),
            evidence=(
                Evidence(what="steps watched", value=context.seen.total_steps),
                Evidence(what="parameters that changed in any recorded step", value=0),
                *((Evidence(what="calls of the optimiser's step()", value=sum(calls)),) if calls else ()),
            ),
        )
    ]


NOT_ZEROED = FindingText(
    id="gradients-not-zeroed",
    title="Gradients are not zeroed: each step adds to those of all steps before.",
    because="backward() adds to what is already in .grad. Without a reset, each step follows the sum of all gradients "
    "since the beginning, most of them of weights that have long changed.",
    try_this=(
        "optimizer.zero_grad() once a step, before loss.backward() or after optimizer.step().",
        "If gradients of several batches are accumulated on purpose: zero them after each optimizer.step().",
    ),
    figures=("loss", "update-to-data"),
    about="""
    `backward()` adds to what is already in `.grad`. Gradients that were there when a step's first backward pass began
    are of earlier steps. Accumulating gradients over several batches on purpose is not reported: they are zeroed after
    each step.
    """,
    # zero_grad() is of the optimiser, and only of its own parameters
    explained_by=frozenset({"not-in-optimiser"}),
)


@check("gradients zeroed", NOT_ZEROED)
def gradients_not_zeroed(context: Context) -> list[Finding] | None:
    """Gradients of earlier steps that are still there when the next ones are added."""
    known = [(r, r.left_over_norm) for r in context.records if r.left_over_norm is not None and r.step > 0]
    if not context.trained or not known:
        return None
    left = [(r, norm) for r, norm in known if norm]
    if len(left) * 2 <= len(known):
        return []
    last, norm = left[-1]
    return [
        context.finding(
            NOT_ZEROED,
            severity="serious",
            evidence=(
                Evidence(
                    what=f"norm of the gradients that were there before step {last.step}'s backward pass", value=norm,
                    expected="0",
                ),
                Evidence(what="recorded steps that began so", value=len(left)),
                Evidence(what="recorded steps", value=len(known)),
            ),
        )
    ]  # fmt: skip


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
    All layers were in evaluation mode while the network was trained, and some of them differ between the modes. Batch
    norms that were frozen on purpose, in a network in training mode, are not reported.
    """,
)


@check("training mode", EVALUATION_MODE)
def evaluation_mode(context: Context) -> list[Finding] | None:
    """Steps taken in evaluation mode, by a network in which that makes a difference."""
    differ = [
        one for one in context.seen.layers
        if one.role == "batch_norm" or (one.role in {"dropout", "attention", "recurrent"} and _drops(one.settings))
    ]  # fmt: skip
    if not context.trained or not differ or not context.records:
        return None
    names = {one.name for one in differ}
    modes = [one.training for r in context.records for one in r.layers if one.name in names]
    others = [one.training for r in context.records for one in r.layers if one.name not in names]
    if not modes or any(modes) or (others and any(others)):
        return []
    return [
        context.finding(
            EVALUATION_MODE,
            severity="serious",
            where=[one.name for one in differ],
            evidence=(
                Evidence(what="layers that differ between the modes", value=len(differ)),
                Evidence(what="recorded steps in training mode", value=0, expected="all"),
            ),
        )
    ]


def _drops(settings: object) -> bool:
    """Return whether a layer's settings say that it drops numbers."""
    if not hasattr(settings, "get"):
        return False
    shares = (settings.get("p"), settings.get("dropout"))
    return any(isinstance(share, int | float) and share > 0 for share in shares)
