"""`--start=hub:NAME`: published weights by name, from a local cache or else the network.

Looked for in this order: FED_PRETRAIN_HUB (a folder of FILE or NAME/FILE), then the caches of the
libraries that people download with: HuggingFace's (HF_HOME) and torch's (TORCH_HOME).
"""

import dataclasses
import os
import re
import shutil
import urllib.error
import urllib.request
from pathlib import Path

from groundwork import checksums
from groundwork.errors import UserError
from groundwork.files import replacing

FOLDER_VARIABLE = "FED_PRETRAIN_HUB"
TIMEOUT_SECONDS = 30
_HUGGINGFACE = "https://huggingface.co"
_TORCH = "https://download.pytorch.org/models"
_HF_FILES = ("model.safetensors", "pytorch_model.bin")
_HF_NAME = re.compile(r"^[\w.-]+(/[\w.-]+)?$")
# torchvision's file names end in the first digits of their sha256.
TORCHVISION = {
    "torchvision/resnet18": "resnet18-f37072fd.pth",
    "torchvision/squeezenet1_0": "squeezenet1_0-b66bff10.pth",
    "torchvision/squeezenet1_1": "squeezenet1_1-b8a52dc0.pth",
    "torchvision/vgg11": "vgg11-8a719046.pth",
}


@dataclasses.dataclass(frozen=True)
class _Wanted:
    name: str
    files: tuple[str, ...]
    url: str
    folders: tuple[Path, ...]


def find(name: str) -> Path:
    """The local file of a published model; downloaded into the cache if it is nowhere."""
    wanted = _wanted(name)
    for folder in wanted.folders:
        for file in wanted.files:
            if (folder / file).is_file():
                return _checked(folder / file, name)
    return _download(wanted)


def cache_folder() -> Path:
    """Where downloads go, and where files brought by hand are found."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else Path.home() / ".cache" / "fed_pretrain" / "hub"


def check(name: str) -> None:
    _wanted(name)


def _wanted(name: str) -> _Wanted:
    own = (cache_folder() / name, cache_folder())
    if name.startswith("torchvision/"):
        if name not in TORCHVISION:
            known = ", ".join(TORCHVISION)
            raise UserError(f"--start=hub:{name}: unknown, torchvision's are {known}")
        home = Path(os.environ.get("TORCH_HOME", Path.home() / ".cache" / "torch"))
        return _Wanted(name, (TORCHVISION[name],), _TORCH, (*own, home / "hub" / "checkpoints"))
    if not _HF_NAME.match(name):
        raise UserError(
            f"--start=hub:{name}: must be a HuggingFace name (distilgpt2, ORG/MODEL) or one of "
            f"{', '.join(TORCHVISION)}"
        )
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    snapshots = home / "hub" / f"models--{name.replace('/', '--')}" / "snapshots"
    newest = sorted(snapshots.glob("*"), key=lambda folder: folder.stat().st_mtime, reverse=True)
    return _Wanted(name, _HF_FILES, f"{_HUGGINGFACE}/{name}/resolve/main", (own[0], *newest))


def _download(wanted: _Wanted) -> Path:
    target = cache_folder() / wanted.name
    reason = "nothing was tried"
    for file in wanted.files:
        try:
            request = urllib.request.Request(f"{wanted.url}/{file}")
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                target.mkdir(parents=True, exist_ok=True)
                with replacing(target / file) as stream:
                    shutil.copyfileobj(answer, stream)
            if not _published_digits(target / file):
                checksums.note(target / file)
            return _checked(target / file, wanted.name)
        except (urllib.error.URLError, TimeoutError, OSError) as error:
            reason = str(getattr(error, "reason", error))
    raise UserError(
        f"--start=hub:{wanted.name}: not on this machine and not to be downloaded from "
        f"{wanted.url} ({reason}): put {' or '.join(wanted.files)} into {target}, or give "
        "--start=checkpoint:FILE"
    )


def _checked(file: Path, name: str) -> Path:
    """torchvision's names carry their own check; a half-written file must not train."""
    digits = _published_digits(file)
    if digits and not checksums.of(file).startswith(digits):
        raise UserError(f"--start=hub:{name}: {file} is damaged (sha256), remove it")
    checksums.check_noted(file)
    return file


def _published_digits(file: Path) -> str:
    """The first digits of its sha256, where its name ends in them."""
    digits = re.search(r"-([0-9a-f]{8})\.pth$", file.name)
    return digits[1] if digits else ""
