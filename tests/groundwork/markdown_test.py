"""Markdown that shows text as it is."""

from groundwork import markdown


def test_marks_in_text_are_shown_and_not_obeyed() -> None:
    assert markdown.plain("a_b * <c> [d]") == r"a\_b \* \<c> \[d\]"


def test_a_bar_in_a_cell_does_not_end_it() -> None:
    assert markdown.table(("a", "b"), [("x|y", "z")]) == (
        "| a | b |\n| --- | --- |\n| x\\|y | z |\n"
    )


def test_columns_of_plain_text_are_as_wide_as_their_longest_cell():
    assert markdown.aligned([("a", "long", ""), ("word", "b", "c")]) == [
        "a     long",
        "word  b     c",
    ]
