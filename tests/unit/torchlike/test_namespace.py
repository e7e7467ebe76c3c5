"""The namespace that stands in for torch on an import line. No PyTorch here: lecture_code compares with it."""

import inspect
import math
import types

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.testing import assert_allclose, assert_array_equal

import backlight.torchlike as torch
import backlight.torchlike.nn.functional as F  # noqa: N812  (its usual name)
from backlight.core import BacklightError, ConfigError, GraphError, MissingNameError, ShapeError


def same(tensor: torch.Tensor, numbers: object, dtype: object) -> None:
    assert isinstance(tensor, torch.Tensor)
    assert tensor.dtype == dtype
    assert_array_equal(tensor.detach().numpy(), np.asarray(numbers))


class TestNames:
    def test_every_listed_name_is_there_and_described(self):
        for module in (torch, torch.nn, F):
            for name in module.__all__:
                thing = getattr(module, name)
                if inspect.isfunction(thing) or inspect.isclass(thing):
                    assert inspect.getdoc(thing), name

    def test_every_public_name_is_listed(self):
        public = {name for name, thing in vars(torch).items() if not name.startswith("_")}
        modules = {name for name in public if isinstance(getattr(torch, name), types.ModuleType)}
        assert public - modules == {name for name in torch.__all__ if name not in modules}

    def test_functional_can_be_reached_in_three_ways(self):
        from backlight.torchlike.nn import functional

        assert functional is F
        assert torch.nn.functional.one_hot is F.one_hot

    @pytest.mark.parametrize(
        ("module", "name", "message"),
        [
            (torch, "randm", "torch has no 'randm' here: dir(torch) lists its names. Check the spelling, or use"),
            (torch, "jit", "it compiles a model for other programs. It is not planned: use PyTorch"),
            (torch.optim, "Adagrad", "an optimiser; it is not planned. Use AdamW or RMSprop."),
            (torch.optim.lr_scheduler, "CyclicLR", "it is not planned. Use OneCycleLR, or LambdaLR"),
            (torch.utils.data, "get_worker_info", "there are no worker processes. Leave it out."),
            (torch.utils, "checkpoint", "it saves memory on GPUs. Leave it out"),
            (torch.nn.init, "xavier_uniform", "the old name of xavier_uniform_, with an underscore"),
            (torch.nn.Linear(2, 3), "half", "16-bit numbers are for GPUs. Use torch.float32."),
            (torch.cuda, "Event", "it measures time on a GPU. Use time.perf_counter()."),
            (torch.nn, "Conv3d", "torch.nn has no 'Conv3d': it is for images, and this course is about text."),
            (torch.nn, "TransformerEncoder", "Write it with torch.nn.MultiheadAttention, LayerNorm and Linear"),
        ],
    )
    def test_a_missing_name_says_so_in_one_line(self, module, name, message):
        with pytest.raises(MissingNameError) as raised:
            getattr(module, name)
        assert isinstance(raised.value, AttributeError)
        assert raised.value.name == name
        assert message in str(raised.value)
        assert "\n" not in str(raised.value)
        assert not hasattr(module, name)

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("import backlight.torchlike.distributed", "it trains on several machines. It is not planned"),
            ("from backlight.torchlike.utils.checkpoint import checkpoint", "Leave it out: call the function itself."),
            ("from backlight.torchlike.nn import Conv2d, Linear", "torch.nn has no 'Conv2d': it is for images"),
            ("from backlight.torchlike import vmap", "torch has no 'vmap': it maps a function over a batch."),
            ("from backlight.torchlike.optim.lr_scheduler import CyclicLR", "it is not planned. Use OneCycleLR"),
            ("from backlight.torchlike.distributions import Categorical", "Use torch.multinomial(probs, 1)."),
            ("from backlight.torchlike.nn.zzzz import a", "torch.nn has no 'zzzz' here"),
        ],
    )
    def test_an_import_that_fails_says_so_in_one_line(self, line, message):
        with pytest.raises(ImportError) as raised:
            exec(line, {})  # noqa: S102  (an import with a name that is not there)
        assert isinstance(raised.value, BacklightError)
        assert message in str(raised.value)
        assert "\n" not in str(raised.value)

    def test_other_imports_are_as_before(self):
        with pytest.raises(ModuleNotFoundError, match=r"No module named 'backlight\.zzzz'"):
            exec("import backlight.zzzz", {})  # noqa: S102

    def test_a_function_is_its_method_by_another_name(self):
        x = torch.randn(3, 4)
        assert_array_equal(torch.sum(x, 1, keepdim=True), x.sum(1, keepdim=True))
        assert_array_equal(torch.std(x, dim=0), x.std(0))
        assert_array_equal(torch.max(x, 1).indices, x.max(1).indices)
        assert_array_equal(torch.softmax(x, dim=-1), x.softmax(-1))
        assert torch.sum.__doc__ == torch.Tensor.sum.__doc__
        assert torch.tanh.__name__ == "tanh"


