"""Lesson 5's exercises, answered as learners answer them: in another style, or with a mistake that has a name."""

# ruff: noqa: ARG005, N812  (wrong answers leave out what they should use)

import numpy as np
import pytest
from tests.unit.lessons.answers import graded

import backlight.torchlike as torch
import backlight.torchlike.nn.functional as F
from backlight.lessons.exercises import given
from backlight.lessons.exercises.progress import FILE, OFF, record_try
from backlight.models import by_hand

# -- 5.1 ---------------------------------------------------------------------------------------------------------------


def by_lecture(weights, steps, x, y, **wrong):
    """The lecture's names, torchlike tensors, loops; `wrong` replaces a line by what somebody else would write."""
    t = {name: torch.tensor(array) for name, array in (weights._asdict() | steps._asdict()).items()}
    n = len(x)
    d = {}

    def put(name, right):
        d[name] = wrong[name](t, d, n) if name in wrong else right()

    def picked():
        dlogprobs = torch.zeros_like(t["logprobs"])
        dlogprobs[range(n), torch.tensor(y)] = -1.0 / n
        return dlogprobs

    def largest_too():
        V = t["logits"].shape[1]
        onehot = F.one_hot(t["logits"].max(1).indices, num_classes=V)
        return d["dnorm_logits"].clone() + onehot * d["dlogit_maxes"]

    def gathered():
        dC = np.zeros(t["C"].shape)
        for k in range(x.shape[0]):
            for j in range(x.shape[1]):
                dC[x[k, j]] += d["demb"][k, j].numpy()
        return dC.tolist()

    put("dlogprobs", picked)
    put("dprobs", lambda: (1.0 / t["probs"]) * d["dlogprobs"])
    put("dcounts_sum_inv", lambda: (t["counts"] * d["dprobs"]).sum(1, keepdim=True))
    put("dcounts_sum", lambda: (-(t["total"] ** -2)) * d["dcounts_sum_inv"])
    put("dcounts", lambda: t["inverse"] * d["dprobs"] + torch.ones_like(t["counts"]) * d["dcounts_sum"])
    put("dnorm_logits", lambda: t["counts"] * d["dcounts"])
    put("dlogit_maxes", lambda: (-d["dnorm_logits"]).sum(1, keepdim=True))
    put("dlogits", largest_too)
    put("dh", lambda: d["dlogits"] @ t["W2"].T)
    put("dW2", lambda: t["h"].T @ d["dlogits"])
    put("db2", lambda: d["dlogits"].sum(0))
    put("dhpreact", lambda: (1.0 - t["h"] ** 2) * d["dh"])
    put("dbngain", lambda: (t["normal"] * d["dhpreact"]).sum(0))
    put("dbnraw", lambda: t["gain"] * d["dhpreact"])
    put("dbnbias", lambda: d["dhpreact"].sum(0))
    put("dbnvar_inv", lambda: (t["centred"] * d["dbnraw"]).sum(0))
    put("dbnvar", lambda: (-0.5 * (t["variance"] + 1e-5) ** -1.5) * d["dbnvar_inv"])
    put("dbndiff2", lambda: (1.0 / (n - 1)) * torch.ones_like(t["squares"]) * d["dbnvar"])
    put("dbndiff", lambda: t["rstd"] * d["dbnraw"] + (2 * t["centred"]) * d["dbndiff2"])
    put("dbnmeani", lambda: (-d["dbndiff"]).sum(0))
    put("dhprebn", lambda: d["dbndiff"] + 1.0 / n * (torch.ones_like(t["sums"]) * d["dbnmeani"]))
    put("dembcat", lambda: d["dhprebn"] @ t["W1"].T)
    put("dW1", lambda: t["joined"].T @ d["dhprebn"])
    put("db1", lambda: d["dhprebn"].sum(0))
    put("demb", lambda: d["dembcat"].view(t["vectors"].shape))
    put("dC", gathered)
    return d


