"""Whether axes are what they are taken for: after a reshape, in a recurrent layer."""

from backlight.health.check import check
from backlight.health.context import Context
from backlight.health.findings import Case, Evidence, Finding, FindingText

AXES_EXCHANGED = FindingText(
    id="axes-exchanged",
    title="A view() stands where a transpose() was meant: {before} was made {after}.",
    because="A view or reshape leaves all numbers in their order and only cuts that order anew: what now looks like "
    "one position, head or class has numbers of several. Shapes fit, so nothing fails.",
    try_this=(
        "Split heads by x.view(B, T, heads, -1).transpose(1, 2), and join them by .transpose(1, 2).reshape(B, T, C).",
        "Join states (layers, B, H) by h.transpose(0, 1).reshape(B, -1).",
    ),
    figures=("attention", "loss"),
    about="""
    A view or reshape cannot exchange axes. Where the shapes before and after it are those of an exchange, the numbers
    are mixed: (B, T, C) viewed as (B, heads, T, C / heads) gives each head pieces of several positions. It is read from
    the graph of the loss.
    """,
    cases={
        "loss": Case(
            title="The logits were flattened without a transpose: {before} was made {after}, so that a row has numbers "
            "of several places.",
            try_this=(
                (
                    "Move the classes to the end first: logits.transpose(1, 2).reshape(-1, classes), for pictures "
                    "permute(0, 2, 3, 1); or give F.cross_entropy (B, classes, T) as it is."
                ),
            ),
        )
    },
)


@check("order of axes in reshapes", AXES_EXCHANGED)
def axes_exchanged(context: Context) -> list[Finding] | None:
    """A reshape whose shapes are those of an exchange of axes."""
    loss = context.seen.loss
    if loss is None or not loss.chain:
        return None
    if not loss.exchanges:
        return []
    worst = next((one for one in loss.exchanges if one.in_loss), loss.exchanges[0])
    return [
        context.finding(
            AXES_EXCHANGED,
            severity="serious",
            evidence=(
                Evidence(what="such reshapes in the graph of the loss", value=len(loss.exchanges), expected="0"),
            ),
            cases=("loss",) if worst.in_loss else (),
            values={"before": worst.before, "after": worst.after},
        )
    ]


SOFTMAX_OF_ONE = FindingText(
    id="softmax-of-one",
    title="A softmax has one number to choose from, and is always 1.",
    because="exp(z) / exp(z) is 1 whatever z is. If these are the weights of an attention, everything is added up with "
    "a weight of 1, and what computes the scores gets no gradient.",
    try_this=(
        "Take it over the axis of the choices: scores (B, T, 1).softmax(dim=1), not dim=-1.",
        "If there is one choice only, as the first position of a sequence has, nothing is wrong.",
    ),
    figures=("attention",),
    about="""
    Scores of shape (B, T, 1), as from a Linear(C, 1), have their T choices in axis 1. A softmax over the last axis has
    one number. It is read from the graph of the first recorded loss, where a sequence may be of length 1.
    """,
)


@check("choices of each softmax", SOFTMAX_OF_ONE)
def softmax_of_one(context: Context) -> list[Finding] | None:
    """A softmax below the loss over an axis of one number."""
    loss = context.seen.loss
    if loss is None or not loss.chain:
        return None
    if not loss.single_softmaxes:
        return []
    return [
        context.finding(
            SOFTMAX_OF_ONE,
            severity="note" if context.learns else "warning",
            where=[one.name for one in context.called("softmax")[-1:]],
            evidence=(
                Evidence(
                    what="softmaxes over one number in the graph of the loss", value=loss.single_softmaxes, expected="0"
                ),
                Evidence(what="softmaxes in all", value=loss.ops.get("softmax", 0)),
            ),
        )
    ]


BATCH_FIRST = FindingText(
    id="batch-first",
    title="{layer} runs along the batch: it takes (time, batch, features) and is given (batch, time, features).",
    because="Without batch_first=True the first axis is time. Each example then carries its state on to the next one "
    "of the batch, and the positions of one sequence know nothing of each other.",
    try_this=(
        "nn.LSTM(..., batch_first=True), or x.transpose(0, 1) before it and back after it.",
        "Then take the last position by out[:, -1].",
    ),
    figures=("loss",),
    about="""
    nn.RNN, nn.LSTM and nn.GRU read (time, batch, features) unless batch_first=True. Given the batch first they compute
    without an error, along the wrong axis.
    """,
)


@check("axes of recurrent layers", BATCH_FIRST)
def batch_first(context: Context) -> list[Finding] | None:
    """A recurrent layer whose first axis, taken for time, is the one that the loss counts as examples."""
    layers = [
        one for one in context.called("recurrent") if one.settings.get("batch_first") is False and one.reads_shape
    ]
    first, loss = context.first, context.seen.loss
    if not layers or first is None or loss is None or not loss.output_shape:
        return None
    examples = loss.output_shape[0]
    wrong = [
        one.name for one in layers
        if len(one.reads_shape) == 3 and one.reads_shape[0] == examples == first.batch_size
        and one.reads_shape[1] not in {1, examples} and len(loss.output_shape) <= 2
    ]  # fmt: skip
    if not wrong:
        return []
    shape = context.layers[wrong[0]].reads_shape
    return [
        context.finding(
            BATCH_FIRST,
            severity="serious",
            where=wrong,
            evidence=(
                Evidence(what="first axis of what it reads", value=shape[0], expected=f"{shape[1]}, the time steps"),
                Evidence(what="examples that the loss counts", value=examples),
            ),
            values={"layer": wrong[0]},
        )
    ]


BACKWARD_UNREAD = FindingText(
    id="backward-direction-unread",
    title="{layer} reads in both directions, and the backward direction is asked at the last place only, where it has "
    "read one element.",
    because="The backward direction begins at the end of the sequence. At the last place it knows one element, only "
    "at the first does it know all: half of the features say next to nothing.",
    try_this=(
        "For one answer per sequence: torch.cat([out[:, -1, :H], out[:, 0, H:]], 1), with H = hidden_size.",
        "Or the last states: torch.cat([h[-2], h[-1]], 1), where _, (h, c) = lstm(x), or _, h = gru(x).",
    ),
    figures=("loss",),
    about="""
    In one batch, the gradient of the loss by the output of a bidirectional recurrent layer is looked at. If it comes to
    both halves at the last place only, the backward half is asked where it has read one element.
    """,
)


@check("directions of recurrent layers", BACKWARD_UNREAD)
def backward_unread(context: Context) -> list[Finding] | None:
    """A recurrent layer of two directions of which one place is read."""
    probes = [one for one in context.seen.probes if one.name == "backward"]
    if not probes:
        return None
    wrong = [
        one for one in probes
        if one.scale > 2 and one.changed == 1 and one.details["forward"] == 1 and one.details["first"] == one.scale - 1
    ]  # fmt: skip
    if not wrong:
        return []
    return [
        context.finding(
            BACKWARD_UNREAD,
            severity="serious",
            where=[one.where for one in wrong],
            evidence=(
                Evidence(what="place at which the backward direction is asked", value=wrong[0].scale, expected="1"),
                Evidence(what="places of the sequence", value=wrong[0].scale),
            ),
            values={"layer": wrong[0].where},
        )
    ]