class TestFromNumbers:
    @pytest.mark.parametrize(
        ("data", "dtype"),
        [
            (3, np.int64),
            (3.0, np.float32),
            (True, np.bool_),
            ([], np.float32),
            ([[1, 2], [3, 4]], np.int64),
            ([1, 2.5], np.float32),
            ([False, True], np.bool_),
            (np.arange(3, dtype=np.int16), np.int16),
            (np.array([0.1, 0.2]), np.float64),
        ],
    )
    def test_tensor_chooses_the_dtype_as_pytorch_does(self, data, dtype):
        same(torch.tensor(data), np.asarray(data, dtype), dtype)

    def test_tensor_copies_and_from_numpy_shares(self):
        array = np.zeros(3)
        copied, shared = torch.tensor(array), torch.from_numpy(array)
        again = torch.tensor(copied)
        array[0] = 1
        copied[1] = 5.0
        same(copied, [0, 5, 0], np.float64)
        same(shared, [1, 0, 0], np.float64)
        same(again, [0, 0, 0], np.float64)

    def test_as_tensor_keeps_a_tensor_and_converts_on_request(self):
        x = torch.zeros(2)
        assert torch.as_tensor(x) is x
        same(torch.as_tensor(x, torch.float64), [0, 0], np.float64)

    def test_float64_numbers_are_not_rounded_on_the_way(self):
        assert torch.tensor(0.1, dtype=torch.float64).item() == 0.1
        assert torch.full((1,), 0.1, dtype=torch.double).item() == 0.1
        assert torch.arange(0.1, 1, dtype=torch.double).item() == 0.1

    def test_storage_is_one_row_that_views_share(self):
        a = torch.arange(18)
        same(a.view(3, 3, 2).storage(), range(18), np.int64)
        a.view(9, 2)[1:].storage()[0] = 7
        assert a[0].item() == 7

    def test_to_a_device(self):
        x = torch.zeros(2)
        assert x.to("cpu") is x
        assert x.to(torch.long).dtype == np.int64

    def test_requires_grad(self):
        x = torch.tensor([2.0, 3.0], requires_grad=True)
        (x * x).sum().backward()
        assert x.grad.tolist() == [4, 6]
        with pytest.raises(GraphError, match="floating-point"):
            torch.tensor([1, 2], requires_grad=True)

    def test_is_tensor(self):
        assert torch.is_tensor(torch.zeros(1))
        assert not torch.is_tensor(np.zeros(1))


