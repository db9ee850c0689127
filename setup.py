"""Makes the project installable: as a wheel, or by `pip install --no-deps -e .` in a checkout.

What the project imports is declared as requirements.in has it, except for tensorflow-federated: its
own pins cannot be resolved any more, so it is installed with --no-deps and the packages it needs
are declared here in its place.
"""

import re
import runpy
from pathlib import Path

import setuptools

_HERE = Path(__file__).parent
_VERSIONS = _HERE / "groundwork" / "versions.py"
_FEDERATED = "tensorflow-federated"
# What tensorflow-federated 0.87.0 asks for, with the versions of requirements-overrides.txt.
_OF_FEDERATED = [
    "attrs~=23.1",
    "cachetools~=5.3",
    "dm-tree==0.1.8",
    "google-vizier==0.1.11",
    "googleapis-common-protos==1.61.0",
    "jax==0.4.13",
    "jaxlib==0.4.13",
    "ml-dtypes~=0.3.1",
    "portpicker~=1.6",
    "tensorflow-model-optimization==0.8.0",
    "tensorflow-privacy==0.9.0",
    "typing-extensions>=4.12",
]


def required() -> list[str]:
    lines = (_HERE / "requirements.in").read_text(encoding="utf-8").splitlines()
    named = [line for line in lines if re.match(r"[a-z]", line)]
    return [line for line in named if not line.startswith(_FEDERATED)] + _OF_FEDERATED


setuptools.setup(
    name="fed_pretrain",
    version=runpy.run_path(str(_VERSIONS))["VERSION"],
    description="Where should federated training begin? A TensorFlow Federated pipeline.",
    long_description=(_HERE / "README.md").read_text(encoding="utf-8"),
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
            for suffix in ("typed", "json", "lock", "yaml", "html", "j2", "flags", "css", "js")
        ]
    },
    install_requires=required(),
    # py7zr is LGPL, and wanted by one source alone; the others read stores (groundwork/stores).
    extras_require={
        "7z": ["py7zr"],
        "s3": ["s3fs"],
        "gcs": ["gcsfs"],
        "hdfs": ["pyarrow"],
        "hub": ["huggingface-hub"],
        "mlflow": ["mlflow-skinny"],
        "optuna": ["optuna"],
        "wandb": ["wandb"],
    },
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
