"""The way in from Python: what people type, for a list, a path and a corpus; and what they get wrong."""

import doctest
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.unit.training.conftest import NAMES

import backlight
import backlight.model
from backlight.core import BacklightError, ConfigError, RunError, VocabularyError
from backlight.models import MODELS
from backlight.runs import RunDirectory, find_run, list_runs, load_tensors, new_run_path, save_tensors
from backlight.sample import NotEnoughError
from backlight.text import Vocabulary, load_corpus
from backlight.training import DivergenceError, Evaluation, Progress, Run, RunConfig, load_model

TINY = {"context": 3, "embedding": 2, "hidden": (5,), "steps": 12, "batch_size": 8, "eval_interval": 4}
TEXT = "the cat sat on the mat and the dog sat on the cat\n" * 6


def train(data: Any = None, **options: Any) -> backlight.Model:
    return backlight.train(NAMES if data is None else data, progress=None, **{**TINY, **options})


@pytest.fixture(scope="module")
def model() -> backlight.Model:
    return train()


@pytest.fixture
def names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a file of names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "names.txt").write_text("\n".join(NAMES) + "\n")
    return tmp_path / "names.txt"


# -- the commonest jobs ------------------------------------------------------------------------------------------------


def test_the_examples_in_the_documentation_run(names: Path) -> None:
    del names
    found = doctest.testmod(backlight.model, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.failed == 0
    assert found.attempted > 15


def test_a_list_an_iterator_an_array_and_a_file_give_the_same_model(names: Path) -> None:
    given: list[Any] = [
        NAMES, tuple(NAMES), iter(NAMES), (name for name in NAMES), np.array(NAMES), [f" {name}\n" for name in NAMES],
        "names.txt", names, str(names), load_corpus(names), names.open(),
    ]  # fmt: skip
    models = [train(data) for data in given]
    given[-1].close()
    for other in models:
        for name, array in models[0].network.state_dict().items():
            np.testing.assert_array_equal(other.network.state_dict()[name], array)
        assert other.sample(5, seed=1) == models[0].sample(5, seed=1)


def test_a_corpus_by_its_name_and_a_file_that_is_called_so(names: Path) -> None:
    names.rename(names.parent / "names")
    whole = backlight.train("names", model="ngram", order=2)
    assert whole.vocabulary.size == 27
    mine = backlight.train(Path("names"), model="ngram", order=2)
    assert mine.vocabulary == Vocabulary.of(NAMES)
    assert mine.run.config.corpus == "./names"


@pytest.mark.parametrize("name", MODELS)
def test_every_model_trains_samples_scores_and_is_saved(name: str, tmp_path: Path) -> None:
    sizes: dict[str, Any] = {} if MODELS[name].counted else {"steps": 3, "batch_size": 4}
    made = backlight.train(NAMES, model=name, progress=None, **sizes)
    again = saved(made, tmp_path / "run")
    for one in (made, again):
        assert len(one.sample(3, seed=1)) == 3
        assert one.sample(3, seed=1) == made.sample(3, seed=1)
        np.testing.assert_array_equal(one.score(NAMES), made.score(NAMES))
        assert one.result is not None
        assert one.result["dev_nats"] == pytest.approx(made.result["dev_nats"])  # type: ignore[index]
        assert f"{name}, {one.network.num_parameters():,} parameters" in repr(one)


def saved(model: backlight.Model, path: Path) -> backlight.Model:
    model.save(path)
    return backlight.load(path)


def test_training_in_memory_is_training_in_a_folder(names: Path) -> None:
    del names
    inside, outside = train("names.txt"), train("names.txt", run="runs/mine")
    loaded = backlight.load("runs/mine")
    for other in (outside, loaded):
        for name, array in inside.network.state_dict().items():
            np.testing.assert_array_equal(other.network.state_dict()[name], array)
    kept = [inside.run.store, outside.run.store]
    checkpoints = [store.load_checkpoint() for store in kept]
    for name, array in checkpoints[0][0].items():
        np.testing.assert_array_equal(checkpoints[1][0][name], array)
    timed = {"seconds": 0, "characters_per_second": 0, "run": 0}
    assert [{**one, **timed} for one in kept[0].load_metrics()] == [{**one, **timed} for one in kept[1].load_metrics()]
    assert {**inside.result, **timed} == {**outside.result, **timed}  # type: ignore[dict-item]
    assert not list(Path().glob("*.safetensors"))


def test_the_best_weights_are_returned_and_not_the_last() -> None:
    seen: list[Evaluation] = []
    model = train(lr=0.5, schedule="constant", warmup=0, ema_decay=None, steps=40, on_evaluation=seen.append)
    best = min(seen, key=lambda record: record.dev_nats)
    assert best.step < seen[-1].step, "or this test shows nothing"
    assert model.result is not None
    assert model.result["best_step"] == best.step
    assert model.result["dev_nats"] == best.dev_nats


def test_one_text_is_trained_on_as_a_stream() -> None:
    model = train([TEXT], mode="text")
    (text,) = model.sample(1, seed=1)
    assert len(text) == 500
    assert len(model.sample(1, max_length=7)[0]) == 7
    assert model.log_probs("the cat").shape == (7,)
    assert -model.log_probs("the cat").sum() == pytest.approx(model.score("the cat")[0])
    with pytest.raises(ConfigError, match="novel needs a model of items"):
        model.sample(1, novel=True)


# -- using a model -----------------------------------------------------------------------------------------------------


def test_samples(model: backlight.Model) -> None:
    assert model.sample(seed=3) == model.sample(10, seed=3)
    assert model.sample(4, seed=3) != model.sample(4, seed=4)
    assert all(text.startswith("ma") for text in model.sample(5, prefix="ma", seed=1))
    assert len(set(model.sample(3, temperature=0, seed=1))) == 1
    assert all(len(text) <= 3 for text in model.sample(20, max_length=3, seed=1))
    new = model.sample(20, novel=True, unique=True, seed=1)
    assert not set(new) & set(NAMES)
    assert len(set(new)) == 20
    with pytest.raises(NotEnoughError):
        model.sample(5, temperature=0, unique=True)


def test_scores_are_minus_the_sum_of_log_probabilities(model: backlight.Model) -> None:
    texts = ["emma", "a", "", "ava"]
    scores = model.score(texts)
    assert scores.dtype == np.float64
    for text, nats in zip(texts, scores, strict=True):
        log_p = model.log_probs(text)
        assert log_p.shape == (len(text) + 1,)
        assert (log_p < 0).all()
        assert -log_p.sum() == pytest.approx(nats)
    assert model.score("emma") == pytest.approx(model.score(["emma"]))
    assert model.score(iter(texts)).shape == (4,)


def test_a_file_is_scored_by_its_lines(model: backlight.Model, names: Path) -> None:
    np.testing.assert_array_equal(model.score(names), model.score(NAMES))
    np.testing.assert_array_equal(model.score(load_corpus(names)), model.score(NAMES))


def test_an_unknown_character_costs_infinity_and_no_other_text(model: backlight.Model) -> None:
    scores = model.score(["emma", "\N{SNOWMAN}", "ava"])
    assert np.isinf(scores).tolist() == [False, True, False]
    assert scores[0] == model.score(["emma"])[0]
    with pytest.raises(VocabularyError, match=r"U\+2603"):
        model.log_probs("e\N{SNOWMAN}")


def of(name: str) -> backlight.Model:
    sizes = {
        "mlp": TINY, "batch norm": {**TINY, "batch_norm": True},
        "gpt": {"context": 5, "n_embd": 4, "n_head": 2, "n_layer": 1, "steps": 4},
        "gru": {"context": 5, "embedding": 3, "hidden": (4,), "steps": 4},
        "wavenet": {"context": 4, "embedding": 3, "hidden": 6, "steps": 4},
    }[name]  # fmt: skip
    return backlight.train(NAMES, model={"batch norm": "mlp"}.get(name, name), progress=None, **sizes)


@pytest.mark.parametrize("name", ["mlp", "batch norm", "gpt", "gru", "wavenet"])
@pytest.mark.parametrize("text", ["", "em", "isabella"])
def test_activations_are_what_the_layers_give(name: str, text: str) -> None:
    made = of(name)
    network: Any = made.network
    found = made.activations(text)
    names = {path for path, module in network.named_modules() if path}
    assert set(found) <= names | {"logits"}
    # the logits are those by which the next character is drawn, and so are its probabilities
    last = found["logits"].reshape(-1, made.vocabulary.size)[-1].astype(np.float64)
    p = np.exp(last - last.max()) / np.exp(last - last.max()).sum()
    if len(text) < 5:  # a sequence that is scored starts again after each context
        for character in "ae":
            expected = np.exp(made.log_probs(text + character)[len(text)])
            assert p[made.vocabulary.encode(character)[0]] == pytest.approx(expected, rel=1e-4)
    if name == "mlp":
        assert {key: array.shape for key, array in found.items()} == {
            "embedding": (1, 3, 2), "hidden.0": (1, 5), "hidden.1": (1, 5), "hidden": (1, 5),
            "output": (1, made.vocabulary.size), "logits": (1, made.vocabulary.size),
        }  # fmt: skip
        np.testing.assert_array_equal(found["hidden.1"], np.tanh(found["hidden.0"]))
    if name == "gpt":
        assert found["logits"].shape == (1, min(len(text) + 1, 5), made.vocabulary.size)


def test_use_leaves_the_network_as_it_was(model: backlight.Model) -> None:
    network: Any = model.network
    network.train()
    before = network.state_dict()
    model.sample(3), model.score(["emma"]), model.activations("em")
    assert all(module.training for _, module in network.named_modules())
    assert not any(module._forward_hooks for _, module in network.named_modules())
    for name, array in network.state_dict().items():
        np.testing.assert_array_equal(array, before[name])
    network.eval()


def test_a_change_of_the_network_is_used_and_saved(tmp_path: Path) -> None:
    for name in ("mlp", "batch norm"):
        made = of(name)
        network: Any = made.network
        before = made.score(["emma"])[0]
        network.output.bias.array[...] += np.linspace(0, 1, made.vocabulary.size)
        after = made.score(["emma"])[0]
        assert after != before
        assert saved(made, tmp_path / name).score(["emma"])[0] == after


def test_a_model_that_counts_has_no_activations() -> None:
    with pytest.raises(ConfigError, match="activations needs a network; ngram has no layers"):
        backlight.train(NAMES, model="ngram").activations("em")


def test_what_a_notebook_shows_is_escaped() -> None:
    made = backlight.train([f"<b>{name}</b>&" for name in NAMES], model="ngram")
    shown = made._repr_html_()
    assert "<b>" not in shown
    assert "&lt;b&gt;" in shown
    assert "nats per character" in shown
    assert shown.count("<table>") == 1
    assert len(repr(made).splitlines()) == 1


# -- saving ------------------------------------------------------------------------------------------------------------


def test_a_saved_model_can_be_continued_and_has_its_text(tmp_path: Path) -> None:
    made = train([*NAMES, "two\nlines"])
    made.save(str(tmp_path / "run"))
    run = Run.open(tmp_path / "run")
    assert run.corpus.items == [*NAMES, "two\nlines"]
    assert run.trainer().finished
    assert run.result is not None
    assert run.result["run"] == str(tmp_path / "run")
    assert backlight.load(tmp_path / "run").sample(9, novel=True, seed=1) == made.sample(9, novel=True, seed=1)
    with pytest.raises(RunError, match="exists already"):
        made.save(tmp_path / "run")


def test_a_run_with_its_text_in_memory_can_be_stopped_saved_and_continued(tmp_path: Path) -> None:
    config = RunConfig.of("(list)", **TINY)
    whole, stopped = (Run.create(config, corpus=load_corpus(NAMES)) for _ in range(2))
    assert whole.train()

    def setup(trainer: Any) -> None:
        trainer.on_evaluation = lambda record: trainer.request_stop() if record.step == 4 else None

    assert not stopped.train(setup)
    backlight.Model(stopped).save(tmp_path / "run")
    assert backlight.load(tmp_path / "run").result is None
    assert "training was stopped" in repr(backlight.load(tmp_path / "run"))
    assert Run.open(tmp_path / "run").train()
    expected, _ = whole.store.load_checkpoint()
    for name, array in RunDirectory.open(tmp_path / "run").load_checkpoint()[0].items():
        np.testing.assert_array_equal(array, expected[name])


# -- progress, Ctrl-C --------------------------------------------------------------------------------------------------


def test_progress_and_evaluations_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backlight.training.trainer.PROGRESS_SECONDS", 0.0)
    moves: list[Progress] = []
    records: list[Evaluation] = []
    backlight.train(NAMES, **TINY, progress=moves.append, on_evaluation=records.append)
    assert [move.step for move in moves] == list(range(1, 13))
    assert [record.step for record in records] == [0, 4, 8, 12]


@pytest.mark.parametrize("progress", [True, None, False])
def test_nothing_is_printed_where_there_is_no_terminal(progress: Any, capfd: pytest.CaptureFixture[str]) -> None:
    backlight.train(NAMES, **TINY, progress=progress)
    assert capfd.readouterr() == ("", "")


def interrupt(record: Evaluation) -> None:
    if record.step == 4:
        signal.raise_signal(signal.SIGINT)


def test_ctrl_c_in_a_script_saves_and_raises(names: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del names
    monkeypatch.delattr(sys, "ps1", raising=False)
    with pytest.raises(KeyboardInterrupt, match=r"backlight train --resume runs/mine"):
        train(run="runs/mine", on_evaluation=interrupt)
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
    assert Run.open("runs/mine").store.load_checkpoint()[1]["step"] == 4
    assert Run.open("runs/mine").train()
    expected = train().network.state_dict()
    for name, array in backlight.load("runs/mine").network.state_dict().items():
        np.testing.assert_array_equal(array, expected[name])
    with pytest.raises(KeyboardInterrupt, match="Nothing was saved"):
        train(on_evaluation=interrupt)


def test_ctrl_c_at_a_prompt_returns_the_best_model_so_far(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)
    stopped = train(on_evaluation=interrupt)
    assert capfd.readouterr() == ("", "")
    backlight.train(NAMES, **TINY, on_evaluation=interrupt)
    assert "Training was stopped" in capfd.readouterr().err
    assert stopped.result is None
    assert len(stopped.sample(3)) == 3
    assert "training was stopped" in repr(stopped)
    assert "nats per character" not in stopped._repr_html_()


def test_a_second_ctrl_c_ends_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "ps1", ">>> ", raising=False)

    def twice(record: Evaluation) -> None:
        del record
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(on_evaluation=twice)


def test_an_error_in_a_callback_is_the_callers() -> None:
    def fail(record: Evaluation) -> None:
        raise ZeroDivisionError(record.step)

    with pytest.raises(ZeroDivisionError):
        train(on_evaluation=fail)


# -- what can be wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: train("nmaes.txt"), "there is no file 'nmaes.txt'"),
        (lambda: train("nmaes"), "Did you mean names? To train on a text, put it in a list"),
        (lambda: train("emma\nolivia\n" * 1000), "To train on a text, put it in a list: [text]"),
        (lambda: train("a\0b"), "there is no file"),
        (lambda: train(["emma", 3]), "must contain strings only; got int at index 1"),
        (lambda: train([]), "at least one string that is not blank"),
        (lambda: train(["", " "]), "at least one string that is not blank"),
        (lambda: train(["a", "b"]), "got 2 distinct items"),
        (lambda: train(7), "a name, a path or a list of strings; got int"),
        (lambda: train(b"emma"), "got bytes"),
        (lambda: train({"emma": 1}), "got dict"),
        (lambda: train(["\ud800a", "b", "c"]), "a lone surrogate"),
        (lambda: train(model="mpl"), "there is no model 'mpl'. Did you mean mlp?"),
        (lambda: train(model=["mlp"]), "there is no model ['mlp']"),
        (lambda: train(hiden=3), "there is no option 'hiden' for mlp. Did you mean hidden?"),
        (lambda: train(n_head=3), "n_head is a setting of gpt"),
        (lambda: train(steps="5"), "steps must be a whole number; got '5'"),
        (lambda: train(lr=float("nan")), "lr must be a finite number"),
        (lambda: train(hidden=7), "hidden must be a list of whole numbers; got 7"),
        (lambda: train(hidden=(10**6, 10**6)), "does not fit into memory"),
        (lambda: train(seed=-1), "seed must be 0 or more"),
        (lambda: train(seed="x"), "seed must be a whole number"),
        (lambda: train(mode="lines"), "mode must be 'items' or 'text'"),
        (lambda: train(fractions=(1, 1, 1)), "with sum 1"),
        (lambda: train(fractions=3), "fractions must be a list of 3 numbers"),
        (lambda: train(run="/dev/null/x"), "cannot write /dev/null/x"),
        (
            lambda: backlight.train(NAMES, model="ngram", steps=3),
            "ngram counts n-grams and is not trained",
        ),
        (lambda: backlight.load("no/such/run"), "there is no 'no/such/run'"),
        (lambda: backlight.load(Path("no")), "there is no 'no'"),
    ],
)
def test_what_cannot_be_trained_or_loaded_is_one_line(call: Callable[[], Any], says: str) -> None:
    with pytest.raises(BacklightError) as error:
        call()
    assert says in str(error.value)
    assert "\n" not in str(error.value)
    assert isinstance(error.value, ValueError)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda m: m.sample(0), "count must be from 1 to 1,000,000; got 0"),
        (lambda m: m.sample(10**9), "count must be from 1 to 1,000,000; got 1000000000"),
        (lambda m: m.sample("5"), "count must be a whole number; got '5'"),
        (lambda m: m.sample(2.0), "count must be a whole number; got 2.0"),
        (lambda m: m.sample(1, max_length=10**20), "max_length must be from 1 to 1,000,000"),
        (lambda m: m.sample(1, temperature=-1.0), "temperature must be a finite number, 0 or more"),
        (lambda m: m.sample(1, temperature="hot"), "temperature must be a number; got 'hot'"),
        (lambda m: m.sample(1, top_p=0.0), "top_p must be above 0 and at most 1; got 0.0"),
        (lambda m: m.sample(1, top_k=0), "top_k must be 1 or more; got 0"),
        (lambda m: m.sample(1, prefix=3), "prefix must be a string; got 3"),
        (lambda m: m.sample(1, prefix="\N{SNOWMAN}"), "characters in the vocabulary"),
        (lambda m: m.sample(1, seed=-1), "seed must be 0 or more; got -1"),
        (lambda m: m.sample(1, seed="a"), "seed must be a whole number; got 'a'"),
        (lambda m: m.score([]), "at least one item"),
        (lambda m: m.score([3]), "must be strings; got int at index 0"),
        (lambda m: m.score(7), "got int"),
        (lambda m: m.log_probs(["emma"]), "text must be a string; got list"),
        (lambda m: m.activations(None), "text must be a string; got NoneType"),
        (lambda m: m.activations("\N{SNOWMAN}"), "must be in the vocabulary"),
        (lambda m: m.network("emma"), "reads ids, not text; got 'emma'"),
        (lambda m: m.network(["emma"]), "reads ids, not text"),
        (lambda m: m.network(np.zeros((1, 3))), "reads integer ids of shape (B, T); got float64 of shape (1, 3)"),
        (lambda m: m.network([[1], [2, 3]]), "a tensor must be made of numbers"),
        (lambda m: m.network(np.zeros(3, int)), "got int64 of shape (3,)"),
        (lambda m: m.network([[0, 1, 99]]), "ids"),
    ],
)
def test_what_a_model_cannot_do_is_one_line(model: backlight.Model, call: Callable[[Any], Any], says: str) -> None:
    with pytest.raises(BacklightError) as error:
        call(model)
    assert says in str(error.value)
    assert "\n" not in str(error.value)


