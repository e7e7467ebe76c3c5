"""Kernels give the same bits on any number of threads, wherever they are used, after a fork and beside each other."""

import ctypes
import os
import subprocess
import sys
import threading
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from backlight.autograd import Tensor
from backlight.autograd.flat import FlatParameters
from backlight.autograd.native import Program, library, program
from backlight.autograd.native.building import LIBRARY
from backlight.autograd.native.library import kernels
from backlight.core import Batch, ConfigError
from backlight.core.threads import kernel_threads, limit_threads
from backlight.models import GPT, MLP, GPTConfig, MLPConfig, WaveNet, WaveNetConfig
from backlight.models.recurrent import GRUConfig, LSTMConfig, RecurrentModel, RNNConfig
from backlight.optim import SGD, AdamW, update_ema

pytestmark = pytest.mark.skipif(library() is None, reason="the kernels were not built: there was no C compiler")

LEVELS = [level for level in (1, 3, 4) if library() and level <= library().level]
THREADS = (2, 3)


@pytest.fixture(autouse=True)
def _small_work_too(monkeypatch):
    """Divide arrays of any size, and let this machine have many processors."""
    monkeypatch.setattr("backlight.core.threads.processors", lambda: 8)
    loaded = ctypes.CDLL(str(LIBRARY))
    loaded.set_least_work.argtypes = [ctypes.c_double]
    loaded.set_least_work(0)
    yield
    loaded.set_least_work(1)


@pytest.fixture(params=[(level, blas) for level in LEVELS for blas in (True, False)], ids=str)
def _kernels(request, monkeypatch):
    level, with_blas = request.param
    chosen = kernels(ctypes.CDLL(str(LIBRARY)), level, with_blas=with_blas)
    for user in ("autograd.native.program", "optim.adamw", "optim.blending"):
        monkeypatch.setattr(f"backlight.{user}.library", lambda: chosen)
    yield
    kernels(ctypes.CDLL(str(LIBRARY)), level)  # the next one finds BLAS again


def windows(rng, rows, T):
    return Batch(rng.integers(0, 11, (rows, T)), rng.integers(0, 11, rows))


def ragged(rng, lengths):
    """Return sequences of several lengths, whose targets after the end do not count."""
    x, y = (rng.integers(0, 11, (len(lengths), max(lengths))) for _ in range(2))
    y[np.arange(max(lengths)) >= np.array(lengths)[:, None]] = -1
    return Batch(x, y)


def mlp(rng):
    return MLP(MLPConfig(vocabulary_size=11, context=3, embedding=19, hidden=(45, 70), batch_norm=True), rng=rng)


def mlp_with_shortcut(rng):
    return MLP(MLPConfig(vocabulary_size=11, context=4, embedding=16, hidden=(33,), direct=True), rng=rng)


def wavenet(rng):
    return WaveNet(WaveNetConfig(vocabulary_size=11, context=4, embedding=17, hidden=40), rng=rng)


def recurrent(kind):
    config = kind(vocabulary_size=11, context=9, embedding=18, hidden=(37,), dropout=0.2)
    return lambda rng: RecurrentModel(config, rng=rng)


def gpt(rng):
    config = GPTConfig(vocabulary_size=11, context=9, n_embd=36, n_layer=2, n_head=3, dropout=0.2)
    return GPT(config, rng=rng)


NETWORKS = {
    "mlp": (mlp, lambda rng: windows(rng, 141, 3)),
    "mlp, direct": (mlp_with_shortcut, lambda rng: windows(rng, 7, 4)),
    "wavenet": (wavenet, lambda rng: windows(rng, 70, 4)),
    "rnn": (recurrent(RNNConfig), lambda rng: ragged(rng, [5, 9, 1, 3] * 9)),
    "gru": (recurrent(GRUConfig), lambda rng: ragged(rng, [5, 9, 1, 3] * 9)),
    "gru, one step": (recurrent(GRUConfig), lambda rng: ragged(rng, [1, 1, 1])),
    "lstm": (recurrent(LSTMConfig), lambda rng: ragged(rng, [5, 9, 1, 3] * 9)),
    "gpt": (gpt, lambda rng: ragged(rng, [5, 9, 1, 3] * 9)),
    "gpt, one sequence": (gpt, lambda rng: ragged(rng, [9])),
}


