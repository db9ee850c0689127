"""Is heterogeneity curvature? Each client's own top eigenvalue, and the angles between their
eigenvectors."""

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fed_pretrain.clients.local_work import TRAIN_SPLIT
from fed_pretrain.curvature import curvature_config, lanczos
from fed_pretrain.curvature.curvature_config import CurvatureConfig
from fed_pretrain.probes import curvature
from fed_pretrain.probes.probe import Content, Probe
from fed_pretrain.probes.subject import Subject
from groundwork.progress import Progress
from groundwork.untyped import Json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fed_pretrain.curvature.loss_operators import CurvatureOperator


class ClientCurvature(Probe):
    """The examples asked for are shared out over the cohort."""

    name = "clients"
    help = "each client's own top eigenvalue, and the angles between their eigenvectors"
    options = (CurvatureConfig,)

    def __init__(self, subject: Subject) -> None:
        super().__init__(subject)
        curvature.operators(subject)

    def measure(self) -> Content:
        from fed_pretrain.curvature import sample

        subject, cohort = self.subject, self.subject.cohort()
        config, seed = subject.option(CurvatureConfig), curvature.seed(subject)
        index = subject.task.dataset.index(TRAIN_SPLIT)
        wanted = config.number_of_examples
        share = None if wanted is None else max(1, wanted // len(cohort))
        block = curvature_config.chosen(subject.names, config.layers)

        def operator_of(client_id: str) -> "CurvatureOperator":
            drawn = sample.of_client(index, client_id, share, seed)
            weights = subject.model.weights
            return curvature.operators_at(subject, weights, drawn, curvature.HESSIAN)(block)

        progress = Progress("clients", len(cohort), stream=sys.stderr)
        content = by_client(
            operator_of,
            cohort,
            seed=seed,
            iterations=config.iterations,
            tolerance=config.tolerance,
            on_client=lambda number, value: progress.update(number, f"top {value:.5g}"),
        )
        progress.close()
        return {
            **content,
            "unit": curvature.UNIT,
            "operator": curvature.HESSIAN,
            "block": block.name,
        }

    @staticmethod
    def draw(content: Mapping[str, Json]) -> "Figure":
        from fed_pretrain.probes import drawing

        names = [row["client"] for row in content["clients"]]
        title = "|cosine| of clients' top eigenvectors"
        return drawing.heat_map(content["absolute_cosine"], names, title, 0.0)


def by_client(
    operator_of: Callable[[str], "CurvatureOperator"],
    client_ids: Sequence[str],
    *,
    seed: int,
    iterations: int,
    tolerance: float,
    on_client: Callable[[int, float], None] | None = None,
) -> Content:
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
