"""The same weights through every format give identical tensors and identical logits."""

import json
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import numpy as np
import pytest
import safetensors.numpy
import tensorflow as tf

from fed_pretrain.starts.formats import detect, source_file, torch_file
from fed_pretrain.starts.start import Start
from fed_pretrain.tasks.task import Task
from groundwork import array_file
from groundwork.errors import UserError
from tests.fed_pretrain.starts.small_tasks import ids_task, image_task, resolve, values
from tests.fed_pretrain.starts.torch_files import Trap, write_legacy, write_zip

Arrays = Mapping[str, np.ndarray]


@pytest.fixture(scope="module")
def task() -> Task:
    return image_task("edge_cnn", 16, 1)


@pytest.fixture(scope="module")
def trained(task: Task) -> Start:
    return resolve(task, "random", seed=7)


def _run_checkpoint(path: Path, model: tf.keras.Model, arrays: Arrays) -> None:
    array_file.save(
        path,
        {"task": "images", "model": "edge_cnn"},
        {
            **{f"model/trainable/{name}": array for name, array in arrays.items()},
            "optimizer/0": np.ones(3),
        },
    )


def _torch_names(arrays: Arrays) -> dict[str, np.ndarray]:
    """As PyTorch would hold these layers: out before in, .weight and .bias."""
    axes = {4: (3, 2, 0, 1), 2: (1, 0)}
    return {
        name.replace("/kernel", ".weight").replace("/bias", ".bias"): np.transpose(
            array, axes.get(array.ndim)
        )
        for name, array in arrays.items()
    }


WRITERS: dict[str, tuple[str, Callable[[Path, tf.keras.Model, Arrays], object]]] = {
    "h5": ("m.h5", lambda p, m, a: m.save(p)),
    "h5_weights": ("m.weights.hdf5", lambda p, m, a: m.save_weights(p)),
    "keras": ("m.keras", lambda p, m, a: m.save(p)),
    "saved_model": ("m", lambda p, m, a: m.save(p, save_format="tf")),
    "tf_weights": ("w", lambda p, m, a: m.save_weights(p, save_format="tf")),
    "tf_checkpoint": ("c", lambda p, m, a: tf.train.Checkpoint(model=m).write(str(p))),
    "run": ("r.ckpt", _run_checkpoint),
    "npz": ("m.npz", lambda p, m, a: np.savez(p, **a)),
    "pickle": ("m.pkl", lambda p, m, a: p.write_bytes(pickle.dumps(dict(a)))),
    "safetensors": (
        "m.safetensors",
        lambda p, m, a: safetensors.numpy.save_file(
            {n: np.ascontiguousarray(t) for n, t in _torch_names(a).items()}, p
        ),
    ),
    "torch_zip": ("m.pth", lambda p, m, a: write_zip(p, _torch_names(a))),
    "torch_training": (
        "t.pth",
        lambda p, m, a: write_zip(p, _torch_names(a), wrapper="state_dict"),
    ),
    "torch_legacy": ("l.bin", lambda p, m, a: write_legacy(p, _torch_names(a))),
}


@pytest.mark.parametrize("format_name", WRITERS)
def test_every_format_gives_the_same_tensors_and_logits(
    format_name: str, task: Task, trained: Start, tmp_path: Path
) -> None:
    file, write = WRITERS[format_name]
    model = trained.model()
    write(tmp_path / file, model, values(trained))
    start = resolve(task, f"checkpoint:{tmp_path / file}", seed=8, head="keep")
    assert start.report.counts() == {"matched": 6}
    for name, value in values(trained).items():
        np.testing.assert_array_equal(values(start)[name], value, err_msg=name)
    x = np.random.default_rng(0).integers(0, 256, (4, 16, 16, 1)).astype(np.uint8)
    np.testing.assert_array_equal(start.model()(x), model(x))
    assert start.digest == trained.digest


def test_shards_are_read_as_one_file(task: Task, trained: Start, tmp_path: Path) -> None:
    import safetensors.numpy

    arrays, names = values(trained), {}
    for number, part in enumerate((sorted(arrays)[:2], sorted(arrays)[2:])):
        names |= dict.fromkeys(part, f"model-{number}.safetensors")
        some = {name: np.ascontiguousarray(arrays[name]) for name in part}
        safetensors.numpy.save_file(some, tmp_path / f"model-{number}.safetensors")
    index = {"metadata": {}, "weight_map": names}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    found = detect.read(str(tmp_path))
    assert found.format == "safetensors in shards"
    for name, array in arrays.items():
        np.testing.assert_array_equal(found.tensors[name], array)
    (tmp_path / "model-1.safetensors").unlink()
    with pytest.raises(UserError, match=r"its shard model-1\.safetensors is not beside it"):
        detect.read(str(tmp_path))


@pytest.mark.parametrize("format_name", ["h5", "keras", "saved_model", "tf_weights"])
def test_recurrent_layers_keep_their_names_in_every_keras_format(
    format_name: str, tmp_path: Path
) -> None:
    """Keras counts lstm_cell_1, lstm_cell_2, ... in a process; a later model has other numbers."""
    task = ids_task("word_lstm", 12, embedding=4, units=3)
    trained = resolve(task, seed=7)
    file, write = WRITERS[format_name]
    write(tmp_path / file, trained.model(), {})
    start = resolve(task, f"checkpoint:{tmp_path / file}", seed=8)
    assert start.report.counts() == {"matched": 8}
    assert start.digest == trained.digest


