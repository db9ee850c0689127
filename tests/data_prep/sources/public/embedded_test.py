"""The embedded texts and TFDS, with the counts that their descriptions give."""

import itertools
from collections import Counter

import numpy as np
import pytest
import requests
import tensorflow_datasets as tfds

from data_prep.sources import known_sources
from data_prep.sources.own import tfds as own_tfds
from data_prep.sources.public import chitchat
from groundwork.errors import UserError


@pytest.mark.slow
def test_chitchat_is_all_messages_of_1315_senders():
    reader = known_sources.get("chitchat").open("", {})
    sizes = Counter()
    words = 0
    kinds = Counter()
    prompts = set()
    for record in reader.read(reader.units[0]):
        sizes[record.client_id] += 1
        words += len(record.features["text"].split())
        kinds[record.features["kind"]] += 1
        prompts.add(record.features["prompt"])
    assert (len(sizes), sizes.total(), words) == (1315, 258_145, 2_478_488)
    assert (len(sizes), sizes.total()) == (chitchat.SENDERS, chitchat.MESSAGES)
    assert max(sizes.values()) == 25_272
    assert len(prompts) == 36  # 35 and the stand-in for none
    assert kinds["question"] < kinds["answer"]


def test_chitchat_messages_are_in_order_of_time():
    reader = known_sources.get("chitchat").open("", {})
    first = list(itertools.islice(reader.read(reader.units[0]), 50))
    assert all(r.order >> 16 == r.features["created"] for r in first)
    assert 1523318400 < first[0].features["created"] < 1542412800  # April to November 2018


def test_shakespeare_is_36_plays_by_role(read_source):
    outcome = read_source("shakespeare")
    sizes = Counter(record.client_id for record in outcome.records)
    assert len(outcome.reader.units) == 36
    assert (len(sizes), sizes.total()) == (1302, 29_959)
    assert sum(1 for size in sizes.values() if size >= 10) == 600
    hamlet = [r for r in outcome.records if r.client_id == "hamlet:Ham"]
    assert any("To be, or not to be" in r.features["text"] for r in hamlet)


@pytest.fixture(scope="module")
def tfds_folder(tmp_path_factory, foolbox_pictures):
    """A data set of real pictures that tensorflow-datasets itself has prepared."""
    pictures = foolbox_pictures("cifar10")
    with tfds.core.registered.skip_registration():

        class MiniCifar(tfds.core.GeneratorBasedBuilder):
            VERSION = tfds.core.Version("1.0.0")
            code_path = None  # a class inside a test has no file of checksums

            def _info(self):
                features = {
                    "image": tfds.features.Image(shape=(32, 32, 3)),
                    "label": tfds.features.ClassLabel(num_classes=10),
                    "about": {"writer": tfds.features.Text(), "box": tfds.features.BBoxFeature()},
                }
                return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

            def _split_generators(self, dl_manager):
                parts = {"train": (0, 10), "test": (10, 14), "unsupervised": (14, 20)}
                return {split: self._generate_examples(*part) for split, part in parts.items()}

            def _generate_examples(self, start, stop):
                for number in range(start, stop):
                    pixels, label = pictures[number]
                    about = {
                        "writer": f"w{number % 2}",
                        "box": tfds.features.BBox(0.0, 0.0, 1.0, 1.0),
                    }
                    yield number, {"image": pixels, "label": label, "about": about}

    folder = tmp_path_factory.mktemp("tfds")
    MiniCifar(data_dir=folder).download_and_prepare()
    return folder


def test_tfds_pictures_are_real_and_other_splits_are_counted(
    tfds_folder, read_source, foolbox_pictures
):
    outcome = read_source("tfds:mini_cifar", tfds_folder, client="about/writer")
    kinds = {spec.name: (spec.kind, spec.shape) for spec in outcome.reader.features}
    assert kinds["image"] == ("image", (32, 32, 3))
    assert kinds["label"] == ("int64", ())
    stored = {(r.features["image"].tobytes(), int(r.features["label"])) for r in outcome.records}
    assert stored == {(p.tobytes(), label) for p, label in foolbox_pictures("cifar10")[:14]}
    assert {(r.split, r.client_id) for r in outcome.records} == {
        (split, writer) for split in ("train", "test") for writer in ("w0", "w1")
    }
    assert outcome.dropped == {"neither_train_validation_nor_test": 6}
    assert len(outcome.reader.label_names) == 10


