import dataclasses
import errno
import functools
import json
import os
import resource
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from data_prep.grouping import grouping, pipeline, running
from data_prep.grouping.job import Job, Task
from data_prep.grouping.reading import TaskReader
from data_prep.preparing import preparation, request
from data_prep.preparing.preparation import PrepareConfig, prepare
from data_prep.sources.items import BadRecord, Dropped, Item, Record
from data_prep.sources.source import ClientLimits, Source, SourceReader
from data_prep.sources.work_units import WorkUnit
from data_prep.store.features import FeatureSpec
from data_prep.store.reader import PreparedDataset
from groundwork import staging
from groundwork.errors import UserError
from tests.hostile.bounds import bounded

FEATURES = (FeatureSpec("text", "text"), FeatureSpec("label", "int64"))


def given(*items: Sequence[Item], **known: Any) -> SourceReader:
    """A source of the items it was given, one unit each list."""
    units = tuple(WorkUnit(f"piece{n}", f"piece{n}.txt", n) for n in range(len(items)))
    read = functools.partial(_item_of, tuple(map(tuple, items)))
    facts = {"features": FEATURES, "label_names": ("no", "yes"), **known}
    return SourceReader(units=units, read=read, **facts)


def _item_of(items: Sequence[Sequence[Item]], unit: WorkUnit) -> Iterator[Item]:
    yield from items[unit.start]


def good(number: int, client: str | None = None, split: str | None = None) -> Record:
    name = f"c{number % 5}" if client is None else client
    return Record(name, split, {"text": f"example {number}", "label": number % 2}, number)


def run(
    folder: Path, *items: Item, reader: SourceReader | None = None, **settings: Any
) -> PreparedDataset:
    reader = reader or given(items)
    settings = {"output": str(folder / "out"), "split": "none"} | settings
    config = PrepareConfig(source="given", **settings)
    source = Source("given", "a test's own items", lambda pattern, options: reader)
    opened = request.Opened(
        config,
        source,
        {},
        reader,
        config.partition_config(),
        config.split_config(),
        reader.client_limits,
        config.vocabulary,
    )
    return preparation.prepare_opened(opened)


def assert_nothing_is_left(folder: Path) -> None:
    assert list(folder.iterdir()) == []


def test_a_client_of_many_units_comes_out_whole_and_in_order(tmp_path: Path) -> None:
    records = [good(number) for number in range(100)]
    reader = given(records[::-2], records[::2])
    dataset = run(tmp_path, reader=reader)
    texts = dataset.read_client("train", "c3")["text"].numpy().tolist()
    assert texts == [f"example {number}".encode() for number in range(3, 100, 5)]


def test_the_source_decides_the_split_of_each_example_where_it_ships_them(tmp_path: Path) -> None:
    records = [good(n, split=("train", "validation", "test")[n % 3]) for n in range(30)]
    dataset = run(tmp_path, *records, split="source")
    assert {name: split.examples for name, split in dataset.manifest.splits.items()} == {
        "train": 10,
        "validation": 10,
        "test": 10,
    }


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        (BadRecord("malformed_json", "dump.json", 17, "no closing brace"), "dump.json line 17"),
        (good(1)._replace(features={"text": "no label"}), r"missing features \['label'\]"),
        (good(1)._replace(features={"text": 3, "label": 1}), "text is wanted, not 3"),
        (good(1)._replace(features={"text": "x", "label": 2}), "label 2 is outside 0..1"),
        (good(1, client=""), "client id of 0 bytes"),
        (good(1, client="x" * 2000), "client id of 2000 bytes"),
        (good(1)._replace(client_id=None), "--partition=natural needs"),
        (good(1, split="holdout"), "split 'holdout' is none of"),
        (good(1)._replace(order=1 << 63), "does not fit into 64 bits"),
    ],
)
def test_a_bad_record_stops_the_job_or_is_counted(bad: Item, told: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=told) as refused:
        run(tmp_path, good(0), bad, good(2))
    assert "--max_bad_records" in str(refused.value)
    assert_nothing_is_left(tmp_path)
    dataset = run(tmp_path, good(0), bad, good(2), max_bad_records=1)
    counts = dataset.manifest.counts
    assert (counts["read"], counts["written"]) == (3, 2)
    assert list(counts["dropped"].values()) == [1]
    assert next(iter(counts["dropped"])).startswith("bad: ")


@pytest.mark.parametrize("rule", ["dirichlet", "labels_per_client"])
def test_a_label_beyond_all_labels_is_a_bad_record_and_no_table_of_15_gib(
    rule: str, tmp_path: Path
) -> None:
    huge = good(1)._replace(features={"text": "x", "label": 2_000_000_000})
    reader = given([good(0), huge, *(good(n) for n in range(2, 9))], label_names=None)
    settings = {"partition": rule, "num_clients": 2, "labels_per_client": 1}
    with bounded(), pytest.raises(UserError, match="label 2000000000 is too large"):
        run(tmp_path, reader=reader, **settings)
    assert run(tmp_path, reader=reader, max_bad_records=1, **settings).manifest.counts["read"] == 9


