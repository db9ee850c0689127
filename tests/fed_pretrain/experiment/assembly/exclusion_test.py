"""Clients that the start has seen take no part in the run, and the run says so."""

import dataclasses
import json
import shutil

import pytest

from data_prep.preparing.preparation import PrepareConfig, prepare
from fed_pretrain.experiment.assembly import exclusion
from fed_pretrain.experiment.assembly.exclusion import EXCLUDED_CLIENTS
from fed_pretrain.experiment.training.run import train
from fed_pretrain.experiment.workdir import saved_config
from fed_pretrain.pretraining.central_training import PretrainConfig, pretrain
from fed_pretrain.pretraining.pretrain_config import CentralConfig
from fed_pretrain.reporting.study_report import ReportConfig, make_report
from fed_pretrain.starts.origins.proxy_origin import pretrainings
from fed_pretrain.starts.start_config import StartConfig
from fed_pretrain.tasks import embedded_datasets
from groundwork.errors import UserError
from tests.fed_pretrain.experiment.small_runs import rounds_of, small


@pytest.fixture(scope="module")
def digits():
    return embedded_datasets.open_for_task("digits", None)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """The folder of a pre-training on about half of the clients."""
    folder = tmp_path_factory.mktemp("pretrained") / "half"
    central = CentralConfig(epochs=1, proxy_clients=0.5)
    pretrain(PretrainConfig("digits", str(folder), central=central))
    return folder


@pytest.fixture(scope="module")
def group(pretrained):
    return json.loads((pretrained / "start.ckpt.json").read_text())["proxy_client_ids"]


def warm(workdir, pretrained, **changes):
    """A run from the pre-trained start, in which every client takes part in every round."""
    settings = {
        "work": {"sampling": "all", "rounds": 1},
        "start": {"spec": f"checkpoint:{pretrained}"},
    }
    return small(workdir, **{**settings, **changes})


@pytest.fixture(scope="module")
def warm_run(pretrained, tmp_path_factory):
    return train(warm(tmp_path_factory.mktemp("warm") / "run", pretrained))


def examples_of(digits, split, left_out):
    index = digits.index(split)
    kept = [number for number, name in enumerate(index.client_ids) if name not in left_out]
    return sum(min(40, int(index.num_examples[number])) for number in kept)


def test_the_group_a_start_was_pre_trained_on_neither_trains_nor_is_evaluated(
    warm_run, digits, group
):
    row = warm_run.rows[1]
    assert row["clients"] == len(digits.index("train").client_ids) - len(group)
    assert row["examples"] == examples_of(digits, "train", group)
    assert json.loads((warm_run.workdir / EXCLUDED_CLIENTS).read_text()) == sorted(group)


def test_a_run_says_what_was_proxy_and_that_no_evaluation_data_was_in_it(warm_run, group, tmp_path):
    told = json.loads((warm_run.workdir / "start.json").read_text())["proxies"]
    assert len(told) == 1
    assert f"{len(group)} of 14 clients, split train only" in told[0]
    assert "these clients are left out of this run" in told[0]
    assert "no client's evaluation data was in it" in told[0]
    page = make_report(ReportConfig(str(tmp_path), runs=(str(warm_run.workdir),)))
    assert f"{len(group)} of 14 clients, split train only" in page.read_text()


@pytest.mark.slow
def test_a_random_start_meets_the_same_clients_with_pretrains_own_file(
    warm_run, pretrained, tmp_path
):
    named = {"exclude_clients": str(pretrained / "start.ckpt.json"), "sampling": "all", "rounds": 1}
    rows = train(small(tmp_path / "cold", work=named)).rows
    assert [row["examples"] for row in rows] == [row["examples"] for row in warm_run.rows]


def test_a_report_tells_when_runs_leave_out_different_clients(warm_run, digits_run, tmp_path):
    runs = (str(warm_run.workdir), str(digits_run))
    page = make_report(ReportConfig(str(tmp_path), runs=runs)).read_text()
    assert "give all of them the same --exclude_clients" in page


def test_the_same_ids_in_another_file_continue_a_run_and_other_ids_are_refused(tmp_path):
    lines, listed = tmp_path / "ids.txt", tmp_path / "ids.json"
    lines.write_text("form_03\nform_05\n")
    listed.write_text('["form_05", "form_03"]')
    once = train(small(tmp_path / "run", work={"exclude_clients": str(lines), "rounds": 1}))
    again = train(small(tmp_path / "run", work={"exclude_clients": str(listed), "rounds": 2}))
    assert rounds_of(once) == [0, 1]
    assert rounds_of(again) == [0, 1, 2]
    listed.write_text('["form_05"]')
    with pytest.raises(UserError, match=r"holds another run.*work\.exclude_clients"):
        train(small(tmp_path / "run", work={"exclude_clients": str(listed), "rounds": 3}))