class TestFilled:
    @pytest.mark.parametrize("make", [torch.zeros, torch.ones, torch.empty, torch.rand, torch.randn])
    def test_the_shape_is_ints_or_a_tuple(self, make):
        assert make(2, 3).shape == make((2, 3)).shape == make([2, 3]).shape == make(size=(2, 3)).shape == (2, 3)
        assert make(4).shape == (4,)
        assert make(()).shape == make(size=()).shape == ()
        assert make(np.int64(2), torch.tensor(3)).shape == (2, 3)
        assert make(2, dtype=torch.float64).dtype == np.float64
        assert make(2, requires_grad=True, device="cpu").requires_grad
        assert not make(2).requires_grad
        with pytest.raises(ShapeError, match="-1"):
            make(2, -1)
        with pytest.raises(ShapeError, match="whole numbers"):
            make(1.5)

    def test_numbers(self):
        same(torch.zeros(2, 2, dtype=torch.int32), [[0, 0], [0, 0]], np.int32)
        same(torch.ones(2), [1, 1], np.float32)
        same(torch.eye(2, 3), [[1, 0, 0], [0, 1, 0]], np.float32)
        same(torch.eye(2, dtype=torch.long), [[1, 0], [0, 1]], np.int64)
        same(torch.full((2,), 7), [7, 7], np.int64)
        same(torch.full((2,), 0.5), [0.5, 0.5], np.float32)
        same(torch.full((1,), True), [True], np.bool_)

    def test_like(self):
        x = torch.zeros((2, 3), dtype=torch.float64)
        same(torch.ones_like(x), np.ones((2, 3)), np.float64)
        same(torch.zeros_like(x, dtype=torch.long), np.zeros((2, 3)), np.int64)
        same(torch.full_like(x, 0.1), np.full((2, 3), 0.1), np.float64)
        assert torch.empty_like(x, requires_grad=True).requires_grad
        assert torch.rand_like(x).dtype == torch.randn_like(x).dtype == np.float64
        assert torch.rand_like(x).shape == torch.randn_like(x).shape == (2, 3)

    def test_arange(self):
        same(torch.arange(4), [0, 1, 2, 3], np.int64)
        same(torch.arange(1, 4), [1, 2, 3], np.int64)
        same(torch.arange(5, 0, -2), [5, 3, 1], np.int64)
        same(torch.arange(0, 1, 0.25), [0, 0.25, 0.5, 0.75], np.float32)
        same(torch.arange(2.5), [0, 1, 2], np.float32)
        same(torch.arange(torch.tensor(3)), [0, 1, 2], np.int64)
        same(torch.arange(3, dtype=torch.float), [0, 1, 2], np.float32)
        same(torch.arange(3, 3), [], np.int64)
        for bounds in [(0, 3, 0), (3, 0), (0, 3, -1)]:
            with pytest.raises(ConfigError, match="step"):
                torch.arange(*bounds)

    def test_linspace(self):
        same(torch.linspace(0, 1, 5), [0, 0.25, 0.5, 0.75, 1], np.float32)
        same(torch.linspace(3, 5, 1), [3], np.float32)
        same(torch.linspace(3, 5, 0), [], np.float32)
        same(torch.linspace(0, 0.3, 4, dtype=torch.double)[[0, 3]], [0, 0.3], np.float64)
        assert torch.linspace(-3, 0, 1000)[-1].item() == 0
        assert_allclose(torch.linspace(-3, 0, 1001), np.linspace(-3, 0, 1001), atol=3e-7)
        with pytest.raises(ConfigError, match="steps"):
            torch.linspace(0, 1, -1)

    def test_only_the_cpu(self):
        assert torch.cuda.is_available() is False
        with pytest.raises(ConfigError, match="cuda"):
            torch.zeros(3, device="cuda")