def test_ids_may_be_a_list_an_array_or_a_tensor(model: backlight.Model) -> None:
    network: Any = model.network
    ids = np.array([[0, 1, 2]])
    expected = network(ids).detach().numpy()
    for given in (ids.tolist(), ids.astype(np.uint8), backlight.Tensor(ids)):
        np.testing.assert_array_equal(network(given).detach().numpy(), expected)


def test_divergence_is_one_line() -> None:
    with pytest.raises(DivergenceError, match="the loss must stay finite") as error:
        train(lr=1e30, warmup=0)
    assert "\n" not in str(error.value)


def test_paths_may_be_strings(names: Path) -> None:
    train("names.txt", run="runs/names-mlp-1")
    run = RunDirectory.open("runs/names-mlp-1")
    assert RunDirectory.open(Path("runs/names-mlp-1")) == run
    assert load_model("runs/names-mlp-1")[1] == load_model(Path("runs/names-mlp-1"))[1] == load_model(run)[1]
    assert Run.open("runs/names-mlp-1").config == Run.open(run).config
    assert find_run("names-mlp-1", "runs") == find_run(Path("names-mlp-1"), Path("runs")) == run
    assert backlight.load("names-mlp-1").run.path == Path("runs/names-mlp-1")
    assert list_runs("runs") == list_runs(Path("runs"))
    assert new_run_path("runs", "names", "mlp") == Path("runs/names-mlp-2")
    assert load_corpus("names.txt").items == load_corpus(names).items == load_corpus(NAMES).items
    save_tensors("some.safetensors", {"a": np.ones(2)}, {})
    assert load_tensors("some.safetensors", remedy="")[0].keys() == {"a"}


def test_importing_backlight_imports_no_more_than_it_must() -> None:
    code = (
        "import backlight, sys, json\n"
        "print(json.dumps([one for one in sys.modules if one.split('.')[0] in ('rich', 'backlight', 'safetensors')]))\n"
        "print(sorted(set(backlight.__all__) - set(dir(backlight))))\n"
        "backlight.train, backlight.load, backlight.Model, backlight.nn.Linear, backlight.optim, backlight.models\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, missing = done.stdout.splitlines()
    modules = set(json.loads(first))
    assert missing == "[]"
    assert not modules & {"rich", "safetensors", "backlight.model", "backlight.training", "backlight.nn"}


def test_what_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'trian'"):
        backlight.trian  # type: ignore[attr-defined]  # noqa: B018
