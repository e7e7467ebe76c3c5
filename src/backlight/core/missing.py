"""Errors for names that do not exist: what each name does in PyTorch, and what to use instead."""

from collections.abc import Callable, Mapping
from typing import Final

from backlight.core.errors import MissingNameError


def missing_name(owner: str, name: str, sentences: Mapping[str, str]) -> MissingNameError:
    """Return the error for a name that an object or a module does not have.

    No similar name is suggested: a name of PyTorch that is spelt alike usually means something else.

    Args:
        owner: the object or module, as a user writes it: "torch.nn", "Tensor".
        name: the name that does not exist.
        sentences: by well-known name, what it does and what to use instead.
    """
    if name in sentences:
        message = f"{owner} has no {name!r}: {sentences[name]}"
    else:
        message = f"{owner} has no {name!r} here: dir({owner}) lists its names. Check the spelling, or use PyTorch."
    error = MissingNameError(message)
    error.name = name
    return error


class Absent:
    """A class attribute that raises MissingNameError with its own sentence when it is read.

    A `__getattr__` would do the same for all names, but it slows down every attribute access (by a tenth of a training
    step with tensors).

    Args:
        owner: the class, as a user writes it.
        name: the name of the attribute.
        sentence: what it does in PyTorch and what to use instead.
    """

    def __init__(self, owner: str, name: str, sentence: str) -> None:
        self._owner = owner
        self._name = name
        self._sentence = sentence

    def __get__(self, instance: object, owner: type | None = None) -> object:
        if instance is None:  # read from the class, by a tool that lists its attributes
            return self
        raise missing_name(self._owner, self._name, {self._name: self._sentence})


def names_of(owner: str, sentences: Mapping[str, str]) -> Callable[[str], object]:
    """Return a `__getattr__` for a module, which raises MissingNameError with the sentence for a name.

    Args:
        owner: the module, as a lecture writes it.
        sentences: by well-known name that it lacks, what the name does and what to use instead.
    """

    def missing(name: str) -> object:
        raise missing_name(owner, name, sentences)

    return missing


# -- names of PyTorch that do not exist here ---------------------------------------------------------------------------

_CPU = "Tensors live on the CPU: leave the line out"
_NOT_PLANNED = "It is not planned."
_PYTORCH = "It is not planned: use PyTorch, as backlight.pytorch does."
_SIXTEEN = "16-bit numbers are for GPUs. Use torch.float32."

