"""The choice of a model: what it depends on, and that it is the best of what was tried."""

from dataclasses import replace

import numpy as np
import pytest

import backlight
from backlight.core import ConfigError
from backlight.text import load_corpus
from backlight.training import Run, RunConfig, choose
from backlight.training import choosing as module

FEW = ["emma", "olivia", "ava", "isabella", "sophia", "mia", "amelia", "harper", "evelyn", "abigail", "liam", "noah"]
SMILES_ENDS = ["", "N", "O", "C(=O)O", "C(N)=O", "[N+](=O)[O-]", "S(N)(=O)=O"]
SYLLABLES = ["ka", "lo", "mi", "ten", "ra", "su", "vel", "o", "an", "dri", "ko", "pa"]


def words(count: int) -> list[str]:
    rng = np.random.default_rng(0)
    return ["".join(rng.choice(SYLLABLES, rng.integers(2, 5))) for _ in range(count)]


def test_few_items_get_an_n_gram_chosen_by_folds() -> None:
    corpus = load_corpus(FEW)
    choice = choose(RunConfig.of(corpus.name, model="ngram"), corpus)
    assert choice.config.model == "ngram"
    assert choice.config.settings["order"] in module.ORDERS
    assert "12 different items" in choice.lines[0]
    assert "These are few" in choice.lines[1]
    assert choose(RunConfig.of(corpus.name, model="ngram"), corpus) == choice


def test_few_items_train_to_new_samples_in_one_call() -> None:
    model = backlight.train(FEW, "auto", progress=None)
    assert model.run.config.model == "ngram"
    found = model.sample(20, novel=True, unique=True, seed=1)
    assert not set(found) & set(FEW)


def test_the_best_of_the_trials_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = load_corpus(words(700))
    monkeypatch.setattr(module, "FEWEST_STEPS", 20)
    losses: dict[str, float] = {}
    train = Run.train

    def noted(run: Run) -> bool:
        done = train(run)
        assert run.result is not None
        losses[run.config.model] = run.result["dev_nats"]
        return done

    monkeypatch.setattr(Run, "train", noted)
    said: list[str] = []
    base = RunConfig.of(corpus.name, model="ngram", seed=5, split_seed=7)
    choice = choose(base, corpus, minutes=0.01, say=said.append)
    assert list(losses) == ["ngram", "mlp+ngram", "gru+ngram"]
    assert choice.config.model == min(losses, key=losses.__getitem__)
    assert (choice.config.seed, choice.config.split_seed) == (5, 7)
    assert said == [f"Trying {name} ..." for name in losses]
    for name, loss in losses.items():
        assert f"{name} {loss:.4f}" in choice.lines[1]


def test_longer_time_and_longer_items_change_the_training() -> None:
    corpus = load_corpus([word * 12 for word in words(400)])
    base = RunConfig.of(corpus.name, model="ngram")
    run = Run.create(base, corpus=corpus)
    facts = module.Facts.of(corpus, run.splits, run.vocabulary)
    (gru,) = module._networks(base, facts, 10.0, 1, trial=False)  # items are too long for a network of windows
    (longer,) = module._networks(base, facts, 40.0, 1, trial=False)
    assert gru.model == "gru+ngram"
    assert gru.settings["context"] == min(facts.longest + 1, module.LONGEST_CONTEXT)
    assert gru.train is not None
    assert longer.train is not None
    assert longer.train.steps == pytest.approx(4 * gru.train.steps, rel=0.02)


def test_much_text_of_long_items_gets_a_gpt_and_small_batches_muon() -> None:
    facts = module.Facts(
        items=50_000, ends=True, usual=43, longest=54, targets=1_500_000, examples=40_000, vocabulary=30
    )
    base = RunConfig.of("names", model="ngram")
    (gpt,) = module._networks(base, facts, 60.0, 2, trial=False)
    assert gpt.model == "gpt+ngram"
    assert gpt.settings["context"] == 55
    assert gpt.train is not None
    assert (gpt.train.optimiser, gpt.train.batch_size, gpt.train.threads) == ("muon", 32, 2)
    mlp, gru = module._networks(base, replace(facts, usual=12, longest=18), 60.0, 2, trial=False)
    assert (mlp.model, gru.model) == ("mlp+ngram", "gru+ngram")
    assert mlp.train is not None
    assert mlp.train.optimiser == "adamw"
    assert gru.train is not None
    assert (gru.train.optimiser, gru.train.batch_size) == ("muon", 16)
    assert [one.model for one in module._networks(base, replace(facts, ends=False), 60.0, 2, trial=False)] == [
        "mlp+ngram", "gpt+ngram",
    ]  # fmt: skip


