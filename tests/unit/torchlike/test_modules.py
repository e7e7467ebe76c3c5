"""What modules, containers, state dicts, saving and switches do, without PyTorch."""

import copy
import io
import json

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.numpy import save_file

import backlight.torchlike as torch
from backlight.core import BacklightError, ConfigError, DataError, GraphError, OperandError, ShapeError
from backlight.torchlike import nn
from backlight.torchlike.nn import functional as F  # noqa: N812  (its usual name)
from backlight.torchlike.utils.data import DataLoader, TensorDataset
from backlight.torchlike.utils.tensorboard import SummaryWriter


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 3)
        self.second = nn.Linear(3, 2)
        self.register_buffer("mask", torch.ones(2))
        self.register_buffer("hidden", torch.ones(2), persistent=False)
        self.notes = [nn.Linear(1, 1)]

    def forward(self, x):
        return self.second(self.first(x)) * self.mask


class TestAttributes:
    def test_parameters_buffers_and_modules_are_found_in_order(self):
        net = Net()
        assert [name for name, _ in net.named_parameters()] == [
            "first.weight", "first.bias", "second.weight", "second.bias",
        ]  # fmt: skip
        assert list(net.state_dict()) == ["mask", "first.weight", "first.bias", "second.weight", "second.bias"]
        assert [name for name, _ in net.named_buffers()] == ["mask", "hidden"]
        assert [name for name, _ in net.named_modules()] == ["", "first", "second"]
        assert net.num_parameters() == sum(p.numel() for p in net.parameters()) == 17
        assert net.get_parameter("first.bias") is net.first.bias
        assert net.get_submodule("second") is net.second

    def test_a_tied_weight_is_listed_once_and_keeps_its_place(self):
        net = Net()
        net.second = nn.Linear(2, 3, bias=False)
        net.second.weight = net.first.weight
        assert [name for name, _ in net.named_parameters()] == ["first.weight", "first.bias"]
        assert list(net.state_dict())[1:] == ["first.weight", "first.bias", "second.weight"]

    def test_values_of_another_kind_are_refused(self):
        net = Net()
        for name, value in (("mask", 3), ("first", 3)):
            with pytest.raises(OperandError, match=f"{name} must be a"):
                setattr(net, name, value)
        with pytest.raises(OperandError, match="weight must be a Parameter or None"):
            net.first.weight = torch.ones(3, 2)
        with pytest.raises(ConfigError, match="a new attribute without a dot"):
            net.register_buffer("forward", torch.ones(1))
        with pytest.raises(OperandError, match="must be a tensor or None"):
            net.register_buffer("other", np.ones(1))

    def test_a_buffer_can_be_replaced_and_removed(self):
        net = Net()
        net.mask = torch.zeros(2)
        assert not net(torch.ones(1, 2)).array.any()
        net.mask = None
        assert "mask" not in net.state_dict()
        del net.second
        assert not hasattr(net, "second")
        assert repr(net) == "Net(\n  (first): Linear(in_features=2, out_features=3, bias=True)\n)"

    def test_a_model_may_use_the_names_of_backlights_methods(self):
        class Named(nn.Module):
            def __init__(self):
                super().__init__()
                self.flat = nn.Flatten()
                self.parts = nn.ModuleList([nn.Linear(4, 2)])
                self.num_parameters = nn.Parameter(torch.ones(1))

            def forward(self, x):
                return self.parts[0](self.flat(x)) * self.num_parameters

        net = Named()
        assert net(torch.ones(3, 2, 2)).shape == (3, 2)
        assert list(net.state_dict()) == ["num_parameters", "parts.0.weight", "parts.0.bias"]
        net.flat = nn.Flatten(1, 2)
        assert repr(net.flat) == "Flatten(start_dim=1, end_dim=2)"
        assert copy.deepcopy(net).flat is not net.flat
        assert repr(nn.Sequential({"flat": nn.Flatten()}).flat) == "Flatten(start_dim=1, end_dim=-1)"

    def test_assigning_before_the_constructor_of_the_base_is_refused(self):
        class Early(nn.Module):
            def __init__(self):
                self.layer = nn.Linear(1, 1)

        with pytest.raises(GraphError, match=r"call super\(\).__init__\(\) in Early.__init__ before self.layer"):
            Early()

    def test_a_missing_attribute_is_an_attribute_error(self):
        with pytest.raises(AttributeError, match="'Net' object has no attribute 'third'") as raised:
            Net().third  # noqa: B018
        assert isinstance(raised.value, BacklightError)

    def test_a_copy_is_independent(self):
        net = Net()
        optimiser = torch.optim.AdamW(net.parameters())
        net(torch.ones(1, 2)).sum().backward()
        optimiser.step()
        other = copy.deepcopy(net)
        before = net.first.weight.array.copy()
        other.first.weight.data[...] = 0
        assert_array_equal(net.first.weight.array, before)
        assert other.first.weight.requires_grad


