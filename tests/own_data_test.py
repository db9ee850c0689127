"""From a file of one's own to a trained model and its report, by the commands of the pages."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]


def run(folder, module, **flags):
    words = [f"--{name}={value}" for name, value in flags.items()]
    done = subprocess.run(
        [sys.executable, "-m", module, *words], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def houses(path):
    """A price that follows area and kind; areas are missing here and there."""
    draw = np.random.default_rng(3)
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["city", "area", "kind", "price"])
        for number in range(400):
            area, kind = draw.uniform(30, 200), draw.choice(["flat", "house"])
            price = 1000 * area * (3 if kind == "house" else 2)
            writer.writerow([f"c{number % 8}", area if number % 20 else "", kind, price])


def posts(path):
    words = {"sport": "team match goal", "food": "bread soup salt"}
    lines = (
        {"user": f"u{n % 8}", "topic": topic, "body": f"{words[topic]} {n % 3}"}
        for n, topic in enumerate(["sport", "food"] * 100)
    )
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "source", "write", "options", "least"),
    [
        ("regression", "csv", houses, "client=city,label=price", 0.8),
        ("tabular", "csv", houses, "client=city,label=kind", 0.55),
        ("text_classification", "jsonl", posts, "client=user,text=body,label=topic", 0.8),
        ("next_word", "jsonl", posts, "client=user,text=body", 0.0),
    ],
)
def test_a_table_of_ones_own_ends_in_a_model_and_a_report(
    tmp_path, monkeypatch, task, source, write, options, least
):
    write(tmp_path / "rows")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    prepare = {"source": source, "input": "rows", "output": "data", "source_options": options}
    run(tmp_path, "data_prep.prepare", **prepare)
    training = {"clients_per_round": 4, "rounds": 12, "dataset": "data", "workdir": "run"}
    run(tmp_path, "fed_pretrain.train", task=task, **training)
    run(tmp_path, "fed_pretrain.report", runs="run", output="report")
    last = list(csv.DictReader((tmp_path / "run" / "metrics.csv").open()))[-1]
    assert float(last["eval_accuracy"]) >= least
    assert (tmp_path / "run" / "final.keras").is_file()
    assert (tmp_path / "report" / "index.html").is_file()
