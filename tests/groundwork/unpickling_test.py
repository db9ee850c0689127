import collections
import io
import os
import pickle

import numpy as np
import pytest

from groundwork import unpickling
from groundwork.errors import UserError


class _RunsCode:
    def __reduce__(self):
        return os.mkdir, ("should-never-exist",)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_survive_every_protocol(protocol):
    value = {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "name": b"conv"}
    allowed = unpickling.numpy_globals()
    if protocol == 5:
        allowed |= {("numpy.core.numeric", "_frombuffer"): np.core.numeric._frombuffer}
    read = unpickling.load(io.BytesIO(pickle.dumps(value, protocol)), allowed, name="x.pkl")
    np.testing.assert_array_equal(read["kernel"], value["kernel"])
    assert read["name"] == b"conv"


def test_code_is_refused_and_never_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = io.BytesIO(pickle.dumps(_RunsCode()))
    with pytest.raises(UserError, match=r"evil\.pkl.*mkdir.*allow list"):
        unpickling.load(file, unpickling.numpy_globals(), name="evil.pkl")
    assert not (tmp_path / "should-never-exist").exists()


def test_only_the_globals_that_are_named_are_allowed():
    content = pickle.dumps(collections.OrderedDict(a=1))
    with pytest.raises(UserError, match="OrderedDict"):
        unpickling.load(io.BytesIO(content), {}, name="a.pkl")
    allowed = {("collections", "OrderedDict"): collections.OrderedDict}
    assert unpickling.load(io.BytesIO(content), allowed, name="a.pkl") == {"a": 1}


def test_a_truncated_pickle_is_named():
    content = pickle.dumps(list(range(1000)))
    with pytest.raises(UserError, match=r"cut\.pkl"):
        unpickling.load(io.BytesIO(content[: len(content) // 2]), {}, name="cut.pkl")


def test_persistent_ids_are_refused_unless_a_reader_takes_them():
    class Pickler(pickle.Pickler):
        def persistent_id(self, obj):
            return ("storage", 3) if isinstance(obj, bytearray) else None

    file = io.BytesIO()
    Pickler(file, 2).dump([bytearray(b"abc")])
    with pytest.raises(UserError, match="outside the pickle"):
        unpickling.load(io.BytesIO(file.getvalue()), {}, name="p.pkl")
    read = unpickling.load(
        io.BytesIO(file.getvalue()), {}, name="p.pkl", persistent_load=lambda pid: pid
    )
    assert read == [("storage", 3)]


def test_pickles_in_a_row_are_read_one_by_one():
    file = io.BytesIO(pickle.dumps("first") + pickle.dumps("second") + b"rest")
    assert unpickling.load(file, {}, name="r.pkl") == "first"
    assert unpickling.load(file, {}, name="r.pkl") == "second"
    assert file.read() == b"rest"
