"""The errors that a user can cause. Each message is one line: the rule, what was given, and what to do."""


class BacklightError(ValueError):
    """Base class. The command line prints the message as one line and exits with code 1."""


class ShapeError(BacklightError, RuntimeError):
    """The shapes of arrays do not fit together."""


class GraphError(BacklightError, RuntimeError):
    """The graph has no backward pass, or its numbers were changed or its backward pass made before."""


class GradientError(BacklightError):
    """A gradient differs from central differences."""


class DomainError(BacklightError):
    """A function is undefined for its argument, such as the log of 0 or a division by 0."""


class ConfigError(BacklightError):
    """A setting is out of range, or settings contradict each other."""


class DataError(BacklightError):
    """A text cannot be read, or is too short to train on."""


class VocabularyError(BacklightError):
    """A character or id is not in the vocabulary."""


class RunError(BacklightError):
    """A run cannot be written, read or resumed."""


class ProcessEndedError(RunError):
    """Another process of the group that trains a model has ended, so this one cannot go on."""


class ExportError(BacklightError):
    """A model cannot be exported, or the exported file does not compute what the model computes."""


class OperandError(BacklightError, TypeError):
    """An operand has a type that cannot be used, such as a string instead of a number."""


class IndexingError(BacklightError, IndexError):
    """An index is out of bounds, or cannot be an index."""


class MissingNameError(BacklightError, AttributeError):
    """A name does not exist, such as one of PyTorch's that `torchlike` does not have."""


class MissingModuleError(BacklightError, ImportError):
    """A module, or a name to import from one, does not exist in `torchlike`."""
