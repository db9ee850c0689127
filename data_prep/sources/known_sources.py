"""The sources by name; a source's module is imported only when it is asked for."""

import importlib
from collections.abc import Mapping

from data_prep.sources.source import Source
from groundwork import plugins
from groundwork.errors import UserError, nearest

_ALONE = {
    "public": """digits mnist5k femnist_leaf femnist_nist femnist_tff stackoverflow_tff
        stackoverflow_dump stackoverflow_export reddit_pushshift reddit_leaf cifar10 tiny_imagenet
        fashion_mnist chitchat shakespeare""",
    "own": "tfds text_files arrays image_folder",
    "synthetic": "fractals",
}
"""By folder, those that are called as their module is."""
MODULES: Mapping[str, str] = {
    **{name: f"{folder}.{name}" for folder, names in _ALONE.items() for name in names.split()},
    **{"csv": "own.csv_and_jsonl", "jsonl": "own.csv_and_jsonl", "tfrecord": "own.tfrecords"},
}
"""The module of each, below data_prep.sources, which exports SOURCE, or several in SOURCES."""


_registered: dict[str, Source] = {}


def register(source: Source) -> Source:
    """Adds a source from outside; a name is given once."""
    known = {source.name: get(source.name)} if source.name in MODULES else _registered
    plugins.check_free("source", source.name, known, source)
    _registered[source.name] = source
    return source


def names() -> list[str]:
    return sorted({*MODULES, *_registered})


def get(name: str) -> Source:
    """The source called `name`; `tfds:mnist` finds the source `tfds`."""
    key = name.split(":", 1)[0]
    if key not in names():
        hint, known = nearest(key, names()), ", ".join(names())
        raise UserError(f"--source={name}: unknown source{hint}; known are {known}")
    source = _registered.get(key) or _built_in(key)
    if ":" in name and not source.prefix:
        raise UserError(f"--source={name}: {key} takes no name after a colon")
    return source


def _built_in(name: str) -> Source:
    module = importlib.import_module(f"data_prep.sources.{MODULES[name]}")
    sources: tuple[Source, ...] = getattr(module, "SOURCES", None) or (module.SOURCE,)
    return next(source for source in sources if source.name == name)


def describe() -> str:
    """A table: name, what it is, what --input names, and each option."""
    lines = []
    for name in names():
        source = get(name)
        needs = source.input_summary if source.needs_input else "not needed (embedded)"
        lines.append(f"{name:22} {source.summary}")
        lines.append(f"{'':22}   --input: {needs}")
        for option in source.options:
            choices = f" ({'|'.join(option.choices)})" if option.choices else ""
            lines.append(
                f"{'':22}   --source_options={option.name}={option.default}{choices}: "
                f"{option.summary}"
            )
    return "\n".join(lines) + "\n"