class TestChance:
    def test_one_generator_is_shared(self):
        assert torch.manual_seed(1337) is torch.default_generator
        first = torch.rand(3).tolist()
        assert torch.rand(3).tolist() != first
        torch.manual_seed(1337)
        assert torch.rand(3).tolist() == first
        assert torch.initial_seed() == 1337
        assert torch.seed() == torch.initial_seed() != 1337

    def test_a_generator_of_ones_own_leaves_the_shared_one_alone(self):
        torch.manual_seed(5)
        expected = torch.rand(2).tolist()
        torch.manual_seed(5)
        g = torch.Generator().manual_seed(1)
        for draw in (
            lambda: torch.rand(3, generator=g),
            lambda: torch.randn(3, generator=g),
            lambda: torch.randint(0, 9, (3,), generator=g),
            lambda: torch.randperm(9, generator=g),
            lambda: torch.normal(0.0, 1.0, (2,), generator=g),
            lambda: torch.multinomial(torch.ones(9), 2, generator=g),
        ):
            g.manual_seed(1)
            once, twice = draw().tolist(), draw().tolist()
            g.manual_seed(1)
            assert draw().tolist() == once
            assert once != twice
        assert torch.rand(2).tolist() == expected

    def test_randint_takes_its_bounds_in_every_way(self):
        def drawn(*arguments, **settings):
            return torch.randint(*arguments, **settings, generator=torch.Generator().manual_seed(3)).tolist()

        expected = drawn(0, 10, (4,))
        assert drawn(10, (4,)) == drawn(10, size=(4,)) == drawn(high=10, size=(4,)) == expected
        assert drawn(low=0, high=10, size=(4,)) == expected
        assert all(5 <= number < 7 for number in drawn(5, 7, (50,)))
        assert torch.randint(3, (2, 2)).dtype == np.int64
        assert torch.randint(0, 3, (2,), dtype=torch.int32).dtype == np.int32
        with pytest.raises(ConfigError, match="size"):
            torch.randint(10)

    def test_normal_with_a_mean_for_each_number(self):
        def g():
            return torch.Generator().manual_seed(3)

        plain = torch.randn(3, generator=g())
        mean, std = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([0.5, 1.0, 2.0])
        assert_allclose(torch.normal(mean, std, generator=g()), plain * std + mean, rtol=1e-6)
        assert_allclose(torch.normal(mean, generator=g()), plain + mean, rtol=1e-6)
        assert_allclose(torch.normal(2.0, std, generator=g()), plain * std + 2, rtol=1e-6)
        assert torch.normal(0.0, 2.0, size=(2, 2)).shape == (2, 2)
        for wrong in [
            lambda: torch.normal(0.0, 1.0),
            lambda: torch.normal(mean, 1.0, (3,)),
            lambda: torch.normal(mean, -std),
        ]:
            with pytest.raises(ConfigError, match="normal"):
                wrong()

    def test_multinomial(self):
        rows = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 2.0]])
        same(torch.multinomial(rows, 3, replacement=True), [[1, 1, 1], [2, 2, 2]], np.int64)
        assert sorted(torch.multinomial(torch.ones(5), 5).tolist()) == [0, 1, 2, 3, 4]
        with pytest.raises(ConfigError, match="without replacement"):
            torch.multinomial(rows, 2)

    def test_randperm(self):
        assert sorted(torch.randperm(10).tolist()) == list(range(10))


class TestComparison:
    def test_allclose_and_isclose(self):
        a = torch.tensor([1.0, 100.0])
        assert torch.allclose(a, torch.tensor([1.000009, 100.0009])) is True
        assert torch.allclose(a, a + 0.01) is False
        assert torch.allclose(a, a + 0.01, atol=0.02) is True
        same(torch.isclose(a, torch.tensor([1.1, 100.0])), [False, True], np.bool_)
        nan = torch.tensor([float("nan")])
        assert not torch.allclose(nan, nan)
        assert torch.allclose(nan, nan, equal_nan=True)

    def test_equal_looks_at_the_shape_too(self):
        assert torch.equal(torch.zeros(2), torch.zeros(2)) is True
        assert torch.equal(torch.zeros(2), torch.zeros(1, 2)) is False
        assert torch.equal(torch.zeros(2), torch.ones(2)) is False

    def test_all_and_any(self):
        flags = torch.tensor([[True, False], [True, True]])
        assert torch.any(flags).item() is True
        assert torch.all(flags).item() is False
        assert torch.all(flags, 0).tolist() == [True, False]

    def test_matmul(self):
        a, b = torch.ones(2, 3, 4), torch.ones(4, 5)
        assert torch.matmul(a, b).shape == (2, 3, 5)


