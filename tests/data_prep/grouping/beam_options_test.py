import pytest

from data_prep import prepare
from data_prep.grouping import beam_options
from groundwork.errors import UserError


@pytest.fixture(autouse=True)
def nothing_taken() -> None:
    assert prepare.flags.FLAGS  # Its flags are defined.
    beam_options.take_from(["prepare"])


def test_beams_options_are_moved_out_and_ours_stay() -> None:
    argv = ["prepare", "--source=x", "--runner=FlinkRunner", "--nodry_run", "--flink_master", "a:1"]
    beam_options.take_from(argv)
    assert argv == ["prepare", "--source=x", "--nodry_run"]
    assert beam_options.taken() == ("--runner=FlinkRunner", "--flink_master", "a:1")


@pytest.mark.parametrize(
    "option",
    [
        "--runner=SparkRunner",
        "--runner=DataflowRunner",
        "--project=p",
        "--temp_location=gs://b/t",
        "--job_endpoint=host:8099",
        "--environment_type=DOCKER",
        "--direct_num_workers=3",
        "--max_num_workers=5",
    ],
)
def test_options_of_every_engine_pass(option: str) -> None:
    beam_options.take_from(["prepare", option])
    assert beam_options.taken() == (option,)


def test_what_nobody_knows_is_refused() -> None:
    beam_options.take_from(["prepare", "--runner=FlinkRunner", "--sauce=digits"])
    with pytest.raises(UserError, match="--sauce=digits"):
        beam_options.taken()
