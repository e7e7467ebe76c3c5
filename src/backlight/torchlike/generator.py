"""A random generator with the raw numbers of PyTorch's CPU generator: a Mersenne Twister, MT19937."""

import secrets
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from backlight.autograd.device import CPU, check_device
from backlight.core.arguments import shown
from backlight.core.errors import ConfigError

DEFAULT_SEED = 67280421310721  # PyTorch's default_rng_seed
_WORDS = 624  # the length of MT19937's state, in 32-bit words
_STATE_FIELDS = frozenset({"seed", "words", "position", "next_normal"})


class Generator:
    """MT19937, seeded and read as `torch.Generator()` on the CPU: the same seed gives the same raw draws.

    The functions of `backlight.torchlike.distributions` convert the raw draws into the same numbers as PyTorch. A
    generator is not thread-safe.

    Attributes:
        device: always the CPU.
        next_normal: the second number of a Box-Muller pair of which only the first was used, or None. The next `randn`
            or `normal` of fewer than 16 numbers begins with it, whatever is drawn in between, as in PyTorch.

    Raises: ConfigError: a device other than "cpu".
    Source: Matsumoto & Nishimura 1998, ACM TOMACS 8(1); seeding of 2002 (`init_genrand`), as in PyTorch's
        ATen/core/MT19937RNGEngine.h.
    """

    def __init__(self, device: Any = "cpu") -> None:
        check_device(device)
        self.device = CPU
        self.next_normal: float | None = None
        self._twister = np.random.MT19937(0)
        self._reader = np.random.Generator(self._twister)
        self.manual_seed(DEFAULT_SEED)

    def __repr__(self) -> str:
        return f"<torch._C.Generator object at {id(self):#x}>"

    def manual_seed(self, seed: int) -> Self:
        """Set the seed, and clear `next_normal`.

        Args:
            seed: from -2**63 to 2**64 - 1. A negative seed stands for seed + 2**64. As in PyTorch, only the lowest 32
                bits determine the numbers.

        Returns: this generator.
        Raises: ConfigError: not an integer, or outside that range.
        """
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
            raise ConfigError(f"a seed must be an integer, such as 42; got {shown(seed)}.")
        if not -(2**63) <= seed < 2**64:
            raise ConfigError(f"a seed must be at least -2**63 and below 2**64; got {shown(seed)}.")
        self._seed = int(seed) % 2**64
        self._load(_seeded_words(self._seed % 2**32), _WORDS)
        self.next_normal = None
        return self

    def initial_seed(self) -> int:
        """Return the seed that was set last, 0 <= seed < 2**64."""
        return self._seed

    def seed(self) -> int:
        """Set a random seed from the operating system, and return it."""
        return self.manual_seed(secrets.randbits(64)).initial_seed()

    def get_state(self) -> dict[str, Any]:
        """Return the state for `set_state`: plain numbers and lists, which can be stored as JSON."""
        state = self._twister.state["state"]
        return {
            "seed": self._seed,
            "words": [int(word) for word in state["key"]],
            "position": int(state["pos"]),
            "next_normal": self.next_normal,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore a state of `get_state`.

        Raises: ConfigError: not the result of `get_state`.
        """
        if not isinstance(state, dict) or state.keys() != _STATE_FIELDS or len(state["words"]) != _WORDS:
            raise ConfigError(
                "set_state takes the result of get_state; got something else. Store and load it unchanged."
            )
        self._seed = state["seed"]
        self._load(np.array(state["words"], np.uint32), state["position"])
        self.next_normal = state["next_normal"]

    def words(self, count: int) -> NDArray[np.uint32]:
        """Return the next `count` raw draws: integers in [0, 2**32). Shape: (count,)."""
        # the whole range, so each is a raw draw; a third of the time of `random_raw`
        return self._reader.integers(0, 2**32, count, dtype=np.uint32)

    def random32(self, count: int) -> NDArray[np.uint64]:
        """Return the next `count` raw draws: integers in [0, 2**32), as uint64. Shape: (count,)."""
        return self.words(count).astype(np.uint64)

    def random64(self, count: int) -> NDArray[np.uint64]:
        """Return `count` integers in [0, 2**64), each from two raw draws, the high word first. Shape: (count,)."""
        words = self.random32(2 * count).reshape(count, 2)
        return (words[:, 0] << np.uint64(32)) | words[:, 1]

    def _load(self, words: NDArray[np.uint32], position: int) -> None:
        self._twister.state = {"bit_generator": "MT19937", "state": {"key": words, "pos": position}}


def _seeded_words(seed: int) -> NDArray[np.uint32]:
    """Knuth's recurrence w[i] = 1812433253 (w[i-1] xor w[i-1] >> 30) + i mod 2**32, from w[0] = seed."""
    words = [seed]
    for i in range(1, _WORDS):
        previous = words[-1]
        words.append((1812433253 * (previous ^ (previous >> 30)) + i) % 2**32)
    return np.array(words, np.uint32)
