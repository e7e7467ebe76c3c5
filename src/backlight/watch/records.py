"""What was measured on a network while it was trained: plain numbers, so that checks and figures need no network.

One `Measurements` is one watched training, or one examination. What does not change stands in it once (`LayerFacts`,
`ParameterFacts`, `OptimiserFacts`, `LossFacts`); what changes stands in a `StepRecord` for each recorded step. Networks
of this package and of PyTorch give the same records.

A number that could not be computed because something was not finite is nan. None means: not measured, not reported, or
does not apply. How records are written to a file is described in docs/record_stream.md.

Names of layers and parameters are those of `named_modules()` and `named_parameters()`. An activation that a model
applies by a function and not by a module is a layer too (`functional`), named after the layer before it, with the
function's name after a ">": "fc1>relu".
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from backlight.nn.kind import Role
from backlight.watch.trial import TrialResult

Setting = float | int | bool | str | None

SATURATED = 0.97
"""A bounded activation beyond this share of its range hardly passes a gradient: 1 - tanh² < 0.06."""

DEAD_WINDOW = 10
"""A unit is dead if no example of this many recorded batches in a row made it active."""

BINS = 48
"""Bins of every histogram."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Histogram:
    """How often numbers fall into each of `BINS` bins of equal width.

    The range is -1..1 for tanh, 0..1 for sigmoid and softmax; otherwise -2ᵏ..2ᵏ with the smallest k for which it holds
    four root mean squares, so that it stays the same from record to record unless the scale changes.

    Attributes:
        low: left edge of the first bin.
        high: right edge of the last.
        counts: numbers in each bin. What lies outside is counted in the outermost bins; what is not finite, nowhere.
    """

    low: float
    high: float
    counts: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The distribution of the numbers of one array.

    Attributes:
        count: how many numbers.
        mean: nan where one of them is not finite; so for the others.
        std: root mean squared distance from the mean (divided by the count).
        rms: root mean square.
        low: smallest.
        high: largest.
        nonfinite: how many are nan or infinite.
        histogram: None where none was taken.
    """

    count: int
    mean: float
    std: float
    rms: float
    low: float
    high: float
    nonfinite: int
    histogram: Histogram | None = None


# -- what does not change ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFacts:
    """A layer: a module without modules below it, one with parameters of its own, or a function (see above).

    Attributes:
        name: as in `named_modules()`; of a module in several places the first of its names.
        kind: its class ("Linear", "LSTM"), or the function ("relu").
        role: what it does.
        bounded: whether its output cannot leave a range and is flat near its ends: tanh, sigmoid, softmax.
        one_sided: whether it is exactly 0, and passes no gradient, for all negative inputs: ReLU and its like.
        depth: its place in the order of first execution, from 0; None if it was never called.
        calls: how often it was called in the first recorded forward pass.
        functional: whether it is a function and not a module.
        aliases: its further names, if the module stands in several places.
        parameters: full names of its own parameters.
        bias: whether it has one (an affine norm's shift counts); None for what never has.
        fan_in: numbers that one output number is a sum of; None for what has no weights.
        fan_out: output units; None likewise.
        reads: names of the layers whose outputs reach it unchanged but for their shape: nothing lies in between. Empty
            where something does (a sum, a product, a function that is no layer) or where it reads the model's input.
        reads_shape: of the first tensor that it read, in the first recorded step; empty if that is not known.
        code: the file of its class, from the package on: "backlight/nn/activations.py"; empty if it is in none.
        settings: "p" of dropout, "eps", "momentum", "affine" and "track_running_stats" of norms, "kernel_size",
            "negative_slope", "num_heads", "bidirectional" and the like, where the layer has them.
    """

    name: str
    kind: str
    role: Role
    bounded: bool = False
    one_sided: bool = False
    depth: int | None = None
    calls: int = 0
    functional: bool = False
    aliases: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    bias: bool | None = None
    fan_in: int | None = None
    fan_out: int | None = None
    reads: tuple[str, ...] = ()
    reads_shape: tuple[int, ...] = ()
    code: str = ""
    settings: Mapping[str, Setting] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterFacts:
    """A parameter.

    Attributes:
        name: as in `named_parameters()`.
        layer: name of the module that owns it.
        shape: its axes.
        weight_matrix: whether it multiplies inputs: two axes or more, and no table of vectors. Ratios of gradient and
            update to data are meaningful for these only.
        table: whether it is a table of which a batch touches some rows: an embedding.
        fan_in: numbers that one output is a sum of; None for vectors and tables.
        requires_grad: whether it is meant to learn.
        in_optimiser: whether the optimiser has it; None if no optimiser was given.
        group: number of its parameter group in the optimiser; None likewise.
        reached: whether the first recorded loss depends on it by the graph; None if the graph was not seen.
        replaced: the step from which on it stands in another's place, or is new; None if it was there from the start.
        copy_of: the table of which it is a copy: another tensor that held the same numbers at first; empty if of none.
        sparse: whether its gradient is sparse.
        dtype: of its numbers, by NumPy's name. An epsilon of 1e-8 is 0 in float16.
    """

    name: str
    layer: str
    shape: tuple[int, ...]
    weight_matrix: bool
    table: bool = False
    fan_in: int | None = None
    requires_grad: bool = True
    in_optimiser: bool | None = None
    group: int | None = None
    reached: bool | None = None
    replaced: int | None = None
    copy_of: str = ""
    sparse: bool = False
    dtype: str = "float32"


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimiserFacts:
    """The optimiser, as it was when it was first seen.

    Attributes:
        kind: its class: "SGD", "AdamW".
        groups: the settings of each parameter group, by PyTorch's names: "lr", "momentum", "weight_decay", "eps",
            "beta1", "beta2", "nesterov", "amsgrad"; what an optimiser does not have is missing.
        foreign: how many of its parameters are not the model's.
        replaced: how many optimisers have taken a single step, and then another one has stepped the same parameters.
    """

    kind: str
    groups: tuple[Mapping[str, Setting], ...]
    foreign: int = 0
    replaced: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reshape:
    """A reshape in the graph below the loss.

    Attributes:
        before: the shape that it reads.
        after: the shape that it makes of it.
        in_loss: whether it stands between the network's output and the loss, and not in the network.
    """

    before: tuple[int, ...]
    after: tuple[int, ...]
    in_loss: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LossFacts:
    """How the loss was made of the model's output, read from the graph of the first recorded step.

    Attributes:
        kind: "cross_entropy", "binary_cross_entropy", "mse", "other".
        pure: whether the loss is that and nothing else, so that its sign and size, and the gradient by the output, are
            known: no further term is added, nothing weighs it, and nothing stands between it and the output that would
            make the output something else than logits or predictions.
        reduction: "mean" or "sum", where the graph tells.
        chain: names of the ops from the loss down to the model's output, both ends included: a flipped sign shows as
            "neg", a second softmax as ("nll_loss", "log_softmax", "softmax"). Empty if the graph was not seen.
        classes: V, for a cross-entropy; None otherwise.
        ops: how often each op occurs in the whole graph below the loss ("tanh", "addmm", ...): without any non-linear
            one, the network is one linear layer.
        softmax_axis: axis of the output that the loss's softmax is taken over, if it ends as one of the output's own
            axes; None otherwise.
        output_shape: of the output, in the first recorded step.
        foreign: how many parameters the network's output depends on that are none of the network's, its inputs having
            no graph of their own.
        exchanges: reshapes below the loss that stand where axes were to change places (see `views.moves_axes`).
        compared: how many numbers the loss compares one number with, which was made of the whole output; 0 if it does
            no such thing.
        choices: how many numbers the loss's log-softmax chooses between, if it takes one.
        single_softmaxes: how many softmaxes below the loss have one number to choose from.
        unstepped: shapes of the parameters that the loss depends on, that are none of the network's, and that nothing
            has changed since the first recorded step.
    """

    kind: str
    pure: bool = True
    reduction: str | None = None
    chain: tuple[str, ...] = ()
    classes: int | None = None
    ops: Mapping[str, int] = field(default_factory=dict)
    softmax_axis: int | None = None
    output_shape: tuple[int, ...] = ()
    foreign: int = 0
    exchanges: tuple[Reshape, ...] = ()
    compared: int = 0
    choices: int | None = None
    single_softmaxes: int = 0
    unstepped: tuple[tuple[int, ...], ...] = ()


# -- one recorded step -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchStatistics:
    """How a batch norm's running statistics stand to the batch that it saw.

    Attributes:
        rows: how many numbers a channel's mean was taken over, N.
        mean_apart: root mean square over channels of (running mean - batch mean) / batch standard deviation.
        std_ratio: median over channels of running / batch standard deviation.
    """

    rows: int
    mean_apart: float
    std_ratio: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitMap:
    """A yes or no for each example and unit: where a bounded activation is saturated, where a one-sided one is 0.

    Attributes:
        rows: examples (of a longer output: positions), at most 64.
        units: at most 512.
        bits: rows x units bits, `np.packbits` as hexadecimal.
    """

    rows: int
    units: int
    bits: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRecord:
    """One layer in one recorded step. Of several calls the outputs are taken together.

    Attributes:
        name: the layer's.
        output: what it gave; of a tuple or dict, its first floating-point tensor (a recurrent layer's states).
        gradient: the gradient of the loss by that; None if no gradient came.
        training: whether the module was in training mode.
        units: size of the channel axis: the last one, or axis 1 of a convolution's output and of what follows it.
        saturated: share of the numbers beyond `SATURATED` of the range; for softmax the share of rows whose largest
            probability is. None if not bounded.
        dead_now: share of units that were not active for any example of this batch: a one-sided unit that is 0 for all,
            a bounded one that is saturated for all. None if neither.
        dead: share of units dead for `DEAD_WINDOW` recorded batches, or for all recorded so far if they are fewer.
        dead_over: how many recorded batches that is.
        batch: of batch norms in training mode with running statistics, in every 8th record.
        unit_map: in every 10th record, of layers whose units can be dead.
        across: root mean square over units of the standard deviation over rows (examples, positions): how much the
            output depends on the input. 0: the same whatever is read, however far apart the units are.
    """

    name: str
    output: Spread
    gradient: Spread | None = None
    training: bool = True
    units: int | None = None
    saturated: float | None = None
    dead_now: float | None = None
    dead: float | None = None
    dead_over: int = 0
    batch: BatchStatistics | None = None
    unit_map: UnitMap | None = None
    across: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterRecord:
    """One parameter in one recorded step.

    Attributes:
        name: the parameter's.
        data: before the step. Its histogram is not taken.
        gradient: as the optimiser found it, divided by a gradient scaler's scale; None if there was none. A sparse
            gradient counts as a dense one.
        grad_to_data: std of the gradient / std of the data, as in lecture 4. nan where the data has no spread.
        update_to_data: std of the step's change / std of the data before it; None if the change was not seen. For a
            large parameter, the change of evenly spaced numbers.
        moved: whether any number changed in the step; None likewise, or if the change is not finite.
        identical_units: of a weight matrix: whether all output units have the same weights, which no gradient can
            ever tell apart; None otherwise.
        faint: share of the gradient's numbers that are not 0 and below 1e-8 in size: what Adam's usual epsilon damps,
            and a much smaller one makes full steps of. None where there is no gradient.
    """

    name: str
    data: Spread
    gradient: Spread | None = None
    grad_to_data: float | None = None
    update_to_data: float | None = None
    moved: bool | None = None
    identical_units: bool | None = None
    faint: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRecord:
    """One tensor that the model was given.

    Attributes:
        name: "0", "1", ... for positional arguments, otherwise the keyword.
        shape: its axes, the batch first.
        ids: whether it holds whole numbers; then `values` are those, without histogram.
        values: their distribution.
        constant_share: share of features (columns) that are the same in all examples; None for ids.
        widest: largest and smallest standard deviation among the features that vary, their quotient; None for ids.
        digest: equal for inputs whose numbers (of a large one: of some features) are equal; None if it was not taken.
        different: how many different rows it has; None for ids, for fewer than 8 features, for zeros and ones only, and
            for an input of more than 8,192 numbers.
        common_id: of ids (B, T): the most frequent one, not counting padding; None otherwise.
        common_share: the share of it; likewise.
    """

    name: str
    shape: tuple[int, ...]
    ids: bool
    values: Spread
    constant_share: float | None = None
    widest: float | None = None
    digest: int | None = None
    different: int | None = None
    common_id: int | None = None
    common_share: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LogitsRecord:
    """The model's output as classes, where a loss says that it is that.

    Attributes:
        values: all of them.
        classes: V, size of the class axis; 1 for a single probability.
        max_probability: mean over rows of the largest softmax probability: 1/V knows nothing, 1 is sure.
        entropy: mean over rows of the softmax's entropy, nats; ln V knows nothing.
        rows_sum_to_one: whether all rows are probabilities already: not negative, with sum 1.
        accuracy: share of targets that have the largest logit; None if the targets are not known.
        targets: how often each class was the target in this batch; None likewise, or beyond 4096 classes.
        gradient_rms: of dloss/dlogits; None if no gradient came.
        nats: mean of -log softmax(logits)[target] over the batch's targets, computed from the logits: what a
            cross-entropy ought to be, whatever the loss says. None if the targets are not known.
        shifts: of a sequence of ids: which share of the targets are the ids read at the same place, one place later,
            two places later. Empty if the network reads no ids for each target, or the targets are not known.
        padded: of such a sequence: which share of the targets stands where it is filled up; None if it is not.
    """

    values: Spread
    classes: int
    max_probability: float
    entropy: float
    rows_sum_to_one: bool
    accuracy: float | None = None
    targets: tuple[int, ...] | None = None
    gradient_rms: float | None = None
    nats: float | None = None
    shifts: tuple[float, ...] = ()
    padded: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NonFinite:
    """Where a number first was not finite.

    Attributes:
        where: a layer's, parameter's or input's name; "loss".
        direction: "input", "parameter", "forward", "loss", "backward" or "update": in this order in a step.
        step: the step that it was seen in.
        inputs_finite: whether what that layer read was finite, which makes it the culprit.
        op: the operation that made it out of finite numbers, where that was found: "sqrt", "softmax", "div".
        at: what that operation was given: "zero", "negative", "large", "masked row", "nothing" (a mean over no
            number); empty if that is not known.
    """

    where: str
    direction: Literal["input", "parameter", "forward", "loss", "backward", "update"]
    step: int
    inputs_finite: bool | None = None
    op: str = ""
    at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecord:
    """One recorded step.

    Attributes:
        step: how many steps had been taken before it.
        loss: of its minibatch; None if it was not reported.
        lr: of each parameter group; empty without an optimiser.
        batch_size: length of the first input's first axis; None for an input without axes.
        layers: in order of execution.
        parameters: in the model's order.
        inputs: in the call's order.
        logits: None if the model's output is not one tensor of classes.
        output: the model's own output, of whatever sort; None if it has no floating-point tensor.
        target_mean: mean of the targets of a mean squared error, found from its gradient; None otherwise.
        target_std: their spread; likewise.
        beyond: share of the targets of a regression that the output's own last op cannot reach, as those below 0 after
            a ReLU; None if that op reaches all numbers, or the targets are not known.
        gradient_norm: of all gradients together, as the optimiser found them, unscaled.
        left_over_norm: norm of the gradients that stood in the parameters when the step's first backward pass began:
            0 if they were zeroed; None if it was not seen.
        detached: whether nothing that the model returned has a graph, though it ran where results have one; None if it
            returned no floating-point tensor.
        forward_passes: in training mode, since the step before.
        backward_passes: since the step before: more than one if gradients are accumulated.
        optimiser_steps: calls of the optimiser's `step()` since the step before; None without an optimiser.
        scale: a gradient scaler's; None without one.
        backward_norm: norm of one parameter's gradient as the last backward pass left it, still scaled; None if it was
            not seen.
        step_norm: norm of the same gradient as the optimiser found it; likewise. Where nothing is done in between, the
            two are the same.
        pass_share: what the loss of one pass is multiplied by before its backward pass, found from the gradient of a
            cross-entropy: 1 for the mean over its targets, 1/n where it is divided by n; None if that is not known.
    """

    step: int
    loss: float | None = None
    lr: tuple[float, ...] = ()
    batch_size: int | None = None
    layers: tuple[LayerRecord, ...] = ()
    parameters: tuple[ParameterRecord, ...] = ()
    inputs: tuple[InputRecord, ...] = ()
    logits: LogitsRecord | None = None
    output: Spread | None = None
    target_mean: float | None = None
    target_std: float | None = None
    beyond: float | None = None
    gradient_norm: float | None = None
    left_over_norm: float | None = None
    detached: bool | None = None
    forward_passes: int = 1
    backward_passes: int = 1
    optimiser_steps: int | None = None
    scale: float | None = None
    backward_norm: float | None = None
    step_norm: float | None = None
    pass_share: float | None = None


# -- beside the steps --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LossPoint:
    """The loss of one minibatch, or in a long run the mean since the point before.

    Attributes:
        step: how many steps had been taken before it.
        loss: as it was reported.
    """

    step: int
    loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationPoint:
    """Losses in evaluation mode.

    Attributes:
        step: how many steps had been taken.
        dev: on held-out data.
        train: on training data; None if it was not reported.
    """

    step: int
    dev: float
    train: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationInput:
    """A floating-point tensor that the network was given between steps, without gradients.

    Attributes:
        step: how many steps had been taken.
        name: as in `InputRecord`.
        mean: of its numbers (of a large tensor, of evenly spaced features); nan where one of them is not finite.
        std: root mean squared distance from the mean.
    """

    step: int
    name: str
    mean: float
    std: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitFacts:
    """What the parts of the data have in common.

    Attributes:
        train: examples (or items) in the training part.
        dev: in the held-out part.
        shared: of the held-out ones, how many stand in the training part too.
    """

    train: int
    dev: int
    shared: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """An experiment on a network: something was changed, and its effect on the output was measured.

    Attributes:
        name: "future": the last ids of each sequence are changed, which must not change earlier logits (`expected` is
            then that nothing changes). "neighbours": the other examples of a batch are changed in evaluation mode,
            which must not change the output of the one that stays. "input": an input is changed, which must change the
            output. "modes": the same batch in training and in evaluation mode; "repeat": the same batch twice in
            evaluation mode; "history": the same batch again, after another one. Of ids (B, T): "order": their places
            are permuted; "content": all that is not padding is changed; "padding": one place less of padding; "own":
            where the targets are the ids read, the last of them is changed, and its own output looked at.
            "class": what is answered for the examples of one class is changed, which must change the loss. "layout":
            of pictures (N, C, H, W), how alike neighbours are if they are read as (N, H, W, C) stored in the same
            order, `scale` being how alike they are as given; "channels last": how alike they are in (N, H, W, C).
            "backward": at how many of `scale` places the backward direction of a recurrent layer is asked for what it
            has read, the "first" of them, and the same of the "forward" direction.
        changed: largest change of the output that should stay (for "input": that should not), in its units.
        scale: rms of that output; for "input": its standard deviation.
        details: further numbers: "train_loss" and "eval_loss" of "modes", the earliest "position" that changed, by how
            much a "repeat" changes, how much "earlier" outputs changed.
        where: name of the input that is changed, if it is not the first; the class; the layer.
    """

    name: Literal[
        "future", "neighbours", "input", "modes", "repeat", "history", "order", "content", "padding", "own", "class",
        "layout", "channels last", "backward",
    ]  # fmt: skip
    changed: float
    scale: float
    details: Mapping[str, float] = field(default_factory=dict)
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """Whether targets can be told from inputs, by linear models and by the nearest neighbour.

    Attributes:
        examples: how many different ones were seen; half of them were learnt from, the other half predicted.
        beyond_chance: by how many standard errors the best of them is above guessing.
        same_as: the column of the inputs that is the target, but for scale and level; None if none is. Of one input per
            target and of whole numbers it is not asked.
        products: whether one of the linear models had the products of two columns too, as far as there were examples
            enough: without it, what is not told may lie in combinations of inputs.
    """

    examples: int
    beyond_chance: float
    same_as: int | None = None
    products: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NotMeasured:
    """Something that could not be measured.

    Attributes:
        what: what it is: a parameter's name, "the loss", "this step".
        because: the reason, in a few words.
        step: the step in which it first happened; None if it holds for the whole run.
    """

    what: str
    because: str
    step: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionRecord:
    """The attention weights of a layer: how much each position reads of itself and of those before it.

    Attributes:
        heads: how many.
        weights: of each head, and in it of each position that reads, in 255ths: 2 hexadecimal digits each.
    """

    heads: int
    weights: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingRecord:
    """Vectors of tokens.

    Attributes:
        tokens: what they stand for.
        width: length of a vector, E.
        scale: what a number of 127 stands for.
        values: the numbers of each vector, divided by the scale and multiplied by 127, plus 128: 2 hexadecimal digits
            each.
    """

    tokens: tuple[str, ...]
    width: int
    scale: float
    values: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitSource:
    """What a run of a unit's inputs stands for.

    Attributes:
        layer: the layer whose units, or whose rows for tokens, they are; empty if that is not known.
        count: how many inputs.
        places: of tokens: at how many places before the target each of them can stand, the earliest first; then an
            input is an embedding times the weights. 0 for units.
        before: whether they are the layer's units at the position before.
    """

    layer: str
    count: int
    places: int = 0
    before: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitsRecord:
    """The units of a layer on a line of text.

    Attributes:
        layer: its name.
        units: how many of its units are recorded, the first ones.
        of: how many it has.
        tokens: whether they are the logits of the tokens of the record's embedding, in their order.
        scale: what a number of 127 stands for.
        values: of each position, in it of each unit, as in `EmbeddingRecord`.
        strongest: how many inputs of each unit are recorded: those whose weights are largest in size.
        inputs: of each unit, in it of each of these inputs, the largest first: 6 hexadecimal digits for its place among
            `sources`, and 2 for the weight.
        input_scale: what a weight of 127 stands for.
        sources: what the inputs stand for, one after the other. Tokens are those of the record's embedding.
        weights_of: the layer whose weights they are: the same, or one whose units reach it one by one, as those of a
            linear layer reach an activation; empty if there are none. Of a GRU or LSTM they are the candidate's.
    """

    layer: str
    units: int
    of: int
    scale: float
    values: str
    tokens: bool = False
    strongest: int = 0
    inputs: str = ""
    input_scale: float = 1.0
    sources: tuple[UnitSource, ...] = ()
    weights_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairsRecord:
    """How likely each token is after each other one: as a network with a weight for each pair has it, and as counted.

    Attributes:
        tokens: the K tokens of the rows, and of the columns, which follow them.
        counts: how often each token of a row is followed by any token in the training text.
        lowest: the lowest number of both tables, in nats.
        learned: (K, K) each row of the weights minus its logsumexp, which softmax ignores, divided by `lowest` and
            multiplied by 65,534: 4 hexadecimal digits each.
        counted: (K, K) the log of each count divided by that of its row, likewise; "ffff" for a pair that never occurs.
    """

    tokens: tuple[str, ...]
    counts: tuple[int, ...]
    lowest: float
    learned: str
    counted: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TextRecord:
    """What a language model makes of one text, in evaluation mode, and where its embeddings are.

    Attributes:
        step: how many steps had been taken.
        read: what stands at each position that the network reads: the boundary, and the text.
        targets: what it predicts there.
        nats: -log p of each target.
        attention: of each layer, first to last; empty if the network has none.
        embedding: of some tokens, those of the text first; None if the network has none.
        units: of some layers, in order of execution; empty in most records of a training with many evaluations.
        pairs: the weights of a bigram network beside the counts of its training text; None for other networks.
    """

    step: int
    read: tuple[str, ...]
    targets: tuple[str, ...]
    nats: tuple[float, ...]
    attention: tuple[AttentionRecord, ...] = ()
    embedding: EmbeddingRecord | None = None
    units: tuple[UnitsRecord, ...] = ()
    pairs: PairsRecord | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """Everything that was measured on one network.

    Attributes:
        framework: whose network it is.
        source: "watch": steps of a training; "examine": one batch, without a step; "log": a training's log alone, which
            has losses and perhaps learning rates and gradient norms.
        model: the network's class.
        interval: from how many steps one is recorded once the first few are over; 1 for all.
        total_steps: steps taken under watch, recorded or not.
        layers: in order of execution, those never called last.
        parameters: in the model's order.
        optimiser: None if none was given.
        loss: None if no loss was reported, or it was a plain number.
        restored_itself: the step at which the network was given its own parameters to load; None if it never was.
        steps: the records. An examination has one, of training mode.
        evaluation: the same batch in evaluation mode, without gradients; of an examination only.
        losses: reported losses, thinned once there are many.
        evaluations: on held-out data, where they were reported.
        texts: what a language model made of one text at each evaluation, where it was asked.
        evaluation_inputs: what the network was given between steps, without gradients.
        split: what train and dev have in common, where it was reported.
        probes: of an examination.
        relation: whether targets can be told from inputs; None if too few examples were seen, or not one target each.
        first_nonfinite: where a number first was not finite; None if all were, in the steps recorded.
        not_measured: what could not be measured, and why.
        trials: experiments on copies of the network, where they were asked for.
    """

    framework: Literal["backlight", "torch"]
    source: Literal["watch", "examine", "log"]
    model: str
    interval: int = 1
    total_steps: int = 0
    layers: tuple[LayerFacts, ...] = ()
    parameters: tuple[ParameterFacts, ...] = ()
    optimiser: OptimiserFacts | None = None
    loss: LossFacts | None = None
    restored_itself: int | None = None
    steps: tuple[StepRecord, ...] = ()
    evaluation: StepRecord | None = None
    losses: tuple[LossPoint, ...] = ()
    evaluations: tuple[EvaluationPoint, ...] = ()
    texts: tuple[TextRecord, ...] = ()
    evaluation_inputs: tuple[EvaluationInput, ...] = ()
    split: SplitFacts | None = None
    probes: tuple[Probe, ...] = ()
    relation: Relation | None = None
    first_nonfinite: NonFinite | None = None
    not_measured: tuple[NotMeasured, ...] = ()
    trials: tuple[TrialResult, ...] = ()
