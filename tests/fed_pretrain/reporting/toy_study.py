"""Studies in memory and on disk for the report's tests: every number in them is chosen here."""

import json
from pathlib import Path

from fed_pretrain.reporting.results import Analysis, Run, Study

STARTS = {"random": {"start": "random"}, "digits": {"start": "checkpoint:x"}}


def run(folder: Path, final, probes=None, client="sgd", server="sgd", varied=0.0, **coordinates):
    """A run that ends with accuracy `final`; files are written only where a test needs them."""
    place = {"task": "toy", "algorithm": f"{server}-{client}", "seed": 0, **coordinates}
    own = folder / "-".join(str(value) for value in place.values())
    write_probes(own, probes)
    chosen = {"client_update": client, "server_optimizer": server}
    config = {"config": {"algorithm": chosen, "system": {"varied_share": varied}}}
    (own / "config.json").write_text(json.dumps(config))
    rows = [{"round": 0, "eval_accuracy": 0.1}, {"round": 4, "eval_accuracy": final}]
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


def study(runs, analyses=(), starts=None, **plan):
    beside = {"it": {"beside": "iid"}}
    plan = {"tasks": {"toy": {"starts": starts or STARTS}}, "sweep": {}, "analyze": beside, **plan}
    return Study(plan, runs, list(analyses), [], [])
