"""A run of adapters: continued to the same bytes, exported plain, and a start for others."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from fed_pretrain.experiment.assembly.run_config import RunConfig
from fed_pretrain.experiment.training.run import train
from fed_pretrain.starts.start_config import LORA_AVERAGES, StartConfig
from groundwork import array_file
from groundwork.errors import UserError
from tests.fed_pretrain.experiment.small_runs import rounds_of, same_weights, small

ADAPTED = StartConfig(trainable="lora", lora_rank=2, lora_targets="conv", lora_average="fedex")
X = np.random.default_rng(0).integers(0, 16, (5, 8, 8, 1), dtype=np.uint8)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    folder = tmp_path_factory.mktemp("adapters") / "run"
    config = small(folder, start=ADAPTED, work={"sampling": "fixed"})
    train(config)
    return config


def arrays(folder: Path, round_number: int) -> dict[str, np.ndarray]:
    found = array_file.load(folder / f"checkpoints/round-{round_number:06d}.ckpt").arrays
    return {n.split("/", 2)[2]: v for n, v in found.items() if n.startswith("model/")}


@pytest.mark.slow
def test_a_run_of_adapters_stopped_half_way_ends_with_the_same_bytes(
    run: RunConfig, tmp_path: Path
) -> None:
    half = dataclasses.replace(run, workdir=str(tmp_path / "half"))
    train(dataclasses.replace(half, work=dataclasses.replace(half.work, rounds=1)))
    again = train(half)
    assert rounds_of(again) == [0, 1, 2]
    assert same_weights(Path(run.workdir), tmp_path / "half", 2)

    def size(*ends: str) -> int:
        found = arrays(tmp_path / "half", 2).items()
        return sum(value.nbytes for name, value in found if name.endswith(ends))

    up = size("lora_a", "lora_b") + size("head/kernel", "head/bias")
    assert again.rows[1]["bytes_up"] == 3 * up
    resting = [f"{layer}/{part}" for layer in ("conv1", "conv2") for part in ("kernel", "bias")]
    assert again.rows[1]["bytes_down"] == 3 * (up + size(*resting))
    # Three clients' corrections of the kernels have twice the rank.
    factors = [2 * size(f"{layer}/lora_a", f"{layer}/lora_b") for layer in ("conv1", "conv2")]
    kernels = [size(f"{layer}/kernel") for layer in ("conv1", "conv2")]
    corrections = sum(map(min, factors, kernels))
    assert again.rows[2]["bytes_down"] == 3 * (up + corrections)


@pytest.mark.slow
def test_its_model_is_plain_and_others_start_from_it(run: RunConfig, tmp_path: Path) -> None:
    folder = Path(run.workdir)
    plain = tf.keras.models.load_model(folder / "final.keras", compile=False)
    assert {type(layer).__name__ for layer in plain.layers} >= {"Conv2D", "Dense"}
    found, before = arrays(folder, 2), arrays(folder, 0)
    kernel = found["conv2/kernel"]
    assert not np.array_equal(kernel, before["conv2/kernel"])  # the server's correction
    np.testing.assert_array_equal(found["conv2/bias"], before["conv2/bias"])
    added = 4.0 * found["conv2/lora_a"].reshape(-1, 2) @ found["conv2/lora_b"]
    expected = kernel + added.reshape(kernel.shape)
    np.testing.assert_allclose(plain.get_layer("conv2").kernel, expected, atol=1e-6)

    def started(spec: str, name: str, **settings: object) -> float:
        start = StartConfig(spec=f"checkpoint:{spec}", **settings)
        config = small(tmp_path / name, start=start, work={"rounds": 0})
        return float(train(config).rows[0]["eval_loss"])

    ended = float(train(run).rows[-1]["eval_loss"])
    assert started(str(folder), "from the run") == pytest.approx(ended, abs=1e-5)
    assert started(str(folder / "final.keras"), "from the file") == pytest.approx(ended, abs=1e-5)
    lora = {"trainable": "lora", "lora_rank": 3}
    assert started(str(folder), "adapters anew", **lora) == pytest.approx(ended, abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("average", LORA_AVERAGES)
def test_heads_stay_with_their_clients_and_the_server_has_the_adapters(
    tmp_path: Path, average: str
) -> None:
    config = small(
        tmp_path,
        start=dataclasses.replace(ADAPTED, lora_average=average),
        algorithm=None,
        algorithm_settings=(("personal", "head"),),
        work={"sampling": "fixed"},
    )
    rows = train(config).rows
    before, after = arrays(tmp_path, 0), arrays(tmp_path, 2)
    moved = {name for name, value in after.items() if not np.array_equal(value, before[name])}
    parts = {"fedit": ["lora_a"], "ffa": [], "fedex": ["lora_a", "kernel"]}[average]
    assert moved == {f"{conv}/{part}" for conv in ("conv1", "conv2") for part in ["lora_b", *parts]}
    sent = sum(after[name].nbytes for name in moved if "lora" in name)
    assert rows[2]["bytes_up"] == 3 * sent
    assert rows[2]["eval_personal_accuracy_mean"] != rows[0]["eval_personal_accuracy_mean"]


def test_settings_of_adapters_without_adapters_are_refused() -> None:
    with pytest.raises(UserError, match="--lora_rank needs --trainable=lora"):
        StartConfig(lora_rank=3)
    with pytest.raises(UserError, match="--lora_alpha=0: adapters that count by nothing"):
        StartConfig(trainable="lora", lora_alpha=0.0)
    with pytest.raises(UserError, match="--lora_targets=\\(: not a regular expression"):
        StartConfig(trainable="lora", lora_targets="(")