@pytest.mark.parametrize("label_names", [None, ("no", "yes")])
def test_a_label_below_zero_is_a_bad_record(
    label_names: tuple[str, ...] | None, tmp_path: Path
) -> None:
    below = good(1)._replace(features={"text": "x", "label": -1})
    reader = given([good(0), below, good(2)], label_names=label_names)
    with pytest.raises(UserError, match=r"label -1 is (negative|outside)"):
        run(tmp_path, reader=reader)
    assert run(tmp_path, reader=reader, max_bad_records=1).manifest.counts["written"] == 2


def test_more_bad_records_than_allowed_over_all_units_are_too_many(tmp_path: Path) -> None:
    bad = BadRecord("torn", "a.txt", 1)
    reader = given([bad, good(1)], [bad, good(2)])
    with pytest.raises(UserError, match="max_bad_records=1"):
        run(tmp_path, reader=reader, max_bad_records=1)
    assert run(tmp_path, reader=reader, max_bad_records=2).manifest.counts["written"] == 2


def test_what_is_dropped_on_purpose_is_counted_by_its_reason(tmp_path: Path) -> None:
    dataset = run(tmp_path, good(0), Dropped("deleted"), Dropped("short", 7), Dropped("deleted"))
    assert dataset.manifest.counts == {
        "read": 10,
        "written": 1,
        "dropped": {"deleted": 2, "short": 7},
    }


def test_clients_outside_the_limits_are_left_out_whole_and_counted(tmp_path: Path) -> None:
    sizes = {"a": 2, "b": 5, "c": 9}
    records = [good(n, client=c) for c, size in sizes.items() for n in range(size)]
    reader = given(records, client_limits=ClientLimits(3, 8))
    dataset = run(tmp_path, reader=reader)
    assert dataset.index("train").client_ids == ["b"]
    assert dataset.manifest.counts["dropped"] == {
        "clients_above_maximum": 9,
        "clients_below_minimum": 2,
    }


def test_limits_can_count_only_the_examples_a_feature_marks(tmp_path: Path) -> None:
    records = [good(n, client=client) for client in "ab" for n in range(6)]
    records = [r for r in records if not (r.client_id == "b" and r.features["label"] == 0)]
    reader = given(records, client_limits=ClientLimits(1, 9, "label"))
    assert run(tmp_path, reader=reader).index("train").client_ids == ["a"]


def test_when_nothing_is_left_the_sentence_says_where_it_went(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"4 examples were read, 4 dropped \(deleted\)"):
        run(tmp_path, Dropped("deleted", 4))
    assert_nothing_is_left(tmp_path)


def test_the_same_request_finds_its_dataset_and_another_is_refused(tmp_path: Path) -> None:
    told: list[str] = []
    output = str(tmp_path / "out")
    first = prepare(PrepareConfig("digits", output))
    before = (tmp_path / "out" / "manifest.json").stat().st_mtime_ns
    second = prepare(PrepareConfig("digits", output, workers=2, spill_mb=7), told.append)
    assert (tmp_path / "out" / "manifest.json").stat().st_mtime_ns == before
    assert second.fingerprint == first.fingerprint
    assert "nothing to do" in told[0]
    with pytest.raises(UserError, match="--overwrite"):
        prepare(PrepareConfig("digits", output, seed=1))
    other = prepare(PrepareConfig("digits", output, seed=1, overwrite=True))
    assert other.fingerprint != first.fingerprint
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]


def test_an_output_that_holds_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    for overwrite in (False, True):
        with pytest.raises(UserError, match="holds other files"):
            prepare(PrepareConfig("digits", str(tmp_path / "out"), overwrite=overwrite))
    assert (tmp_path / "out" / "thesis.tex").read_text() == "years of work"
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="is a file"):
        prepare(PrepareConfig("digits", str(tmp_path / "file")))


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EDQUOT, "disk quota is reached"),
        (errno.EFBIG, "grew too large"),
    ],
)
def test_a_full_disk_gives_one_sentence_and_the_same_command_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, sentence: str
) -> None:
    config = PrepareConfig("digits", str(tmp_path / "out"))

    def full(*_: Any) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "merge", full)
        with pytest.raises(UserError, match=sentence):
            prepare(config)
    whole = prepare(dataclasses.replace(config, output=str(tmp_path / "never_full")))
    monkeypatch.setattr(grouping, "TaskReader", read_again)
    assert prepare(config).fingerprint == whole.fingerprint
    assert not staging.folder_of(tmp_path / "out").exists()


