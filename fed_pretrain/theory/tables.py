"""Results as rows: a setting at a record, with means and confidence intervals over the seeds."""

import csv
import io
from collections.abc import Sequence

import numpy as np
import scipy.stats

from fed_pretrain.theory.bound import error_bound
from fed_pretrain.theory.laboratory import Results
from fed_pretrain.theory.setting import Setting, num_rounds
from groundwork.untyped import Json

MEASURES = (
    "gamma_aligned",
    "gamma_misaligned",
    "noise",
    "ratio_aligned",
    "ratio_misaligned",
    "train_loss",
    "test_error",
    "misaligned",
    "misaligned_before",
    "hidden_signal",
    "hidden_noise",
)
Row = dict[str, Json]


def rows(part: str, results: Results) -> list[Row]:
    """`NAME` is a mean over seeds, `NAME_ci` the half width of its 95 % interval (Student's t)."""
    found = []
    for index, setting in enumerate(results.settings):
        for record, step in enumerate(results.steps):
            row = _setting_row(part, results, setting, index) | {"step": int(step)}
            for name in MEASURES:
                values = getattr(results, name)[index, :, record]
                row[name], row[f"{name}_ci"] = mean_and_interval(values)
            row["least_growth"] = _known(results.growth[index, :, record].min())
            row["turned"] = _known(results.turned[index, :, record].sum())
            row["reconstruction"] = _known(results.reconstruction[index, :, record].max())
            found.append(row)
    return found


def _setting_row(part: str, results: Results, setting: Setting, index: int) -> Row:
    problem = results.problem
    tau = setting.tau if isinstance(setting.tau, int) else "-".join(map(str, setting.tau))
    rounds = num_rounds(setting.tau, problem.steps)
    shares = results.aligned_share[index]
    return {
        "part": part,
        "algorithm": problem.algorithm,
        "classes": problem.classes,
        "hidden": problem.hidden,
        "clients": problem.clients,
        "start": setting.start,
        "h": setting.h,
        "tau": tau,
        "rounds": rounds,
        "signal_to_noise": setting.signal_to_noise,
        "sigma_0": setting.sigma_0,
        "eta": setting.eta,
        "cosine": setting.cosine if setting.start != "random" else None,
        "aligned": setting.aligned,
        "prox": setting.prox if problem.algorithm == "fedprox" else None,
        "seeds": len(results.seeds),
        "aligned_share": float(shares.mean()),
        "bound_shape": _bound(results, setting, problem.steps / rounds, shares),
    }


def _bound(results: Results, setting: Setting, tau: float, shares: np.ndarray) -> float | None:
    problem = results.problem
    if problem.classes != 2 or problem.algorithm != "fedavg" or problem.hidden:
        return None
    values = [
        error_bound(
            share,
            min(setting.h, 1 - setting.h),
            tau,
            setting.signal_to_noise,
            problem.total_samples,
            problem.dimension,
        )
        for share in shares
    ]
    return float(np.mean(values))


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def mean_and_interval(values: np.ndarray) -> tuple[float | None, float | None]:
    """None where no seed, or only one, has a value."""
    values = values[np.isfinite(values)]
    if not len(values):
        return None, None
    if len(values) == 1:
        return float(values[0]), None
    quantile = float(scipy.stats.t.ppf(0.975, len(values) - 1))
    return float(values.mean()), float(quantile * values.std(ddof=1) / np.sqrt(len(values)))


def where(table: Sequence[Row], **values: Json) -> list[Row]:
    return [row for row in table if all(row[name] == value for name, value in values.items())]


def last(table: Sequence[Row]) -> list[Row]:
    """The rows of the last record."""
    end = max(row["step"] for row in table)
    return [row for row in table if row["step"] == end]


def split_name(h: float) -> str:
    return {0.5: "IID (h = 0.5)", 0.0: "one label a client (h = 0)"}.get(h, f"h = {h:g}")


def to_csv(table: list[Row]) -> str:
    text = io.StringIO()
    columns = list(dict.fromkeys(name for row in table for name in row))
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)
    return text.getvalue()