def step_of(network, batch):
    """Return a function of the number of threads: the loss, the gradients and the buffers of a step, as bytes."""
    model = NETWORKS[network][0](np.random.default_rng(1)).train()
    chance = np.random.default_rng(4)
    model.set_rng(chance)
    flat = model.flat()
    inputs = model.inputs(batch)
    recorded = model.loss_of(inputs)
    buffers = [buffer.array for _, buffer in model.named_buffers()]
    before, state = [array.copy() for array in buffers], chance.bit_generator.state

    def step(threads):
        for array, first in zip(buffers, before, strict=True):
            array[...] = first
        chance.bit_generator.state = state
        with limit_threads(threads, blas=1):
            program = Program(recorded, inputs)
            loss = program.forward(inputs)
            program.backward()
        return [np.float64(loss).tobytes(), flat.gather().tobytes(), *[array.tobytes() for array in buffers]]

    return step


@pytest.mark.usefixtures("_kernels")
@pytest.mark.parametrize("network", NETWORKS)
def test_a_step_has_the_same_bits_on_any_number_of_threads(network, rng):
    step = step_of(network, NETWORKS[network][1](rng))
    alone = step(1)
    for threads in THREADS:
        assert step(threads) == alone


@pytest.mark.parametrize("columns", [2, 37, 90])
def test_products_that_are_too_large_for_blas(columns, rng):
    """On one thread they are computed as a whole, on several in blocks of rows or of columns."""
    config = MLPConfig(vocabulary_size=columns, context=3, embedding=100, hidden=(200,))
    model = MLP(config, rng=rng)
    batch = Batch(rng.integers(0, columns, (401, 3)), rng.integers(0, columns, 401))
    inputs = model.inputs(batch)
    recorded, flat = model.loss_of(inputs), model.flat()
    found = []
    for threads in (1, *THREADS):
        with limit_threads(threads, blas=1):
            program = Program(recorded, inputs)
            loss = program.forward(inputs)
            program.backward()
        found.append((loss, flat.gather().tobytes()))
    assert found[1:] == found[:1] * 2


@pytest.mark.usefixtures("_kernels")
@pytest.mark.parametrize("size", [1, 17, 5000])
def test_optimisers_and_averages_have_the_same_bits(size, rng):
    data, grad = (rng.standard_normal(size).astype("f4") for _ in range(2))

    def moved(threads):
        flats = [FlatParameters.of([parameter(data, grad)]) for _ in range(2)]
        average = np.zeros(size, np.float32)
        with limit_threads(threads, blas=1):
            for optimiser in (AdamW(flats[0], 0.1), SGD(flats[1], 0.1, momentum=0.9)):
                optimiser.step()
                optimiser.step()
            update_ema(average, flats[0].data, 0.3)
        return [array.tobytes() for array in (flats[0].data, flats[1].data, average)]

    assert moved(2) == moved(3) == moved(1)


def parameter(data, grad):
    made = Tensor(data.copy(), requires_grad=True)
    made.grad = Tensor(grad.copy())
    return made


def test_an_id_out_of_range_is_refused_on_several_threads(rng):
    model = mlp(rng)
    batch = windows(rng, 50, 3)
    inputs = model.inputs(batch)
    model.flat()
    with limit_threads(3, blas=1):
        program = Program(model.loss_of(inputs), inputs)
        x = batch.x.copy()
        x[49, 2] = 11
        with pytest.raises(ConfigError, match="ids must be in range"):
            program.forward((x, batch.y))
        y = batch.y.copy()
        y[:] = -1
        with pytest.raises(ConfigError, match="at least one target"):
            program.forward((batch.x, y))
        assert np.isfinite(program.forward(inputs))


