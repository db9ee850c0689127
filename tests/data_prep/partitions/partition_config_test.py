import pytest

from data_prep.partitions.partition_config import PartitionConfig, SplitConfig
from groundwork.errors import UserError


@pytest.mark.parametrize(
    ("settings", "flag"),
    [
        ({"rule": "random"}, "--partition=random"),
        ({"rule": "iid"}, "--num_clients"),
        ({"rule": "natural", "num_clients": 3}, "--num_clients"),
        ({"rule": "iid", "num_clients": 0}, "--num_clients"),
        ({"alpha": 0.0}, "--alpha"),
        ({"alpha": float("nan")}, "--alpha"),
        ({"alpha": float("inf")}, "--alpha"),
        ({"sigma": -1.0}, "--sigma"),
        ({"labels_per_client": 0}, "--labels_per_client"),
        ({"minimum_size": -1}, "--minimum_size"),
        ({"dirichlet": "both"}, "--dirichlet"),
        ({"concentration": "none"}, "--concentration"),
    ],
)
def test_a_wrong_partition_is_refused_by_its_flag(settings: dict, flag: str) -> None:
    with pytest.raises(UserError, match=flag):
        PartitionConfig(**settings)


@pytest.mark.parametrize(
    ("settings", "flag"),
    [
        ({"rule": "by_magic"}, "--split=by_magic"),
        ({"fractions": (0.5, 0.2, 0.2)}, "--split_fractions"),
        ({"fractions": (0.0, 0.5, 0.5)}, "--split_fractions"),
        ({"fractions": (1.2, -0.2, 0.0)}, "--split_fractions"),
        ({"fractions": (float("nan"), 0.0, 0.0)}, "--split_fractions"),
        ({"rule": "by_cutoff"}, "--split_cutoffs"),
        ({"rule": "by_cutoff", "cutoffs": (5, 3)}, "--split_cutoffs"),
        ({"rule": "by_order", "cutoffs": (5,)}, "--split_cutoffs"),
        ({"rule": "source", "validation_share": 1.0}, "--validation_share=1.0"),
    ],
)
def test_a_wrong_split_is_refused_by_its_flag(settings: dict, flag: str) -> None:
    with pytest.raises(UserError, match=flag):
        SplitConfig(**settings)


def test_settings_without_effect_are_left_out() -> None:
    assert PartitionConfig(alpha=3.0, seed=4).settings() == {"rule": "natural"}
    iid = PartitionConfig(rule="iid", num_clients=5, alpha=3.0).settings()
    assert iid == {"rule": "iid", "num_clients": 5, "minimum_size": 1, "seed": 0}
    assert SplitConfig("source", seed=3).settings() == {"rule": "source"}
    cut = SplitConfig("source", validation_share=0.1, seed=3).settings()
    assert cut == {"rule": "source", "validation_share": 0.1, "seed": 3}
