"""Studies in memory and on disk for the report's tests: every number in them is chosen here."""

import json
from pathlib import Path

from fed_pretrain.reporting.results import Analysis, Run, Study

STARTS = {"random": {"start": "random"}, "digits": {"start": "checkpoint:x"}}


def run(
    folder: Path,
    final,
    probes=None,
    client="sgd",
    server="sgd",
    varied=0.0,
    before=0.1,
    columns=None,
    **coordinates,
):
    """A run that ends with accuracy `final`; files are written only where a test needs them.

    columns: more columns of its two rows, each a pair.
    """
    place = {"task": "toy", "algorithm": f"{server}-{client}", "seed": 0, **coordinates}
    own = folder / "-".join(str(value) for value in place.values())
    write_probes(own, probes)
    chosen = {"client_update": client, "server_optimizer": server}
    config = {"config": {"algorithm": chosen, "system": {"varied_share": varied}}}
    (own / "config.json").write_text(json.dumps(config))
    rows = [{"round": 0, "eval_accuracy": before}, {"round": 4, "eval_accuracy": final}]
    for name, pair in (columns or {}).items():
        rows = [{**row, name: value} for row, value in zip(rows, pair, strict=True)]
    return Run(place, own, rows)


def analysis(folder: Path, probes, **coordinates):
    place = {"task": "toy", "analysis": "it", "seed": 0, **coordinates}
    own = folder / "-".join(["analysis", *(str(value) for value in place.values())])
    write_probes(own, probes)
    return Analysis(place, own)


def write_probes(folder: Path, probes):
    (folder / "probes").mkdir(parents=True)
    for name, content in (probes or {}).items():
        (folder / "probes" / f"{name}.json").write_text(json.dumps(content))


def study(runs, analyses=(), starts=None, diverged=(), controls=(), **plan):
    beside = {"it": {"beside": "iid"}}
    plan = {"tasks": {"toy": {"starts": starts or STARTS}}, "sweep": {}, "analyze": beside, **plan}
    return Study(plan, runs, list(analyses), [], [], (), list(diverged), list(controls))


ALGORITHMS = {"fedavg": 0.0, "fedadam": 0.02, "fedprox": -0.01}


def on_disk(
    folder: Path, starts=("imagenet",), tasks=("toy",), algorithms=ALGORITHMS, seeds=3, **plan
):
    """The study.json of a finished study: the pre-trained starts end far above their seed noise."""
    steps = []
    for task in tasks:
        for level, start in enumerate(("random", *starts)):
            for algorithm in algorithms:
                for seed in range(seeds):
                    output = f"steps/{task}-{start}-{algorithm}-{seed}"
                    write_run(folder / output, level, algorithm, seed, len(starts) or 1)
                    place = {"task": task, "start": start, "algorithm": algorithm, "seed": seed}
                    steps.append(step(output, "train", place))
    named = {start: {"start": f"package:{start}"} for start in starts}
    content = {
        "plan": {
            "name": "toy",
            "title": "Toy study",
            "question": "Which start?",
            "origin": "nowhere",
            "reductions": ["5 rounds only"],
            "tasks": {task: {"starts": {"random": {"start": "random"}, **named}} for task in tasks},
            "algorithms": {name: {} for name in algorithms},
            "sweep": {},
            "claims": [],
            "sections": [],
            "seeds": list(range(seeds)),
            **plan,
        },
        "steps": steps,
        "passes": [PASS],
    }
    path = folder / "study.json"
    path.write_text(json.dumps(content))
    return path


PASS = {
    "command": "python -m pipelines.study --plan=/home/me/toy.yaml --workdir=/data/runs/toy",
    "begin": "2026-11-29T09:00:00+00:00",
    "end": "2026-11-29T09:03:20+00:00",
    "commit": "0123456789abcdef",
    "dirty": False,
    "versions": {"python": "3.11.7", "tensorflow": "2.14.1"},
    "machine": {"processor": "a processor", "cores": 2, "memory_gib": 8.0, "platform": "Linux"},
}


def step(output, kind, coordinates, status="done", message=""):
    return {
        "id": output,
        "kind": kind,
        "coordinates": coordinates,
        "status": status,
        "message": message,
        "output": output,
        "seconds": 1.0,
    }


def write_run(folder, level, algorithm, seed, levels=1):
    """`level` 0 is the random start; the last one ends 0.3 above it."""
    final = 0.5 + 0.3 * level / levels + ALGORITHMS[algorithm] + seed / 1000
    pretrained = level > 0
    rows = [
        {
            "round": r,
            "eval_loss": 2.3 - r / 10,
            "eval_accuracy": final * r / 4,
            "train_loss": 2.0 - r / 10,
            "train_accuracy": final * r / 4,
            "gradient_diversity": 0.4 if pretrained else 0.9,
            "mean_pairwise_cosine": 0.5 + seed / 1000 if pretrained else 0.1,
            "bytes_down": 1000,
            "bytes_up": 1000,
            "seconds": 0.5,
        }
        for r in range(5)
    ]
    reach = 1.0 + seed / 100 if pretrained else 2.0
    distances = {"rounds": list(range(5)), "to_final": [(4 - r) * reach for r in range(5)]}
    (folder / "probes").mkdir(parents=True)
    (folder / "probes" / "distances.json").write_text(json.dumps(distances))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    optimizer = "adam" if algorithm == "fedadam" else "sgd"
    chosen = {"server_optimizer": optimizer, "client_learning_rate": 0.1}
    config = {"config": {"algorithm": chosen}, "dataset_fingerprint": "feed" * 8}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "SUCCESS").write_text("{}")


def cells(folder: Path, finals, **others):
    """Runs of seeds 0, 1, ...: `finals` has a list of accuracies by (start, algorithm)."""
    return [
        run(folder, final, start=start, algorithm=name, seed=seed, **others)
        for (start, name), several in finals.items()
        for seed, final in enumerate(several)
    ]
