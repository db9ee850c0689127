"""The program that breaks code on purpose: what it breaks, and by which tests it tries that."""

import ast
from pathlib import Path

from tools import mutants


def test_operators_comparisons_and_numbers_are_broken_but_no_annotation() -> None:
    code = "def f(x: Literal[3] = 1) -> int:\n    return x * 2 if x < 4 and True else -x"
    words = [mutants._broken(node) for node, _ in mutants.breakable(ast.parse(code))]
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


def _mutant(path: str, function: str = "") -> mutants.Mutant:
    return mutants.Mutant(Path(path), 0, 1, function, "")


def test_the_function_of_a_place_has_the_name_that_python_gives_it() -> None:
    code = "a = 1\nclass B:\n    b = 2\n    def c(self, d=3):\n        return [lambda: 4]\n"
    code += "def e():\n    def f():\n        return 5\n    return f\n"
    found = [(node.value, name) for node, name in mutants.breakable(ast.parse(code))]
    assert found == [(1, ""), (2, ""), (3, "B.c"), (4, "B.c"), (5, "e.<locals>.f")]
    scope: dict = {}
    exec(code, scope)
    names = {scope["B"].c.__code__.co_qualname, scope["e"]().__code__.co_qualname}
    assert names == {"B.c", "e.<locals>.f"}


def test_a_file_is_tried_by_the_test_of_its_name_and_then_by_those_of_its_room() -> None:
    room = Path("tests/fed_pretrain/algorithms")
    tried = mutants.candidates(_mutant("fed_pretrain/algorithms/schedule.py", "rate"))
    assert tried[0] == room / "schedule_test.py"
    assert room / "accountants_test.py" in tried
    assert room / "accountants_test.py" not in mutants.candidates(
        _mutant("fed_pretrain/algorithms/schedule.py")
    )


def test_each_room_has_its_turn() -> None:
    drawn = mutants.draw(["fed_pretrain/clients", "fed_pretrain/tracking"], seed=1)
    assert [one.room for one in drawn[:4]] == ["fed_pretrain/clients", "fed_pretrain/tracking"] * 2
