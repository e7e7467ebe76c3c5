"""Answers to the exercises of lesson 6, as learners write them."""

import numpy as np
import pytest
from tests.unit.lessons.answers import graded

import backlight.torchlike as torch
from backlight.lessons.exercises import given
from backlight.lessons.exercises.helpers import counted_names, encoded_names, mean_nats, windows_of
from backlight.lessons.recorded import load_pretrained
from backlight.models import WaveNet, WaveNetConfig
from backlight.text import Vocabulary, load_corpus, split_corpus
from backlight.training import dataset, mean_nll

# -- 6.1 ---------------------------------------------------------------------------------------------------------------


def by_windows(vectors, edge, levels):
    """The very thing that is to be avoided: a tree for each window."""
    T = 2 ** len(levels)
    rows = []
    for t in range(len(vectors)):
        window = [vectors[i] if i >= 0 else edge for i in range(t - T + 1, t + 1)]
        for W, b in levels:
            window = [np.tanh(np.concatenate([window[i], window[i + 1]]) @ W + b) for i in range(0, len(window), 2)]
        rows.append(window[0])
    return rows


def looped(vectors, edge, levels, *, step=lambda level: 2**level, outside="edge", ahead=False, swapped=False):
    """Position by position, with tensors; what stands before the text is computed level by level."""
    h, before = [torch.tensor(row) for row in vectors], torch.tensor(edge)
    for level, (W, b) in enumerate(levels):
        C = len(W) // 2
        parts = torch.tensor(W)[:C], torch.tensor(W)[C:]
        left, right = reversed(parts) if swapped else parts
        d = step(level)

        def at(i, h=h, before=before):
            return h[i] if 0 <= i < len(h) else before if outside == "edge" else before * 0

        other = [at(i + d) if ahead else at(i - d) for i in range(len(h))]
        pairs = zip(h, other, strict=True) if ahead else zip(other, h, strict=True)
        bias = torch.tensor(b)
        h = [(older @ left + newer @ right + bias).tanh() for older, newer in pairs]
        before = (before @ left + before @ right + bias).tanh()
    return torch.stack(h)


def test_a_tree_for_each_window_is_the_same():
    assert graded("6.1", by_windows).right
    assert graded("6.1", looped).right


