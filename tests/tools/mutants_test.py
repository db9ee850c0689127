"""The program that breaks code on purpose: what it breaks, and by which tests it tries that."""

import ast
from pathlib import Path

from tools import mutants


def test_operators_comparisons_and_numbers_are_broken_but_no_annotation() -> None:
    code = "def f(x: Literal[3] = 1) -> int:\n    return x * 2 if x < 4 and True else -x"
    words = [mutants._broken(node) for node in mutants.breakable(ast.parse(code))]
    assert sorted(filter(None, words)) == [
        "1 -> 2",
        "2 -> 3",
        "4 -> 5",
        "And -> Or",
        "Lt -> LtE",
        "Mult -> Div",
        "True -> False",
    ]


def test_a_mutant_differs_from_its_file_in_one_place() -> None:
    path = mutants.ROOT / "tools/mutants.py"
    whole = ast.unparse(ast.parse(path.read_text())).splitlines()
    for mutant in list(mutants.mutants(path))[:5]:
        broken = mutants.source_of(mutant).splitlines()
        assert sum(one != other for one, other in zip(whole, broken, strict=True)) == 1


def test_a_file_is_tried_by_the_test_of_its_name_and_by_those_of_its_folder() -> None:
    folder = Path("tests/fed_pretrain/algorithms")
    schedule = mutants.mirrors(Path("fed_pretrain/algorithms/schedule.py"))
    assert schedule == [folder / "schedule_test.py", folder]
    scaffold = mutants.mirrors(Path("fed_pretrain/algorithms/client_updates/scaffold.py"))
    assert scaffold == [folder / "client_updates"]
