"""Members of a zip archive, never longer than they may be."""

import zipfile

from fed_pretrain.starts.formats.source_file import ReadBudget


def read(archive: zipfile.ZipFile, member: str, budget: ReadBudget) -> bytes:
    """The member's bytes; its declared size is what zipfile hands out at most."""
    budget.take(archive.getinfo(member).file_size)
    return archive.read(member)
