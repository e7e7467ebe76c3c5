"""From a run to the numbers of its figures, counted again here by hand."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure
from tests.unit.figures.layout import cut_off, drawn, overlaps

from backlight import figures
from backlight.autograd.ops.attention import CausalAttention
from backlight.core import VocabularyError
from backlight.figures import DARK_STYLE, FIGURES, STYLE, NoFigureError, RunData, SizedFigure, counts
from backlight.figures.embeddings import principal_plane
from backlight.figures.losses import running_mean
from backlight.models.gpt import attention_weights
from backlight.runs import RunDirectory
from backlight.sample import score_items
from backlight.training import Run, RunConfig, TrainConfig, load_model

NAMES = [
    "emma", "olivia", "ava", "isabella", "sophia", "mia", "amelia", "harper", "evelyn", "abigail", "liam", "noah",
    "oliver", "james", "elijah", "william", "henry", "lucas", "benjamin", "theodore", "mateo", "levi", "sebastian",
]  # fmt: skip

SETTINGS: dict[str, dict[str, Any]] = {
    "bigram": {},
    "mlp": {"context": 3, "embedding": 2, "hidden": [5]},
    "wavenet": {"context": 4, "embedding": 3, "hidden": 6},
    "gpt": {"context": 6, "n_embd": 8, "n_layer": 2, "n_head": 2, "dropout": 0.5},
    "gru": {},
    "ngram": {"order": 3},
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], RunDirectory]:
    folder = tmp_path_factory.mktemp("runs")
    (folder / "names.txt").write_text("\n".join(NAMES) + "\n")
    made: dict[str, RunDirectory] = {}

    def run(model: str) -> RunDirectory:
        if model not in made:
            train = None if model == "ngram" else TrainConfig(steps=8, batch_size=8, lr=0.01, eval_interval=4)
            config = RunConfig(
                corpus=str(folder / "names.txt"), model=model, settings=SETTINGS[model], train=train, seed=3
            )
            trained = Run.create(config, folder / model)
            trained.train()
            made[model] = RunDirectory.open(folder / model)
        return made[model]

    return run


@pytest.fixture
def source(runs) -> Callable[..., RunData]:
    return lambda model, **given: RunData(runs(model), **given)


def axes_of(figure: SizedFigure):
    with mpl.rc_context(STYLE):
        drawn = Figure(figsize=(figure.width, figure.height), layout=figure.layout)
        figure.draw(drawn)
    return drawn.axes


def pairs(items):
    return Counter(pair for item in items for pair in pairwise(f".{item}."))


def test_counts_are_those_of_the_training_part(source):
    one = source("mlp")
    found = pairs(one.trained.splits.train.items)
    labels = one.labels
    for first, second in np.ndindex(one.counts.shape):
        assert one.counts[first, second] == found[labels[first], labels[second]]
    shown = axes_of(figures.bigram_counts.of(one))[0].images[0].get_array()
    assert np.array_equal(shown, one.counts)


def test_probabilities_of_each_row_sum_to_1_where_there_are_any(source):
    one = source("mlp")
    p = np.ma.filled(axes_of(figures.bigram_probabilities.of(one))[0].images[0].get_array().astype(float), np.nan)
    seen = one.counts.sum(axis=1) > 0
    assert np.allclose(p[seen].sum(axis=1), 1)
    assert np.isnan(p[~seen]).all()


def test_firing_rates_are_how_often_each_character_is_read_last(source):
    one = source("mlp")
    x = one.trained.data["train"].batch(np.arange(len(one.trained.data["train"]))).x[:, -1]
    rates = [bar.get_height() for bar in axes_of(figures.firing_rates.of(one))[0].patches]
    assert np.allclose(rates, np.bincount(x, minlength=len(one.labels)) / len(x))


def test_rows_of_w_are_shown_as_log_probabilities_beside_the_logs_of_shares(source):
    one = source("bigram")
    left, right = (ax.images[0].get_array() for ax in axes_of(figures.weights.of(one))[:2])
    W = one.run.load_weights()[0]["table.weight"].astype(float)
    assert np.allclose(np.exp(left).sum(axis=1), 1)
    assert np.allclose(left - W, (left - W)[:, :1], atol=1e-5)  # a row of W up to a constant
    assert np.allclose(np.exp(np.ma.filled(right, -np.inf)).sum(axis=1)[one.counts.sum(axis=1) > 0], 1)


def test_the_gradient_of_w_is_share_expected_less_share_found(source):
    one = source("bigram")
    x, y = one.batch.x[:, -1], one.batch.y
    p = one.probabilities(one.batch.x)
    expected = np.zeros((len(one.labels),) * 2)
    np.add.at(expected, x, (p - np.eye(len(one.labels))[y]) / len(x))
    shown = axes_of(figures.weight_gradient.of(one))[0].images[0].get_array()
    assert np.allclose(shown, expected, atol=1e-6)


def test_an_embedding_of_two_numbers_is_shown_as_it_is_and_a_longer_one_from_its_widest_side(source):
    two, many = (axes_of(figures.embedding.of(source(model)))[0] for model in ("mlp", "wavenet"))
    assert two.get_xlabel() == "first axis"
    at = {text.get_text(): text.get_position() for text in two.texts}
    weight = source("mlp").run.load_weights()[0]["embedding.weight"]
    assert np.allclose([at[label] for label in source("mlp").labels], weight)
    assert "principal" in many.get_xlabel()


def test_the_principal_plane_is_that_of_the_widest_spread(rng):
    plane = rng.normal(0, [5, 3], (40, 2))
    turn, _ = np.linalg.qr(rng.normal(0, 1, (6, 6)))
    vectors = np.concatenate([plane, rng.normal(0, 0.01, (40, 4))], axis=1) @ turn + 7
    points, shares = principal_plane(vectors)
    assert points.std(axis=0) == pytest.approx(np.linalg.svd(plane - plane.mean(0))[1] / np.sqrt(40), rel=0.01)
    assert sum(shares) == pytest.approx(1, abs=1e-4)
    assert shares[0] > shares[1]
    assert points[np.abs(points).argmax(axis=0), [0, 1]].min() > 0


def test_the_loss_is_that_of_the_metrics(source):
    one = source("mlp")
    records = one.run.load_metrics()
    raw, smoothed, dev, nothing = axes_of(figures.loss.of(one))[0].lines
    assert raw.get_xdata().tolist() == list(range(8))
    assert raw.get_ydata().tolist() == [record["loss"] for record in records if "loss" in record]
    assert dev.get_xdata().tolist() == [0, 4, 8]
    assert dev.get_ydata().tolist() == [record["dev_nats"] for record in records if "dev_nats" in record]
    assert nothing.get_ydata()[0] == pytest.approx(np.log(len(one.labels)))
    assert len(smoothed.get_ydata()) == 8


def test_a_running_mean_stays_in_the_middle_and_passes_over_what_is_no_number():
    values = np.array([1.0, 2.0, 3.0, np.nan, 9.0])
    assert running_mean(values, 3).tolist() == [1.5, 2.0, 2.5, 6.0, 9.0]
    assert running_mean(values, 1)[:3].tolist() == [1, 2, 3]
    ramp = np.arange(50.0)
    assert np.allclose(running_mean(ramp, 7)[3:-3], ramp[3:-3])


def test_the_league_has_the_runs_on_the_same_text(source, runs):
    for model in ("bigram", "mlp", "ngram"):
        runs(model)
    folder = runs("mlp").path.parent
    (folder / "other.txt").write_text("\n".join(name[::-1] for name in NAMES) + "\n")
    for name, text, seed in (("otherwise", "other.txt", 42), ("elsewhere", "names.txt", 7)):
        config = RunConfig.of(str(folder / text), model="ngram", split_seed=seed)
        stranger = Run.create(config, folder / name)
        stranger.train()
    left, right = axes_of(figures.league.of(source("mlp")))
    names = {text.get_text() for text in left.texts}
    assert {"bigram", "mlp", "ngram"} <= names
    assert not {"otherwise", "elsewhere"} & names
    nats = sorted(RunDirectory.open(runs("mlp").path.parent / name).load_result()["dev_nats"] for name in names)
    assert sorted(left.collections[0].get_offsets()[:, 1].tolist()) == pytest.approx(nats)
    assert {text.get_text() for text in right.texts} == names


def test_a_run_alone_has_no_league(tmp_path):
    (tmp_path / "names.txt").write_text("\n".join(NAMES) + "\n")
    run = Run.create(RunConfig.of(str(tmp_path / "names.txt"), model="ngram", order=2), tmp_path / "runs" / "alone")
    with pytest.raises(NoFigureError, match="at least two finished runs"):
        figures.league.of(RunData(run.store))


@pytest.mark.parametrize("model", ["mlp", "gpt", "ngram"])
def test_next_characters_are_what_the_model_expects_after_the_text(source, model):
    one = source(model, text="em")
    loaded, vocabulary = load_model(one.run)
    context = np.array([0, 0, 0, *vocabulary.encode("em")])
    x = context[-loaded.context :] if model != "gpt" else context[2:]
    logits = np.asarray(loaded.next_logits(x[None])[0], float)
    p = np.exp(logits - logits.max())
    p /= p.sum()
    ax = axes_of(figures.next_character.of(one))[0]
    assert np.allclose([bar.get_height() for bar in ax.patches], np.sort(p)[::-1], atol=1e-6)
    assert ax.get_title("left") == "Next character after “em”"


def test_without_a_text_half_an_item_is_read_and_its_next_character_marked(source):
    one = source("mlp")
    item = one.text
    assert item in one.trained.splits.dev.items
    title = axes_of(figures.next_character.of(one))[0].get_title("left")
    half = len(item) // 2
    assert title.startswith(f"Next character after “{item[:half]}”: “{item[half]}” came, with probability ")


@pytest.mark.parametrize("model", ["mlp", "gpt", "ngram"])
def test_surprise_is_the_score_of_each_character(source, model):
    one = source(model, text="harper")
    (score,) = score_items(one.model, one.vocabulary, ["harper"])
    ax = axes_of(figures.surprise.of(one))[0]
    assert [bar.get_height() for bar in ax.patches] == pytest.approx([nats for _, nats in score.per_character])
    assert [text.get_text() for text in ax.texts][:7] == list("harper.")


def test_what_an_unsmoothed_model_never_saw_has_no_next_character(tmp_path):
    (tmp_path / "names.txt").write_text("\n".join(NAMES) + "\n")
    settings = {"order": 3, "smoothing": "add-k", "k": 0}
    run = Run.create(RunConfig.of(str(tmp_path / "names.txt"), model="ngram", **settings), tmp_path / "run")
    run.count()
    with pytest.raises(NoFigureError, match="the model has never seen this context"):
        figures.next_character.of(RunData(run.store, text="jjj"))
    bars = axes_of(figures.surprise.of(RunData(run.store, text="jjj")))[0].patches
    assert len(bars) == 4


def test_a_text_of_other_characters_is_refused(source):
    with pytest.raises(VocabularyError):
        figures.surprise.of(source("mlp", text="Ω"))


@pytest.mark.parametrize("model", ["mlp", "gpt"])
def test_dlogits_are_softmax_less_target(source, model):
    one = source(model)
    shown = axes_of(figures.dlogits.of(one))[0].images[0].get_array()
    assert np.allclose(shown.sum(axis=1), 0, atol=1e-6)
    assert ((shown < 0).sum(axis=1) == 1).all()
    targets = one.batch.y[:32]
    count = int((targets >= 0).sum())
    assert shown.argmin(axis=1).tolist() == targets[targets >= 0][:32].tolist()
    p = shown * count + np.eye(len(one.labels))[shown.argmin(axis=1)]
    assert np.allclose(p.sum(axis=1), 1, atol=1e-5)
    assert (p >= -1e-6).all()


def test_attention_weights_are_those_that_the_model_uses(source, monkeypatch):
    one = source("gpt", text="emma")
    used = []
    mixed = CausalAttention.forward

    def forward(qkv, **settings):
        out, saved = mixed(qkv, **settings)
        used.append((qkv, out))
        return out, saved

    monkeypatch.setattr(CausalAttention, "forward", staticmethod(forward))
    weights = attention_weights(one.network, one.context_of("emma"))
    assert len(weights) == len(used) == 2
    for p, (qkv, out) in zip(weights, used, strict=True):
        assert np.allclose(p.sum(axis=-1), 1, atol=1e-6)
        assert not np.triu(p, 1).any()
        H, T, _ = p.shape
        values = qkv.reshape(T, 3, H, -1)[:, 2].transpose(1, 0, 2)
        assert np.allclose((p @ values).transpose(1, 0, 2).reshape(T, -1), out.reshape(T, -1), atol=1e-5)
    titles = [ax.get_title("left") for ax in axes_of(figures.attention.of(one))]
    assert titles == [f"block {block}, head {head}" for block in (1, 2) for head in (1, 2)]


def test_the_tree_names_what_wavenet_expects_and_who_bears_on_it(source):
    one = source("wavenet", text="isab")
    ax = axes_of(figures.receptive_field.of(one))[0]
    *letters, outcome = [text.get_text() for text in ax.texts]
    assert letters == list("isab")
    likeliest = one.labels[int(one.probabilities(one.context_of("isab"))[0].argmax())]
    assert outcome == f"→ {likeliest}"
    sizes = ax.collections[0].get_sizes()
    assert len(set(sizes)) == 4

    def bears(place: int) -> float:
        """How much the log-probability of the outcome changes with a tiny change of a character's vector."""
        network, ids = one.network.to(np.float64), one.context_of("isab")
        vectors = network.embedding(ids)
        slope = []
        for channel in range(3):
            nats = []
            for sign in (1, -1):
                moved = vectors.array.copy()
                moved[0, place, channel] += sign * 1e-5
                logits = network.output(network.hidden(type(vectors)(moved))).array[0]
                nats.append(logits[one.labels.index(likeliest)] - np.log(np.exp(logits).sum()))
            slope.append((nats[0] - nats[1]) / 2e-5)
        return float(np.linalg.norm(slope))

    influence = np.array([bears(place) for place in range(4)])
    assert np.allclose((sizes - 12) / 260, influence / influence.max(), atol=1e-3)


