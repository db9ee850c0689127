"""The card of an exported model: what it is, how it was made, what it reaches, under which licence.

Written from the files of its run, so that it says nothing that the run does not.
"""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path

from groundwork import files, from_json, versions
from groundwork.embedded_packages import PACKAGES
from groundwork.untyped import Json

_Z95 = 1.959963984540054
_CALIBRATED = (
    " Its head was retrained afterwards on virtual features of the clients' classes (CCVR, arXiv"
    " 2106.05001)."
)


def write(run: Path, which: str, model: Path, calibrated: bool = False) -> Path:
    """Beside the model, or in it where it is a folder; returns the card."""
    card = model / "README.md" if model.is_dir() else model.with_name(f"{model.name}.md")
    files.write_text(card, text(run, which, model.name, calibrated))
    return card


def text(run: Path, which: str, file_name: str, calibrated: bool = False) -> str:
    config, start, success = (
        from_json.record(run / name) for name in ("config.json", "start.json", "SUCCESS")
    )
    rounds = success["best_round"] if which == "best" else success["rounds"]
    settings = config["config"]
    title = f"{settings['model'] or 'model'} for {settings['task']}"
    before = ", before the calibration" if calibrated else ""
    parts = [
        _front_matter(start),
        f"# {title[0].upper()}{title[1:]}",
        f"`{file_name}` holds the weights after round {rounds} of a federated training by "
        f"fed_pretrain.{_CALIBRATED if calibrated else ''}",
        _table("Training", _training(settings, config)),
        _table("Start", _start(start)),
        _table("Data", _data(settings, config)),
        _table(
            f"Evaluation after round {rounds}{before}", _evaluation(run, settings, success, rounds)
        ),
        _table("Privacy", _privacy(success)),
        "## Made by\n\n" + "\n".join(f"- {s}" for s in versions.sentences(config["versions"])),
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def wilson(right: float, n: int) -> tuple[float, float]:
    """The 95 % interval of a share `right` of n draws (Wilson 1927)."""
    square = _Z95**2
    middle = (right + square / (2 * n)) / (1 + square / n)
    half = _Z95 / (1 + square / n) * math.sqrt(right * (1 - right) / n + square / (4 * n * n))
    return middle - half, middle + half


def _front_matter(start: Mapping[str, Json]) -> str:
    lines = ["---", "library_name: keras", "tags:", "- federated-learning"]
    licence = _licence(start)
    if licence is not None and ";" not in licence:
        lines.append(f"license: {licence.lower()}")
    return "\n".join([*lines, "---"])


def _training(
    settings: Mapping[str, Json], config: Mapping[str, Json]
) -> Iterator[tuple[str, str]]:
    algorithm, work = settings["algorithm"], settings["work"]
    parts = f"{algorithm['client_update']}, {algorithm['server_optimizer']} at the server"
    yield "algorithm", settings["algorithm_name"] or parts
    yield "rounds", f"{work['rounds']:,}"
    yield "clients a round", f"{work['clients_per_round']} of {algorithm['population']:,}"
    rates = (algorithm[f"{side}_learning_rate"] for side in ("client", "server"))
    yield "rates", "{:g} at clients, {:g} at the server".format(*rates)
    yield "what trains", settings["start"]["trainable"]
    yield "seed", str(settings["seed"])
    yield "identity of the run", f"`{config['hash']}`"


def _start(start: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    spec = str(start["start"])
    yield "weights", "random" if spec == "random" else Path(spec).name
    if start.get("file_sha256"):
        yield "sha256", f"`{start['file_sha256']}`"
    yield "tensors", ", ".join(f"{count} {verdict}" for verdict, count in start["counts"].items())
    for proxy in start.get("proxies", ()):
        yield "proxy data", proxy
    licence = _licence(start)
    if licence is not None:
        yield "licence of the weights", licence


def _licence(start: Mapping[str, Json]) -> str | None:
    kind, _, name = str(start["start"]).partition(":")
    return PACKAGES[name].licence if kind == "package" and name in PACKAGES else None


def _data(settings: Mapping[str, Json], config: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    yield "task", settings["task"]
    law, off = config.get("partition_law"), config.get("partition_deviation")
    if law:
        aside = f", but for {off:.0%} of its examples, as labels ran out" if off else ""
        yield "clients", law + aside
    yield "identity of the dataset", f"`{config['dataset_fingerprint']}`"


def _evaluation(
    run: Path, settings: Mapping[str, Json], success: Mapping[str, Json], after: int
) -> Iterator[tuple[str, str]]:
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    rows = {one["round"]: one for one in map(json.loads, lines)}
    row: Mapping[str, Json] = rows.get(after, {})
    yield "split", settings["evaluation"]["eval_split"]
    scored = success.get("evaluated", {}).get("labels")
    accuracy = row.get("eval_accuracy")
    if accuracy is not None and scored and 0.0 <= accuracy <= 1.0:
        low, high = wilson(accuracy, scored)
        yield "accuracy", f"{accuracy:.4f} (95 % {low:.4f} to {high:.4f})"
        told = f"of {scored:,} labels as if independent: not over clients, seeds or data sets"
        yield "interval", told
        share = success["evaluated"].get("commonest_share")
        if share is not None:
            yield "always the commonest label", f"{share:.4f}"
    elif accuracy is not None:
        yield "accuracy", f"{accuracy:.4f}"
    if row.get("eval_loss") is not None:
        yield "loss", f"{row['eval_loss']:.4f}"


def _privacy(success: Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    spent = success.get("privacy")
    if not spent:
        yield "differential privacy", "none"
        return
    epsilon = spent["epsilon"]
    bounded = epsilon is not None
    yield "epsilon", f"{epsilon:.4g} at delta {spent['delta']:g}" if bounded else "unbounded"
    yield "accountant", spent["accountant"]
    yield "neighbours", spent["neighbours"]
    for sentence in spent["assumes"]:
        yield "assumes", sentence


def _table(title: str, rows: Iterator[tuple[str, str]]) -> str:
    lines = [f"| {name} | {value.replace('|', '/')} |" for name, value in rows]
    return "\n".join([f"## {title}", "", "| | |", "| --- | --- |", *lines])