class TestWholeModules:
    def test_modes_and_apply(self):
        net = nn.Sequential(nn.Dropout(0.5), nn.Sequential(nn.BatchNorm1d(3)))
        assert not any(module.training for module in net.eval().modules())
        assert all(module.training for module in net.train().modules())
        seen = []
        assert net.apply(lambda module: seen.append(type(module).__name__)) is net
        assert seen == ["Dropout", "BatchNorm1d", "Sequential", "Sequential"]
        assert not any(p.requires_grad for p in net.requires_grad_(False).parameters())

    def test_hooks_see_and_replace(self):
        layer = nn.Linear(2, 2)
        x = torch.ones(1, 2)
        plain = layer(x)
        with layer.register_forward_pre_hook(lambda _, inputs: inputs[0] * 2):
            assert_allclose(layer(x).array, layer.forward(x * 2).array)
        handles = [layer.register_forward_hook(lambda _, __, out: out + 1),
                   layer.register_forward_hook(lambda *_: None, prepend=True),
                   layer.register_forward_hook(lambda *given: given[-1] * 2, with_kwargs=True)]  # fmt: skip
        assert_allclose(layer(x).array, (plain.array + 1) * 2, rtol=1e-6)
        for handle in handles:
            handle.remove()
        assert_array_equal(layer(x).array, plain.array)
        with pytest.raises(OperandError, match="a hook must be a function"):
            layer.register_forward_hook(3)

    def test_conversion(self):
        net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        first = net[0].weight
        assert net.to("cpu") is net.to(torch.float32) is net.to(device="cpu") is net.cpu() is net
        assert net.double()[0].weight is first
        assert {str(np.dtype(t.numpy().dtype)) for t in net.state_dict().values()} == {"float64", "int64"}
        for target in ("cuda", "cuda:0", "mps"):
            with pytest.raises(ConfigError, match="can only be on the CPU"):
                net.to(target)
        with pytest.raises(ConfigError, match="needs a floating-point dtype"):
            net.to(torch.int64)

    def test_an_optimiser_follows_a_conversion_and_another_optimiser(self):
        layer = nn.Linear(2, 2)
        optimisers = [torch.optim.SGD(layer.parameters(), lr=0.1), torch.optim.AdamW(layer.parameters(), lr=0.1)]
        for dtype in (torch.float32, torch.float64, torch.float32):
            layer.to(dtype)
            for optimiser in optimisers:
                optimiser.zero_grad()
                layer(torch.ones(1, 2, dtype=dtype)).sum().backward()
                before = layer.bias.array.copy()
                optimiser.step()
                assert (layer.bias.array < before).all()

    @pytest.mark.parametrize(
        "write",
        [
            lambda _, optimiser: optimiser.step(),
            lambda net, _: nn.init.zeros_(net[1].weight),
            lambda net, _: net.load_state_dict(net.state_dict()),
            lambda net, _: nn.utils.vector_to_parameters(torch.ones(12), net.parameters()),
        ],
    )
    def test_a_backward_pass_through_weights_that_changed_is_refused(self, write):
        net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
        optimiser = torch.optim.AdamW(net.parameters())
        net(torch.ones(1, 2)).sum().backward()
        optimiser.step()
        loss = net(torch.ones(1, 2)).sum()
        write(net, optimiser)
        with pytest.raises(GraphError, match="changed"):
            loss.backward()

    def test_a_list_outside_a_module_list_is_not_searched(self):
        assert not any(name.startswith("notes") for name, _ in Net().named_parameters())