def test_maps_of_a_layer_are_those_of_its_tanh(source):
    one = source("mlp")
    weights = {name: array.astype(float) for name, array in one.run.load_weights()[0].items()}
    x = weights["embedding.weight"][one.batch.x].reshape(len(one.batch.x), -1)
    y = np.tanh(x @ weights["hidden.0.weight"] + weights["hidden.0.bias"])
    (ax,) = axes_of(figures.saturation.of(one))
    shown = ax.images[0].get_array() > 0
    assert (shown == (np.abs(y[: len(shown)]) > 0.97)).all()
    (ax,) = axes_of(figures.activations.of(one))
    counts, _ = np.histogram(y, 48, (-1, 1))
    assert np.allclose(-ax.lines[1].get_ydata()[::2] / 0.86, counts / counts.max(), atol=0.02)


def test_a_run_that_was_watched_shows_how_far_its_steps_went(source, tmp_path):
    (tmp_path / "names.txt").write_text("\n".join(NAMES) + "\n")
    config = RunConfig.of(str(tmp_path / "names.txt"), **SETTINGS["mlp"], steps=25, batch_size=8, watch_every=5)
    run = Run.create(config, tmp_path / "run")
    run.trainer().fit()
    (ax,) = axes_of(figures.update_to_data.of(RunData(run.store)))
    hidden, output, thousandth = ax.lines
    assert hidden.get_xdata().tolist() == [*range(10), 10, 15, 20]
    assert (hidden.get_ydata() > 0).all()
    assert (output.get_ydata() > 0).all()
    assert thousandth.get_ydata() == [1e-3, 1e-3]
    with pytest.raises(NoFigureError, match="Train with --health"):
        figures.update_to_data.of(source("mlp"))