def test_the_lectures_way_is_right():
    assert graded("5.1", by_lecture).right
    assert graded("5.1", by_hand.backward).right


@pytest.mark.parametrize(
    ("name", "line", "part", "mistake"),
    [
        ("dlogprobs", lambda t, d, n: torch.full_like(t["logprobs"], -1 / n), "logprobs", "all logprobs"),
        ("dcounts_sum_inv", lambda t, d, n: t["counts"] * d["dprobs"], "inverse", "forgot to sum over a"),
        ("dcounts_sum", lambda t, d, n: t["total"] ** -2 * d["dcounts_sum_inv"], "total", "wrong sign"),
        ("dcounts", lambda t, d, n: t["inverse"] * d["dprobs"], "counts", "forgot one of two paths"),
        ("dcounts", lambda t, d, n: torch.ones_like(t["counts"]) * d["dcounts_sum"], "counts", "= for += where paths"),
        ("dW2", lambda t, d, n: d["dlogits"].T @ t["h"], "W2", "transposed"),
        ("db2", lambda t, d, n: d["dlogits"].mean(0), "b2", "mean for sum"),
        ("db2", lambda t, d, n: d["dlogits"], "b2", "forgot to sum over a broadcast axis"),
        ("dhpreact", lambda t, d, n: (1 - t["scaled"] ** 2) * d["dh"], "scaled", "tanh's slope from its input"),
        ("dbnvar", lambda t, d, n: -0.5 * t["variance"] ** -1.5 * d["dbnvar_inv"], "variance", "forgot ε"),
        ("dbndiff2", lambda t, d, n: d["dbnvar"] / (n - 1), "squares", "forgot to broadcast"),
        ("dbndiff2", lambda t, d, n: 1 / n * torch.ones_like(t["squares"]) * d["dbnvar"], "squares", "Bessel"),
        ("dbndiff", lambda t, d, n: t["rstd"] * d["dbnraw"], "centred", "forgot one of two paths"),
        ("dbndiff", lambda t, d, n: 2 * t["centred"] * d["dbndiff2"], "centred", "= for += where paths meet"),
        ("dbnmeani", lambda t, d, n: d["dbndiff"].sum(0), "mean", "wrong sign"),
        ("dbnmeani", lambda t, d, n: -d["dbndiff"].mean(0), "mean", "mean for sum"),
        ("dhprebn", lambda t, d, n: d["dbndiff"] + d["dbnmeani"], "sums", "sum for mean"),
        ("dhprebn", lambda t, d, n: d["dbndiff"], "sums", "forgot one of two paths"),
    ],
)  # fmt: skip
def test_where_a_walk_back_first_goes_wrong(name, line, part, mistake):
    """All that comes after the wrong line is wrong, too; the line itself is what is named."""
    verdict = graded("5.1", lambda **case: by_lecture(**case, **{name: line}))
    assert verdict.mistake.startswith(mistake)
    assert verdict.lines[0 if name == "dlogprobs" else 1].startswith(f"{part} ")


def test_a_character_that_comes_twice():
    def last_only(weights, steps, x, y):
        d = by_lecture(weights, steps, x, y)
        d["dC"] = np.zeros_like(weights.C)
        d["dC"][x] += d["demb"].numpy()
        return d

    verdict = graded("5.1", last_only)
    assert verdict.mistake == "= for += where an index repeats"
    assert verdict.lines[0].startswith("Right so far: logprobs, probs, ")
    assert "most of all at" in verdict.lines[1]


def first(count, **changed):
    def answer(**case):
        d = by_lecture(**case)
        return {name: d[name] for name in list(d)[:count]} | {name: one(d) for name, one in changed.items()}

    return answer