def test_without_a_model_it_is_chosen_unless_settings_are_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FEWEST_STEPS", 2)
    assert backlight.train(FEW, progress=None).run.config.model == "ngram"
    assert backlight.train(FEW, progress=None, split_seed=3, threads=1).run.config.model == "ngram"
    assert backlight.train(FEW, progress=None, steps=2).run.config.model == "mlp"
    assert backlight.train(FEW, progress=None, hidden=(4,), steps=2).run.config.model == "mlp"
    assert module.named_or_default(None, [], token_files=True, engine="native") == "mlp"
    assert module.named_or_default(None, [], token_files=False, engine="torch") == "mlp"
    assert module.named_or_default(None, ["threads"], token_files=False, engine="graph") == "auto"


def test_a_time_by_the_clock_sets_the_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials at a tenth of the pace that is assumed leave room for fewer steps, and one says so."""
    monkeypatch.setattr(module, "FEWEST_STEPS", 20)
    clock = [0.0]
    losses = {"ngram": 3.0, "mlp+ngram": 2.0, "gru+ngram": 2.5}
    monkeypatch.setattr(module.time, "perf_counter", lambda: clock[0])

    def train(run: Run) -> bool:
        clock[0] += 0.0 if run.config.train is None else run.config.train.steps * 0.01
        return True

    monkeypatch.setattr(Run, "train", train)
    monkeypatch.setattr(Run, "result", property(lambda run: {"dev_nats": losses[run.config.model]}))
    corpus = load_corpus(words(700))
    base = RunConfig.of(corpus.name, model="ngram")
    choice = choose(base, corpus, minutes=1, threads=2)
    assert choice.config.train is not None
    assert choice.config.train.threads == 2
    assert choice.config.train.steps == pytest.approx((60 - clock[0]) / 0.01, abs=1)
    assert f"about {60 - clock[0]:.0f} seconds" in choice.lines[2]
    same = choose(base, corpus, threads=2)  # no time was asked for: by the number of operations, whatever the clock
    clock[0] += 1000.0
    assert choose(base, corpus, threads=2).config == same.config != choice.config


def test_recording_goes_with_the_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FEWEST_STEPS", 2)
    tried = module._tried
    least = {"ngram": 3.0, "gru+ngram": 3.0, "mlp+ngram": 2.0}
    monkeypatch.setattr(module, "_tried", lambda run, text: replace(tried(run, text), nats=least[run.model]))
    model = backlight.train(words(700), watch_every=1, minutes=1e-6, progress=None)
    assert model.run.config.model == "mlp+ngram"
    assert model.run.store.load_health()
    with pytest.raises(ConfigError, match="ngram counts n-grams"):
        backlight.train(FEW, watch_every=1, progress=None)


def test_minutes_are_for_the_choice_only() -> None:
    with pytest.raises(ConfigError, match='minutes is for model "auto"'):
        backlight.train(FEW, model="mlp", minutes=2)
    with pytest.raises(ConfigError, match="minutes must be above 0; got -1"):
        backlight.train(words(700), "auto", minutes=-1, progress=None)
    with pytest.raises(ConfigError, match=r"auto.* chooses the sizes .*; got steps"):
        backlight.train(FEW, "auto", steps=3, progress=None)


def test_molecules_get_atoms_as_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FEWEST_STEPS", 2)
    molecules = [f"Cc1ccc({group})cc1{end}" for group in ("Cl", "Br", "OC", "N(C)C", "C#N") for end in SMILES_ENDS]
    said: list[str] = []
    corpus = load_corpus(molecules)
    choice = choose(RunConfig.of(corpus.name, model="ngram"), corpus, minutes=1e-6, say=said.append)
    assert choice.config.tokens == "smiles"
    assert "The items look like SMILES" in said[0]


def test_words_as_tokens_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FEWEST_STEPS", 2)
    corpus = load_corpus([f"{a} and {b}" for a in SYLLABLES for b in SYLLABLES])
    choice = choose(RunConfig.of(corpus.name, model="ngram", tokens="words"), corpus, minutes=1e-6)
    assert choice.config.tokens == "words"