class TestHistogram:
    def test_counts_and_edges(self):
        hist, edges = torch.histogram(torch.tensor([0.0, 0.1, 0.6, 1.0]), bins=2)
        same(hist, [2, 2], np.float32)
        same(edges, [0, 0.5, 1], np.float32)

    def test_a_density_has_an_area_of_1(self):
        h = torch.histogram(torch.randn(1000), density=True)
        assert len(h.hist) == 100
        assert (h.hist * (h.bin_edges[1:] - h.bin_edges[:-1])).sum().item() == pytest.approx(1, rel=1e-5)

    def test_edges_and_range_may_be_given(self):
        x = torch.tensor([0.5, 1.5, 1.6, 9.0])
        assert torch.histogram(x, bins=torch.tensor([0.0, 1.0, 2.0])).hist.tolist() == [1, 2]
        assert torch.histogram(x, bins=2, range=(0.0, 2.0)).hist.tolist() == [1, 2]

    def test_what_cannot_be_counted(self):
        with pytest.raises(ConfigError, match=r"\.float\(\)"):
            torch.histogram(torch.arange(3))
        with pytest.raises(ConfigError, match="finite"):
            torch.histogram(torch.tensor([1.0, float("nan")]))


class TestFunctional:
    def test_cross_entropy_has_its_classes_along_axis_1(self):
        logits = torch.randn(2, 5, 3, requires_grad=True)
        ids = torch.tensor([[0, 4, 2], [1, 1, 3]])
        by_rows = F.cross_entropy(logits.transpose(1, 2).reshape(6, 5), ids.view(6))
        assert_allclose(F.cross_entropy(logits, ids).item(), by_rows.item(), rtol=1e-6)
        one = F.cross_entropy(torch.tensor([0.0, 0.0]), torch.tensor(1))
        assert one.item() == pytest.approx(np.log(2))

    def test_ignored_targets_do_not_count(self):
        logits = torch.randn(4, 3, requires_grad=True)
        kept = F.cross_entropy(logits[[0, 2]], torch.tensor([1, 2]))
        for settings, nothing in [({}, -100), ({"ignore_index": -1}, -1), ({"ignore_index": 0}, 0)]:
            loss = F.cross_entropy(logits, torch.tensor([1, nothing, 2, nothing]), **settings)
            assert loss.item() == pytest.approx(kept.item(), rel=1e-6)
        loss.backward()
        assert logits.grad[[1, 3]].abs().max().item() == 0
        assert logits.grad[[0, 2]].abs().min().item() > 0

    def test_reductions(self):
        logits, ids = torch.randn(4, 3), torch.tensor([1, -100, 0, 2])
        each = F.cross_entropy(logits, ids, reduction="none")
        assert each.shape == (4,)
        assert each[1].item() == 0
        total = F.cross_entropy(logits, ids, reduction="sum")
        assert total.item() == pytest.approx(each.sum().item(), rel=1e-6)
        assert F.cross_entropy(logits, ids).item() == pytest.approx(total.item() / 3, rel=1e-6)
        log_p = F.log_softmax(logits, dim=1)
        assert F.nll_loss(log_p, ids).item() == pytest.approx(total.item() / 3, rel=1e-6)
        with pytest.raises(ConfigError, match="reduction"):
            F.cross_entropy(logits, ids, reduction="median")

    @pytest.mark.parametrize(
        ("logits", "ids", "error"),
        [
            (torch.zeros(2, 3), torch.tensor([0, 3]), ConfigError),
            (torch.zeros(2, 3), torch.tensor([0, -1]), ConfigError),  # -1 is a mistake here, as in PyTorch
            (torch.zeros(2, 3), torch.tensor([-100, -100]), ConfigError),
            (torch.zeros(2, 3), torch.tensor([0.0, 1.0]), ConfigError),
            (torch.zeros(2, 3), torch.tensor([0, 1, 2]), ShapeError),
            (torch.zeros(2, 4, 3), torch.zeros(2, 4, dtype=torch.long), ShapeError),  # (B, T, C) is not (B, C, T)
            (torch.tensor(1.0), torch.tensor(0), ShapeError),
        ],
    )
    def test_targets_that_do_not_fit(self, logits, ids, error):
        for loss in (F.cross_entropy, F.nll_loss):
            with pytest.raises(error) as raised:
                loss(logits, ids)
            assert "\n" not in str(raised.value)

    def test_linear_keeps_pytorchs_layout_of_the_weight(self):
        x, weight, bias = torch.randn(2, 3), torch.randn(5, 3), torch.randn(5)
        assert_allclose(
            F.linear(x, weight, bias),
            x.detach().numpy() @ weight.detach().numpy().T + bias.detach().numpy(),
            rtol=1e-6,
            atol=1e-6,
        )
        assert F.linear(x, weight).shape == (2, 5)

    def test_lookups_and_curves(self):
        same(F.one_hot(torch.tensor([0, 2])), [[1, 0, 0], [0, 0, 1]], np.int64)
        same(F.embedding(torch.tensor([[1], [0]]), torch.eye(2)), [[[0, 1]], [[1, 0]]], np.float32)
        x = torch.tensor([-1.0, 0.0, 2.0])
        assert F.relu(x).tolist() == [0, 0, 2]
        assert_allclose(F.tanh(x), np.tanh([-1, 0, 2]), rtol=1e-6)
        assert_allclose(F.sigmoid(x), 1 / (1 + np.exp([1, 0, -2])), rtol=1e-6)
        assert_allclose(F.softmax(x, dim=0).sum(), 1, rtol=1e-6)
        assert F.mse_loss(x, torch.zeros(3)).item() == pytest.approx(5 / 3)
        assert F.gelu(x, approximate="tanh").tolist() == x.gelu().tolist()

    def test_the_exact_gelu_and_its_approximation_differ(self):
        x = torch.linspace(-3, 3, 7)
        exact = [float(v) * 0.5 * (1 + math.erf(float(v) / math.sqrt(2))) for v in x]
        assert_allclose(F.gelu(x).tolist(), exact, rtol=1e-6, atol=1e-7)
        assert F.gelu(x, approximate="tanh").tolist() != F.gelu(x).tolist()
        with pytest.raises(ConfigError, match="approximate must be 'none' or 'tanh'"):
            F.gelu(x, approximate="fast")

    def test_mistakes_are_of_one_family(self):
        with pytest.raises(BacklightError):
            F.mse_loss(torch.zeros(3), torch.zeros(3, 1))


