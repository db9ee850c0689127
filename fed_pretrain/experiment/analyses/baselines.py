"""Fine-tuning without averaging, of the start and (with --run) of the federated model."""

from pathlib import Path
from typing import Any

from fed_pretrain.experiment import baseline_table
from fed_pretrain.experiment.analyses.subject import Subject
from fed_pretrain.experiment.workdir.metrics import read_rows


def measure(subject: Subject) -> dict[str, Any]:
    kept, sent = subject.kept, (0, 0)
    if kept is not None:
        rows = read_rows(Path(str(subject.config.run_folder)) / "metrics.jsonl")
        until = [row for row in rows if row["round"] <= subject.round_number]
        sent = (sum(row["bytes_down"] for row in until), sum(row["bytes_up"] for row in until))
    content = baseline_table.measure(
        subject.assembly,
        None if kept is None else subject.weights,
        sent,
        subject.config.baseline_epochs,
        subject.config.clients,
    )
    print(baseline_table.table(content))
    return content