def test_programs_run_beside_each_other(rng):
    """Each in a thread of Python: one has the pool, the others compute alone."""
    names = ["mlp", "wavenet", "gru", "gpt"]
    steps = [step_of(name, NETWORKS[name][1](rng)) for name in names]
    wanted = [step(1) for step in steps]
    wrong = []

    def work(name, step, right):
        wrong.extend(name for _ in range(10) if step(3) != right)

    running = [threading.Thread(target=work, args=each) for each in zip(names, steps, wanted, strict=True)]
    for each in running:
        each.start()
    for each in running:
        each.join()
    assert wrong == []


def test_many_programs_on_different_numbers_of_threads(rng):
    model = gpt(rng).eval()
    batch = ragged(rng, [3, 9, 2])
    inputs = model.inputs(batch)
    recorded = model.loss_of(inputs)
    model.flat()
    programs = []
    for threads in (1, 2, 3, 5) * 10:
        with limit_threads(threads, blas=1):
            programs.append(Program(recorded, inputs, backward=False))
    assert len({program.forward(inputs) for program in programs * 2}) == 1


FORKING = """
import os, sys
import numpy as np
sys.path.insert(0, {folder!r})
import test_threads as here
from backlight.core import threads
from backlight.autograd.native.building import LIBRARY
import ctypes
loaded = ctypes.CDLL(str(LIBRARY))
loaded.set_least_work.argtypes = [ctypes.c_double]
loaded.set_least_work(0)
threads.processors = lambda: 8
step = here.step_of("gpt", here.ragged(np.random.default_rng(1), [5, 9, 2]))
alone = step(1)
assert loaded.pool_threads() == 0
assert step(3) == alone
assert loaded.pool_threads() == 2
child = os.fork()
if child == 0:
    right = loaded.pool_threads() == 0 and step(3) == alone and loaded.pool_threads() == 2
    os._exit(0 if right else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert step(3) == alone
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.skipif(os.name == "nt", reason="without POSIX threads, the caller computes all parts")
def test_each_thread_has_a_number_of_its_own():
    """Each has its own scratch memory by this number. The parts wait for each other, so each is on another thread."""
    loaded, meeting, found = ctypes.CDLL(str(LIBRARY)), threading.Barrier(3, timeout=60), []

    @ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int)
    def part(_, number, member):
        meeting.wait()
        found.append((number, member))

    loaded.compute_in_parallel(3, ctypes.c_int64(3), part, None)
    assert sorted(number for number, _ in found) == [0, 1, 2]
    assert sorted(member for _, member in found) == [0, 1, 2]


def test_a_child_process_starts_threads_of_its_own():
    code = FORKING.format(folder=str(Path(__file__).parent))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_how_many_threads_the_kernels_use(monkeypatch):
    outside = kernel_threads()
    with limit_threads(3):
        assert kernel_threads() == 3
        with limit_threads(None):
            assert kernel_threads() == 3
        with limit_threads(2, blas=1):
            assert kernel_threads() == 2
        assert kernel_threads() == 3
    assert kernel_threads() == outside
    monkeypatch.setattr("backlight.core.threads.processors", lambda: 2)
    with limit_threads(64):
        assert kernel_threads() == 2


@pytest.mark.usefixtures("_kernels")
@pytest.mark.parametrize("before", [0, 1, 2])
@pytest.mark.parametrize("size", [0, 1, 2, 7, 1000, 1001])
def test_random_numbers_are_those_of_numpy(size, before, monkeypatch):
    monkeypatch.setattr(import_module("backlight.autograd.native.library"), "FEW_NUMBERS", 0)
    for threads in (1, 2, 3):
        theirs, ours = np.random.default_rng(3), np.random.default_rng(3)
        array = np.zeros(size, np.float32)
        theirs.random(before, dtype=np.float32), ours.random(before, dtype=np.float32)
        with limit_threads(threads, blas=1):
            program.library().uniform(ours, array)
        assert array.tobytes() == theirs.random(size, dtype=np.float32).tobytes()
        assert ours.bit_generator.state == theirs.bit_generator.state


def test_another_generator_draws_by_numpy():
    theirs, ours = (np.random.Generator(np.random.SFC64(3)) for _ in range(2))
    array = np.zeros(20_000, np.float32)
    library().uniform(ours, array)
    assert array.tobytes() == theirs.random(20_000, dtype=np.float32).tobytes()
