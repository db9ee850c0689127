"""What goes wrong on a disk or with a config is reported in one sentence and damages nothing."""

import contextlib
import dataclasses
import os
import resource
import subprocess

import numpy as np
import pytest

from data_prep.preparing.preparation import PrepareConfig, prepare
from fed_pretrain.executors.executor_options import ExecutorOptions
from fed_pretrain.experiment.training import run_end
from fed_pretrain.experiment.training.result import summary
from fed_pretrain.experiment.training.run import train
from fed_pretrain.experiment.workdir import workdir
from groundwork import array_file
from groundwork.errors import UserError
from tests.fed_pretrain.experiment.small_runs import rounds_of, same_weights, small


@contextlib.contextmanager
def files_no_larger_than(size):
    """The kernel refuses longer files, as a full disk refuses any."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def checkpoint(workdir, round_number):
    return workdir / "checkpoints" / f"round-{round_number:06d}.ckpt"


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("damage", [truncate, flip_a_bit])
def test_a_damaged_checkpoint_is_told_and_the_one_before_it_used(
    digits_run, tmp_path, capsys, damage
):
    train(small(tmp_path / "run"))
    damage(checkpoint(tmp_path / "run", 2))
    result = train(small(tmp_path / "run"))
    told = capsys.readouterr().err
    assert "round-000002.ckpt" in told
    assert "the one before it is used" in told
    assert "continuing after round 1" in told
    assert rounds_of(result) == [0, 1, 2]
    assert same_weights(digits_run, tmp_path / "run", 2)


def test_a_damaged_best_checkpoint_leaves_the_next_best_model_and_a_finished_run(tmp_path, capsys):
    """Without learning every round is as good, and the first is the best."""
    still = small(tmp_path / "run", algorithm_settings=(("client_learning_rate", 0.0),))
    assert workdir.success_facts(train(still).workdir)["best_round"] == 0
    flip_a_bit(checkpoint(tmp_path / "run", 0))
    longer = dataclasses.replace(still, work=dataclasses.replace(still.work, rounds=3))
    result = train(longer)
    assert result.finished
    assert "round-000000.ckpt: damaged" in capsys.readouterr().err
    success = workdir.success_facts(tmp_path / "run")
    assert (success["best_round"], success["damaged_rounds"]) == (1, [0])
    assert "best.keras is of round 1: the better checkpoint of round 0 is damaged" in summary(
        result
    )
    for name in ("final.keras", "best.keras"):
        assert (tmp_path / "run" / name).stat().st_size > 0
    assert train(longer).reason == "finished before"


def test_without_any_readable_better_round_the_best_model_is_the_final_one():
    rows = [{"round": r, "eval_accuracy": 0.5 if r < 2 else None} for r in range(4)]

    def snapshot(round_number):
        raise UserError(f"round {round_number} is damaged")

    best = run_end.readable_best(rows, [0, 1, 3], run_end.Best(3, "final", []), snapshot)
    assert (best.round_number, best.weights, best.damaged) == (3, "final", [0, 1])


def test_a_file_that_outgrows_the_disk_is_one_sentence_and_the_run_goes_on_later(
    digits_run, tmp_path
):
    with (
        files_no_larger_than(20_000),
        pytest.raises(UserError, match=r"cannot be written \(File too large\)"),
    ):
        train(small(tmp_path / "run"))
    assert not list((tmp_path / "run").rglob(".tmp-*"))
    result = train(small(tmp_path / "run"))
    assert result.finished
    assert same_weights(digits_run, tmp_path / "run", 2)


@pytest.fixture
def tiny_disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(place)]
    if os.getuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a small disk needs the right to mount one")
    try:
        if not fills_up(place):
            pytest.skip("this kernel's small disks are not small")
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=False)


def fills_up(disk):
    try:
        (disk / "too much").write_bytes(bytes(500_000))
    except OSError:
        return True
    finally:
        (disk / "too much").unlink(missing_ok=True)
    return False


def test_a_full_disk_is_one_sentence_and_leaves_only_whole_checkpoints(tiny_disk, digits_run):
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(bytes(200_000))
    config = small(tiny_disk / "run", saving={"keep_checkpoints": 1}, probes={"probes": ""})
    with pytest.raises(UserError, match="No space left on device"):
        train(config)
    for path in (tiny_disk / "run" / "checkpoints").iterdir():
        array_file.load(path)
    ballast.unlink()
    subprocess.run(["mount", "-o", "remount,size=4m", str(tiny_disk)], check=True)
    assert train(config).finished
    assert same_weights(digits_run, tiny_disk / "run", 2)


def test_a_folder_that_cannot_be_made_or_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"--workdir=.*file is a file, and a folder is"):
        train(small(tmp_path / "file" / "run"))
    if os.getuid() != 0:
        (tmp_path / "closed").mkdir(mode=0o500)
        with pytest.raises(UserError, match=r"cannot be written .Permission denied"):
            train(small(tmp_path / "closed" / "run"))


def test_another_config_in_the_same_folder_is_refused_field_by_field(digits_run, tmp_path):
    before = (digits_run / "config.json").read_bytes()
    with pytest.raises(UserError) as refusal:
        train(small(digits_run, seed=7, work={"clients_per_round": 2}))
    told = str(refusal.value)
    assert "another run" in told
    assert "--seed=0, now 7" in told
    assert "clients_per_round" in told
    assert "start:" not in told, "it follows from the seed"
    assert (digits_run / "config.json").read_bytes() == before
    assert (digits_run / "SUCCESS").exists()


def test_half_precision_in_a_run_that_began_without_is_refused(digits_run):
    halved = dataclasses.replace(small(digits_run), executor=ExecutorOptions(mixed_precision=True))
    with pytest.raises(UserError, match=r"another run.*mixed_precision"):
        train(halved)


def test_another_dataset_in_the_same_folder_is_refused(digits_run, tmp_path):
    prepare(
        PrepareConfig(
            source="digits",
            output=str(tmp_path / "iid"),
            partition="iid",
            num_clients=10,
            split="by_example",
        )
    )
    with pytest.raises(UserError, match=r"another run.*dataset"):
        train(small(digits_run, dataset=str(tmp_path / "iid")))


HUGE = (("client_learning_rate", 1e38),)


def test_an_update_that_is_not_finite_stops_the_run_and_names_round_and_client(tmp_path):
    with pytest.raises(UserError, match=r"round 1: the update of client .* is not finite") as told:
        train(small(tmp_path / "run", algorithm_settings=HUGE))
    assert "--on_nonfinite=drop_client" in str(told.value)
    assert not (tmp_path / "run" / "SUCCESS").exists()
    assert not checkpoint(tmp_path / "run", 1).exists()


def test_drop_client_leaves_such_updates_out_and_goes_on(tmp_path, capsys):
    config = small(tmp_path / "run", algorithm_settings=HUGE, on_nonfinite="drop_client")
    result = train(config)
    assert result.finished
    assert result.rows[-1]["clients_nonfinite"] == 3
    assert "it was left out" in capsys.readouterr().err
    arrays = array_file.load(checkpoint(tmp_path / "run", 2)).arrays
    assert all(
        np.isfinite(array).all() for name, array in arrays.items() if name.startswith("model/")
    )