TORCH: Final = {
    "add": "use a + b.",
    "autograd": "it holds PyTorch's gradient functions. Call backward(), or use backlight.autograd.",
    "bernoulli": "it draws 0 or 1 by probability. It is planned; until then, torch.rand(p.shape) < p.",
    "bfloat16": f"{_SIXTEEN}",
    "bmm": "it multiplies batches of matrices. Use a @ b.",
    "clamp": "it limits numbers to a range. It is planned; until then, torch.where(x < low, low, x).",
    "complex64": "complex numbers are not planned. Keep real and imaginary parts in two tensors.",
    "device": f"it names the device of a tensor. {_CPU}, or pass device='cpu'.",
    "distributed": f"it trains on several machines. {_PYTORCH}",
    "einsum": "it sums products by a formula. It is planned; until then, use @, sum() and transpose().",
    "export": f"it writes a model for other programs. {_PYTORCH}",
    "fft": f"it holds Fourier transforms. Use numpy.fft on x.numpy(). {_NOT_PLANNED}",
    "float16": f"{_SIXTEEN}",
    "func": f"it holds vmap, grad and functional_call. {_PYTORCH}",
    "gather": "it selects along an axis by index. It is planned; until then, x[torch.arange(len(x)), index].",
    "half": f"{_SIXTEEN}",
    "hub": f"it downloads models. {_PYTORCH}",
    "inf": "infinity. Use float('inf').",
    "isinf": "it finds infinite numbers. It is planned; until then, x.abs() == float('inf').",
    "isnan": "it finds nans. It is planned; until then, x != x.",
    "jit": f"it compiles a model for other programs. {_PYTORCH}",
    "linalg": f"it holds linear algebra. Use numpy.linalg on x.numpy(). {_NOT_PLANNED}",
    "logsumexp": "the logarithm of a sum of exponentials. It is planned; until then, x.exp().sum(dim).log().",
    "mps": f"it is for GPUs of Apple. {_CPU}.",
    "multiprocessing": f"it starts processes. {_PYTORCH}",
    "nan": "not a number. Use float('nan').",
    "onnx": f"it writes a model for other programs. {_PYTORCH}",
    "pi": "use math.pi.",
    "pow": "use a ** b.",
    "profiler": f"it measures the time of each op. Use cProfile. {_NOT_PLANNED}",
    "quantization": f"it makes models of small integers. {_PYTORCH}",
    "set_default_device": f"it names the device of new tensors. {_CPU}.",
    "set_default_dtype": "new tensors are of float32. Pass dtype=torch.float64 where a tensor is created.",
    "set_num_threads": "NumPy's threads are set by OMP_NUM_THREADS, before Python starts. Leave the line out.",
    "sparse": f"it holds sparse tensors. {_PYTORCH}",
    "special": f"it holds special functions. Use scipy.special on x.numpy(). {_NOT_PLANNED}",
    "testing": "it compares tensors. Use torch.allclose, or numpy.testing.assert_allclose.",
    "topk": "the largest numbers along an axis. It is planned; until then, np.sort(x.numpy()) or x.max(dim).",
    "vmap": f"it maps a function over a batch. Write the function for a batch. {_NOT_PLANNED}",
    "xpu": f"it is for GPUs of Intel. {_CPU}.",
}
"""By name in `torch`."""

_IMAGES = "it is for images, and this course is about text. It is not planned: use PyTorch, as backlight.pytorch does."
_ATTENTION = "it is not planned. Write it with torch.nn.MultiheadAttention, LayerNorm and Linear, as lecture 7 does."

NN: Final = {
    **dict.fromkeys((
        "AdaptiveAvgPool2d", "AvgPool2d", "BatchNorm2d", "BatchNorm3d", "Conv2d", "Conv3d", "ConvTranspose2d",
        "Dropout2d", "InstanceNorm2d", "MaxPool2d", "PixelShuffle", "Upsample", "ZeroPad2d",
    ), _IMAGES),
    **dict.fromkeys((
        "Transformer", "TransformerDecoder", "TransformerDecoderLayer", "TransformerEncoder", "TransformerEncoderLayer",
    ), f"a whole transformer layer; {_ATTENTION}"),
    **dict.fromkeys((
        "AdaptiveAvgPool1d", "AvgPool1d", "MaxPool1d",
    ), "a pooling layer; it is not planned. Use x.view(N, C, T // n, n).mean(-1), or .max(-1).values."),
    "AdaptiveLogSoftmaxWithLoss": "a softmax for large vocabularies; it is not planned. Use CrossEntropyLoss.",
    "AlphaDropout": "dropout for SELU; it is not planned. Use Dropout.",
    "BatchNorm": "there is none in PyTorch either. Use BatchNorm1d.",
    "ConvTranspose1d": "a convolution that enlarges; it is not planned. Use Conv1d on a repeated input.",
    "CosineSimilarity": "use (a * b).sum(-1) / ((a * a).sum(-1) * (b * b).sum(-1)).sqrt().",
    "CTCLoss": "a loss for speech; it is not planned. Use PyTorch, as backlight.pytorch does.",
    "DataParallel": "it is for several GPUs. Leave it out.",
    "EmbeddingBag": "sums of embeddings; it is not planned. Use Embedding, then .sum(1) or .mean(1).",
    "GroupNorm": "a normalisation for images; it is not planned. Use LayerNorm.",
    "HuberLoss": "a loss; it is not planned. Use MSELoss or L1Loss.",
    "KLDivLoss": "a loss; use (p * (p.log() - log_q)).sum(-1).mean().",
    "Mish": "an activation; it is not planned. Use x * torch.tanh((1 + x.exp()).log()).",
    "PReLU": "an activation with a learnt slope; it is not planned. Use LeakyReLU.",
    "RMSNorm": "a normalisation; it is planned. Until then, x / ((x * x).mean(-1, keepdim=True) + eps).sqrt().",
    "SELU": "an activation; it is not planned. Use ELU.",
    "SmoothL1Loss": "a loss; it is not planned. Use MSELoss or L1Loss.",
    "Softplus": "an activation; it is not planned. Use (1 + x.exp()).log().",
    "parallel": "it is for several GPUs. Leave it out.",
}  # fmt: skip
"""By name in `torch.nn`."""

