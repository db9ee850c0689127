"""Every random choice is a pure function of (seed, purpose, parts...).

No global generator, no Python `hash()`, no dependence on the order of calls: the same choice is
made by every process, worker and resumed run.
"""

from __future__ import annotations

import hashlib

import numpy as np


def _digest(seed: int, purpose: str, parts: tuple[int | str, ...]) -> bytes:
    """Hashes the parts with their types and lengths, so that ("a", "b") never equals ("ab",)."""
    state = hashlib.sha256()
    for part in (seed, purpose, *parts):
        text = str(int(part)) if isinstance(part, (int, np.integer)) else part
        kind = "i" if isinstance(part, (int, np.integer)) else "s"
        encoded = text.encode("utf-8")
        state.update(f"{kind}{len(encoded)}:".encode())
        state.update(encoded)
    return state.digest()


def stable_hash(content: bytes) -> int:
    """64 bits; that of a client's id alone decides its place in a prepared dataset."""
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def key(seed: int, purpose: str, *parts: int | str) -> int:
    """A 63-bit integer that stands for this choice."""
    return int.from_bytes(_digest(seed, purpose, parts)[:8], "little") >> 1


def generator(seed: int, purpose: str, *parts: int | str) -> np.random.Generator:
    """A separate NumPy generator for this choice."""
    words = np.frombuffer(_digest(seed, purpose, parts)[:16], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=words))


def stateless_seed(seed: int, purpose: str, *parts: int | str) -> np.ndarray:
    """An int32[2] seed for TensorFlow's stateless ops."""
    return np.frombuffer(_digest(seed, purpose, parts)[:8], dtype=np.int32).copy()