OF_LAYERS = {"activations", "preactivations", "activation-gradients", "weight-gradients", "gradient-to-data"}
EXPECTED = {
    "bigram": {"weights", "weight-gradient", "embedding", "loss", "rate-sweep", "dlogits"},
    "mlp": {"embedding", "loss", "rate-sweep", "dlogits", "saturation", "dead-units"} | OF_LAYERS,
    "wavenet": {"embedding", "loss", "rate-sweep", "dlogits", "receptive-field", "saturation", "dead-units"}
    | OF_LAYERS,
    "gpt": {"embedding", "loss", "rate-sweep", "dlogits", "attention"} | OF_LAYERS,
    "ngram": set(),
}
OF_ALL = {"bigram-counts", "bigram-probabilities", "firing-rates", "next-character", "surprise", "league"}


@pytest.mark.parametrize("model", EXPECTED)
def test_each_kind_of_model_has_its_figures(source, runs, model):
    runs("bigram"), runs("mlp")  # a league needs others
    one = source(model)
    had, reasons = set(), []
    for name, spec in FIGURES.items():
        try:
            spec.of(one)
            had.add(name)
        except NoFigureError as error:
            reasons.append(str(error))
    assert had == EXPECTED[model] | OF_ALL
    assert all(reason.startswith("it needs ") for reason in reasons)


