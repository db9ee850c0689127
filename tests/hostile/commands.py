"""Hostile command lines: a program, its arguments and what the sentence must say.

In an argument, `{name}` is a file or folder of `WORLD`, made once for all.
"""

import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

PREPARE, VERIFY, DESCRIBE, COPY = (
    f"data_prep.{name}" for name in ("prepare", "verify", "describe", "export")
)
TRAIN, ANALYZE, PRETRAIN, EXPORT, REPORT, DOCTOR = (
    f"fed_pretrain.{name}"
    for name in ("train", "analyze", "pretrain", "export", "report", "doctor")
)
STUDY, TUNE, WATCH = "pipelines.study", "pipelines.tune", "pipelines.watch"


class Command(NamedTuple):
    module: str
    arguments: tuple[str, ...]
    why: str = ""

    @property
    def name(self) -> str:
        return f"{self.module} {' '.join(self.arguments)}"[:120]


def make_world(folder: Path) -> dict[str, str]:
    """Files and folders that are not what a flag wants."""
    (folder / "empty").mkdir()
    (folder / "text.txt").write_text("just words\n")
    (folder / "noise").write_bytes(bytes(range(256)) * 8)
    (folder / "rows.csv").write_text("client_id,label\n" + "a,1\nb,0\n" * 20)
    (folder / "bad.csv").write_text("client_id,label\n" + "a,1\n" * 1100 + "a,x\n")
    (folder / "plan.yaml").write_text("name: x\n")
    (folder / "dots.yaml").write_text(
        "name: x\ntitle: x\nquestion: x\ntasks:\n  ..: {task: digits, starts: {a: {start: random}}}"
        "\nalgorithms: {a: {algorithm: fedavg}}\n"
    )
    (folder / "endless.yaml").symlink_to("/dev/zero")
    (folder / "flags").write_text("--flagfile=flags\n")
    (folder / "dataset").mkdir()
    (folder / "dataset" / "manifest.json").write_text("{}")
    (folder / "run").mkdir()
    (folder / "run" / "config.json").write_text("[]")
    (folder / "run" / "SUCCESS").write_text("{}")
    (folder / "study.json").write_text(json.dumps({"plan": [], "steps": 3}))
    with zipfile.ZipFile(folder / "start.zip", "w") as archive:
        archive.writestr("a", "b")
    os.mkfifo(folder / "pipe")
    (folder / "locked").mkdir(mode=0o500)
    return {path.name.partition(".")[0]: str(path) for path in sorted(folder.iterdir())} | {
        "plan": str(folder / "plan.yaml"),
        "bad": str(folder / "bad.csv"),
        "folder": str(folder),
    }


_HUGE = "9" * 40
_NUMBERS = ("abc", "", "-1", "1e999", _HUGE, "nan", "0x", "1,2")


def _each(
    module: str, base: tuple[str, ...], flags: dict[str, tuple[str, ...]]
) -> Iterator[Command]:
    for flag, values in flags.items():
        for value in values:
            yield Command(module, (*base, f"--{flag}={value}"))


