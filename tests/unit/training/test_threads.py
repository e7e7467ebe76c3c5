"""A training has the same result on any number of threads."""

import pytest
from threadpoolctl import threadpool_info

import backlight
from backlight.autograd.native import library
from backlight.core.threads import kernel_threads
from backlight.training import engine

NAMES = ["anna", "emma", "otto", "ida", "bob", "eve", "hannah", "lara", "mia", "noah"] * 12


@pytest.fixture(autouse=True)
def _processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backlight.core.threads.processors", lambda: 8)


def trained(model: str, threads: int, **settings: object) -> tuple[float, bytes]:
    made = backlight.train(
        NAMES,
        model,
        steps=6,
        batch_size=40,
        threads=threads,
        grad_clip=0.05,
        progress=False,
        duplicates="keep",
        **settings,
    )
    assert made.network is not None
    return made.result["dev_nats"], made.network.flat().data.tobytes()


@pytest.mark.skipif(library() is None, reason="the kernels were not built: there was no C compiler")
@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("mlp", {"hidden": (120,), "batch_norm": True}),
        ("gru", {"hidden": (80,)}),
        ("gpt", {"n_embd": 64, "n_layer": 1, "dropout": 0.1}),
    ],
)
def test_the_weights_are_the_same_bits(model: str, settings: dict[str, object]) -> None:
    """The norm for clipping is NumPy's: BLAS must have one thread, as it adds up parts of long vectors."""
    alone = trained(model, 1, **settings)
    assert trained(model, 2, **settings) == alone
    assert trained(model, 3, **settings) == alone


def test_without_kernels_blas_has_the_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    used: list[tuple[int, set[int]]] = []
    forward = engine.NativeEngine.forward

    def seen(self: engine.NativeEngine, *given: object) -> float:
        blas = {info["num_threads"] for info in threadpool_info() if info["user_api"] == "blas"}
        used.append((kernel_threads(), blas))
        return forward(self, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(engine.NativeEngine, "forward", seen)
    for kind in ("native", "graph"):
        backlight.train(NAMES, "mlp", steps=1, threads=2, engine=kind, progress=False, duplicates="keep")
    blas = {1} if library() else {2}
    assert used == [(2, blas), (2, {2})]
