"""The errors a user can cause. Each message is one line: the rule, what was given, and the way out."""


class BacklightError(ValueError):
    """Something that was given cannot be used. The command line prints it as one line and exits with code 1."""


class ShapeError(BacklightError):
    """Arrays whose shapes do not fit together."""


class GraphError(BacklightError):
    """A graph that cannot be walked backward: no gradient wanted, or an output that is not one number."""


class GradientError(BacklightError):
    """A gradient that is not what central differences say it is."""


class DomainError(BacklightError):
    """A number for which a function has no value: the log of 0, a division by 0."""


class ConfigError(BacklightError):
    """A setting outside its range, or settings that contradict each other."""


class DataError(BacklightError):
    """A text that cannot be read, or that is too small to learn from."""


class VocabularyError(BacklightError):
    """A character or id that the vocabulary does not have."""


class RunError(BacklightError):
    """A run directory that cannot be written, read or resumed."""


class OperandError(BacklightError, TypeError):
    """Something of a type that cannot be used here: a string where a number is needed."""


class IndexingError(BacklightError, IndexError):
    """An index outside a tensor's shape, or something that cannot be an index."""


class MissingNameError(BacklightError, AttributeError):
    """A name that is not there, such as one of PyTorch's that `torchlike` does not have."""
