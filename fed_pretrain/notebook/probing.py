"""What probes measure of a run, as values and as the figure they draw."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fed_pretrain.curvature.curvature_config import CurvatureConfig
from fed_pretrain.experiment.analysis import run_analysis
from fed_pretrain.experiment.analysis.analyze_config import AnalyzeConfig, OtherRun
from fed_pretrain.experiment.assembly.run_config import RunConfig
from fed_pretrain.notebook import arguments
from fed_pretrain.probes import known_probes
from fed_pretrain.probes.probe import Probe
from groundwork import from_json
from groundwork.untyped import Json

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Measured(Mapping[str, Json]):
    """By probe what it wrote, in the format of its file; of one probe its content itself."""

    def __init__(self, contents: Mapping[str, Mapping[str, Json]]) -> None:
        self.contents = contents
        self._shown: Mapping[str, Json] = (
            next(iter(contents.values())) if len(contents) == 1 else contents
        )

    def __getitem__(self, name: str) -> Json:
        return self._shown[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._shown)

    def __len__(self) -> int:
        return len(self._shown)

    def plot(self, name: str | None = None) -> "Figure | None":
        """The figure that the probe draws; None where it has nothing to show."""
        name = name or next(iter(self.contents))
        return known_probes.at_checkpoints()[name].draw(self.contents[name])

    def __repr__(self) -> str:
        return "\n".join(
            f"{name}: {', '.join(_short(content)) or ', '.join(content)}"
            for name, content in self.contents.items()
        )


def _short(content: Mapping[str, Json]) -> Iterator[str]:
    """The numbers, and lists of a few of them."""
    for name, value in content.items():
        if isinstance(value, float):
            yield f"{name} {value:.4g}"
        elif isinstance(value, list) and 0 < len(value) <= 5 and isinstance(value[0], float):
            yield f"{name} {', '.join(f'{one:.4g}' for one in value)}"
        elif isinstance(value, dict) and name != "provenance":
            yield from (f"{name} {inner}" for inner in _short(value))


def measured(
    config: RunConfig,
    folder: Path,
    names: Sequence[str],
    round_number: str,
    others: Mapping[str, str],
    settings: Mapping[str, Json],
) -> Measured:
    """Probes of the weights that the run in `folder` kept of a round."""
    found = arguments.by_config(known_probes.options(), settings)
    options = [kind(**values) for kind, values in found.items()]
    curvature = next((one for one in options if isinstance(one, CurvatureConfig)), config.curvature)
    asked = dataclasses.replace(config, workdir="", curvature=curvature)
    written = run_analysis.analyze(
        AnalyzeConfig(
            run=asked,
            probes=tuple(names),
            options=tuple(options),
            run_folder=str(folder),
            round=round_number,
            others=tuple(
                OtherRun(other, "last", name, name.replace("run", "round"))
                for name, other in others.items()
            ),
        )
    )
    return _read(written, {name: known_probes.at_checkpoints()[name] for name in names})


def of_run(folder: Path) -> Measured:
    """What the probes of a run wrote at its end."""
    return _read(folder / "probes", known_probes.in_rounds())


def _read(folder: Path, probes: Mapping[str, type[Probe]]) -> Measured:
    """Those that have a file."""
    files = {name: folder / f"{probe.file}.json" for name, probe in probes.items()}
    return Measured({n: from_json.record(file) for n, file in files.items() if file.exists()})


def of_start(config: RunConfig, names: Sequence[str]) -> None:
    """Probes of a start before training, into the config's own folder; done once."""
    done = Path(config.workdir) / "SUCCESS"
    if not done.exists():
        run_analysis.analyze(AnalyzeConfig(run=config, probes=tuple(names)))
