"""The cosine between every two clients' updates, with the clients by name."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np


def unit_rows(updates: Iterable[Sequence[np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Updates as rows of length one (NaN for a zero update), and their norms."""
    rows, norms = [], []
    for update in updates:
        flat = np.concatenate([np.asarray(part, np.float64).reshape(-1) for part in update])
        norm = float(np.linalg.norm(flat))
        rows.append((flat / norm if norm > 0 else np.full_like(flat, np.nan)).astype(np.float32))
        norms.append(norm)
    return np.stack(rows), np.array(norms)


def measure(updates: Iterable[Sequence[np.ndarray]], cohort: Sequence[str]) -> dict[str, Any]:
    """The content of alignment.json."""
    rows, norms = unit_rows(updates)
    cosines = (rows @ rows.T).astype(np.float64)
    pairs = cosines[np.triu_indices(len(rows), 1)]
    defined = pairs[np.isfinite(pairs)]
    total = np.nan_to_num(rows, nan=0.0).T.astype(np.float64) @ norms
    squared = float(total @ total)
    return {
        "clients": list(cohort),
        "cosine": [[_number(value) for value in row] for row in cosines],
        "norms": norms.tolist(),
        "mean_pairwise_cosine": _number(defined.mean()) if len(defined) else None,
        "gradient_diversity": float((norms**2).sum()) / squared if squared > 0 else None,
        "unit": "cosine of the angle between two clients' updates; norms are Euclidean",
    }


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
