"""The files by which `tfds.builder_from_directory` reads a dataset as it is.

Written without TensorFlow Datasets, which workers need not have.
"""

import re

from data_prep.store.features import FeatureSpec
from data_prep.store.manifest import Manifest, Split
from groundwork import files
from groundwork.untyped import Json

FEATURES, INFO, LABELS = "features.json", "dataset_info.json", "label.labels.txt"
NAMES = (FEATURES, INFO, LABELS)
_MODULE = "tensorflow_datasets.core.features"


def contents(manifest: Manifest) -> dict[str, str]:
    """The files by name."""
    labels = _label_names(manifest)
    written = {
        FEATURES: files.json_text(_features(manifest, labels)),
        INFO: files.json_text(_info(manifest)),
    }
    return written | ({LABELS: "\n".join(labels) + "\n"} if labels else {})


def _label_names(manifest: Manifest) -> list[str]:
    """One a line; none where TensorFlow Datasets could not take them."""
    labelled = any((f.name, f.kind, f.shape) == ("label", "int64", ()) for f in manifest.features)
    names = [" ".join(name.split()) for name in manifest.label_names or ()]
    sound = labelled and all(names) and len(set(names)) == len(names)
    return names if sound else []


def _info(manifest: Manifest) -> dict[str, Json]:
    return {
        "name": re.sub(r"\W", "_", manifest.source["name"]),
        "version": "1.0.0",
        "description": manifest.description,
        "fileFormat": "tfrecord",
        "splits": [_split(name, split) for name, split in sorted(manifest.splits.items())],
    }


def _split(name: str, split: Split) -> dict[str, Json]:
    return {
        "name": name,
        "numBytes": str(sum(shard.bytes for shard in split.shards)),
        "shardLengths": [str(shard.examples) for shard in split.shards],
        "filepathTemplate": "{SPLIT}-{SHARD_X_OF_Y}.tfrecord",
    }


def _features(manifest: Manifest, labels: list[str]) -> dict[str, Json]:
    entries = {feature.name: feature_entry(feature) for feature in manifest.features}
    if labels:
        entries["label"] = {
            "pythonClassName": f"{_MODULE}.class_label_feature.ClassLabel",
            "classLabel": {"numClasses": str(len(labels))},
        }
    return {
        "type": f"{_MODULE}.features_dict.FeaturesDict",
        "content": {"features": entries},
        "proto_cls": "tensorflow_datasets.FeaturesDict",
    }


def feature_entry(feature: FeatureSpec) -> dict[str, Json]:
    """The feature in TensorFlow Datasets' words."""
    if feature.kind == "text":
        return {"pythonClassName": f"{_MODULE}.text_feature.Text", "text": {}}
    dimensions = {"dimensions": [str(size) for size in feature.shape]} if feature.shape else {}
    kind = "tensor_feature.Tensor" if feature.shape else "scalar.Scalar"
    return {
        "pythonClassName": f"{_MODULE}.{kind}",
        "tensor": {
            "shape": dimensions,
            "dtype": feature.dtype,
            "encoding": "bytes" if feature.kind == "image" else "none",
        },
    }