class TestMatplotlib:
    """What the lectures draw, with tensors where they pass tensors."""

    @pytest.fixture
    def axes(self):
        return Figure().add_subplot()

    def test_imshow(self, axes):
        counts = torch.arange(6).view(2, 3)
        image = axes.imshow(counts, cmap="Blues")
        assert image.get_array().tolist() == [[0, 1, 2], [3, 4, 5]]
        saturated = axes.imshow(torch.tensor([[0.5, 0.999]]).abs() > 0.99, cmap="gray")
        assert saturated.get_array().tolist() == [[False, True]]

    def test_plot(self, axes):
        x, y = torch.linspace(0, 1, 5), torch.randn(5, requires_grad=True)
        (line,) = axes.plot(x, y.tanh().detach())
        assert_array_equal(line.get_xdata(), x.detach().numpy())
        assert_array_equal(line.get_ydata(), np.tanh(y.detach().numpy()))
        (line,) = axes.plot(torch.tensor([1.0, 2.0, 4.0]).view(-1, 1).mean(1))
        assert list(line.get_ydata()) == [1, 2, 4]
        (line,) = axes.plot([torch.tensor(1.0), torch.tensor(2.0)])
        assert list(line.get_ydata()) == [1, 2]

    def test_hist(self, axes):
        heights, _, _ = axes.hist(torch.tensor([0.0, 0.1, 0.9]), bins=2)
        assert heights.tolist() == [2, 1]
        hy, hx = torch.histogram(torch.randn(100), density=True)
        (line,) = axes.plot(hx[:-1].detach(), hy.detach())
        assert len(line.get_xdata()) == 100

    def test_scatter_and_text(self, axes):
        C = torch.tensor([[0.0, 1.0], [2.0, 3.0]], requires_grad=True)
        points = axes.scatter(C[:, 0].data, C[:, 1].data, s=200)
        assert points.get_offsets().tolist() == [[0, 1], [2, 3]]
        assert axes.text(C[1, 0].item(), C[1, 1].item(), "a").get_position() == (2, 3)

    def test_what_was_drawn_can_be_rendered(self, axes):
        axes.imshow(torch.randn(3, 3))
        axes.hist(torch.randn(30), 5)
        axes.scatter(torch.randn(4), torch.randn(4))
        axes.figure.canvas.draw()
