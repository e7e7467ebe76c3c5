"""The random generator that gives the raw numbers of PyTorch's CPU generator: a Mersenne Twister, MT19937."""

import secrets
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from backlight.core.arguments import shown
from backlight.core.errors import ConfigError

DEFAULT_SEED = 67280421310721  # PyTorch's default_rng_seed
_WORDS = 624  # the length of MT19937's state, in 32-bit words
_STATE_FIELDS = frozenset({"seed", "words", "position", "next_normal"})


class Generator:
    """MT19937, seeded and read as `torch.Generator()` on the CPU: same seed, same raw draws.

    The functions of `backlight.torchlike.distributions` turn the raw draws into the numbers that PyTorch gives. A
    generator is not safe to use from several threads at once.

    Attributes:
        device: always "cpu".
        next_normal: the second number of a Box-Muller pair of which only the first was used, or None. It comes first
            in the next `randn` or `normal` of fewer than 16 numbers, whatever is drawn in between, as in PyTorch.

    Raises: ConfigError: a device other than "cpu".
    Source: Matsumoto & Nishimura 1998, ACM TOMACS 8(1); seeding of 2002 (`init_genrand`), as in PyTorch's
        ATen/core/MT19937RNGEngine.h.
    """

    def __init__(self, device: str = "cpu") -> None:
        if not (isinstance(device, str) and device == "cpu"):
            raise ConfigError(f"Generator runs on the CPU only; got device={shown(device)}. Leave the device out.")
        self.device = device
        self.next_normal: float | None = None
        self._twister = np.random.MT19937(0)
        self.manual_seed(DEFAULT_SEED)

    def __repr__(self) -> str:
        return f"Generator(seed={self._seed})"

    def manual_seed(self, seed: int) -> Self:
        """Start anew from `seed`, and forget the kept normal number.

        Args:
            seed: from -2**63 to 2**64 - 1. A negative seed stands for seed + 2**64; only the lowest 32 bits choose the
                numbers, so seeds that agree in those give the same numbers, as in PyTorch.

        Returns: this generator.
        Raises: ConfigError: not an integer, or outside that range.
        """
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
            raise ConfigError(f"manual_seed takes an integer; got {shown(seed)}. Give a whole number such as 42.")
        if not -(2**63) <= seed < 2**64:
            raise ConfigError(f"manual_seed takes -2**63 <= seed < 2**64; got {shown(seed)}. Give a smaller seed.")
        self._seed = int(seed) % 2**64
        self._load(_seeded_words(self._seed % 2**32), _WORDS)
        self.next_normal = None
        return self

    def initial_seed(self) -> int:
        """Return the seed that this generator started from, 0 <= seed < 2**64."""
        return self._seed

    def seed(self) -> int:
        """Start anew from a seed that the operating system chooses, and return it."""
        return self.manual_seed(secrets.randbits(64)).initial_seed()

    def get_state(self) -> dict[str, Any]:
        """Return all that `set_state` needs to go on from here: plain numbers and lists, fit for JSON."""
        state = self._twister.state["state"]
        return {
            "seed": self._seed,
            "words": [int(word) for word in state["key"]],
            "position": int(state["pos"]),
            "next_normal": self.next_normal,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on from where `get_state` was taken.

        Raises: ConfigError: not what `get_state` returns.
        """
        if not isinstance(state, dict) or state.keys() != _STATE_FIELDS or len(state["words"]) != _WORDS:
            raise ConfigError(
                "set_state takes what get_state returned; got something else. Store and load it unchanged."
            )
        self._seed = state["seed"]
        self._load(np.array(state["words"], np.uint32), state["position"])
        self.next_normal = state["next_normal"]

    def random32(self, count: int) -> NDArray[np.uint64]:
        """Return the next `count` raw draws: integers in [0, 2**32), held as uint64. Shape: (count,)."""
        return np.asarray(self._twister.random_raw(count), np.uint64)

    def random64(self, count: int) -> NDArray[np.uint64]:
        """Return `count` integers in [0, 2**64), each of two raw draws with the high word first. Shape: (count,)."""
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