_DIGITS = ("--source=digits", "--output=out")
_IID = (*_DIGITS, "--partition=iid")
_CSV = ("--source=csv", "--input={rows}", "--output=out")
FAST: list[Command] = [
    Command(PREPARE, ()),
    Command(PREPARE, ("--source=digits",), "--output"),
    Command(PREPARE, ("word",), "unexpected argument"),
    Command(PREPARE, ("--sauce=digits",), "sauce"),
    Command(PREPARE, ("--source=digits", "--shards=many"), "--shards=many: a whole number is"),
    Command(PREPARE, ("--source=digits", "--alpha=small"), "--alpha=small: a number is wanted"),
    Command(PREPARE, ("--source=digitz", "--output=out"), "did you mean"),
    Command(PREPARE, ("--source=../digits", "--output=out")),
    Command(PREPARE, ("--source=tfds:", "--output=out")),
    Command(PREPARE, (*_DIGITS[:1], "--output={text}")),
    Command(PREPARE, (*_DIGITS[:1], "--output={folder}"), "holds other files"),
    Command(PREPARE, (*_DIGITS[:1], "--output={text}/x")),
    Command(PREPARE, (*_DIGITS[:1], "--output=/proc/x")),
    Command(PREPARE, (*_DIGITS[:1], "--output=a\0b")),
    Command(PREPARE, (*_DIGITS[:1], "--output=" + "x" * 300)),
    Command(PREPARE, (*_DIGITS[:1], "--output=out\udcff"), r"--output='out.udcff': is not UTF-8"),
    Command(STUDY, ("--plan=quickstart", "--workdir=w\udcff", "--dry_run"), "is not UTF-8"),
    Command(PREPARE, ("--source=arrays", "--output=out", "--input={noise}"), "is not an .npz file"),
    Command(PREPARE, (*_DIGITS[:1], "--output=gs://bucket/x"), "gs://"),
    Command(PREPARE, ("--source=csv", "--output=out"), "--input is missing"),
    Command(PREPARE, ("--source=csv", "--output=out", "--input={empty}"), "no such file"),
    Command(PREPARE, ("--source=csv", "--output=out", "--input={noise}"), "UTF-16 or no text"),
    Command(PREPARE, ("--source=csv", "--output=out", "--input={pipe}"), "no such file"),
    Command(PREPARE, ("--source=csv", "--output=out", "--input=/dev/zero"), "no such file"),
    Command(PREPARE, ("--source=csv", "--output=out", "--input={bad}", "--dry_run"),
            r"bad\.csv line 1102"),
    Command(PREPARE, ("--source=csv", "--output=out", "--input=[")),
    Command(PREPARE, ("--source=csv", "--output=out", "--input=a\0b")),
    Command(PREPARE, ("--source=csv", "--output=out", "--input=,,,"), "--input"),
    Command(PREPARE, (*_CSV, "--source_options=client"), "name=value"),
    Command(PREPARE, (*_CSV, "--source_options=colour=red"), "no option 'colour'"),
    Command(PREPARE, (*_CSV, "--vocabulary=count:5"), "no field 'text'"),
    Command(PREPARE, (*_CSV, "--flagfile={flags}")),
    Command(PREPARE, (*_CSV, "--flagfile=nothing")),
    Command(PREPARE, (*_CSV, "--plugin=no_such_module")),
    Command(PREPARE, (*_CSV, "--plugin=os.path;x")),
    Command(PREPARE, (*_CSV, "--partition=dirichlet", "--num_clients=3", "--alpha=0")),
    Command(PREPARE, (*_DIGITS, "--validation_share=0.5"), "--validation_share"),
    Command(PREPARE, (*_DIGITS, "--split=source"), "ships no splits"),
    Command(PREPARE, (*_DIGITS, "--split=by_cutoff", "--split_cutoffs=5,4"), "rising"),
    Command(PREPARE, (*_DIGITS, "--runner=DirectRunner"), "DirectRunner"),
    *_each(PREPARE, _DIGITS, {
        "partition": ("", "random", "iid", "../x"),
        "split": ("", "half"),
        "split_fractions": ("1", "a,b,c", "nan,0,0", "0.5,0.5,0.5", "-1,1,1", "inf,0,0"),
        "shards": ("0", *_NUMBERS[:3], _HUGE),
        "shard_mb": ("0", "abc"),
        "spill_mb": ("0", "abc"),
        "workers": ("0", "abc", "-3"),
        "max_bad_records": ("-1", "abc"),
        "seed": ("abc", "1.5"),
        "min_examples": ("-1", "x"),
        "max_examples": ("0", "x"),
        "vocabulary": ("count", "count:0", "count:x", "glove:99999999999", "file:{text}:5", "x:3"),
        "overwrite": ("perhaps",),
    }),
    *_each(PREPARE, (*_DIGITS, "--partition=dirichlet", "--num_clients=5"), {
        "alpha": ("0", "-1", "nan", "inf", "abc"),
        "dirichlet": ("per_moon",),
        "concentration": ("thick",),
        "minimum_size": ("-1",),
    }),
    *_each(PREPARE, (*_DIGITS, "--partition=quantity", "--num_clients=5"), {
        "sigma": ("-1", "nan", "inf", "1e300"),
    }),
    *(Command(program, (f"--dataset={name}",))
      for program in (VERIFY, DESCRIBE, COPY)
      for name in ("", "nothing", "{text}", "{empty}", "a\0b", "s3://x/y")),
    Command(DESCRIBE, ("--dataset={dataset}",), "is damaged"),
    Command(COPY, ("--dataset={dataset}", "--layout=round", "--output=x")),
    Command(REPORT, (), "--study"),
    Command(REPORT, ("--study={study}",), "--output"),
    Command(REPORT, ("--study={study}", "--output=out")),
    Command(REPORT, ("--study={text}", "--output=out")),
    Command(REPORT, ("--study={noise}", "--output=out")),
    Command(REPORT, ("--study=nothing", "--output=out")),
    Command(REPORT, ("--study={empty}", "--output=out")),
    Command(REPORT, ("--runs={empty}", "--output=out")),
    Command(REPORT, ("--runs={run}", "--output=out")),
    Command(REPORT, ("--runs=nothing", "--output=out")),
    Command(REPORT, ("--runs=,", "--output=out")),
    Command(REPORT, ("--runs={run}", "--study={study}", "--output=out"), "give"),
    Command(WATCH, (), "--workdir is missing"),
    *_each(WATCH, ("--workdir={empty}",), {
        "workdir": ("", "nothing", "{text}", "a\0b", "s3://x/y"),
        "host": ("", "no such host", "1.2.3.4.5", "a\0b"),
        "port": ("-1", "abc", "99999"),
    }),
    Command(STUDY, ("--plan=quickstart",), "--workdir"),
    Command(
        STUDY, ("--plan=quickstart", "--workdir=w", "--list_steps", "--step=report"), "exclude"
    ),
    Command(STUDY, ("--plan=quickstrat", "--workdir=w"), "did you mean"),
    Command(STUDY, ("--plan=nothing.yaml", "--workdir=w"), "cannot be read"),
    Command(STUDY, ("--plan={endless}", "--workdir=w"), "longer than 64 MiB"),
    Command(STUDY, ("--plan={plan}", "--workdir=w"), "title"),
    Command(STUDY, ("--plan={dots}.yaml", "--workdir=w"), "cannot be read"),
    Command(STUDY, ("--plan={dots}", "--workdir=w"), "name of a folder"),
    Command(STUDY, ("--plan=../x", "--workdir=w"), "no plan named"),
    Command(STUDY, ("--plan=quickstart", "--workdir={text}")),
    Command(STUDY, ("--plan=quickstart", "--workdir={text}/x")),
    Command(STUDY, ("--plan=quickstart", "--workdir=a\0b")),
    Command(STUDY, ("--plan=quickstart", "--workdir=w", "--step=nothing")),
    Command(STUDY, ("--plan=quickstart", "--workdir=w", "--parallel=-1")),
    Command(STUDY, ("--plan=quickstart", "--workdir=w", "--step=report", "--forget_stale")),
    *(Command(STUDY, ("--plan=quickstart", "--workdir=w", "--dry_run", "--set", text))
      for text in ("", "=", "x", "seeds=0", "seeds=[", "seeds=[a]", "seeds=[-1e999]", "tasks=",
                   "tasks.nothing.x=1", "algorithms={..: {algorithm: fedavg}}", "claims=[nothing]",
                   "settings.batch_size=many", "settings.no_such_flag=1", "sections=[nothing]")),
]  # fmt: skip