def test_the_first_part_alone_is_not_held_against_anybody(tmp_path, monkeypatch):
    verdict = graded("5.1", first(4))
    assert (verdict.state, verdict.right, verdict.mistake) == ("partial", False, None)
    assert verdict.headline == "5.1: not yet, but right so far."
    assert verdict.lines[0] == "Right so far: logprobs, probs, inverse, total."
    assert verdict.lines[1] == "Still missing: counts, shifted, largest, ...; 22 of 26 are missing."
    assert graded("5.1", first(25)).lines[1] == "Still missing: C; 1 of 26 is missing."
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(OFF, raising=False)
    record_try(verdict)
    assert not FILE.exists()


def test_a_part_that_is_wrong_is_told_before_what_is_missing():
    verdict = graded("5.1", first(4, dprobs=lambda d: -d["dprobs"]))
    assert (verdict.state, verdict.mistake) == ("wrong", "wrong sign")
    assert verdict.lines[0] == "Right so far: logprobs."
    assert graded("5.1", first(0)).state == "unfinished"
    assert graded("5.1", first(3, dh=lambda d: None, loss=lambda d: 1.0)).state == "partial"


# -- 5.2 ---------------------------------------------------------------------------------------------------------------


def test_dlogits_as_an_array_and_in_another_style():
    logits, targets = given("5.2").values()
    leaf = torch.tensor(logits, requires_grad=True)
    F.cross_entropy(leaf, torch.tensor(targets)).backward()
    assert graded("5.2", leaf.grad).right
    assert graded("5.2", leaf.grad.tolist()).right

    def by_rows(logits, targets):
        found = []
        for row, target in zip(logits, targets, strict=True):
            p = F.softmax(torch.tensor(row), dim=0)
            found.append([(p[i].item() - (i == target)) / len(logits) for i in range(len(row))])
        return found

    assert graded("5.2", by_rows).right


def softmax(logits):
    counts = np.exp(logits - logits.max(1, keepdims=True))
    return counts / counts.sum(1, keepdims=True)


def test_dlogits_with_mistakes():
    def no_mean(logits, targets):
        d = softmax(logits)
        d[range(len(d)), targets] -= 1
        return d

    def columns(logits, targets):
        d = softmax(logits)
        d[:, targets] -= 1
        return d / len(d)

    def plain(logits, targets):
        d = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        d[range(len(d)), targets] -= 1
        return d / len(d)

    assert graded("5.2", no_mean).mistake == "forgot 1/N of the mean"
    assert graded("5.2", columns).mistake == "1 subtracted in whole columns"
    assert graded("5.2", plain).mistake == "overflow"
    assert (
        graded("5.2", lambda logits, targets: softmax(logits) / len(logits)).mistake == "the one-hot target is missing"
    )
    assert graded("5.2", lambda logits, targets: -no_mean(logits, targets) / len(logits)).mistake == "wrong sign"


# -- 5.3 ---------------------------------------------------------------------------------------------------------------


def test_batch_norm_by_three_paths_or_by_autograd():
    def three_paths(dy, normal, rstd, gain):
        N, g = len(dy), dy * gain
        direct = rstd * g
        by_mean = -(rstd * g).sum(0) / N
        by_variance = -0.5 * rstd**3 * ((g * normal).sum(0) / rstd) * 2 * (normal / rstd) / (N - 1)
        return direct + by_mean + by_variance, (dy * normal).sum(0), dy.sum(0)

    assert graded("5.3", three_paths).right
    dx, dgain, dshift = three_paths(**given("5.3"))
    assert graded("5.3", [torch.tensor(dx), dgain.tolist(), dshift]).right
    assert "the result should be a tuple of 3" in graded("5.3", dx[:1]).lines[0].lower()


