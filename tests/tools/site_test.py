"""Pages made from the code hold all that the code says, and links survive the move."""

import re

from pipelines.plan.plan_checks import PLAN_SCHEMA
from tools import site, site_reference

HELP = """Does things.

Example:
  python -m x --flag=1

Flags:
  --[no]dry_run
      Check `--x` and [y]; a * is kept.
  --name=VALUE
      One of a|b. [a]

Things of your own:
  --plugin=VALUE
      A module
      of yours.

--flagfile=FILE reads flags.
"""


def test_every_flag_of_a_help_text_is_on_its_page_with_an_anchor() -> None:
    page = site_reference.program_page("x", "some.x", HELP)
    assert re.findall(r'<a id="(\w+)"></a>`(.*?)`', page) == [
        ("dry_run", "--[no]dry_run"),
        ("name", "--name=VALUE"),
        ("plugin", "--plugin=VALUE"),
    ]
    assert ":   A module of yours." in page
    assert "Check `--x` and \\[y\\]; a \\* is kept." in page
    assert re.findall("^## (.*)", page, re.MULTILINE) == ["Flags", "Things of your own"]


def test_a_programs_own_help_has_its_flags_where_the_page_looks_for_them() -> None:
    text = site_reference._help("data_prep.describe")
    flags = re.findall(r"^  --(?:\[no\])?(\w+)", text, re.MULTILINE)
    page = site_reference.program_page("describe", "data_prep.describe", text)
    assert flags
    assert [name for name in flags if f'<a id="{name}"></a>' not in page] == []


def test_what_a_docstring_says_of_arguments_becomes_a_list() -> None:
    def call(x: int, y: int) -> None:
        """Does things.

        Args:
          x: a number,
            and more of it.
          y, z: others.
        """

    expected = "Does things.\n\n\n- `x`: a number, and more of it.\n- `y, z`: others."
    assert site_reference._docstring(call) == expected


def test_links_to_the_top_of_the_checkout_become_links_between_pages() -> None:
    text = "[a](docs/b.md#c) [d](CONTRIBUTING.md) [e](../CHANGELOG.md)"
    assert site.relinked(text) == "[a](b.md#c) [d](contributing.md) [e](changelog.md)"


def test_every_key_of_a_plan_is_explained() -> None:
    page = (site.ROOT / "docs" / "plans.md").read_text()
    rows = " ".join(re.findall(r"^\| (`.*?) \|", page, re.MULTILINE))
    missing = [key for key in PLAN_SCHEMA["properties"] if not re.search(rf"`{key}\b", rows)]
    assert missing == []


def test_pages_below_another_are_in_a_section_that_begins_with_it() -> None:
    text = "nav:\n  - Science:\n      - first.md\n      - last.md\n"
    below = site._below(text, "Results", "first.md", ["first.md", "second.md"])
    expected = "      - Results:\n          - first.md\n          - second.md\n      - last.md\n"
    assert below == f"nav:\n  - Science:\n{expected}"
