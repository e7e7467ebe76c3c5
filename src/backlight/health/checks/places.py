"""What experiments on sequences show: whether order counts, what is attended to, what padding does."""

from backlight.health.check import check
from backlight.health.context import Context, is_changed
from backlight.health.findings import Advice, Evidence, Finding, FindingText
from backlight.health.thresholds import limit
from backlight.watch.records import Probe

MASK_INVERTED = FindingText(
    id="mask-inverted",
    title="The mask is inverted: only the padding is attended to.",
    because="Nothing of what the sequences say reaches the output: whatever ids stand there, the answer is the same. "
    "Masks differ in what True means, and a mask of the other sort raises no error.",
    try_this=(
        (
            "key_padding_mask and src_key_padding_mask are True at padding: ids == pad. attn_mask of "
            "scaled_dot_product_attention is True at what may be seen: ids != pad. Masks of Hugging Face are 1 there."
        ),
        "Written by hand: scores.masked_fill(ids == pad, -inf) before the softmax.",
    ),
    figures=("attention",),
    about="""
    All ids but the padding are replaced, and the output stays the same; with the padding it changes. An inverted mask
    hides what it should show.
    """,
)


@check("masks of padding", MASK_INVERTED)
def mask_inverted(context: Context) -> list[Finding] | None:
    """Outputs that do not depend on anything but padding."""
    probe, whole = context.probe("content"), context.probe("input")
    if probe is None or whole is None:
        return None
    if is_changed(probe) or not is_changed(whole) or not probe.changed >= 0:
        return []
    return [
        context.finding(
            MASK_INVERTED,
            severity="serious",
            where=[one.name for one in context.called("attention")[:3]],
            evidence=(
                Evidence(
                    what="change of the output when all but the padding changes",
                    value=probe.changed,
                    expected="above 0",
                ),
                Evidence(what="change when padding changes too", value=whole.changed),
            ),
        )
    ]


NO_POSITIONS = FindingText(
    id="no-positions",
    title="The order of the inputs makes no difference: there is no position encoding.",
    because="Attention by itself reads a set: it does not know which id stands where. For words and most sequences the "
    "order carries the meaning.",
    try_this=(
        Advice(
            torch="x = self.token(ids) + self.position(torch.arange(T, device=ids.device)), an nn.Embedding(T, C).",
            ours="PositionalEmbedding(T, C, rng=rng) after the embedding of tokens.",
        ),
        "If the inputs are a set, all is well.",
    ),
    figures=("attention",),
    about="""
    The places of all ids are permuted, and the output stays the same. Lecture 7 adds an embedding of positions.
    """,
)


@check("dependence on the order", NO_POSITIONS)
def no_positions(context: Context) -> list[Finding] | None:
    """Outputs of an attention network that are the same in whatever order ids are read."""
    probe, whole = context.probe("order"), context.probe("input")
    ops = {} if context.seen.loss is None else context.seen.loss.ops
    attends = bool(context.called("attention")) or any("attention" in op for op in ops) or "softmax" in ops
    if probe is None or whole is None or not attends:
        return None
    if is_changed(probe) or not is_changed(whole) or not probe.changed >= 0:
        return []
    return [
        context.finding(
            NO_POSITIONS,
            severity="note",
            evidence=(
                Evidence(what="change of the output when the ids change places", value=probe.changed),
                Evidence(what="rms of the output", value=probe.scale),
            ),
        )
    ]


READS_PADDING = FindingText(
    id="reads-padding",
    title="The output depends on the padding: it changes with the amount of padding.",
    because="The answer for one sequence then depends on how long the others of its batch are, and a mean over a short "
    "sequence is mostly one over padding.",
    try_this=(
        "A mean over what is there: (h * real[..., None]).sum(1) / real.sum(1, keepdim=True), with real = ids != pad.",
        "A mask in attention (key_padding_mask=ids == pad), packed sequences in recurrent layers.",
    ),
    figures=("attention",),
    about="""
    Removing one padding token changes the output. For a convolution or a fixed length this may be intended.
    """,
)


@check("padding in the output", READS_PADDING)
def reads_padding(context: Context) -> list[Finding] | None:
    """Outputs that change with the amount of padding."""
    probe = context.probe("padding")
    if probe is None:
        return None
    if not is_changed(probe):
        return []
    return [
        context.finding(
            READS_PADDING,
            severity="note",
            evidence=(
                Evidence(what="change of the output with one place less of padding", value=probe.changed, expected="0"),
                Evidence(what="rms of the output", value=probe.scale),
            ),
        )
    ]


STATE_CARRIED_OVER = FindingText(
    id="state-carried-over",
    title="The network keeps a state from call to call: the same batch gives another output after other batches.",
    because="What it answers depends on what it read before. That is right where batches follow on each other, as the "
    "windows of one text do; examples that do not belong together must each begin anew.",
    try_this=(
        "Pass no state, or a fresh one, to the recurrent layer in each call, in place of self.hidden.",
        "If batches follow on each other: detach the state after each step, and reset it where a sequence ends.",
    ),
    figures=("loss",),
    about="""
    The same batch is read again after another one, in evaluation mode, and the output is another, though read twice in
    a row it hardly changes: a state is kept in the network.
    """,
    explained_by=frozenset({"random-in-evaluation"}),
)


@check("state between calls", STATE_CARRIED_OVER)
def state_carried_over(context: Context) -> list[Finding] | None:
    """Outputs that depend on what was read before."""
    probe = context.probe("history")
    if probe is None:
        return None
    if not _remembers(probe):
        return []
    return [
        context.finding(
            STATE_CARRIED_OVER,
            severity="note",
            where=[one.name for one in context.called("recurrent")[:3]],
            evidence=(
                Evidence(what="change of the output after another batch", value=probe.changed, expected="0"),
                Evidence(what="change when it is read twice in a row", value=probe.details.get("repeat", 0.0)),
                Evidence(what="rms of the output", value=probe.scale),
            ),
        )
    ]


def _remembers(probe: Probe) -> bool:
    """Return whether what was read before changes an output, more than chance does from call to call."""
    return is_changed(probe) and probe.details.get("repeat", 0.0) < limit("chance of memory") * probe.changed
