"""What a page refuses, in one line, and that nothing is left then."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backlight
from backlight.core import BacklightError
from backlight.page import contents, write_page

NAMES = ["emma", "olivia", "ava", "isabella", "sophia", "mia"] * 5


def trained(model: str = "mlp", **more: Any) -> backlight.Model:
    return backlight.train(NAMES, model, steps=2, batch_size=4, eval_interval=2, progress=None, **more)


def refused(model: backlight.Model, tmp_path: Path) -> str:
    with pytest.raises(BacklightError) as caught:
        write_page(model, tmp_path / "page.html")
    assert list(tmp_path.iterdir()) == []
    return str(caught.value)


def test_other_tokens_are_refused(tmp_path: Path) -> None:
    assert "this model has other tokens" in refused(trained(tokens="bpe:258"), tmp_path)
    assert "this model has other tokens" in refused(trained(tokens="[a-m]+"), tmp_path)


def test_a_large_model_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = trained(hidden=(50,), embedding=4, context=2)
    monkeypatch.setattr(contents, "MOST_BYTES", 4 * model.run.network.num_parameters() + 100)
    write_page(model, tmp_path / "page.html")
    (tmp_path / "page.html").unlink()
    monkeypatch.setattr(contents, "MOST_BYTES", 4 * model.run.network.num_parameters() - 100)
    assert "a model in a page may have" in refused(model, tmp_path)


def test_a_model_that_has_diverged_is_refused(tmp_path: Path) -> None:
    model = trained()
    next(iter(model.run.network.parameters())).array[0, 0] = np.inf
    assert "must be finite; embedding.weight has others" in refused(model, tmp_path)


def test_a_model_of_another_package_is_refused(tmp_path: Path) -> None:
    model = trained()
    object.__setattr__(model.run.config, "model", "mine")
    assert "this model is mine" in refused(model, tmp_path)


def test_batch_norms_are_folded_and_arrays_are_aligned() -> None:
    made = contents.Contents.of(trained(hidden=(5, 3), embedding=3, context=3, batch_norm=True))
    assert {one["name"] for one in made.facts["arrays"]} == {
        "embedding.weight", "hidden.0.weight", "hidden.0.bias", "hidden.2.weight", "hidden.2.bias", "output.weight",
        "output.bias",
    }  # fmt: skip
    assert all(one["at"] % 8 == 0 for one in made.facts["arrays"])
    mixed = contents.Contents.of(trained("mlp+ngram", hidden=(5,), order=3))
    kinds = {one["name"]: one["type"] for one in mixed.facts["arrays"]}
    assert (kinds["weights"], kinds["buckets"], kinds["ngram.lowest"]) == ("float64", "uint8", "float32")


def test_a_text_cannot_end_the_element_that_it_stands_in(tmp_path: Path) -> None:
    items = ["[</script>]C", "C[</script>]", "[</script>]CC", "CC"] * 5
    model = backlight.train(items, "ngram", tokens="smiles", progress=None)
    assert "[</script>]" in model.vocabulary.to_json()["tokens"]
    write_page(model, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text(encoding="utf-8").count("</script>") == 4
