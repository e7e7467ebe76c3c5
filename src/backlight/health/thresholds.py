"""All thresholds in one table, each with its source. No check has a number of its own."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """Where healthy ends and a finding begins.

    Attributes:
        name: what is compared.
        value: with what.
        unit: of both.
        source: where the number comes from: a paper, a lecture, or what was measured on the healthy nets.
    """

    name: str
    value: float
    unit: str
    source: str


_LECTURE = 'lecture 4 of "Neural Networks: Zero to Hero"'
_MEASURED = "between what was measured on healthy and on faulty networks (docs/faults.md)"

_TABLE = (
    # -- progress
    Threshold(
        name="steps for a verdict", value=50, unit="steps",
        source="a choice: the last quarter of 50 minibatch losses of 32 has a mean known to about 0.05 nats",
    ),
    Threshold(name="margin below guessing", value=0.04, unit="of the guess", source=_MEASURED),
    Threshold(
        name="margin of a network that learns well", value=0.1, unit="of the guess",
        source="a choice: steps as long as the weights are accepted only above it",
    ),
    Threshold(
        name="labels for their entropy", value=256, unit="labels",
        source="the entropy of 256 labels of 27 classes has a standard error of 0.05 nats, 2% of it",
    ),
    Threshold(
        name="fall beyond chance", value=2, unit="standard errors",
        source="a level loss is called falling in 2.3% of cases, if its noise is normal",
    ),
    Threshold(
        name="fall that matters", value=0.01, unit="of the loss, in half of the steps",
        source="a held-out loss of thousands of targets is known to about 1%",
    ),
    Threshold(
        name="fall of the usual loss", value=0.5, unit="of its opening, lower quartiles of the minibatches",
        source="a choice: of a regression with 2% of grossly wrong targets it falls by 0.9",
    ),
    Threshold(
        name="neighbours in a picture", value=0.1, unit="correlation",
        source="of 64 pictures of noise it is below 0.02; with a spectrum of 1/f^a, a = 0.5 to 1.5, above 0.2",
    ),
    Threshold(
        name="neighbours that are mixed", value=0.5, unit="of the correlation with channels last",
        source="with spectra of 1/f^a, 8 to 64 pixels wide: below 0.12 if mixed, above 1.1 if not",
    ),
    Threshold(
        name="rows in a picture", value=0.5, unit="correlation",
        source="a choice: channels of a feature map are in no order, and those beside each other hardly alike",
    ),
    Threshold(
        name="steps by optimisers of one step", value=0.5, unit="of the steps",
        source="a choice: an optimiser for each part of a training takes many steps",
    ),
    Threshold(name="evaluations for a fall", value=4, unit="evaluations", source="one for each quarter of the steps"),
    Threshold(
        name="records for a verdict", value=3, unit="records", source="a choice: a warm-up's first step may stand still"
    ),
    # -- trials
    Threshold(
        name="nearly all numbers left as they were", value=0.9, unit="of those that had a gradient",
        source="a choice: what is left moves too little to matter",
    ),
    Threshold(
        name="learnt well", value=0.5, unit="of the loss of guessing", source="a choice: far better than guessing",
    ),
    Threshold(
        name="right on average", value=0.5, unit="of the targets",
        source="a choice: a network that has learnt little is never right for many classes",
    ),
    # -- the loss
    Threshold(
        name="same loss", value=0.02, unit="relative difference",
        source="computed twice in float32 it agrees to 1e-6; the rest is room for half precision",
    ),
    Threshold(
        name="first loss over ln V", value=1.5, unit="times",
        source=f"{_LECTURE}: ln V is expected; PyTorch's default initial weights come to 1.25 of it on small networks",
    ),
    Threshold(
        name="first loss far over ln V", value=3, unit="times",
        source=f"{_LECTURE}: 27 nats in place of 3.3 are 8 times; of a network that was trained before, for other "
        "labels, the first loss came to 2.7 of it",
    ),
    # -- the first step
    Threshold(
        name="signal growth", value=30, unit="times",
        source="He et al. 2015, arXiv:1502.01852: 1 is right; a factor of 30 is 8 layers of 1.5 each, or 2 of 5.5",
    ),
    Threshold(name="signal left", value=1e-4, unit="std over examples", source=_MEASURED),
    Threshold(
        name="signal left by each layer", value=0.05, unit="times",
        source="PyTorch's default leaves 0.3 to 0.6 a layer, which Adam can train through 8 layers; measured",
    ),
    Threshold(
        name="input size", value=10, unit="rms",
        source='LeCun et al. 1998, "Efficient BackProp", 4.3: inputs of variance 1; pixels of 0 to 255 have 100',
    ),
    # -- units
    Threshold(
        name="saturated share", value=0.5, unit="of the numbers",
        source=f"{_LECTURE}: 0.97 of the range is saturated; good initial weights leave 5% to 25% there",
    ),
    Threshold(name="dead share", value=0.4, unit="of the units", source=_MEASURED),
    Threshold(name="whole layer dead", value=0.9, unit="of the units", source="nearly all: no signal passes the layer"),
    # -- gradients and steps, checked only where little is learnt
    Threshold(
        name="gradient decay", value=1e-3, unit="first layer over last",
        source="Glorot & Bengio 2010, figure 7: a factor of 1 is right; and measured (docs/faults.md)",
    ),
    Threshold(
        name="gradient decay before any step", value=1e-4, unit="first layer over last",
        source="Adam divides by the gradient's size: a network with 6e-4 learnt well (docs/faults.md)",
    ),
    Threshold(
        name="gradient burst", value=100, unit="times the median norm",
        source="Pascanu et al. 2013, arXiv:1211.5063, clip at 0.5 to 10 times the mean norm",
    ),
    Threshold(
        name="update as it should be", value=1e-3, unit="of the weights", source=f"{_LECTURE}: about 1e-3 in each step"
    ),
    Threshold(
        name="update too large", value=1.0, unit="of the weights",
        source="a step as long as the weights leaves nothing of them; and measured (docs/faults.md)",
    ),
    Threshold(
        name="update too large where the loss blew up", value=0.01, unit="of the weights",
        source=f"{_LECTURE}: ten times what is right",
    ),
    Threshold(
        name="update too small", value=3e-4, unit="of the weights",
        source=f"{_LECTURE}: a third of what is right; only checked where the loss has hardly moved",
    ),
    Threshold(
        name="rise of a warm-up", value=1.2, unit="times, in the second half of the records",
        source="a choice: a warm-up that is over leaves the rate where it is",
    ),
    Threshold(name="divergence", value=1.5, unit="times the first loss", source=_MEASURED),
    Threshold(
        name="divergence of any loss", value=10, unit="times the first losses",
        source="a choice: what the loss is made of is not known, and some are meant to rise",
    ),
    Threshold(
        name="loss hardly moved", value=0.95, unit="of the first losses",
        source="a choice: less than a twentieth of the loss after 50 steps and more",
    ),
    Threshold(
        name="way to go", value=1.0, unit="times the weights",
        source="steps x usual change: before the weights could have changed there is no verdict on them",
    ),
    Threshold(
        name="decay over gradient", value=1.0, unit="times",
        source="above 1 the decay is stronger than the loss; a converged network comes to 1, and is not checked",
    ),
    Threshold(
        name="epsilon", value=1e-10, unit="of the gradient",
        source="Kingma & Ba 2015, arXiv:1412.6980: 1e-8; a hundredth of it",
    ),
    Threshold(
        name="faint gradients", value=0.01, unit="of the numbers",
        source="a choice; only checked for an epsilon below the threshold above",
    ),
    Threshold(
        name="gradient left by a clip", value=0.01, unit="of the gradient",
        source="a choice: a clip for outliers leaves the usual gradient as it is, or half of it",
    ),
    Threshold(
        name="same length", value=1e-3, unit="relative difference",
        source="clip_grad_norm_ adds 1e-6 to the norm, and float32 rounds: 1e-5; gradients themselves differ by tenths",
    ),
    Threshold(
        name="norm whose square overflows", value=1e18, unit="norm of one gradient",
        source="the root of float32's largest number is 1.8e19; a network's norm is longer than that of one gradient",
    ),
    Threshold(
        name="rate that is left", value=1e-3, unit="of its highest",
        source="a choice: cosine schedules end at 0 to 0.1, and after half of the steps have half of the rate left",
    ),
    # -- the two modes
    Threshold(
        name="running mean", value=1.0, unit="standard deviations",
        source="a choice: a batch of 8 has a mean that is known to 0.35; Ioffe & Szegedy 2015 want 0",
    ),
    Threshold(
        name="running spread", value=2.0, unit="times, to either side", source="a choice; Ioffe & Szegedy 2015 want 1"
    ),
    Threshold(
        name="first statistics left", value=0.1, unit="of the running statistics",
        source="(1 - momentum)^steps: what a running mean still holds of the 0 that it began with",
    ),
    # -- data
    Threshold(
        name="target size", value=30, unit="rms",
        source="a choice: more than an output of size 1 reaches in hundreds of steps; only checked if little is learnt",
    ),
    Threshold(
        name="fading of the inputs", value=10, unit="times",
        source="a choice: batches of the same examples differ by a few percent",
    ),
    Threshold(
        name="records of a trend", value=12, unit="records", source="a choice: three for each quarter of a training"
    ),
    Threshold(
        name="targets of a minibatch", value=8, unit="targets",
        source="fewer are often of one class by chance",
    ),
    Threshold(
        name="mixture of all minibatches", value=0.3, unit="nats",
        source="the entropy of one class in eleven; with rarer classes, most minibatches have one class by chance",
    ),
    Threshold(
        name="mixture of a minibatch", value=0.25, unit="of that of all",
        source="a choice: drawn at random, 8 targets of 2 equal classes have 0.9 of it on average",
    ),
    Threshold(
        name="classes to count", value=20, unit="classes", source="a choice: of hundreds, some are rare in any data",
    ),
    Threshold(
        name="targets for each class", value=50, unit="targets",
        source="a class of a tenth of the usual share is missing from so many by chance in 1% of cases: exp(-5)",
    ),
    Threshold(
        name="different examples", value=0.25, unit="of the rows",
        source="drawn with replacement from as many examples as rows, 1 - 1/e = 0.63 of them are different",
    ),
    Threshold(
        name="share of one id", value=0.8, unit="of the ids",
        source="a choice: the most frequent word of a text has 0.05, the blank among characters 0.2",
    ),
    Threshold(
        name="targets that can be copied", value=0.6, unit="of the targets",
        source="Devlin et al. 2019, arXiv:1810.04805: of 15% masked ids, a tenth stay, which can be copied",
    ),
    Threshold(
        name="inputs of another scale", value=5, unit="standard deviations, or times",
        source="a choice: batches of the same data differ by a few percent; pixels of 0 to 255 and of 0 to 1 by 255",
    ),
    Threshold(
        name="loss in evaluation", value=2, unit="times the loss of the minibatches",
        source="a choice: of the same examples, and without dropout, it is lower, if anything",
    ),
    Threshold(
        name="evaluation near the start", value=0.5, unit="of the first loss",
        source="a choice: less than half of what was learnt is seen in the evaluation",
    ),
    Threshold(
        name="size of a loss without floor", value=10, unit="times the first loss",
        source="a choice: below 0 by that much, and falling faster and faster",
    ),
    Threshold(
        name="positions of attention", value=8, unit="positions",
        source="a choice: with fewer, one may have most of the weight by chance",
    ),
    Threshold(
        name="weight on one position", value=0.7, unit="mean of Σ p²",
        source="scores of variance 1 give 2.7/T over T positions; a causal mask over 8 that are all alike, 0.34",
    ),
    Threshold(
        name="steps of a fall", value=8, unit="steps", source="a choice: means of fewer losses are mostly noise"
    ),
    Threshold(
        name="fall of a network that learns", value=0.05, unit="of the loss", source="a choice: more than noise leaves",
    ),
    Threshold(
        name="step over rounding", value=1.0, unit="half distances between numbers",
        source="rounding to nearest: a smaller step leaves a number of this size as it was",
    ),
    Threshold(
        name="share of rounded updates", value=0.5, unit="of the weights", source="a choice: most of them",
    ),
    Threshold(
        name="numbers of a fresh matrix", value=200, unit="numbers",
        source="a choice: the ends of the range are known to a tenth of it",
    ),
    Threshold(
        name="labels for a verdict", value=64, unit="labels",
        source="64 labels of one class by chance, where another has a tenth: 0.9^64 = 0.1%",
    ),
    Threshold(
        name="steps for a last resort", value=100, unit="steps",
        source="a choice: the frequencies are learnt first, by healthy networks too, within 60 steps",
    ),
    Threshold(
        name="plateau at guess", value=0.03, unit="of the guess, to both sides",
        source="the loss of a network that learnt the labels' frequencies and nothing else; measured (docs/faults.md)",
    ),
    Threshold(
        name="plateau above guess", value=0.25, unit="of the guess",
        source="a choice; only where simple models find nothing in the inputs either",
    ),
    Threshold(
        name="targets told from inputs", value=5, unit="standard errors",
        source="of unrelated targets one in ten million reaches it",
    ),
    Threshold(
        name="targets not told from inputs", value=3, unit="standard errors",
        source="unrelated targets stay below it in 99.9% of cases",
    ),
    Threshold(
        name="shared examples", value=0.01, unit="of the held-out ones",
        source="Barz & Denzler 2020, arXiv:1902.00423, found 3.3% in CIFAR-10 and thought it worth a new test set",
    ),
    Threshold(name="many shared examples", value=0.1, unit="of the held-out ones", source="a choice, for the severity"),
    Threshold(
        name="targets that are ids read", value=0.99, unit="of the targets",
        source="all of them; the rest is room for texts with a few marks put in",
    ),
    Threshold(
        name="targets that are the next ids", value=0.5, unit="of the targets",
        source="a choice: texts of one repeated id fit every shift; language models are far above it",
    ),
    Threshold(
        name="loss of a copy", value=0.02, unit="of the guess",
        source="a choice: texts that are predicted, not copied, keep some surprise",
    ),
    Threshold(
        name="targets at padding", value=0.2, unit="of the targets",
        source="a choice: a fifth of the loss and of its gradient",
    ),
    # -- the output
    Threshold(
        name="targets beyond the output", value=0.05, unit="of the targets",
        source="a choice: more than a few outliers",
    ),
    Threshold(
        name="spread of the outputs", value=0.1, unit="of the input's",
        source="a choice: what is given back has the input's spread; a tenth explains 1% of its variance",
    ),
    Threshold(
        name="spread at a bottleneck", value=0.02, unit="of the input's",
        source="a choice: beside noise of size 1, a fiftieth tells nothing",
    ),
    Threshold(
        name="logits near their bound", value=0.9, unit="of a bound of 1",
        source="a choice: logits that are not bounded pass 1 when they come near it",
    ),
    # -- structure
    Threshold(
        name="examples for batch norm", value=8, unit="examples",
        source="Wu & He 2018, arXiv:1803.08494, figure 1: the error rises from below 16 and steeply below 8",
    ),
    Threshold(
        name="dropout", value=0.6, unit="dropped", source="Srivastava et al. 2014: 0.5 of hidden units, 0.2 of inputs"
    ),
    Threshold(
        name="same output", value=1e-3, unit="of the output's rms",
        source="float32 in another order of sums differs by 1e-6; the rest is room for half precision",
    ),
    Threshold(
        name="chance of memory", value=0.1, unit="of the change after another batch",
        source="a choice: what is random changes as much the second time as after another batch",
    ),
    # -- what was not seen in training
    Threshold(
        name="evaluations for a verdict", value=3, unit="evaluations", source="a best one and two after it, at least"
    ),
    Threshold(name="held-out loss over its best", value=1.03, unit="times, twice in a row", source=_MEASURED),
    Threshold(
        name="training loss over held-out loss", value=0.9, unit="times",
        source="a choice: without a gap between the two it is no overfitting",
    ),
)  # fmt: skip

THRESHOLDS: Final = {one.name: one for one in _TABLE}


def limit(name: str) -> float:
    """Return a threshold's value."""
    return THRESHOLDS[name].value