_RUN = ("--task=digits", "--workdir=w")
_FLAGS = {
    "task": ("", "digit", "../digits"),
    "dataset": ("nothing", "{text}", "{empty}", "{dataset}", "a\0b"),
    "model": ("", "no_such_model"),
    "start": ("", "nothing", "checkpoint:", "checkpoint:nothing", "checkpoint:{text}",
              "checkpoint:{noise}", "checkpoint:{empty}", "checkpoint:{start}", "checkpoint:{run}",
              "checkpoint:a\0b", "package:no_such", "hub:../../etc/passwd",
              "hub:torchvision/none", "keras:none"),
    "start_head": ("slice", "heads"),
    "algorithm": ("fedsgdd",),
    "rounds": _NUMBERS,
    "clients_per_round": ("0", *_NUMBERS[:4]),
    "batch_size": ("0", *_NUMBERS[:3]),
    "client_learning_rate": ("-1", "nan", "inf", "abc", "1e999"),
    "server_learning_rate": ("-1", "nan", "inf", "abc"),
    "seed": ("abc", "1.5", ""),
    "executor": ("gpu", ""),
    "devices": ("GPU:0", "TPU", "CPU:99", "x", ""),
    "probes": ("no_such", "hessian,,x"),
    "workdir": ("", "w\udcff", "{text}", "{text}/x", "/proc/x", "a\0b", "gs://b/x"),
    "plugin": ("no_such_module", "1;2"),
    "evaluate_every": ("-1", "abc"),
}  # fmt: skip
SLOW: list[Command] = [
    Command(PREPARE, (*_DIGITS, "--runner=NoSuchRunner"), "--runner=NoSuchRunner: Beam refuses it"),
    Command(PREPARE, (*_DIGITS, "--runner=DataflowRunner"),
            r"refuses it \(Missing GCS path option: temp_location; .*region\); what it needs"),
    Command(PREPARE, (*_DIGITS, "--min_examples=100000"), "nothing is left"),
    Command(PREPARE, (*_DIGITS, "--partition=labels_per_client", "--num_clients=9",
                      "--labels_per_client=11"), "10 labels only"),
    Command(PREPARE, (*_IID, "--num_clients=2000000000"), "--num_clients"),
    Command(TRAIN, ()),
    Command(TRAIN, ("word",), "unexpected argument"),
    Command(TRAIN, ("--tusk=digits",), "tusk"),
    *_each(TRAIN, (*_RUN, "--dry_run"), _FLAGS),
    Command(ANALYZE, ()),
    *_each(ANALYZE, (), {"run": ("nothing", "{text}", "{empty}", "{run}", "a\0b")}),
    *_each(ANALYZE, _RUN, {"probes": ("no_such", ""), "round": ("x",), "other_run": ("nothing",)}),
    Command(PRETRAIN, ()),
    *_each(PRETRAIN, _RUN, {"epochs": ("0", "abc", "-1"), "task": ("digit",)}),
    Command(EXPORT, (), "--run"),
    Command(EXPORT, ("--run={run}",), "--format"),
    *(Command(EXPORT, (f"--run={run}", "--format=npz"))
      for run in ("nothing", "{text}", "{empty}", "{run}", "a\0b")),
    Command(EXPORT, ("--run={run}", "--format=tape")),
    Command(EXPORT, ("--run={run}", "--predict={text}")),
    Command(EXPORT, ("--run={run}", "--predict={pipe}")),
    Command(TUNE, _RUN, "--rates"),
    *_each(TUNE, _RUN, {"rates": ("x", "x=1", "client_learning_rate=", "client_learning_rate=a",
                                  "client_learning_rate=-1", "client_learning_rate=nan"),
                        "trials": ("0", "x"), "search": ("moon",)}),
]  # fmt: skip