def three_files(folder: Path, last: str = "") -> PrepareConfig:
    """Files of over a megabyte each, so that each is its own task."""
    (folder / "rows").mkdir()
    for number in range(3):
        rows = (f"c{n % 7},{n % 2},{'x' * 500}\n" for n in range(2400))
        text = "client_id,label,text\n" + "".join(rows) + last * (number == 2)
        (folder / "rows" / f"{number}.csv").write_text(text)
    return PrepareConfig("csv", str(folder / "out"), input=str(folder / "rows"), workers=1)


def read_again(*_: Any) -> None:
    raise AssertionError("what was read and sorted before is whole")


def test_a_file_that_may_not_grow_so_large_leaves_what_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = dataclasses.replace(three_files(tmp_path), shards=1, split="none")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2 << 20, before[1]))
    try:
        with pytest.raises(UserError, match=r"a file grew too large.*ulimit -f"):
            prepare(config)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    monkeypatch.setattr(grouping, "TaskReader", read_again)
    assert prepare(config).manifest.counts["written"] == 7200
    assert not staging.folder_of(tmp_path / "out").exists()


@pytest.mark.parametrize("size", ["20k", "4m", pytest.param("2500k", marks=pytest.mark.slow)])
def test_a_disk_that_is_really_full_leaves_what_is_whole(tmp_path: Path, size: str) -> None:
    """Full at its first file, while reading, and while writing shards."""
    config = dataclasses.replace(three_files(tmp_path), shards=1, split="none")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o"]
    if subprocess.run([*mount, f"size={size}", "none", disk], capture_output=True).returncode:
        pytest.skip("only root may mount a small disk")
    try:
        config = dataclasses.replace(config, output=str(disk / "out"))
        with pytest.raises(UserError, match=r"the disk is full.*same command, which goes on"):
            prepare(config)
        subprocess.run([*mount, "remount,size=30m", "none", disk], check=True)
        assert prepare(config).manifest.counts["written"] == 7200
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_bad_record_found_late_leaves_what_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = three_files(tmp_path, last="c,x,y\n")
    with pytest.raises(UserError, match=r"2\.csv line 2402: .*other files is kept"):
        prepare(config)
    read = grouping.TaskReader

    def of_last_file(job: Job, task: Task, stage: str) -> TaskReader:
        assert task.number == 2, "what was read of the others is whole"
        return read(job, task, stage)

    lenient = dataclasses.replace(config, max_bad_records=1)
    with monkeypatch.context() as patch:
        patch.setattr(grouping, "TaskReader", of_last_file)
        assert prepare(lenient).manifest.counts["dropped"] == {"bad: wrong_type": 1}
    announced: list[str] = []
    prepare(lenient, announced.append)
    assert "nothing to do" in announced[0]


def test_client_ids_with_newlines_survive_natural_shuffled(tmp_path: Path) -> None:
    records = [good(n, client) for n, client in enumerate(["a\nb", "c", "d", "a\nb", "e\r\u2028f"])]
    dataset = run(tmp_path, *records, partition="natural_shuffled")
    assert set(dataset.index("train").client_ids) == {"a\nb", "c", "d", "e\r\u2028f"}


def test_bad_records_that_may_be_left_out_belong_to_the_request(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("client_id,label\n" + "a,1\n" * 10)
    config = PrepareConfig("csv", str(tmp_path / "out"), input=str(path))
    prepare(config)
    with pytest.raises(UserError, match="made with other settings"):
        prepare(dataclasses.replace(config, max_bad_records=3))


@pytest.mark.parametrize("name", ["output", "input"])
def test_a_url_is_refused_before_anything_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    settings = {"output": "out"} | {name: "ftp://bucket/x"}
    with pytest.raises(UserError, match=f"--{name}=ftp://bucket/x: ftp:// is not supported"):
        prepare(PrepareConfig("digits", **settings))
    assert list(tmp_path.iterdir()) == []


def test_an_input_that_vanishes_while_it_is_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("client_id,label\n" + "a,1\n" * 10)
    config = PrepareConfig("csv", str(tmp_path / "out"), input=str(path))
    opened = preparation.open_source(config)
    described = preparation.describe_request(opened)
    path.unlink()

    def read_it() -> None:
        with staging.staging(tmp_path / "out", described["request"]) as folder:
            job = preparation.make_job(opened, folder, described)
            tasks = request.pack_tasks(opened.reader)
            running.run(job, tasks, workers=1, beam_options=(), expected=None)

    with pytest.raises(UserError, match=r"rows\.csv"):
        read_it()
    assert_nothing_is_left(tmp_path)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"source": "digitz"}, "--source=digitz is not one of"),
        ({"input": "/x"}, "takes none"),
        ({"source": "csv"}, "--input is missing"),
        ({"source": "mnist5k"}, "has no natural clients"),
        ({"source_options": {"colour": "red"}}, "no option 'colour'"),
        ({"split": "source"}, "ships no splits"),
        ({"validation_share": 0.1}, "--validation_share cuts what --split=source trains on"),
        ({"max_bad_records": -1}, "--max_bad_records=-1"),
        ({"shards": 0}, "--shards=0"),
        ({"workers": 0}, "--workers=0"),
        ({"output": ""}, "--output is missing"),
        ({"vocabulary": "count:10"}, "hold no field 'text'"),
        ({"vocabulary": "count:many"}, "--vocabulary=count:many"),
        ({"beam_options": ("--runner=DirectRunner",)}, "DirectRunner"),
        ({"split": "by_client", "split_fractions": (0.999, 0.0, 0.001)}, "no client fell into"),
        ({"partition": "iid", "num_clients": 5000}, "--num_clients=5000"),
    ],
)
def test_a_users_mistake_is_one_sentence_and_leaves_nothing(
    settings: dict[str, Any], told: str, tmp_path: Path
) -> None:
    config = PrepareConfig(**({"source": "digits", "output": str(tmp_path / "out")} | settings))
    with pytest.raises(UserError, match=told) as refused:
        prepare(config)
    assert "\n" not in str(refused.value)
    assert_nothing_is_left(tmp_path)


