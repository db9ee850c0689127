import pytest

from fed_pretrain.experiment.analyses import registry as analyses
from fed_pretrain.probes import names, registry
from groundwork.errors import UserError


def test_the_names_are_those_of_the_registered_probes():
    assert set(names.OF_A_RUN) == set(registry._MAKERS)
    assert tuple(measurement.name for measurement in analyses.ALL) == names.OF_AN_ANALYSIS


def test_a_list_keeps_its_order_and_each_name_once():
    assert names.listed(" drift,alignment, drift,", names.OF_A_RUN) == ["drift", "alignment"]


def test_a_misspelt_probe_is_told_with_the_nearest_one():
    with pytest.raises(UserError, match="no probe 'distances' \\(did you mean 'distance'"):
        names.listed("distances", names.OF_A_RUN)
