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
    "bfloat16": f"{_SIXTEEN}",
    "complex64": "complex numbers are not planned. Keep real and imaginary parts in two tensors.",
    "distributed": f"it trains on several machines. {_PYTORCH}",
    "export": f"it writes a model for other programs. {_PYTORCH}",
    "fft": f"it holds Fourier transforms. Use numpy.fft on x.numpy(). {_NOT_PLANNED}",
    "float16": f"{_SIXTEEN}",
    "func": f"it holds vmap, grad and functional_call. {_PYTORCH}",
    "half": f"{_SIXTEEN}",
    "hub": f"it downloads models. {_PYTORCH}",
    "jit": f"it compiles a model for other programs. {_PYTORCH}",
    "linalg": f"it holds linear algebra. Use numpy.linalg on x.numpy(). {_NOT_PLANNED}",
    "mps": f"it is for GPUs of Apple. {_CPU}.",
    "multiprocessing": f"it starts processes. {_PYTORCH}",
    "onnx": f"it writes a model for other programs. {_PYTORCH}",
    "profiler": f"it measures the time of each op. Use cProfile. {_NOT_PLANNED}",
    "quantization": f"it makes models of small integers. {_PYTORCH}",
    "set_default_device": f"it names the device of new tensors. {_CPU}.",
    "set_default_dtype": "new tensors are of float32. Pass dtype=torch.float64 where a tensor is created.",
    "set_num_threads": "NumPy's threads are set by OMP_NUM_THREADS, before Python starts. Leave the line out.",
    "sparse": f"it holds sparse tensors. {_PYTORCH}",
    "special": f"it holds special functions. Use scipy.special on x.numpy(). {_NOT_PLANNED}",
    "testing": "it compares tensors. Use torch.allclose, or numpy.testing.assert_allclose.",
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
    **dict.fromkeys((
        "adaptive_avg_pool2d", "avg_pool2d", "conv2d", "conv3d", "conv_transpose2d", "group_norm", "instance_norm",
        "interpolate", "max_pool2d", "pixel_shuffle", "unfold", "upsample",
    ), _IMAGES),
    **dict.fromkeys((
        "avg_pool1d", "max_pool1d",
    ), "a pooling; it is not planned. Use x.view(N, C, T // n, n).mean(-1), or .max(-1).values."),
    "celu": "an activation; it is not planned. Use elu.",
    "ctc_loss": f"a loss for speech. {_PYTORCH}",
    "embedding_bag": "sums of embeddings; it is not planned. Use embedding(ids, weight).sum(1) or .mean(1).",
    "glu": "a gate; use a, b = x.chunk(2, dim=-1), then a * torch.sigmoid(b).",
    "gumbel_softmax": "a draw with a gradient; use softmax(x - torch.log(-torch.log(torch.rand_like(x))), dim=-1).",
    "hardtanh": "use x.clamp(-1, 1).",
    "huber_loss": "a loss; it is not planned. Use smooth_l1_loss.",
    "mish": "an activation; use x * torch.tanh(softplus(x)).",
    "relu6": "use x.clamp(0, 6).",
    "relu_": "it works in place. Use x = relu(x).",
    "selu": "an activation; it is not planned. Use elu.",
    "softmin": "use softmax(-x, dim).",
    "softsign": "use x / (1 + x.abs()).",
    "threshold": "use torch.where(x > t, x, value).",
}  # fmt: skip
"""By name in `torch.nn.functional`."""
