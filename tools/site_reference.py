"""Pages of the site that say what the code says: programs, sources, models, Python names."""

import dataclasses
import html
import inspect
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import fed_pretrain  # noqa: E402
from data_prep.sources import known_sources  # noqa: E402
from fed_pretrain import console  # noqa: E402
from fed_pretrain.models import known_models  # noqa: E402
from tools.page_tables import markdown  # noqa: E402

PROGRAMS = console.COMMANDS
_HEADING = re.compile(r"^(\S[^\n]*):\n(?=  --)", re.MULTILINE)
_ARGUMENT = re.compile(r"^([\w*, ]+): ")
_FLAG = re.compile(r"^  (--\S+)\n((?:      [^\n]*\n?)*)", re.MULTILINE)


def pages() -> Iterator[tuple[str, str]]:
    """The file of each page below reference/, and its text."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        texts = pool.map(_help, PROGRAMS.values())
        for (name, module), text in zip(PROGRAMS.items(), texts, strict=True):
            yield f"{name}.md", program_page(name, module, text)
    yield "sources.md", sources_page()
    yield "models.md", models_page()
    yield "python.md", python_page()


def _help(module: str) -> str:
    command = [sys.executable, "-m", module, "--help"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def program_page(name: str, module: str, text: str) -> str:
    """A program's own help, each flag with an anchor of its name."""
    about, *sections = _HEADING.split(text)
    first, _, rest = about.strip().partition("\n")
    lines = [f"# {name}", "", _plain(first), "", f"`python -m {module}`, `fed-pretrain {name}`"]
    if rest.strip():
        lines += ["", "```text", rest.strip("\n"), "```"]
    for heading, body in zip(sections[::2], sections[1::2], strict=True):
        lines += ["", f"## {heading}", ""]
        for flag, said in _FLAG.findall(body):
            anchor = re.sub(r"--(\[no\])?|=.*", "", flag)
            help_text = _plain(" ".join(said.split()))
            lines += [f'<a id="{anchor}"></a>`{flag}`', f":   {help_text}", ""]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """A help text as Markdown: what it puts into backquotes is code, the rest stays as it is."""
    parts = text.split("`")
    escaped = [re.sub(r"([*\\\[\]])", r"\\\1", html.escape(part, quote=False)) for part in parts]
    return "`".join(part if number % 2 else escaped[number] for number, part in enumerate(parts))


def sources_page() -> str:
    lines = ["# Sources", "", "What `prepare --source=NAME` reads.", ""]
    for name in known_sources.names():
        source = known_sources.get(name)
        reads = source.input_summary if source.needs_input else "nothing: it is embedded"
        summary = source.summary[0].upper() + source.summary[1:]
        lines += [f"## {name}", "", f"{_plain(summary)}. `--input`: {_plain(reads)}.", ""]
        rows = [
            (
                f"`{option.name}`",
                _plain(option.summary),
                f"`{option.default}`" if option.default else "",
                ", ".join(f"`{choice}`" for choice in option.choices),
            )
            for option in source.options
        ]
        if rows:
            header = ("`--source_options`", "what it says", "default", "choices")
            lines += [markdown(header, rows), ""]
    return "\n".join(lines)


def models_page() -> str:
    specs = [known_models.get(name) for name in known_models.names()]
    rows = [(f"`{s.name}`", s.kind, _plain(s.origin), s.preprocessing) for s in specs]
    return (
        "# Models\n\nWhat `--model=NAME` takes, besides `keras:NAME` of keras.applications and "
        "`keras:FILE.keras` of your own.\n\n"
        + markdown(("model", "reads", "from", "preprocessing"), rows)
    )


def python_page() -> str:
    lines = ["# Python names", "", "`import fed_pretrain` gives these; each is loaded when used."]
    names = sorted(fed_pretrain.__all__, key=lambda name: (name[0].isupper(), name))
    for name in names:
        found = getattr(fed_pretrain, name)
        kind = "class" if inspect.isclass(found) else "def"
        lines += ["", f"## {name}", "", "```python", f"{kind} {name}{_signature(found)}", "```", ""]
        lines += [_docstring(found)]
        if dataclasses.is_dataclass(found):
            lines += ["", _fields(found)]
        elif inspect.isclass(found):
            lines += _methods(found)
    return "\n".join(lines) + "\n"


def _signature(found: object) -> str:
    if dataclasses.is_dataclass(found):
        return ""
    try:
        parameters = inspect.signature(found).parameters.values()  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return ""
    shown = [str(one.replace(annotation=inspect.Parameter.empty)) for one in parameters]
    if any(one.kind is inspect.Parameter.KEYWORD_ONLY for one in parameters) and not any(
        text.startswith("*") for text in shown
    ):
        first = next(n for n, p in enumerate(parameters) if p.kind is p.KEYWORD_ONLY)
        shown.insert(first, "*")
    return f"({', '.join(text for text in shown if text != 'self')})"


def _docstring(found: object) -> str:
    """Markdown as it is; what is said of arguments becomes a list."""
    about, args, rest = inspect.cleandoc(getattr(found, "__doc__", None) or "").partition("\nArgs:")
    if not args:
        return about
    arguments = re.split(r"\n(?=\S)", textwrap.dedent(rest.strip("\n")))
    listed = (_ARGUMENT.sub(r"- `\1`: ", " ".join(one.split())) for one in arguments)
    return f"{about}\n\n" + "\n".join(line for line in listed if line)


def _fields(found: type) -> str:
    rows = []
    for field in dataclasses.fields(found):
        if field.name.startswith("_"):
            continue
        help_text = str(field.metadata.get("help", ""))
        default = "" if field.default is dataclasses.MISSING else f"`{field.default!r}`"
        rows.append((f"`{field.name}`", _plain(help_text), default))
    return markdown(("field", "what it says", "default"), rows)


def _methods(found: type) -> list[str]:
    lines = []
    for name, member in vars(found).items():
        if name.startswith("_") or not (inspect.isfunction(member) or isinstance(member, property)):
            continue
        call = _signature(member) if inspect.isfunction(member) else ""
        lines += ["", f"`{name}{call}`", f":   {' '.join(_docstring(member).split())}"]
    return lines
