"""The same dataset from every engine (`make test-engines`), also when it loses a worker."""

import contextlib
import dataclasses
import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from data_prep.store import manifest
from tests.data_prep.engines import clusters, parity
from tests.data_prep.engines.clusters import ROOT
from tests.data_prep.engines.inputs import FILES, INPUTS

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not clusters.installed(), reason="`make engines` installs them"),
]
Engine = Callable[[Path], contextlib.AbstractContextManager[Sequence[str]]]
ENGINES: dict[str, Engine] = {
    "in process, 2 workers": lambda folder: contextlib.nullcontext(["--workers=2"]),
    "Beam's job service": clusters.job_service,
    "Prism": clusters.prism,
    "Dask": clusters.dask,
    "Dask, which loses a reader": lambda folder: clusters.dask(folder, "prepare_read:1"),
    "Dask, which loses a writer": lambda folder: clusters.dask(folder, "prepare_merge:1"),
}


@dataclasses.dataclass(frozen=True)
class Input:
    name: str
    folder: Path
    """`input` is in it, and `common`, which all workers see."""
    arguments: list[str]
    fingerprint: str
    """Of the dataset that one process of this machine makes of it."""


def prepare(folder: Path, arguments: Sequence[str], *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [
            *(clusters.BIN / "python", "-m", "data_prep.prepare"),
            *arguments,
            f"--output={folder / 'common' / 'out'}",
            *more,
        ],
        cwd=ROOT,
        env=clusters.environment(),
        capture_output=True,
        text=True,
        timeout=500,
    )


def made(folder: Path) -> str | None:
    return manifest.fingerprint_at(folder / "common" / "out")


@pytest.fixture(scope="module", params=INPUTS)
def given(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Input:
    if not clusters.can_be_apart():
        pytest.skip("only root may keep workers apart")
    folder = tmp_path_factory.mktemp("engines")
    (folder / "input").mkdir()
    (folder / "common").mkdir()
    arguments = INPUTS[request.param](folder / "input")
    done = prepare(folder, arguments, "--workers=1")
    assert done.returncode == 0, done.stderr
    fingerprint = made(folder)
    assert fingerprint is not None
    parity.note("in process, 1 worker", request.param, fingerprint)
    return Input(request.param, folder, arguments, fingerprint)


@pytest.mark.parametrize("engine", ENGINES)
def test_an_engine_makes_the_dataset_of_one_process(engine: str, given: Input) -> None:
    with ENGINES[engine](given.folder) as options:
        done = prepare(given.folder, given.arguments, "--overwrite", *options)
    assert done.returncode == 0, done.stderr
    parity.note(engine, given.name, made(given.folder))
    assert made(given.folder) == given.fingerprint
    assert [path.name for path in (given.folder / "common").iterdir()] == ["out"]
    if "loses" in engine:
        log = (given.folder / "scheduler.log").read_text()
        assert "Removing worker" in log or "Remove worker" in log


@pytest.mark.parametrize("engine", ["Prism", "Dask"])
def test_a_bad_record_on_a_worker_apart_is_one_sentence(engine: str, tmp_path: Path) -> None:
    if not clusters.can_be_apart():
        pytest.skip("only root may keep workers apart")
    (tmp_path / "input").mkdir()
    (tmp_path / "common").mkdir()
    arguments = INPUTS["Reddit-shaped"](tmp_path / "input")
    with open(tmp_path / "input" / f"RC_2017-{FILES:02d}", "a") as dump:
        dump.write("{not JSON\n")
    with ENGINES[engine](tmp_path) as options:
        done = prepare(tmp_path, arguments, *options)
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert f"RC_2017-{FILES:02d} line 3601: malformed_json" in last
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "common").iterdir()) == []


STORES = ROOT / ".cache" / "stores" / "bin"
_UPLOAD = (
    "import boto3, pathlib, sys\nfor path in pathlib.Path(sys.argv[1]).iterdir():\n"
    "    boto3.client('s3').upload_file(str(path), 'bucket', 'raw/' + path.name)"
)
_DOWNLOAD = (
    "import boto3, json\nbucket = boto3.resource('s3').Bucket('bucket')\n"
    "found = bucket.objects.filter(Prefix='data/')\n"
    "print(json.dumps({o.key: o.get()['Body'].read().decode('latin1') for o in found}))"
)


@pytest.mark.skipif(not (STORES / "moto_server").exists(), reason="`make test-stores` installs it")
def test_workers_that_share_no_folder_at_all_put_the_dataset_into_a_store(
    given: Input, tmp_path: Path
) -> None:
    (tmp_path / "input").mkdir()
    (tmp_path / "common").mkdir()
    with clusters.bucket(tmp_path, STORES) as store:

        def run(*arguments: str) -> str:
            here = {**store, "FED_PRETRAIN_CACHE": str(tmp_path / "of_the_driver")}
            done = subprocess.run(
                [STORES / "python", *arguments],
                cwd=ROOT,
                env=clusters.environment(STORES, **here),
                capture_output=True,
                text=True,
                timeout=500,
            )
            assert done.returncode == 0, done.stderr
            return done.stdout

        run("-c", _UPLOAD, str(given.folder / "input"))
        arguments = [
            "--input=s3://bucket/raw" if part.startswith("--input=") else part
            for part in given.arguments
        ]
        apart = {**store, "FED_PRETRAIN_CACHE": "/tmp/of_the_worker"}
        with clusters.prism(tmp_path, STORES, **apart) as options:
            output = "--output=s3://bucket/data/made"
            run("-m", "data_prep.prepare", *arguments, *options, output)
        made = json.loads(run("-c", _DOWNLOAD))
    found = json.loads(made["data/made/manifest.json"])
    parity.note("Prism, all in a store that speaks S3", given.name, found["fingerprint"])
    assert found["fingerprint"] == given.fingerprint
    named = {shard["file"] for split in found["splits"].values() for shard in split["shards"]}
    assert named == {Path(name).name for name in made if name.endswith(".tfrecord")}
    assert list((tmp_path / "common").iterdir()) == []
