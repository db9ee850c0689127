"""Is heterogeneity curvature? Each client's own top eigenvalue, and the angles between their
eigenvectors."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fed_pretrain.curvature import lanczos
from fed_pretrain.curvature.loss_operators import CurvatureOperator


def measure(
    operator_of: Callable[[str], CurvatureOperator],
    client_ids: Sequence[str],
    *,
    seed: int,
    iterations: int,
    tolerance: float,
    on_client: Callable[[int, float], None] | None = None,
) -> dict[str, Any]:
    """The content of clients.json. An eigenvector has no sign: the cosine is absolute."""
    vectors, rows = [], []
    for number, client_id in enumerate(client_ids, 1):
        operator = operator_of(client_id)
        result = lanczos.eigenpairs(
            operator, seed=seed, max_iterations=iterations, tolerance=tolerance
        )
        pair = result.pairs[0]
        vectors.append(pair.vector)
        rows.append(
            {
                "client": client_id,
                "eigenvalue": pair.value,
                "residual": pair.residual,
                "converged": result.converged,
                "iterations": result.iterations,
                "positions": operator.scored,
                "loss": operator.loss,
            }
        )
        if on_client is not None:
            on_client(number, pair.value)
    cosines = np.clip(np.abs(np.stack(vectors) @ np.stack(vectors).T), 0.0, 1.0)
    pairs = cosines[np.triu_indices(len(rows), 1)]
    return {
        "clients": rows,
        "absolute_cosine": cosines.tolist(),
        "angle_degrees": np.degrees(np.arccos(cosines)).tolist(),
        "mean_absolute_cosine": float(pairs.mean()) if len(pairs) else None,
        "seed": seed,
    }
