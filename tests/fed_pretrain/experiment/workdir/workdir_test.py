"""What a work directory says of the versions that made it, and what a failed run leaves of it."""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from data_prep.store import manifest
from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.experiment.analysis import run_analysis
from fed_pretrain.experiment.assembly.run_config import ProbeConfig, RunConfig
from fed_pretrain.experiment.training.run import train
from fed_pretrain.experiment.workdir import metrics, workdir
from fed_pretrain.tasks import embedded_datasets
from groundwork import versions
from groundwork.errors import UserError
from groundwork.locks import WorkdirLock
from tests.fed_pretrain.experiment.small_runs import rounds_of, small


@pytest.fixture
def run_of_another_numpy(digits_run: Path, tmp_path: Path) -> Path:
    run = Path(shutil.copytree(digits_run, tmp_path / "run"))
    config = json.loads((run / "config.json").read_text())
    config["versions"][-1]["numpy"] = "0.1"
    (run / "config.json").write_text(json.dumps(config))
    return run


def test_a_config_names_the_versions_that_made_the_run(digits_run: Path) -> None:
    saved = json.loads((digits_run / "config.json").read_text())
    assert saved["versions"] == [versions.current()]
    assert {"python", "tensorflow", "tensorflow-federated", "numpy", "apache-beam"} <= set(
        saved["versions"][0]
    )
    assert "versions" not in saved["identity"]


def test_continuing_with_another_version_reports_it_and_records_both(
    run_of_another_numpy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = train(small(run_of_another_numpy, work={"rounds": 3}))
    assert rounds_of(result) == [0, 1, 2, 3]
    reported = capsys.readouterr().err
    assert f"made by other versions: numpy: '0.1' -> '{versions.current()['numpy']}'" in reported
    saved = json.loads((run_of_another_numpy / "config.json").read_text())
    assert [one["numpy"] for one in saved["versions"]] == ["0.1", versions.current()["numpy"]]


def test_strict_refuses_to_continue_with_another_version(run_of_another_numpy: Path) -> None:
    before = (run_of_another_numpy / "config.json").read_bytes()
    with pytest.raises(UserError, match=r"other versions: numpy: .* leave out --strict"):
        train(small(run_of_another_numpy, work={"rounds": 3}, saving={"strict": True}))
    assert (run_of_another_numpy / "config.json").read_bytes() == before
    assert (run_of_another_numpy / "SUCCESS").exists()


@pytest.fixture(scope="module")
def run_on_own_dataset(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    folder = tmp_path_factory.mktemp("own")
    shutil.copytree(embedded_datasets.open_for_task("digits", None).path, folder / "dataset")
    config = small(folder / "run", model="linear", dataset=str(folder / "dataset"))
    train(dataclasses.replace(config, work=dataclasses.replace(config.work, rounds=1)))
    return dataclasses.replace(config, work=dataclasses.replace(config.work, rounds=1))


def test_a_finished_run_whose_dataset_was_replaced_says_so(
    run_on_own_dataset: RunConfig, tmp_path: Path
) -> None:
    config = run_on_own_dataset
    dataset = Path(config.dataset or "")
    before = manifest.read(dataset)
    shutil.copytree(dataset, tmp_path / "kept")
    manifest.write(dataset, dataclasses.replace(before, request="another"))
    try:
        with pytest.raises(UserError, match=r"--dataset=.*another dataset, which this one has"):
            train(config)
        with pytest.raises(UserError, match=r"--dataset=.*another dataset, which this one has"):
            run_analysis.run_config(config.workdir, RunConfig("digits", ""))
        elsewhere = RunConfig("digits", "", dataset=str(tmp_path / "kept"))
        assert run_analysis.run_config(config.workdir, elsewhere).dataset == elsewhere.dataset
    finally:
        manifest.write(dataset, before)
    # Made again with the same content it is the same dataset, and a deleted one was no other.
    assert train(config).reason == "finished before"
    shutil.rmtree(dataset)
    assert train(config).reason == "finished before"


def test_a_run_that_is_refused_leaves_no_work_directory(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no-such\.keras"):
        train(small(tmp_path / "run", start={"spec": f"checkpoint:{tmp_path}/no-such.keras"}))
    assert list(tmp_path.iterdir()) == []


def test_temporary_files_of_killed_writers_go_and_those_of_a_live_one_stay(
    digits_run: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(digits_run, tmp_path / "run"))
    left = [run / ".tmp-SUCCESS-1", run / "probes" / ".tmp-distances.json-1"]
    for path in left:
        path.write_text("half")
    with WorkdirLock(run), pytest.raises(UserError, match="in use by"):
        train(small(run))
    assert all(path.exists() for path in left)
    assert train(small(run)).finished
    assert not any(path.exists() for path in left)


def test_a_run_that_fails_at_its_start_leaves_what_was_in_the_folder_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> None:
        raise RuntimeError("the evaluation broke")

    (tmp_path / "notes.txt").write_text("mine")
    monkeypatch.setattr(metrics.MetricsWriter, "append", breaks)
    with pytest.raises(RuntimeError, match="broke"):
        train(small(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@dataclasses.dataclass(frozen=True)
class LaterRun(RunConfig):
    """A run of a version that has one more flag."""

    tries: int = 3


def test_a_new_flag_at_its_default_leaves_a_finished_run_finished(tmp_path: Path) -> None:
    asked = small(tmp_path)
    sections = {field.name: getattr(asked, field.name) for field in dataclasses.fields(asked)}
    assert workdir.flags_digest(LaterRun(**sections)) == workdir.flags_digest(asked)
    assert workdir.flags_digest(LaterRun(**sections, tries=2)) != workdir.flags_digest(asked)


def test_a_probe_that_moves_no_number_is_still_computed_when_it_is_asked_for(
    tmp_path: Path,
) -> None:
    asked = small(tmp_path)
    more = dataclasses.replace(asked, probes=ProbeConfig(probes="drift"))
    assert workdir.flags_digest(more) != workdir.flags_digest(asked)


@pytest.mark.parametrize(
    ("saved", "asked", "found"),
    [({}, None, True), ({"pad_batches": None}, None, None), ({"pad_batches": True}, False, False)],
)
def test_a_run_goes_on_with_the_padding_that_it_was_begun_with(tmp_path, saved, asked, found):
    config = RunConfig("digits", str(tmp_path), executor=ExecutorOptions(pad_batches=asked))
    assert workdir.as_begun(tmp_path, config) == config
    (tmp_path / "config.json").write_text(json.dumps({"config": {"executor": saved}}))
    assert workdir.as_begun(tmp_path, config).executor.pad_batches is found