@pytest.mark.parametrize("style", [STYLE, DARK_STYLE], ids=["light", "dark"])
@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_drawn_from_a_run_and_can_be_read(source, runs, name, style, monkeypatch):
    runs("bigram"), runs("mlp")  # a league needs others
    for model in SETTINGS:
        try:
            made = FIGURES[name].of(source(model))
        except NoFigureError:
            continue
        with mpl.rc_context(style):
            figure = Figure(figsize=(made.width, made.height), layout=made.layout)
            made.draw(figure)
            texts = drawn(figure, monkeypatch)
            assert cut_off(figure, texts) == []
            assert name == "embedding" or overlaps(texts) == []
        return
    recorded = name == "update-to-data"  # none of these runs was recorded; the next test has one
    assert recorded, f"no run has the figure {name}: say how it is made from one, by @{name.replace('-', '_')}.from_run"


def test_what_needs_no_text_is_drawn_when_the_text_is_gone(tmp_path):
    (tmp_path / "names.txt").write_text("\n".join(NAMES) + "\n")
    config = RunConfig.of(str(tmp_path / "names.txt"), **SETTINGS["mlp"], steps=4, batch_size=4)
    run = Run.create(config, tmp_path / "run")
    run.trainer().fit()
    (tmp_path / "names.txt").unlink()
    one = RunData(run.store)
    figures.loss.of(one)
    figures.embedding.of(one)
    with pytest.raises(NoFigureError, match="it needs the run's text"):
        figures.bigram_counts.of(one)
    with pytest.raises(NoFigureError, match=r"it needs a text\. Give one: --text TEXT"):
        figures.surprise.of(one)
    figures.surprise.of(RunData(run.store, text="emma"))
    run.store.save_samples("emily\nava\n")
    assert RunData(run.store).text == "emily"


