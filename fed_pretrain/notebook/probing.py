"""What probes measure of a run, as values and as the figure they draw."""

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fed_pretrain.curvature.curvature_config import CurvatureConfig
from fed_pretrain.experiment.analysis import run_analysis
from fed_pretrain.experiment.analysis.analyze_config import AnalyzeConfig, OtherRun
from fed_pretrain.experiment.assembly.run_config import RunConfig
from fed_pretrain.notebook import arguments
from fed_pretrain.notebook.argument_errors import ArgumentError
from fed_pretrain.probes import known_probes
from groundwork.errors import nearest
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
    options = _options(settings)
    curvature = next((one for one in options if isinstance(one, CurvatureConfig)), config.curvature)
    asked = dataclasses.replace(config, workdir="", curvature=curvature)
    found = run_analysis.analyze(
        AnalyzeConfig(
            run=dataclasses.replace(asked),
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
    probes = known_probes.at_checkpoints()
    return Measured(
        {
            name: json.loads((found / f"{probes[name].file}.json").read_text(encoding="utf-8"))
            for name in names
        }
    )


def _options(settings: Mapping[str, Json]) -> list[object]:
    """The probes' settings by their flags."""
    known = {
        flag: (config, field)
        for config in known_probes.options()
        for field, flag in arguments.fields(config)
    }
    given: dict[type, dict[str, Json]] = {}
    for name, value in settings.items():
        if name not in known:
            raise ArgumentError(f"there is no argument {name!r}{nearest(name, list(known))}")
        config, field = known[name]
        checked = arguments.checked(config, field, name, value)
        given.setdefault(config, {})[field.name] = checked
    return [config(**given.get(config, {})) for config in known_probes.options()]


def of_run(folder: Path) -> Measured:
    """What the probes of a run wrote at its end."""
    files = {
        name: folder / "probes" / f"{probe.file}.json"
        for name, probe in known_probes.in_rounds().items()
    }
    return Measured(
        {
            name: json.loads(file.read_text(encoding="utf-8"))
            for name, file in files.items()
            if file.exists()
        }
    )


def of_start(config: RunConfig, names: Sequence[str]) -> None:
    """Probes of a start before training, into the config's own folder; done once."""
    done = Path(config.workdir) / "SUCCESS"
    if not done.exists():
        run_analysis.analyze(AnalyzeConfig(run=config, probes=tuple(names)))
