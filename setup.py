"""Makes the project installable: `pip install --no-deps -e .` inside the locked environment.

The dependencies stand in requirements.lock, because pip cannot resolve tensorflow-federated's own
pins any more; none are declared here, so that no installer tries to.
"""

import runpy
from pathlib import Path

import setuptools

_VERSIONS = Path(__file__).with_name("groundwork") / "versions.py"

setuptools.setup(
    name="fed_pretrain",
    version=runpy.run_path(str(_VERSIONS))["VERSION"],
    description="Where should federated training begin? A TensorFlow Federated pipeline.",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="Apache-2.0",
    license_files=["LICENSE"],
    python_requires=">=3.11,<3.12",
    packages=setuptools.find_packages(
        include=["groundwork*", "data_prep*", "fed_pretrain*", "pipelines*"]
    ),
    package_data={
        "": [
            f"**/*.{suffix}"
            for suffix in ("typed", "json", "yaml", "html", "j2", "flags", "md", "css", "js")
        ]
    },
    # LGPL, and wanted by one source alone; the lock has it for the tests.
    extras_require={"7z": ["py7zr"]},
    entry_points={"console_scripts": ["fed-pretrain = fed_pretrain.console:main"]},
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3.11",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
)
