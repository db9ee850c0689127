"""What the page shows, read from the files of a study or of a run."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from groundwork import from_json
from groundwork.errors import UserError
from groundwork.untyped import Json
from pipelines import study_file
from pipelines.watching import progress_file

_POINTS = 160
_LOG_LINES = 12
_SILENT_AFTER = 30.0


class Watched:
    """A folder whose files are read again when they have changed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._read: dict[Path, tuple[tuple[int, int], Json]] = {}
        if not self.folder.is_dir():
            raise UserError(f"--workdir={folder}: there is no such folder")

    def state(self) -> dict[str, Json]:
        study = self.folder / study_file.NAME
        if study.exists():
            return self._study(self._json(study))
        if (self.folder / "config.json").exists() or (self.folder / "metrics.jsonl").exists():
            return self._run()
        return {"title": self.folder.name, "steps": [], "note": "Nothing has begun here yet."}

    def report(self) -> Path | None:
        """The folder of a study's finished report."""
        study = self.folder / study_file.NAME
        for step in self._json(study).get("steps", []) if study.exists() else []:
            output = self._output(step)
            if step["kind"] == "report" and output and (output / "index.html").exists():
                return output
        return None

    def _output(self, record: Mapping[str, Json]) -> Path | None:
        """A step's folder; a study of somebody else may name any other."""
        output = (self.folder / (record["output"] or "..")).resolve()
        return output if output.is_relative_to(self.folder) else None

    def _study(self, content: Mapping[str, Json]) -> dict[str, Json]:
        plan, progress = content["plan"], progress_file.read(self.folder)
        steps = [self._step(record) for record in content["steps"]]
        silent = time.time() - progress.get("at", 0.0) > _SILENT_AFTER
        ahead = any(step["status"] in ("waiting", "running") for step in steps)
        note = (
            "The study is not running: the same command continues it." if ahead and silent else ""
        )
        return {
            "title": plan["title"],
            "question": plan["question"],
            "steps": steps,
            "standing": progress.get("standing", ""),
            "seconds_left": None if silent or not ahead else progress.get("seconds_left"),
            "report": self.report() is not None,
            "note": note,
        }

    def _step(self, record: Mapping[str, Json]) -> dict[str, Json]:
        step = {name: record[name] for name in ("id", "kind", "status", "message", "seconds")}
        step["coordinates"] = record["coordinates"]
        output = self._output(record)
        if output and record["kind"] == "train":
            step |= self._training(output)
        if output and record["status"] == "failed":
            step["log"] = _tail(output.with_name(output.name + ".log"))
        return step

    def _run(self) -> dict[str, Json]:
        finished = (self.folder / "SUCCESS").exists()
        training = self._training(self.folder)
        step = {
            "id": self.folder.name,
            "kind": "train",
            "status": "done" if finished else "running",
            "message": "",
            "seconds": 0.0,
            "coordinates": {},
            **training,
        }
        return {"title": f"The run {self.folder.name}", "steps": [step]}

    def _training(self, folder: Path) -> dict[str, Json]:
        rows: Sequence[Mapping[str, Json]] = self._lines(folder / "metrics.jsonl")
        config = self._json(folder / "config.json").get("config", {})
        evaluated = [r for r in rows if r.get("eval_accuracy") is not None]
        every = max(1, len(evaluated) // _POINTS)
        shown = evaluated[::every]
        if evaluated and shown[-1] is not evaluated[-1]:
            shown.append(evaluated[-1])
        return {
            "round": rows[-1]["round"] if rows else None,
            "rounds": config.get("work", {}).get("rounds"),
            "accuracy": [[r["round"], r["eval_accuracy"]] for r in shown],
            "loss": [[r["round"], r.get("eval_loss")] for r in shown],
        }

    def _json(self, path: Path) -> dict[str, Json]:
        return dict(self._cached(path, json.loads) or {})

    def _lines(self, path: Path) -> list[dict[str, Json]]:
        return list(self._cached(path, _whole_lines) or [])

    def _cached(self, path: Path, parse: Json) -> Json:
        try:
            stat = path.stat()
            stamp = (stat.st_size, stat.st_mtime_ns)
            known = self._read.get(path)
            if known is None or known[0] != stamp:
                known = (stamp, parse(path.read_text(encoding="utf-8", errors="replace")))
                self._read[path] = known
        except (OSError, ValueError):
            return None
        return known[1]


def _whole_lines(text: str) -> list[Json]:
    """The rows of metrics.jsonl; the last line may be half written."""
    return [from_json.text(line) for line in text.split("\n")[:-1]]


def _tail(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            file.seek(0, 2)
            file.seek(max(0, file.tell() - 8000))
            lines = file.read().decode("utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    return "\n".join(lines[-_LOG_LINES:])