def test_batch_norm_with_mistakes():
    def sloppy(factor, over=0):
        def answer(dy, normal, rstd, gain):
            N = len(dy)
            dgain, dshift = (dy * normal).sum(over), dy.sum(over)
            return gain * rstd / N * (N * dy - dshift - factor(N) * normal * dgain), dgain, dshift

        return answer

    assert graded("5.3", sloppy(lambda N: N / (N - 1))).right
    assert graded("5.3", sloppy(lambda N: 1)).mistake == "Bessel: N for N - 1"
    assert graded("5.3", sloppy(lambda N: 0)).mistake == "forgot the path through the variance"

    def fixed(dy, normal, rstd, gain):
        return gain * rstd * dy, (dy * normal).sum(0), dy.sum(0)

    assert graded("5.3", fixed).mistake == "only the direct path"

    def unsummed(dy, normal, rstd, gain):
        dx, _, _ = sloppy(lambda N: N / (N - 1))(dy, normal, rstd, gain)
        return dx, dy * normal, dy

    verdict = graded("5.3", unsummed)
    assert verdict.mistake == "in dgain, the sum over axis 0 is missing"
    assert "Also wrong: dshift. Likely mistake: forgot to sum over a broadcast axis." in " ".join(verdict.lines)
    assert verdict.lines[0] == "Right so far: dx."


# -- 5.4 ---------------------------------------------------------------------------------------------------------------


def by_autograd(weights, batches, lr, *, zero=True, unbiased=True):
    """Not by hand: a way of its own to the same numbers."""
    leaves = [torch.tensor(array, requires_grad=True) for array in weights]
    C, W1, b1, gain, shift, W2, b2 = leaves
    losses = []
    for x, y in batches:
        sums = C[torch.tensor(x)].view(len(x), -1) @ W1 + b1
        normal = (sums - sums.mean(0)) * (sums.var(0, unbiased=unbiased) + 1e-5) ** -0.5
        loss = F.cross_entropy((gain * normal + shift).tanh() @ W2 + b2, torch.tensor(y))
        if zero:
            for leaf in leaves:
                leaf.grad = None
        loss.backward()
        for leaf in leaves:
            leaf.data -= lr * leaf.grad
        losses.append(loss)
    return losses, leaves


def test_training_in_other_styles():
    def in_place(weights, batches, lr):
        losses = []
        for x, y in batches:
            loss, gradients = by_hand.loss_and_gradients(weights, x, y)
            for weight, gradient in zip(weights, gradients, strict=True):
                weight += -lr * gradient  # noqa: PLW2901
            losses.append(loss)
        return losses

    def by_name(weights, batches, lr):
        losses, leaves = by_autograd(weights, batches, lr)
        return np.array([loss.item() for loss in losses]), dict(zip(weights._fields, leaves, strict=True))

    assert graded("5.4", in_place).right
    assert graded("5.4", by_autograd).right
    assert graded("5.4", by_name).right


def test_training_with_mistakes():
    def losses_only(weights, batches, lr):
        return [loss.item() for loss in by_autograd(weights, batches, lr)[0]]

    assert graded("5.4", losses_only).mistake == "the old weights were returned"
    assert graded("5.4", lambda **case: by_autograd(**case, zero=False)).mistake == "forgot to zero the gradient"
    assert graded("5.4", lambda **case: by_autograd(**case, unbiased=False)).mistake == "biased variance"
    assert graded("5.4", lambda weights, batches, lr: by_autograd(weights, batches, -lr)).mistake == "uphill"

    def one_less(weights, batches, lr):
        losses, leaves = by_autograd(weights, batches, lr)
        return losses, leaves[:-1]

    assert "missing: b2 after one step" in graded("5.4", one_less).lines[0]


def test_what_is_no_dictionary_of_these_names_is_not_nothing():
    for wrong in (lambda *_: np.zeros(3), lambda *_: {"dlogit": np.zeros(3)}, lambda *_: (np.zeros(2),) * 26):
        verdict = graded("5.1", wrong)
        assert verdict.state == "invalid"
        assert "it has none" in verdict.lines[0]
    for nothing in (lambda *_: {}, lambda *_: {"probs": None}, lambda *_: None):
        assert graded("5.1", nothing).state == "unfinished"