class TestState:
    def test_a_state_shares_its_arrays_and_can_be_loaded(self):
        net, other = Net(), Net()
        state = net.state_dict()
        result = other.load_state_dict(state)
        assert repr(result) == "<All keys matched successfully>"
        assert result.missing_keys == result.unexpected_keys == []
        assert_array_equal(other.first.weight.array, net.first.weight.array)
        state["first.weight"][0, 0] = 7.0
        assert net.first.weight.array[0, 0] == 7
        assert other.first.weight.array[0, 0] != 7

    def test_what_does_not_fit_is_refused_and_nothing_is_written(self):
        net = Net()
        before = {name: array.numpy().copy() for name, array in net.state_dict().items()}
        full = {name: array + 1 for name, array in net.state_dict().items()}
        with pytest.raises(ConfigError, match=r"names of Net; missing: mask; unexpected: zz. strict=False ignores"):
            net.load_state_dict({**{k: v for k, v in full.items() if k != "mask"}, "zz": torch.ones(1)})
        with pytest.raises(ShapeError, match=r"second.bias of Net must have shape \(2,\); got \(3,\)"):
            net.load_state_dict({**full, "second.bias": torch.ones(3)})
        with pytest.raises(OperandError, match=r"the result of state_dict\(\); got a list"):
            net.load_state_dict([])
        with pytest.raises(ConfigError, match="assign=True"):
            net.load_state_dict(full, assign=True)
        for name, array in net.state_dict().items():
            assert_array_equal(array.numpy(), before[name])
        result = net.load_state_dict({"mask": torch.zeros(2), "zz": 1}, strict=False)
        assert result.unexpected_keys == ["zz"]
        assert not net.mask.array.any()


class TestSaving:
    def test_a_checkpoint_comes_back(self, tmp_path):
        net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
        optimiser = torch.optim.AdamW(net.parameters(), lr=0.1)
        net(torch.randn(4, 2)).sum().backward()
        optimiser.step()
        saved = {
            "model": net.state_dict(), "optimizer": optimiser.state_dict(), "step": 3, "args": {"lr": 0.1, "name": "x"},
            "more": [None, True, (1, 2.5)], 7: torch.tensor(3),
        }  # fmt: skip
        path = tmp_path / "model.pt"
        torch.save(saved, path)
        loaded = torch.load(path, map_location="cpu", weights_only=True)
        assert list(loaded) == list(saved)
        assert loaded["step"] == 3
        assert loaded["args"] == {"lr": 0.1, "name": "x"}
        assert loaded["more"] == [None, True, (1, 2.5)]
        assert loaded[7].item() == 3
        other = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
        other.load_state_dict(loaded["model"])
        for name, tensor in net.state_dict().items():
            assert_array_equal(other.state_dict()[name], tensor)
        again = torch.optim.AdamW(other.parameters(), lr=0.5)
        again.load_state_dict(loaded["optimizer"])
        assert again.param_groups[0]["lr"] == 0.1
        assert_array_equal(again.state_dict()["state"][0]["exp_avg"], optimiser.state_dict()["state"][0]["exp_avg"])

    def test_a_buffer_of_bytes_and_a_foreign_file(self, tmp_path):
        file = io.BytesIO()
        torch.save(torch.arange(6).view(2, 3).T, file)
        file.seek(0)
        assert torch.load(file).tolist() == [[0, 3], [1, 4], [2, 5]]
        save_file({"w": np.ones((2, 2), np.float32)}, tmp_path / "w.safetensors")
        assert torch.load(tmp_path / "w.safetensors")["w"].tolist() == [[1, 1], [1, 1]]

    @pytest.mark.parametrize("start", [b"PK\x03\x04rest of a zip", b"\x80\x02rest of a pickle"])
    def test_a_pickle_is_refused_with_the_way_out(self, tmp_path, start):
        path = tmp_path / "old.pt"
        path.write_bytes(start)
        with pytest.raises(DataError, match=r"is a pickle of PyTorch.*safetensors.torch.save_file") as raised:
            torch.load(path)
        assert "\n" not in str(raised.value)

    def test_what_cannot_be_written_or_read_is_refused(self, tmp_path):
        with pytest.raises(ConfigError, match=r"got a Net at model. Save model.state_dict\(\)"):
            torch.save({"model": Net()}, tmp_path / "x.pt")
        assert not (tmp_path / "x.pt").exists()
        (tmp_path / "text").write_text("no tensors")
        with pytest.raises(DataError, match="is not a safetensors file"):
            torch.load(tmp_path / "text")
        with pytest.raises(ConfigError, match="map_location must be 'cpu'"):
            torch.load(tmp_path / "text", map_location="cuda")


