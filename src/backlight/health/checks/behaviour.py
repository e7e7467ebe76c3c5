"""What experiments on the net show: what it reads that it should not, and what it does not read."""

from backlight.health.context import Context
from backlight.health.findings import Evidence, Finding
from backlight.health.thresholds import limit
from backlight.watch.records import Probe


def sees_the_future(context: Context) -> list[Finding] | None:
    """Predictions that change when what comes after them does."""
    probe = _probe(context, "future")
    if probe is None:
        return None
    if not _changed(probe):
        return []
    position = probe.details.get("position")
    return [
        Finding(
            id="sees-the-future",
            severity="fatal",
            title="The net sees the future: predictions depend on what they are to predict.",
            where=tuple(one.name for one in context.called("attention")[:3]),
            evidence=(
                Evidence(what="change of earlier logits when later ids change", value=probe.changed, expected="0"),
                Evidence(what="rms of the logits", value=probe.scale),
                *((Evidence(what="earliest position that changes", value=position),) if position is not None else ()),
            ),
            because="The loss falls, in training and on held-out data, because the answer can be read off. When text "
            "is generated there is no future to read, and the net knows nothing.",
            try_this=(
                context.say(
                    torch="F.scaled_dot_product_attention(q, k, v, is_causal=True), or a mask that is -inf above the "
                    "diagonal: torch.triu(torch.full((T, T), -torch.inf), diagonal=1).",
                    ours="CausalSelfAttention, or scores.masked_fill(later, -inf) before the softmax.",
                ),
                "A bidirectional recurrence or a convolution with padding on both sides sees it too: pad on the left.",
                "Check the targets: y is x shifted by one, y[t] = x[t + 1].",
            ),
        )
    ]


def examples_mixed(context: Context) -> list[Finding] | None:
    """Outputs that change with the other examples of the batch."""
    probe = _probe(context, "neighbours")
    if probe is None:
        return None
    if not _changed(probe):
        return []
    return [
        Finding(
            id="examples-mixed",
            severity="fatal",
            title="Examples of a batch are mixed: one's output depends on the others.",
            evidence=(
                Evidence(what="change of the first output when the others change", value=probe.changed, expected="0"),
                Evidence(what="rms of the outputs", value=probe.scale),
            ),
            because="In evaluation mode an example stands for itself. A view() or reshape() where a transpose was "
            "meant, or a sum over the wrong axis, lets examples run into each other; the net trains on all the same.",
            try_this=(
                "Look for .view() or .reshape() where axes were to change places: that is .transpose() or .permute().",
                "Check dim= of softmax, mean, norm and cat: 0 is the batch.",
            ),
        )
    ]


def input_ignored(context: Context) -> list[Finding] | None:
    """Outputs that stay the same whatever is read."""
    probe = _probe(context, "input")
    if probe is None:
        return None
    if probe.changed > limit("same output") * probe.scale:
        return []
    return [
        Finding(
            id="input-ignored",
            severity="serious",
            title="The output does not depend on the input.",
            evidence=(
                Evidence(what="change of the output when the input changes", value=probe.changed, expected="above 0"),
                Evidence(what="rms of the output", value=probe.scale),
            ),
            because="Whatever is read, the answer is the same: the signal is lost on the way, through dead units, "
            "vanished weights or a branch that is never used.",
            try_this=("Print the standard deviation over the examples after each layer: where does it become 0?",),
        )
    ]


def random_in_evaluation(context: Context) -> list[Finding] | None:
    """An evaluation that comes out differently the second time."""
    probe = _probe(context, "repeat")
    if probe is None:
        return None
    if not _changed(probe):
        return []
    return [
        Finding(
            id="random-in-evaluation",
            severity="warning",
            title="In evaluation mode the same batch gives another output each time.",
            evidence=(
                Evidence(what="change between two passes", value=probe.changed, expected="0"),
                Evidence(what="rms of the output", value=probe.scale),
            ),
            because="Something draws by chance, or moves running statistics, though model.eval() was called: losses "
            "and answers are noisier than the net is.",
            try_this=(
                context.say(
                    torch="F.dropout(x, p, training=self.training): without the last argument it always drops.",
                    ours="A layer that draws by chance has to look at self.training, as Dropout does.",
                ),
                "Dropout as a module, made in __init__, follows model.eval() by itself.",
            ),
        )
    ]


def _probe(context: Context, name: str) -> Probe | None:
    return next((one for one in context.seen.probes if one.name == name), None)


def _changed(probe: Probe) -> bool:
    return probe.changed > limit("same output") * max(probe.scale, 1e-12)
