"""`torch.utils.data`: datasets, samplers and loaders. With the same seed, batches come in PyTorch's order."""

from backlight.core import missing
from backlight.torchlike.utils.data.collating import default_collate
from backlight.torchlike.utils.data.dataloader import DataLoader
from backlight.torchlike.utils.data.dataset import (
    ConcatDataset,
    Dataset,
    IterableDataset,
    Subset,
    TensorDataset,
    random_split,
)
from backlight.torchlike.utils.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

__all__ = [
    "BatchSampler", "ConcatDataset", "DataLoader", "Dataset", "IterableDataset", "RandomSampler", "Sampler",
    "SequentialSampler", "Subset", "SubsetRandomSampler", "TensorDataset", "WeightedRandomSampler", "default_collate",
    "random_split",
]  # fmt: skip

__getattr__ = missing.names_of("torch.utils.data", missing.DATA)