def test_cutoffs_are_compared_with_the_time_of_creation(tmp_path: Path) -> None:
    features = (FeatureSpec("created", "int64"),)
    items = tuple(Record("a", None, {"created": 100 - n}, n) for n in range(10))
    reader = given(items, features=features, label_names=None)
    dataset = run(tmp_path, reader=reader, split="by_cutoff", split_cutoffs=(95, 98))
    created = {
        split: dataset.read_client(split, "a")["created"].numpy().tolist()
        for split in dataset.splits
    }
    assert created == {"train": [94, 93, 92, 91], "validation": [97, 96, 95], "test": [100, 99, 98]}


def test_counted_words_are_those_of_the_training_texts_only(tmp_path: Path) -> None:
    records = [
        good(n)._replace(split=split, features={"text": text, "label": 0})
        for n, (split, text) in enumerate(
            [("train", "the cat the mat"), ("train", "the dog"), ("test", "bird bird bird bird")]
        )
    ]
    dataset = run(tmp_path, *records, split="source", vocabulary="count:2", shards=2)
    stored = json.loads((dataset.path / "vocabulary.json").read_text())
    assert stored["words"] == ["the", "cat"]
    assert stored["tokens"] == 6
    assert dataset.manifest.extra["vocabulary"]["distinct_tokens"] == 4
    assert [file.file for file in dataset.manifest.other_files] == ["vocabulary.json"]


def test_natural_but_shuffled_has_the_natural_sizes_and_pooled_labels(tmp_path: Path) -> None:
    natural = prepare(PrepareConfig("shakespeare", str(tmp_path / "natural")))
    shuffled = prepare(
        PrepareConfig("shakespeare", str(tmp_path / "shuffled"), partition="natural_shuffled")
    )
    for split in natural.splits:
        first, second = natural.index(split), shuffled.index(split)
        assert first.client_ids == second.client_ids
        assert first.num_examples.tolist() == second.num_examples.tolist()
    client = natural.index("train").client_ids[0]
    assert natural.read_records("train", client) != shuffled.read_records("train", client)
    everything = [
        sorted(record for _, records in dataset.iterate(split) for record in records)
        for dataset in (natural, shuffled)
        for split in dataset.splits
    ]
    assert sorted(everything[0] + everything[1]) == sorted(everything[2] + everything[3])


@pytest.mark.parametrize(
    "settings",
    [
        {"partition": "dirichlet"},
        {"partition": "dirichlet", "dirichlet": "per_class", "minimum_size": 20},
        {"partition": "labels_per_client", "labels_per_client": 3},
        {"partition": "quantity"},
        {"partition": "iid"},
    ],
    ids=lambda settings: "-".join(map(str, settings.values())),
)
def test_every_partition_keeps_every_example_and_reports_what_it_became(
    settings: dict[str, Any], tmp_path: Path
) -> None:
    dataset = prepare(PrepareConfig("digits", str(tmp_path / "out"), num_clients=20, **settings))
    assert dataset.manifest.counts == {"read": 1797, "written": 1797, "dropped": {}}
    report = dataset.manifest.heterogeneity["train"]
    skewed = settings["partition"] in ("dirichlet", "labels_per_client")
    assert (report["mean_total_variation"] > 0.5) == skewed
    assert (report["h"] < 0.7) == skewed
