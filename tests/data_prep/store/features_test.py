import pytest

from data_prep.store import features
from data_prep.store.features import FeatureSpec
from groundwork.errors import UserError


def test_a_feature_survives_json() -> None:
    for feature in (FeatureSpec("image", "image", (8, 8, 1)), FeatureSpec("text", "text")):
        assert FeatureSpec.from_json(feature.to_json()) == feature


def test_the_element_type_follows_from_the_kind() -> None:
    kinds = {kind: FeatureSpec("x", kind).dtype for kind in features.KINDS}
    assert kinds == {"image": "uint8", "int64": "int64", "float32": "float32", "text": "string"}


def test_unknown_kinds_shaped_texts_and_doubled_names_are_refused() -> None:
    with pytest.raises(UserError, match="unknown kind 'picture'"):
        FeatureSpec("x", "picture")
    with pytest.raises(UserError, match="text"):
        FeatureSpec("x", "text", (3,))
    with pytest.raises(UserError, match=r"'x'.*twice"):
        features.checked([FeatureSpec("x", "text"), FeatureSpec("x", "int64")])
