"""A seeded order of many things that is computed number by number, and kept nowhere."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from backlight.core import IntArray

ROUNDS: Final = 6
"""Luby and Rackoff need four with ideal round functions; ours are hashes."""


@dataclass(frozen=True)
class Shuffled:
    """A permutation of 0..count-1 that depends on a seed. Any part of it is computed without the rest.

    It is a Feistel network on numbers of 2h bits: each round replaces (left, right) by (right, left xor hash(right)),
    which can be undone, so the network is a permutation of 0..4**h - 1. A number at or above `count` is permuted again
    until it is below ("cycle walking"), which keeps it a permutation; at most four attempts are needed on average.

    Attributes:
        count: how many numbers are permuted, 1 or more.
        seed: (n,) whole numbers, from which the keys of the rounds follow.

    Source: Luby & Rackoff 1988, "How to Construct Pseudorandom Permutations from Pseudorandom Functions"; Black &
        Rogaway 2002, "Ciphers with Arbitrary Finite Domains", for the cycle walking.
    """

    count: int
    seed: tuple[int, ...]

    def at(self, places: IntArray) -> IntArray:
        """Return the numbers at these places, (n,) in 0..count-1. Shape: (n,) int64."""
        bits = max(1, ((self.count - 1).bit_length() + 1) // 2)
        keys = np.random.SeedSequence(self.seed).generate_state(ROUNDS, np.uint64)
        numbers = self._permuted(places.astype(np.uint64), bits, keys)
        beyond = np.flatnonzero(numbers >= self.count)
        while len(beyond):
            numbers[beyond] = self._permuted(numbers[beyond], bits, keys)
            beyond = beyond[numbers[beyond] >= self.count]
        return numbers.astype(np.int64)

    @staticmethod
    def _permuted(numbers: IntArray, bits: int, keys: IntArray) -> IntArray:
        mask = np.uint64((1 << bits) - 1)
        left, right = numbers >> np.uint64(bits), numbers & mask
        for key in keys:
            left, right = right, left ^ (_mixed(right + key) & mask)
        return (left << np.uint64(bits)) | right


def _mixed(x: IntArray) -> IntArray:
    """Return a hash of 64-bit numbers: the finaliser of SplitMix64 (Steele, Lea & Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
