"""The arrows between the rooms: what may import what, no circle anywhere, and one border to the
inside of TensorFlow and TFF.
"""

import graphlib

import pytest

from tools import page_tables, rooms
from tools.rooms import ROOT, forbidden, imported, imports, modules

BORDER = "fed_pretrain/executors/border"
PRIVATE = ("tensorflow.python", "tensorflow_federated.python")


def test_no_module_imports_a_room_above_or_beside_its_own() -> None:
    wrong = sorted(
        f"{module} imports {name}"
        for module in modules()
        for name in imports(module)
        if forbidden(module, name)
    )
    assert wrong == []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {module: imports(module) for module in modules()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(error.args[1])}")


def test_only_the_border_imports_private_modules_of_tensorflow_and_tff() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}: {name}"
        for module, path in modules().items()
        for name in imported(module)
        if name.startswith(PRIVATE) and BORDER not in path.as_posix()
    ]
    assert wrong == []


def test_a_library_reads_no_flags() -> None:
    """A program turns flags into a config; flags are defined for it in modules called *_flags."""
    wrong = [
        str(path.relative_to(ROOT))
        for path in modules().values()
        if "FLAGS." in path.read_text().replace("flags.FLAGS.", "FLAGS.")
        and "__main__" not in path.read_text()
        and path.parent.name not in ("groundwork", "execution")
        and not path.stem.endswith(("_flags", "_options"))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("importing", "imported", "expected"),
    [
        ("fed_pretrain.tasks.task", "fed_pretrain.models.norm", False),
        ("fed_pretrain.models.norm", "fed_pretrain.tasks.task", True),
        ("fed_pretrain.probes.alignment", "fed_pretrain.experiment.assembly.session", True),
        ("data_prep.store.reader", "groundwork.files", False),
        ("groundwork.files", "data_prep.store.reader", True),
        ("fed_pretrain.executors.graphs.map_reduce", "fed_pretrain.clients.payload", True),
        (
            "fed_pretrain.experiment.workdir.metrics",
            "fed_pretrain.experiment.training.rounds",
            True,
        ),
    ],
)
def test_the_table_allows_and_forbids(importing: str, imported: str, expected: bool) -> None:
    assert forbidden(importing, imported) is expected


def test_the_picture_of_the_rooms_is_up_to_date() -> None:
    text = rooms.PAGE.read_text()
    assert page_tables.fresh(text, rooms.BLOCKS) == text, "run `make architecture`"