def test_a_run_without_weights_has_its_loss_only(tmp_path):
    (tmp_path / "names.txt").write_text("\n".join(NAMES) + "\n")
    run = Run.create(RunConfig.of(str(tmp_path / "names.txt"), **SETTINGS["mlp"], steps=4), tmp_path / "run")
    one = RunData(run.store)
    for spec in (figures.embedding, figures.surprise):
        with pytest.raises(NoFigureError, match="it needs weights"):
            spec.of(one)
    with pytest.raises(NoFigureError, match="it needs losses"):
        figures.loss.of(one)


def test_a_stream_gives_a_line_of_itself(tmp_path: Path):
    (tmp_path / "text.txt").write_text("".join(f"line {k} of a text that goes on and on\n" for k in range(200)))
    run = Run.create(RunConfig.of(str(tmp_path / "text.txt"), model="ngram", order=2, mode="text"), tmp_path / "run")
    run.count()
    one = RunData(run.store)
    assert one.text.endswith("and on")
    assert "\n" not in one.text
    labels = [text.get_text() for text in axes_of(figures.surprise.of(one))[0].texts]
    assert labels[: len(one.text)] == list(one.text.replace(" ", "␣"))
    assert "." not in labels  # a stream has no end to predict


def test_more_characters_than_a_table_can_show_are_refused(source, monkeypatch):
    monkeypatch.setattr(counts, "_MOST", 5)
    with pytest.raises(NoFigureError, match="up to 5 characters"):
        figures.bigram_counts.of(source("mlp"))


def test_a_text_from_standard_input_is_gone(source):
    one = source("mlp")
    one.config = replace(one.config, corpus="-")
    with pytest.raises(NoFigureError, match="standard input"):
        figures.bigram_counts.of(one)