@pytest.mark.parametrize(
    ("slip", "name"),
    [
        ({"step": lambda _: 1}, "dilation not doubled"),
        ({"ahead": True}, "looks ahead"),
        ({"swapped": True}, "the pair's weights are swapped"),
        ({"ahead": True, "swapped": True}, "looks ahead, and the pair's weights are swapped"),
        ({"outside": "zeros"}, "padded with zeros, not edges"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_slips_of_a_loop_are_told_by_name(slip, name):
    assert graded("6.1", lambda **case: looped(**case, **slip)).mistake == name


def test_a_text_that_is_too_short_for_its_padding():
    def by_array(vectors, edge, levels, in_front=0, last=None):
        h = np.vstack([np.repeat(edge[None], in_front, 0), vectors])
        for level, (W, b) in enumerate(levels):
            joined = np.hstack([h[: -(2**level)], h[2**level :]])
            h = np.tanh(joined @ W + b)
        return h[:last]

    def full(vectors, edge, levels):
        return by_array(vectors, edge, levels, 2 ** len(levels) - 1)

    def late(vectors, edge, levels):
        return by_array(vectors, edge, levels, 2 ** len(levels), -1)

    assert graded("6.1", full).right
    assert graded("6.1", late).mistake == "shifted by one"
    assert graded("6.1", by_array).mistake == "no padding"
    assert graded("6.1", lambda **case: by_array(**case, in_front=1)).mistake == "not enough padding"


# -- 6.2 ---------------------------------------------------------------------------------------------------------------


def probabilities(contexts):
    logits = load_pretrained().next_logits(contexts[:, -6:])
    return np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


def test_the_kept_network_is_what_it_is_said_to_be():
    for part in ("dev", "test"):
        x, y = windows_of(part, 16)
        assert load_pretrained().nll(x[:, -6:], y).mean() < 1.99


def test_tensors_and_logs_of_probabilities_will_do():
    assert graded("6.2", lambda contexts: torch.tensor(np.log(probabilities(contexts)))).right
    assert graded("6.2", lambda x: torch.tensor(load_pretrained().next_logits(x[:, -6:])).tolist()).right


def test_a_network_that_was_left_in_training():
    net = load_pretrained()

    def in_training(contexts):
        logits = net.next_logits(contexts[:, -6:])
        return (logits - logits.mean(0)) / (logits.var(0) + 1e-5) ** 0.5

    rng = np.random.default_rng(1)
    tree = WaveNet(WaveNetConfig(vocabulary_size=27, embedding=4, hidden=8), rng=rng)
    assert graded("6.2", in_training).mistake == "a context's logits depend on the batch"
    assert graded("6.2", lambda x: tree.train()(x[:, -8:])).mistake == "a context's logits depend on the batch"


def test_what_is_no_logits():
    assert graded("6.2", probabilities).mistake == "probabilities, not logits"
    verdict = graded("6.2", lambda x: load_pretrained().next_logits(x[:, -6:])[:, 1:])
    assert "The number of logits per context is wrong: it is 26 and should be 27." in verdict.lines
    assert "pass the function logits_for itself" in graded("6.2", given("6.2")["contexts"]).lines[0].lower()


def test_contexts_turned_round_or_of_another_alphabet():
    def turned(contexts):
        return load_pretrained().next_logits(contexts[:, ::-1][:, -6:])

    def oldest(contexts):
        return load_pretrained().next_logits(contexts[:, :6])

    def a_is_0(contexts):
        logits = load_pretrained().next_logits((contexts[:, -6:] + 1) % 27)
        return np.concatenate([logits[:, 1:], logits[:, :1]], axis=1)

    assert graded("6.2", turned).mistake == "contexts from the wrong end"
    assert graded("6.2", oldest).mistake == "contexts from the wrong end"
    assert graded("6.2", a_is_0).mistake == "different ids"


def test_a_model_whose_windows_held_their_targets():
    assert graded("6.2", lambda x: 5.0 * np.eye(27)[x[:, -1]] - 1).mistake == "a context that contains the target"


def counted(*parts, **settings):
    model = counted_names(parts, **settings)
    return lambda contexts: model.next_logits(contexts[:, -model.context :])


def test_models_that_count():
    assert graded("6.2", counted("train", "dev")).mistake == "an n-gram model"
    by_heart = counted("dev", "dev", order=5, smoothing="add-k", k=0.1)
    assert graded("6.2", by_heart).mistake == "trained on the evaluation data"
    impossible = counted("train", order=4, smoothing="add-k", k=0.0)
    assert graded("6.2", impossible).mistake == "impossible characters"


def test_how_far_above_the_bound_is_told():
    verdict = graded("6.2", counted("train", "dev", order=2))
    assert (verdict.right, verdict.mistake) == (False, None)
    assert any("Your loss on dev is 2.4" in line and "below 2.00" in line for line in verdict.lines)


def test_the_check_measures_what_training_measures():
    x, y = windows_of("dev", 16)
    net = load_pretrained()
    corpus = load_corpus("names")
    dev = split_corpus(corpus, seed=42).dev.items
    ours = mean_nats(net.next_logits(x[:, -6:]).astype(np.float64), y)
    assert ours == pytest.approx(mean_nll(net, dataset(net, Vocabulary.of(corpus.items), dev, ends=True)), abs=1e-5)
    assert encoded_names()["dev"].targets == len(y)


# -- 6.3 ---------------------------------------------------------------------------------------------------------------


def in_rows(x, gain, shift, running_mean, running_var, momentum):
    rows = x.reshape(-1, x.shape[2])
    n = len(rows)
    mean = rows.sum(0) / n
    var = ((rows - mean) ** 2).sum(0) / n
    y = (rows - mean) / np.sqrt(var + 1e-5) * gain + shift
    return (
        y.reshape(x.shape).tolist(),
        running_mean + momentum * (mean - running_mean),
        running_var + momentum * (var * n / (n - 1) - running_var),
    )


def with_tensors(axes, *, unbiased=False, keepdim=True):
    def answer(x, gain, shift, running_mean, running_var, momentum):
        x = torch.tensor(x)
        mean = x.mean(axes, keepdim=True)
        var = x.var(axes, keepdim=True, unbiased=unbiased)
        y = torch.tensor(gain) * (x - mean) / (var + 1e-5).sqrt() + torch.tensor(shift)
        seen = x.mean(axes, keepdim=keepdim), x.var(axes, keepdim=keepdim, unbiased=True)
        return [y] + [
            (1 - momentum) * torch.tensor(old) + momentum * new
            for old, new in zip((running_mean, running_var), seen, strict=True)
        ]

    return answer


def test_batch_norm_in_rows_and_with_tensors():
    assert graded("6.3", in_rows).right
    assert graded("6.3", with_tensors((0, 1), keepdim=False)).right
    assert graded("6.3", in_rows(**given("6.3"))).right


def test_batch_norm_over_the_wrong_axes():
    assert graded("6.3", with_tensors(0)).mistake == "only over axis 0"
    assert graded("6.3", with_tensors(1)).mistake == "only over axis 1"
    assert graded("6.3", with_tensors((0, 1))).mistake == "running statistics with axes of length 1"
    unbiased = with_tensors((0, 1), unbiased=True, keepdim=False)
    assert graded("6.3", unbiased).mistake == "unbiased for biased variance"


def test_running_statistics_that_go_wrong():
    def biased(x, gain, shift, running_mean, running_var, momentum):
        y, mean, _ = in_rows(x, gain, shift, running_mean, running_var, momentum)
        return y, mean, (1 - momentum) * running_var + momentum * x.var((0, 1))

    def turned(x, gain, shift, running_mean, running_var, momentum):
        y, *_ = in_rows(x, gain, shift, running_mean, running_var, momentum)
        return y, momentum * running_mean + (1 - momentum) * x.mean((0, 1)), running_var

    assert graded("6.3", biased).mistake == "biased for unbiased variance"
    assert graded("6.3", turned).mistake == "momentum reversed"
