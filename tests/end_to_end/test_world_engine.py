"""The gradients of the worlds' engine in JavaScript, on random networks with every layer, against Backlight's."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from tests.end_to_end.driving import Browser, Page

from backlight.autograd import Tensor, apply, cross_entropy, embed, ops
from backlight.core import Array, html
from backlight.lessons.worlds.html import ASSETS

ENGINE = """(async () => {
  const engine = await import("backlight/engine.js");
  const given = %s;
  const each = (things, act) => Object.fromEntries(Object.entries(things).map(([name, one]) => [name, act(one)]));
  const made = each(given.arrays, ({ shape, data }) => new engine.Tensor(...shape, data));
  const loss = (%s)(engine, made, given);
  engine.backward(loss);
  return { loss: loss.data[0], ...each(made, (one) => [...one.grad]) };
})()"""


@pytest.fixture(scope="module")
def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    folder = tmp_path_factory.mktemp("engine")
    modules = ASSETS.import_map('import "backlight/training.js";', ASSETS.data_address)
    body = f'<body><script type="importmap">{modules}</script></body>'
    scripts = f"{html.allowed(modules)} data:"
    (folder / "page.html").write_text(html.document("engine", style="", body=body, scripts=scripts), encoding="utf-8")
    with browser.page((folder / "page.html").as_uri()) as opened:
        yield opened


def in_the_page(page: Page, script: str, arrays: dict[str, Array], **given: Any) -> dict[str, Any]:
    listed = {name: {"shape": one.shape, "data": one.ravel().tolist()} for name, one in arrays.items()}
    found: dict[str, Any] = page.run(ENGINE % (json.dumps({"arrays": listed, **given}), script))
    return found


def compare(found: dict[str, Any], loss: Tensor, tensors: dict[str, Tensor]) -> None:
    loss.backward()
    assert found["loss"] == pytest.approx(float(loss.array), rel=1e-12)
    for name, tensor in tensors.items():
        assert tensor.grad is not None, name
        np.testing.assert_allclose(
            np.reshape(found[name], tensor.array.shape), tensor.grad.array, rtol=1e-9, atol=1e-12, err_msg=name
        )


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_a_network_with_batch_norm(page: Page, seed: int, activation: str) -> None:
    rng = np.random.default_rng(seed)
    N, I, H, G, K = rng.integers(3, 9, 5)
    shapes = {"x": (N, I), "w1": (I, H), "gain": (1, H), "shift": (1, H), "w2": (H, G), "b2": (1, G), "w3": (G, K)}
    arrays = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    targets = rng.integers(0, K, N)
    script = """(e, m, { targets, activation }) => {
      const hidden = e[activation](e.batchNorm(e.linear(m.x, m.w1), m.gain, m.shift));
      const next = e[activation](e.linear(hidden, m.w2, m.b2));
      return e.crossEntropy(e.linear(next, m.w3), targets);
    }"""
    found = in_the_page(page, script, arrays, targets=targets.tolist(), activation=activation)
    t = {name: Tensor(one, requires_grad=True) for name, one in arrays.items()}
    normal = apply(ops.BatchNorm, t["x"] @ t["w1"], t["gain"].reshape(-1), t["shift"].reshape(-1), eps=1e-5)
    hidden = getattr(normal, activation)()
    loss = cross_entropy(getattr(hidden @ t["w2"] + t["b2"], activation)() @ t["w3"], targets)
    compare(found, loss, t)


@pytest.mark.parametrize("seed", range(3))
def test_attention_over_embeddings(page: Page, seed: int) -> None:
    rng = np.random.default_rng(seed)
    B, T, V, C, D = rng.integers(2, 7, 5)
    shapes = {"token": (V, C), "position": (T, C), "q": (C, D), "k": (C, D), "v": (C, D), "o": (D, C), "w": (C, V)}
    arrays = {name: rng.normal(size=shape) for name, shape in shapes.items()}
    arrays["b"] = rng.normal(size=(1, V))
    ids, targets = rng.integers(0, V, (2, B * T))
    places = np.tile(np.arange(T), B)
    script = """(e, m, { ids, places, targets, T }) => {
      const x = e.add(e.rows(m.token, ids), e.rows(m.position, places));
      const read = e.attention(e.linear(x, m.q), e.linear(x, m.k), e.linear(x, m.v), T);
      return e.crossEntropy(e.linear(e.add(x, e.linear(read, m.o)), m.w, m.b), targets);
    }"""
    given = {"ids": ids.tolist(), "places": places.tolist(), "targets": targets.tolist(), "T": int(T)}
    found = in_the_page(page, script, arrays, **given)
    t = {name: Tensor(one, requires_grad=True) for name, one in arrays.items()}
    x = embed(ids, t["token"]) + embed(places, t["position"])
    qkv = apply(ops.Concatenate, x @ t["q"], x @ t["k"], x @ t["v"], axis=1).reshape(B, T, 3 * D)
    read = apply(ops.CausalAttention, qkv, heads=1).reshape(B * T, D)
    compare(found, cross_entropy((x + read @ t["o"]) @ t["w"] + t["b"], targets), t)


def test_statistics_that_are_given_do_not_depend_on_the_rows(page: Page) -> None:
    rng = np.random.default_rng(5)
    arrays = {"x": rng.normal(size=(4, 3)), "gain": rng.normal(size=(1, 3)), "shift": rng.normal(size=(1, 3))}
    mean, scale = rng.normal(size=3), rng.uniform(1, 2, 3)
    script = """(e, m, { mean, scale }) => {
      const fixed = { mean: Float64Array.from(mean), scale: Float64Array.from(scale) };
      return e.crossEntropy(e.batchNorm(m.x, m.gain, m.shift, fixed), [0, 2, 1, 1]);
    }"""
    found = in_the_page(page, script, arrays, mean=mean.tolist(), scale=scale.tolist())
    t = {name: Tensor(one, requires_grad=True) for name, one in arrays.items()}
    compare(found, cross_entropy((t["x"] - mean) * scale * t["gain"] + t["shift"], np.array([0, 2, 1, 1])), t)


def test_a_step_of_descent_and_first_weights_by_a_seed(page: Page) -> None:
    found = page.run("""(async () => {
      const { Tensor, backward, crossEntropy } = await import("backlight/engine.js");
      const { descend, drawn, generator } = await import("backlight/training.js");
      const w = new Tensor(1, 2, [0, 1]);
      backward(crossEntropy(w, [1]));
      const before = [...w.grad];
      descend([w], 0.1);
      const weights = (seed) => [...drawn(50, 40, 3, generator(seed)).data];
      return { before, after: [...w.data], weights: [7, 7, 8].map(weights) };
    })()""")
    np.testing.assert_allclose(found["after"], [0, 1] - 0.1 * np.array(found["before"]), rtol=1e-15)
    first, again, other = np.array(found["weights"])
    assert (first == again).all()
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.1
    assert abs(first.mean()) < 0.25
    assert first.std() == pytest.approx(3, rel=0.05)
    assert page.console == []