def test_a_bare_path_is_a_checkpoint_and_a_folder_gives_its_newest_round(
    task: Task, trained: Start, tmp_path: Path
) -> None:
    (tmp_path / "checkpoints").mkdir()
    zeros = {name: np.zeros_like(value) for name, value in values(trained).items()}
    _run_checkpoint(tmp_path / "checkpoints" / "round-000000.ckpt", trained.model(), zeros)
    _run_checkpoint(
        tmp_path / "checkpoints" / "round-000010.ckpt", trained.model(), values(trained)
    )
    assert resolve(task, str(tmp_path), head="keep").digest == trained.digest


@pytest.mark.parametrize("format_name", WRITERS)
def test_a_truncated_file_is_refused_with_its_name(
    format_name: str, task: Task, trained: Start, tmp_path: Path
) -> None:
    file, write = WRITERS[format_name]
    write(tmp_path / file, trained.model(), values(trained))
    inside = {
        "saved_model": tmp_path / file / "variables" / "variables.data-00000-of-00001",
        "tf_weights": tmp_path / f"{file}.data-00000-of-00001",
        "tf_checkpoint": tmp_path / f"{file}.data-00000-of-00001",
    }
    victim = inside.get(format_name, tmp_path / file)
    victim.write_bytes(victim.read_bytes()[: victim.stat().st_size * 2 // 3])
    with pytest.raises(UserError, match=str(tmp_path / file)) as refusal:
        resolve(task, f"checkpoint:{tmp_path / file}")
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("format_name", ["tf_checkpoint", "saved_model"])
def test_what_an_index_of_tensorflow_declares_is_bounded_before_it_is_read(
    format_name: str, trained: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, write = WRITERS[format_name]
    write(tmp_path / file, trained.model(), values(trained))
    monkeypatch.setattr(source_file, "_FLOOR", 1000)
    monkeypatch.setattr(source_file, "_TIMES", 0)
    with pytest.raises(UserError, match="unpack to more than"):
        detect.read(str(tmp_path / file))


def test_code_inside_a_pickle_never_runs(task: Task, tmp_path: Path) -> None:
    touched = tmp_path / "touched"
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps({"conv1": Trap(touched)}))
    with pytest.raises(UserError, match=r"evil\.pkl.*system.*not on the allow list"):
        resolve(task, f"checkpoint:{tmp_path / 'evil.pkl'}")
    assert not touched.exists()


@pytest.mark.parametrize("write", [write_zip, write_legacy])
def test_code_inside_a_pytorch_file_never_runs(
    write: Callable[..., None], task: Task, tmp_path: Path
) -> None:
    touched = tmp_path / "touched"
    write(tmp_path / "evil.pth", {"a.weight": np.zeros((2, 2), np.float32)}, {"b": Trap(touched)})
    with pytest.raises(UserError, match=r"evil\.pth.*system.*not on the allow list"):
        resolve(task, f"checkpoint:{tmp_path / 'evil.pth'}")
    assert not touched.exists()


def test_tensors_that_share_or_skip_storage_are_views_of_it(tmp_path: Path) -> None:
    storage = torch_file._Storage("<f4", "0", 6)
    storage.fill(np.arange(6, dtype=np.float32).tobytes())
    transposed = torch_file._Tensor(storage, 0, (3, 2), (1, 3)).array()
    np.testing.assert_array_equal(transposed, np.arange(6).reshape(2, 3).T)
    with pytest.raises(ValueError, match="outside its storage"):
        torch_file._Tensor(storage, 4, (3,), (1,)).array()


def test_a_file_of_no_known_format_is_refused(task: Task, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("weights are elsewhere")
    with pytest.raises(UserError, match=r"notes\.txt: the format is not recognised"):
        resolve(task, f"checkpoint:{tmp_path / 'notes.txt'}")
    with pytest.raises(UserError, match="there is no such file"):
        resolve(task, f"checkpoint:{tmp_path / 'absent.h5'}")


def test_half_precision_is_widened_exactly(tmp_path: Path) -> None:
    array = np.array([1.5, -0.25, 3.0], np.float32)
    bits = (array.view(np.uint32) >> 16).astype("<u2").tobytes()
    header = b'{"a":{"dtype":"BF16","shape":[3],"data_offsets":[0,6]}}'
    path = tmp_path / "b.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bits)
    np.testing.assert_array_equal(detect.read(str(path)).tensors["a"], array)


def test_values_of_an_hdf5_file_that_are_in_another_file_are_refused(tmp_path):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(b"12345678")
    with h5py.File(tmp_path / "raw.h5", "w") as file:
        file.create_dataset("w", (8,), "u1", external=[(str(secret), 0, 8)])
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["w"] = np.ones(3)
    layout = h5py.VirtualLayout((3,), "f8")
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "w", (3,))
    with h5py.File(tmp_path / "virtual.h5", "w") as file:
        file.create_virtual_dataset("w", layout)
    for name in ("raw.h5", "virtual.h5"):
        with pytest.raises(UserError, match="'w' are in another file"):
            detect.read(str(tmp_path / name))
