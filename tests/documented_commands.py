"""The commands of a page's fenced blocks, and what each block promises of them.

A block's first word is its language, the second says how it is tested (CONTRIBUTING.md lists them):

    ```sh run       run from top to bottom in one empty folder, offline
    ```sh dry_run   every program is run with --dry_run added
    ```sh ci        make targets that .ci/run runs as steps of their own
    ```sh flags     parsed only: the program exists and has these flags
    ```sh manual    needs what a test cannot have (a package manager, a cluster); not tested
"""

import dataclasses
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

HOW = ("run", "dry_run", "ci", "flags", "manual")
_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclasses.dataclass(frozen=True)
class Command:
    """One command of a page, continuation lines joined."""

    page: str
    line: int
    how: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}: {self.text}"

    def words(self) -> list[str]:
        return shlex.split(self.text, comments=True)

    def program(self) -> tuple[str, list[str]] | None:
        """The project's module this command runs and its flags, or None for another program."""
        words = self.words()
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words = words[1:]
        if len(words) > 2 and re.fullmatch(r"(.*/)?python3?", words[0]) and words[1] == "-m":
            ours = words[2].startswith(("data_prep.", "fed_pretrain.", "pipelines."))
            return (words[2], words[3:]) if ours else None
        if words[:2] == ["bazel", "run"] and len(words) > 2:
            rest = words[words.index("--") + 1 :] if "--" in words else []
            return words[2].removeprefix("//").replace(":", "."), rest
        return None


def commands(page: Path) -> Iterator[Command]:
    """Every command of the shell blocks; an unlabelled shell block is an error of the page."""
    text = page.read_text()
    for block in _FENCE.finditer(text):
        language, *how = block["info"].split() or [""]
        line = text[: block.start()].count("\n") + 1
        if language not in ("sh", "bash", "shell", "console"):
            continue
        if len(how) != 1 or how[0] not in HOW:
            raise ValueError(f"{page.name}:{line}: say how the block is tested: {', '.join(HOW)}")
        joined = block["body"].replace("\\\n", "  ")
        for offset, command in enumerate(joined.splitlines(), start=1):
            if command.strip() and not command.lstrip().startswith("#"):
                yield Command(page.name, line + offset, how[0], " ".join(command.split()))
    prose = _FENCE.sub(lambda block: "\n" * block[0].count("\n"), text)
    for inline in re.finditer(r"`(python -m [^`]+)`", prose):
        line = prose[: inline.start()].count("\n") + 1
        shown = " ".join(inline[1].split()).replace("\\|", "|")
        yield Command(page.name, line, "flags", shown)