def test_tfds_pictures_can_be_resized(tfds_folder, read_source):
    outcome = read_source("tfds:mini_cifar", tfds_folder, features="image", size="8x16")
    assert {r.features["image"].shape for r in outcome.records} == {(8, 16, 3)}


def test_a_tfds_data_set_known_by_name_only_is_read_through_its_features():
    """cifar10 and emnist as tensorflow-datasets describes them, without their data."""
    from data_prep.sources.own import tfds as tfds_source
    from data_prep.sources.source import resolve_options

    options = resolve_options(tfds_source.SOURCE, {})
    with tfds.testing.mock_data(num_examples=4):
        for name, shape in (("cifar10", (32, 32, 3)), ("emnist/byclass", (28, 28, 1))):
            builder = tfds.builder(name)
            fields = {f.spec.name: f for f in tfds_source._fields(builder.info, options)}
            assert fields["image"].spec.shape == shape
            for example in tfds.as_numpy(builder.as_dataset(split="train")):
                image = tfds_source._value(example["image"], fields["image"])
                np.testing.assert_array_equal(image, example["image"])


def test_tfds_names_that_do_not_exist_are_refused(read_source):
    with pytest.raises(UserError, match="no_such_set"):
        read_source("tfds:no_such_set")
    with pytest.raises(UserError, match="tfds:mnist"):
        read_source("tfds")


def test_a_tfds_set_that_is_not_prepared_is_refused_offline(tmp_path, read_source, monkeypatch):
    def refuse(*args, **kwargs):
        raise ConnectionError("no network")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", refuse)
    with pytest.raises(UserError, match="data_dir with --input"):
        read_source("tfds:cifar10", tmp_path)


def test_a_tfds_feature_that_does_not_exist_is_refused(tfds_folder, read_source):
    with pytest.raises(UserError, match="no feature 'writer'"):
        read_source("tfds:mini_cifar", tfds_folder, client="writer")


def test_prepared_tfds_pictures_have_clients_or_a_partition(tfds_folder, prepared):
    with pytest.raises(UserError, match="natural"):
        prepared("tfds:mini_cifar", tfds_folder, {"features": "image|label"})
    options = {"features": "image|label", "client": "about/writer"}
    dataset = prepared("tfds:mini_cifar", tfds_folder, options)
    assert sorted(dataset.index("train").client_ids) == ["w0", "w1"]
    assert set(dataset.splits) == {"train", "test"}


def test_prepared_shakespeare_keeps_its_roles(prepared):
    dataset = prepared("shakespeare", split_fractions=(1.0, 0.0, 0.0), min_examples=10)
    assert len(dataset.index("train").client_ids) == 600
    speeches = dataset.read_client("train", "hamlet:Ham")["text"].numpy()
    assert any(b"To be, or not to be" in speech for speech in speeches)


@pytest.mark.slow
def test_prepared_chitchat_keeps_its_senders(prepared):
    dataset = prepared("chitchat", split_fractions=(1.0, 0.0, 0.0))
    index = dataset.index("train")
    assert (len(index.client_ids), index.num_examples.sum()) == (1315, 258_145)


@pytest.mark.parametrize("name", known_sources.names())
def test_every_source_describes_itself(name):
    source = known_sources.get(name)
    assert source.name == name
    assert source.summary
    assert source.input_summary or not source.needs_input


def test_every_source_of_the_plan_is_there():
    assert set(known_sources.names()) >= {
        *("femnist_leaf", "femnist_nist", "femnist_tff"),
        *("stackoverflow_tff", "stackoverflow_dump", "stackoverflow_export"),
        *("reddit_pushshift", "reddit_leaf", "cifar10", "tiny_imagenet", "fashion_mnist"),
        *("tfds", "text_files", "csv", "jsonl", "tfrecord", "image_folder"),
        *("digits", "mnist5k", "chitchat", "shakespeare"),
    }


def test_a_network_that_is_not_there_is_a_few_words():
    with pytest.raises(requests.ConnectionError) as refusal:
        requests.get("http://127.0.0.1:9/file", timeout=5)
    assert own_tfds._why(refusal.value) == "127.0.0.1 cannot be reached"
    assert own_tfds._why(ValueError("one\ntwo")) == "one"