MODULE: Final = {
    "bfloat16": f"{_SIXTEEN}",
    "cuda": f"it moves a model to a GPU. {_CPU}.",
    "half": f"{_SIXTEEN}",
    "register_backward_hook": "hooks of gradients are not planned. Use register_hook of a tensor.",
    "register_full_backward_hook": "hooks of gradients are not planned. Use register_hook of a tensor.",
    "register_load_state_dict_post_hook": "hooks of loading are not planned. Change the dict before loading it.",
    "register_state_dict_pre_hook": "hooks of saving are not planned. Change the dict after state_dict().",
    "share_memory": "it is for several processes. Leave it out.",
    "to_empty": "it is for tensors without memory. Leave it out.",
    "type": "use to(dtype).",
}
"""By name of an attribute of a module."""

INIT: Final = {
    "dirac_": "first weights of a convolution that copies its input; it is not planned. Write to w.data by index.",
    **{name: f"the old name of {name}_, with an underscore at the end." for name in (
        "constant", "kaiming_normal", "kaiming_uniform", "normal", "orthogonal", "uniform", "xavier_normal",
        "xavier_uniform",
    )},
}  # fmt: skip
"""By name in `torch.nn.init`."""

OPTIM: Final = {
    **dict.fromkeys((
        "ASGD", "Adadelta", "Adagrad", "Adamax", "NAdam", "RAdam", "Rprop",
    ), "an optimiser; it is not planned. Use AdamW or RMSprop."),
    "LBFGS": "an optimiser for whole batches; it is not planned. Use scipy.optimize, or AdamW.",
    "Muon": "an optimiser; it is not planned. Use AdamW.",
    "SparseAdam": "an optimiser for sparse gradients. Use Adam.",
    "swa_utils": "averages of weights. Use backlight.optim.update_ema.",
}  # fmt: skip
"""By name in `torch.optim`."""

SCHEDULER: Final = {
    "CosineAnnealingWarmRestarts": "it is not planned. Use LambdaLR with a function of the step.",
    "CyclicLR": "it is not planned. Use OneCycleLR, or LambdaLR with a function of the step.",
    "ChainedScheduler": "it is not planned. Use LambdaLR with the product of both functions.",
    "MultiplicativeLR": "it is not planned. Use LambdaLR with a function of the step.",
    "PolynomialLR": "it is not planned. Use LambdaLR with lambda t: (1 - t / T) ** power.",
}
"""By name in `torch.optim.lr_scheduler`."""

UTILS: Final = {
    "checkpoint": "it saves memory on GPUs. Leave it out: call the function itself.",
    "cpp_extension": "it compiles code for PyTorch. Use PyTorch.",
    "pack_padded_sequence": "it is not planned. Pass the padded batch, and leave padded targets out by ignore_index.",
    "pad_packed_sequence": "it is not planned. Pass the padded batch, and leave padded targets out by ignore_index.",
    "parametrizations": "weights under constraints; they are not planned. Use PyTorch.",
    "prune": "it removes weights; it is not planned. Write 0 to w.data.",
    "spectral_norm": "weights of norm 1; they are not planned. Use PyTorch.",
    "weight_norm": "weights as direction and length; they are not planned. Use PyTorch.",
}
"""By name in `torch.utils`, `torch.nn.utils` and their modules."""

