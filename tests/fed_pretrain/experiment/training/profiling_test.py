"""A round that is asked for leaves a profile, and no other does."""

import contextlib
from pathlib import Path

import pytest
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from fed_pretrain.experiment.training import profiling
from groundwork.errors import UserError


def test_the_profile_plugin_finds_the_kernels_of_the_round_and_of_no_other(tmp_path: Path) -> None:
    places: list[Path] = []

    def elsewhere(place: Path) -> contextlib.AbstractContextManager[None]:
        places.append(place)
        return contextlib.nullcontext()

    for number in (1, 2):
        with profiling.of_round(tmp_path, number, (2,), elsewhere):
            tf.linalg.matmul(tf.ones([8, 8]), tf.ones([8, 8])).numpy()
    [written] = tmp_path.rglob("*.xplane.pb")
    of_plugin = tmp_path / "profile" / "round-000002" / "plugins" / "profile"
    assert written.parents[1] == of_plugin
    assert places == [tmp_path / "profile" / "round-000002"]
    space = xplane_pb2.XSpace.FromString(written.read_bytes())
    names = {event.name for plane in space.planes for event in plane.event_metadata.values()}
    assert any("MatMul" in name for name in names)


@pytest.mark.parametrize("number", [0, 4])
def test_a_round_that_there_is_not_is_refused(number: int) -> None:
    with pytest.raises(UserError, match=f"--profile={number}: the rounds are 1 to 3"):
        profiling.check([2, number], rounds=3)