def test_ids_may_hold_any_letter(tmp_path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text('client_id,label\n"a\nb",1\na,1\nb,0\n"c\u2028d",1\n', encoding="utf-8")
    odd = prepare(PrepareConfig("csv", str(tmp_path / "odd"), input=str(rows)))
    (tmp_path / "lines").write_text("a\nb\nc\u2028d\n", encoding="utf-8")
    lines = exclusion.find(str(tmp_path / "lines"), odd, [])
    assert lines.client_ids == {"a", "b", "c\u2028d"}
    (tmp_path / "listed").write_text(json.dumps(["a\nb", "c\u2028d"]))
    listed = exclusion.find(str(tmp_path / "listed"), odd, [])
    assert listed.client_ids == {"a\nb", "c\u2028d"}
    assert listed.digest != lines.digest


def test_all_but_a_group_are_those_whom_the_group_leaves_out(pretrained, digits, group) -> None:
    file = pretrained / "start.ckpt.json"
    rest = exclusion.find(f"all_but:{file}", digits, [])
    assert len(rest.client_ids) == 14 - len(group)
    assert rest.client_ids.isdisjoint(group)
    assert rest.client_ids | exclusion.find(str(file), digits, []).client_ids == set(
        digits.index("train").client_ids
    )


def test_a_run_that_is_looked_at_later_needs_the_file_no_more(tmp_path):
    file = tmp_path / "ids.txt"
    file.write_text("form_03\n")
    train(small(tmp_path / "run", work={"exclude_clients": str(file), "rounds": 0}))
    file.unlink()
    later = saved_config.read(tmp_path / "run").work.exclude_clients
    assert json.loads((tmp_path / "run" / EXCLUDED_CLIENTS).read_text()) == ["form_03"]
    assert later == str(tmp_path / "run" / EXCLUDED_CLIENTS)


def test_a_start_of_everyone_and_one_kept_on_purpose_are_told(pretrained, digits, group):
    (half,) = pretrainings(StartConfig(spec=f"checkpoint:{pretrained}"))
    everyone = dataclasses.replace(half, client_ids=None)
    for one, left_out in ((half, ()), (everyone, group)):
        assert "these clients take part in this run as well" in one.sentence(digits, left_out)


def test_proxy_data_of_the_same_source_with_another_split_is_told(pretrained, tmp_path):
    settings = PrepareConfig("digits", str(tmp_path / "iid"), partition="iid", num_clients=5)
    iid = prepare(settings)
    (half,) = pretrainings(StartConfig(spec=f"checkpoint:{pretrained}"))
    told = half.sentence(iid, ())
    assert "evaluation examples of this run may have been in it" in told
    assert exclusion.find("auto", iid, [half]).digest is None


def test_proxy_data_of_another_source_holds_no_evaluation_data(pretrained, digits):
    (half,) = pretrainings(StartConfig(spec=f"checkpoint:{pretrained}"))
    other = {**half.proxy, "dataset_fingerprint": "", "source": ["mnist5k", ""]}
    told = dataclasses.replace(half, proxy=other).sentence(digits, ())
    assert "no client's evaluation data was in it" in told


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("form_03\nnobody\n", "has no client 'nobody'"),
        ('["form_03"', "is not whole JSON"),
        ('{"a": 1}', "holds no list of client ids"),
        ('{"proxy_client_ids": null}', "every client was proxy"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_names_no_clients_of_the_dataset_is_refused(content, sentence, tmp_path):
    file = tmp_path / "ids"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UserError, match=f"--exclude_clients={file}.*{sentence}"):
        train(small(tmp_path / "run", work={"exclude_clients": str(file)}))
    assert not (tmp_path / "run" / "config.json").exists()


def test_leaving_everyone_out_is_refused(digits, tmp_path):
    (tmp_path / "ids").write_text("\n".join(digits.index("train").client_ids))
    with pytest.raises(UserError, match="leaves no client to train on"):
        train(small(tmp_path / "run", work={"exclude_clients": str(tmp_path / "ids")}))


def test_an_unfinished_pre_training_is_no_start(pretrained, tmp_path):
    shutil.copytree(pretrained, tmp_path / "unfinished")
    (tmp_path / "unfinished" / "start.ckpt").unlink()
    with pytest.raises(UserError, match="the pre-training there is not finished"):
        train(warm(tmp_path / "run", tmp_path / "unfinished"))