DATA: Final = {
    "DistributedSampler": "it is for several machines. Leave it out.",
    "distributed": "it is for several machines. Leave it out.",
    "get_worker_info": "there are no worker processes. Leave it out.",
}
"""By name in `torch.utils.data`."""

DISTRIBUTIONS: Final = {
    "Bernoulli": "a distribution; it is not planned. Use torch.rand(p.shape) < p.",
    "Categorical": "a distribution; it is not planned. Use torch.multinomial(probs, 1).",
    "Normal": "a distribution; it is not planned. Use torch.normal(mean, std).",
    "Uniform": "a distribution; it is not planned. Use torch.rand(shape).",
}
"""By name in `torch.distributions`."""

CUDA: Final = {
    "Event": "it measures time on a GPU. Use time.perf_counter().",
    "Stream": f"it orders work on a GPU. {_CPU}.",
    "get_device_properties": f"it describes a GPU. {_CPU}.",
    "get_rng_state": "there is no GPU. Use torch.get_rng_state().",
    "set_device": f"it chooses a GPU. {_CPU}.",
    "set_rng_state": "there is no GPU. Use torch.set_rng_state().",
}
"""By name in `torch.cuda`, `torch.amp` and `torch.backends`."""

FUNCTIONAL: Final = {
    "dropout": "it drops numbers at random. It is planned; until then, backlight.nn.Dropout.",
    "layer_norm": "it normalises rows. It is planned; until then, backlight.nn.LayerNorm.",
    "normalize": "it divides by a norm. It is planned; until then, x / (x * x).sum(dim, keepdim=True).sqrt().",
    "pad": "it adds numbers at the edges. It is planned; until then, torch.cat.",
    "scaled_dot_product_attention": (
        "attention in one call. It is planned; until then, softmax(q @ k.mT / d**0.5 + mask, -1) @ v."
    ),
}
"""By name in `torch.nn.functional`."""

TENSOR: Final = {
    **{name: TORCH[name] for name in ("bernoulli", "bmm", "clamp", "gather", "isinf", "isnan", "logsumexp", "topk")},
    "add_": "use x += y, or x.data += y.",
    "chunk": "it cuts into n pieces. It is planned; until then, x.split(size, dim).",
    "copy_": "it copies numbers in place. Use x.data[...] = y.",
    "cpu": "tensors live on the CPU. Leave it out.",
    "cuda": "tensors live on the CPU. Leave it out.",
    "device": "tensors live on the CPU. Leave it out.",
    "diag": "it takes the diagonal. It is planned; until then, x[torch.arange(n), torch.arange(n)].",
    "dot": "use a @ b.",
    "expand_as": "use x.expand(y.shape).",
    "fill_": "it fills in place. Use x.data[...] = number.",
    "flip": "it reverses axes. It is planned; until then, x[torch.arange(n - 1, -1, -1)].",
    "mm": "use a @ b.",
    "multinomial": "use torch.multinomial(x, n).",
    "norm": "it computes the norm. It is planned; until then, (x * x).sum().sqrt().",
    "normal_": "it draws in place. Use x.data[...] = torch.randn(x.shape).",
    "pow": "use a ** b.",
    "repeat": "it repeats along axes. It is planned; until then, torch.cat([x, x], dim).",
    "reshape_as": "use x.reshape(y.shape).",
    "round": "it rounds. It is planned; until then, torch.tensor(np.round(x.numpy())).",
    "type": "use x.to(dtype).",
    "uniform_": "it draws in place. Use x.data[...] = torch.rand(x.shape).",
    "view_as": "use x.view(y.shape).",
}
"""By name of a tensor's method or attribute."""
