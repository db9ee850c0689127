"""The sources by name; a source's module is imported only when it is asked for."""

from data_prep.sources.source import Source
from groundwork.errors import UserError
from groundwork.registry import Late, Registry

_ALONE = {
    "public": """digits mnist5k femnist_leaf femnist_nist femnist_tff stackoverflow_tff
        stackoverflow_dump stackoverflow_export reddit_pushshift reddit_leaf cifar10 tiny_imagenet
        fashion_mnist chitchat shakespeare""",
    "own": "tfds text_files arrays image_folder",
    "synthetic": "fractals",
}
"""By folder, those that are called as their module is."""
_PLACES = {
    **{
        name: f"{folder}.{name}:SOURCE"
        for folder, names in _ALONE.items()
        for name in names.split()
    },
    "csv": "own.csv_and_jsonl:CSV",
    "jsonl": "own.csv_and_jsonl:JSONL",
    "tfrecord": "own.tfrecords:SOURCE",
}
KNOWN: Registry[Source] = Registry("source", "--source", lambda: Late(__package__, _PLACES))
register = KNOWN.register


def names() -> list[str]:
    return sorted(KNOWN.names())


def get(name: str) -> Source:
    """The source called `name`; `tfds:mnist` finds the source `tfds`."""
    key, colon, _ = name.partition(":")
    source = KNOWN.named(key)
    if colon and not source.prefix:
        raise UserError(f"--source={name}: {key} takes no name after a colon")
    return source


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
