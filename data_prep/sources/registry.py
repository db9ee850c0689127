"""The sources by name; a source's module is imported only when it is asked for."""

import importlib
from collections.abc import Mapping

from data_prep.errors import UserError
from data_prep.sources.base import Source

# name -> module below data_prep.sources; it exports SOURCE, or several in SOURCES.
MODULES: Mapping[str, str] = {
    "digits": "digits",
    "mnist5k": "mnist5k",
    "femnist_leaf": "femnist_leaf",
    "femnist_nist": "femnist_nist",
    "femnist_tff": "femnist_tff",
    "stackoverflow_tff": "stackoverflow_tff",
    "stackoverflow_dump": "stackoverflow_dump",
    "stackoverflow_export": "stackoverflow_export",
    "reddit_pushshift": "reddit_pushshift",
    "reddit_leaf": "reddit_leaf",
    "cifar10": "cifar10",
    "tiny_imagenet": "tiny_imagenet",
    "fashion_mnist": "fashion_mnist",
    "tfds": "tfds_source",
    "text_files": "text_files",
    "csv": "own_tables",
    "jsonl": "own_tables",
    "tfrecord": "own_tfrecords",
    "image_folder": "image_folder",
    "chitchat": "chitchat",
    "shakespeare": "shakespeare",
}


def names() -> list[str]:
    return sorted(MODULES)


def get(name: str) -> Source:
    """The source called `name`; `tfds:mnist` finds the source `tfds`."""
    key = name.split(":", 1)[0]
    if key not in MODULES:
        raise UserError(f"--source={name}: unknown source; known are {', '.join(names())}")
    module = importlib.import_module(f"data_prep.sources.{MODULES[key]}")
    for source in getattr(module, "SOURCES", None) or (module.SOURCE,):
        if source.name == key:
            if ":" in name and not source.prefix:
                raise UserError(f"--source={name}: {key} takes no name after a colon")
            return source
    raise AssertionError(f"{module.__name__} does not hold the source {key!r}")


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