class TestSwitches:
    def test_gradients_are_off_in_every_form(self):
        weight = nn.Parameter(torch.ones(2))

        @torch.no_grad
        def bare(x):
            """Double."""
            return x * 2

        @torch.no_grad()
        def called(x):
            return x * 2 if not isinstance(x, int) else called(weight)

        @torch.inference_mode
        def inferred(x):
            return x * 2

        assert not any(one.requires_grad for one in (bare(weight), called(weight), called(1), inferred(weight)))
        assert bare.__doc__ == "Double."
        with torch.no_grad(), torch.inference_mode():
            assert not (weight * 2).requires_grad
        with torch.inference_mode(False):
            assert (weight * 2).requires_grad
        assert (weight * 2).requires_grad
        with pytest.raises(ConfigError, match="no_grad takes no argument"):
            torch.no_grad(3)

    def test_gradients_are_on_again_in_every_form(self):
        weight = nn.Parameter(torch.ones(2))

        @torch.enable_grad
        def bare(x):
            return x * 2

        @torch.enable_grad()
        def called(x):
            return x * 2

        with torch.no_grad():
            assert bare(weight).requires_grad
            assert called(weight).requires_grad
            assert not (weight * 2).requires_grad

    def test_what_changes_speed_only_changes_nothing(self):
        net = Net()
        assert torch.compile(net) is net
        assert torch.compile(mode="max-autotune")(net) is net
        assert net.compile() is None
        torch.set_float32_matmul_precision("high")
        torch.backends.cudnn.deterministic = True
        torch.backends.cuda.matmul.allow_tf32 = True
        assert torch.backends.mps.is_available() is torch.cuda.is_available() is False
        assert torch.cuda.device_count() == 0
        torch.manual_seed(3)
        first = torch.rand(1).item()
        torch.manual_seed(3)
        torch.cuda.manual_seed_all(4)
        torch.cuda.manual_seed(4)
        torch.cuda.synchronize()
        assert torch.rand(1).item() == first
        with torch.autocast(device_type="cuda", dtype=torch.float32):
            assert str(np.dtype(net(torch.ones(1, 2)).array.dtype)) == "float32"
        with pytest.warns(UserWarning, match="autocast has no effect"):
            torch.autocast("cpu")
        scaler = torch.amp.GradScaler(enabled=False)
        optimiser = torch.optim.SGD(net.parameters())
        scaler.scale(net(torch.ones(1, 2)).sum()).backward()
        before = net.first.bias.array.copy()
        scaler.step(optimiser)
        scaler.update()
        assert (net.first.bias.array != before).any()


class TestArguments:
    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda: nn.Linear(0, 3), "in_features must be a whole number, at least 1"),
            (lambda: nn.Linear(2, 3, device="cuda"), "device"),
            (lambda: nn.Linear(2, 3)(torch.ones(3)), r"Linear\(2, 3\) needs x.shape\[-1\] == 2"),
            (lambda: nn.Linear(2, 3)(torch.ones(1, 2).long()), "a layer needs floating-point numbers"),
            (lambda: nn.Embedding(2, 3, max_norm=1.0), "Embedding supports only max_norm=None; got 1.0"),
            (lambda: nn.Embedding(2, 3, padding_idx=2), "padding_idx must be an id below 2"),
            (lambda: nn.Dropout(1.5), "from 0 to 1; got 1.5"),
            (lambda: nn.Dropout(0.5, inplace=True), "supports only inplace=False"),
            (lambda: nn.Conv1d(3, 4, 2, groups=2), "groups must divide"),
            (lambda: nn.Conv1d(3, 4, 2, padding_mode="reflect"), "supports only padding_mode='zeros'"),
            (lambda: nn.Conv1d(3, 4, 2)(torch.ones(1, 5, 3)), "Is the channel axis before the last"),
            (lambda: nn.Conv1d(3, 4, 5)(torch.ones(1, 3, 4)), "at least 5 positions"),
            (lambda: nn.LSTM(2, 3, proj_size=1), "supports only proj_size=0"),
            (lambda: nn.RNN(2, 3, nonlinearity="relu"), "supports only nonlinearity='tanh'"),
            (lambda: nn.GRU(2, 3)(torch.ones(4, 1, 2), torch.ones(1, 2, 3)), "the initial state must be"),
            (lambda: nn.LSTM(2, 3)(torch.ones(4, 1, 2), torch.ones(1, 1, 3)), r"must be a pair \(h, c\)"),
            (lambda: nn.MultiheadAttention(6, 4), "embed_dim must be a multiple of num_heads"),
            (lambda: nn.BatchNorm1d(3)(torch.ones(1, 3)), "needs at least 2 rows in training mode"),
            (lambda: nn.BatchNorm1d(3)(torch.ones(4, 5, 3)), "Is the channel axis last"),
            (lambda: nn.LayerNorm(3)(torch.ones(4, 5)), "needs an input that ends with these sizes"),
            (lambda: nn.Sequential([nn.Tanh()]), "Sequential takes modules"),
            (lambda: nn.ModuleList([nn.Tanh()])[1], "the index must be in 0..0; got 1"),
            (lambda: nn.ModuleDict({"a": nn.Tanh()})["b"], "the name must be one of a; got 'b'"),
            (lambda: nn.Softmax()(torch.ones(2)), "needs the axis of the classes"),
            (lambda: nn.CrossEntropyLoss(reduction="none of them"), "reduction must be 'mean', 'sum' or 'none'"),
            (lambda: nn.MSELoss(size_average=True), "are old names"),
            (lambda: nn.init.xavier_uniform_(torch.ones(3)), "a weight needs at least 2 axes"),
            (lambda: nn.init.normal_(torch.ones(3).long()), "need a tensor of floats"),
            (lambda: nn.init.kaiming_normal_(torch.ones(3, 2), nonlinearity="gelu"), "nonlinearity must be one of"),
            (lambda: torch.optim.SGD([]), "at least one parameter; got none"),
            (lambda: torch.optim.SGD(torch.ones(2)), "takes a list of tensors"),
            (lambda: torch.optim.SGD([3]), "takes tensors"),
            (lambda: torch.optim.SGD([nn.Parameter(torch.ones(1)) * 2]), "takes leaves"),
            (lambda: torch.optim.SGD([nn.Parameter(torch.ones(1))], dampening=0.1), "supports only dampening=0.0"),
            (lambda: torch.optim.SGD([nn.Parameter(torch.ones(1))], nesterov=True), "nesterov=True needs momentum"),
            (lambda: torch.optim.Adam([nn.Parameter(torch.ones(1))], lr=-1), "lr must be a finite number, 0 or more"),
            (lambda: torch.optim.Adam([nn.Parameter(torch.ones(1))], amsgrad=True), "supports only amsgrad=False"),
            (lambda: torch.optim.Adam([nn.Parameter(torch.ones(1))], betas=(0.9, 1.0)), "betas must be below 1"),
            (lambda: torch.optim.lr_scheduler.StepLR(3, 2), "takes an optimiser of torch.optim"),
            (lambda: DataLoader([1, 2], shuffle=True, sampler=[0]), "Leave one out"),
            (lambda: DataLoader([1, 2], batch_size=0), "batch_size must be a whole number"),
            (lambda: DataLoader([], shuffle=True), "num_samples must be a whole number, at least 1; got 0"),
            (lambda: next(iter(DataLoader([object()]))), "examples must be tensors"),
            (lambda: TensorDataset(torch.ones(2), torch.ones(3)), "tensors of equal length"),
            (lambda: torch.utils.data.random_split([1, 2], [1, 2]), "must sum to the 2 examples"),
            (lambda: torch.nn.utils.clip_grad_norm_([], 1.0, norm_type=0), "norm_type must be above 0"),
        ],
    )  # fmt: skip
    def test_an_argument_that_does_not_fit_is_refused_in_one_line(self, make, message):
        with pytest.raises(BacklightError, match=message) as raised:
            make()
        assert "\n" not in str(raised.value)

    def test_workers_are_taken_as_none(self):
        with pytest.warns(UserWarning, match="num_workers=4 is taken as 0"):
            loader = DataLoader([1, 2, 3], batch_size=2, num_workers=4, pin_memory=True)
        assert [batch.tolist() for batch in loader] == [[1, 2], [3]]


def test_a_writer_appends_lines(tmp_path):
    with SummaryWriter(log_dir=tmp_path / "run") as writer:
        writer.add_scalar("loss", torch.tensor(0.5), 3)
        writer.add_scalars("lr", {"a": 1, "b": 2}, 4)
        writer.flush()
        with pytest.raises(OperandError, match="add_scalar takes a number"):
            writer.add_scalar("loss", "low")
    lines = [json.loads(line) for line in (tmp_path / "run" / "scalars.jsonl").read_text().splitlines()]
    assert [(line["tag"], line["value"], line["step"]) for line in lines] == [
        ("loss", 0.5, 3), ("lr/a", 1.0, 4), ("lr/b", 2.0, 4),
    ]  # fmt: skip


def test_losses_are_the_functions():
    logits, ids = torch.randn(4, 3), torch.tensor([0, 2, 1, -100])
    assert nn.CrossEntropyLoss()(logits, ids).item() == F.cross_entropy(logits, ids).item()
    assert nn.NLLLoss(reduction="sum")(logits, ids).item() == F.nll_loss(logits, ids, reduction="sum").item()
    assert nn.MSELoss()(logits, logits * 2).item() == F.mse_loss(logits, logits * 2).item()
