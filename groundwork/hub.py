"""Published files by name, `hub:NAME`: from a local cache or else the network.

Looked for in this order: FED_PRETRAIN_HUB (a folder of FILE or NAME/FILE), then the caches of the
libraries that people download with: HuggingFace's (HF_HOME) and torch's (TORCH_HOME). NAME@REVISION
pins a branch, a tag or a commit of a HuggingFace repository. Where huggingface_hub is installed
(the extra [hub]), it downloads, with its cache, its tokens and its locks; HF_HUB_OFFLINE=1 forbids
the network with it and without.
"""

import dataclasses
import hashlib
import importlib.util
import os
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from groundwork import checksums, from_json
from groundwork.errors import UserError, words_of
from groundwork.files import replacing

PREFIX = "hub:"
FOLDER_VARIABLE = "FED_PRETRAIN_HUB"
OFFLINE_VARIABLE = "HF_HUB_OFFLINE"
TIMEOUT_SECONDS = 30
SHARDS = "model.safetensors.index.json"
WEIGHTS = ("model.safetensors", SHARDS, "pytorch_model.bin")
_DIGITS_OF_GIT = 40
_TORCH = "https://download.pytorch.org/models"
_NAME = re.compile(r"^(?P<name>\w[\w.-]*(/\w[\w.-]*)?)(@(?P<revision>\w[\w.-]*))?$", re.ASCII)
# torchvision's file names end in the first digits of their sha256.
TORCHVISION = {
    "torchvision/resnet18": "resnet18-f37072fd.pth",
    "torchvision/squeezenet1_0": "squeezenet1_0-b66bff10.pth",
    "torchvision/squeezenet1_1": "squeezenet1_1-b8a52dc0.pth",
    "torchvision/vgg11": "vgg11-8a719046.pth",
}


@dataclasses.dataclass(frozen=True)
class _Wanted:
    """`said`: the user's words. folders: where it may be; repository: None of torchvision's."""

    said: str
    spec: str
    url: str
    folders: tuple[Path, ...]
    repository: str | None = None
    revision: str | None = None

    @property
    def target(self) -> Path:
        return cache_folder() / self.spec


def find(spec: str, files: Sequence[str] = WEIGHTS, flag: str = "start") -> Path:
    """The first of these files that the published model has; downloaded if it is nowhere here.

    Beside an index of shards its shards are found, too. `flag` is the one that named it.
    """
    wanted = _wanted(spec, flag)
    if wanted.repository is None:
        files = (TORCHVISION[spec],)
    for folder in wanted.folders:
        for file in files:
            if (folder / file).is_file():
                return _whole(wanted, _checked(folder / file, wanted))
    return _whole(wanted, _download(wanted, files))


def cache_folder() -> Path:
    """Where downloads go, and where files brought by hand are found."""
    named = os.environ.get(FOLDER_VARIABLE)
    return Path(named) if named else Path.home() / ".cache" / "fed_pretrain" / "hub"


def check(spec: str) -> None:
    _wanted(spec, "start")


def _wanted(spec: str, flag: str) -> _Wanted:
    said = f"--{flag}={PREFIX}{spec}"
    own = (cache_folder() / spec, cache_folder())
    if spec.startswith("torchvision/"):
        if spec not in TORCHVISION:
            known = ", ".join(TORCHVISION)
            raise UserError(f"{said}: unknown, torchvision's are {known}")
        home = Path(os.environ.get("TORCH_HOME", Path.home() / ".cache" / "torch"))
        return _Wanted(said, spec, _TORCH, (*own, home / "hub" / "checkpoints"))
    found = _NAME.match(spec)
    if found is None:
        raise UserError(
            f"{said}: must be a HuggingFace name (distilgpt2, ORG/MODEL, NAME@REVISION) or one "
            f"of {', '.join(TORCHVISION)}"
        )
    name, revision = found["name"], found["revision"]
    host = os.environ.get("HF_ENDPOINT", "https://huggingface.co")
    url = f"{host}/{name}/resolve/{revision or 'main'}"
    return _Wanted(said, spec, url, (own[0], *_snapshots(name, revision)), name, revision)


def _snapshots(name: str, revision: str | None) -> list[Path]:
    """In HuggingFace's cache: of this revision, or all of them with the newest first."""
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    folder = home / "hub" / f"models--{name.replace('/', '--')}"
    if revision is None:
        found = [path for path in (folder / "snapshots").glob("*") if path.is_dir()]
        return sorted(found, key=lambda path: path.stat().st_mtime, reverse=True)
    reference = folder / "refs" / revision
    commit = reference.read_text().strip() if reference.is_file() else revision
    return [folder / "snapshots" / commit]


def _whole(wanted: _Wanted, path: Path) -> Path:
    """With the shards of an index beside it."""
    if path.name == SHARDS:
        for shard in shards_of(path):
            if (path.parent / shard).is_file():
                _checked(path.parent / shard, wanted)
            else:
                _download(wanted, (shard,))
    return path


def shards_of(index: Path) -> list[str]:
    """The files that an index of safetensors names, which must be beside it."""
    try:
        names = set(from_json.record(index)["weight_map"].values())
        if names and all(re.fullmatch(r"\w[\w.-]*\.safetensors", name) for name in names):
            return sorted(names)
    except (ValueError, KeyError, TypeError, AttributeError):
        pass
    raise UserError(f"{index}: not an index of safetensors files in its own folder")


def _download(wanted: _Wanted, files: Sequence[str]) -> Path:
    way, reason = _way(wanted), "nothing was tried"
    for file in files if way is not None else ():
        try:
            return way(wanted, file)
        except UserError:
            raise
        except Exception as error:  # huggingface_hub raises what its HTTP library does
            reason = words_of(getattr(error, "reason", error))
    if way is None:
        reason = f"{OFFLINE_VARIABLE} is set"
    raise UserError(
        f"{wanted.said}: not on this machine and not to be downloaded from {wanted.url} "
        f"({reason}): put {' or '.join(files)} into {wanted.target}"
    )


def _way(wanted: _Wanted):  # type: ignore[no-untyped-def]
    """What downloads one file; None where nothing may."""
    if os.environ.get(OFFLINE_VARIABLE, "").lower() in ("1", "true", "yes", "on"):
        return None
    if wanted.repository is not None and importlib.util.find_spec("huggingface_hub") is not None:
        return _by_huggingface
    return _by_url


def _by_huggingface(wanted: _Wanted, file: str) -> Path:
    import huggingface_hub

    assert wanted.repository is not None
    found = huggingface_hub.hf_hub_download(wanted.repository, file, revision=wanted.revision)
    return _checked(Path(found), wanted)


def _by_url(wanted: _Wanted, file: str) -> Path:
    path = wanted.target / file
    request = urllib.request.Request(f"{wanted.url}/{file}")
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as stream:
            shutil.copyfileobj(answer, stream)
    if not _published_digits(path):
        checksums.note(path)
    return _checked(path, wanted)


def _checked(file: Path, wanted: _Wanted) -> Path:
    """A half-written file must not train."""
    digits = _published_digits(file)
    if digits and not _digest(file, len(digits)).startswith(digits):
        raise UserError(f"{wanted.said}: {file} is damaged (its checksum differs), remove it")
    checksums.check_noted(file)
    return file


def _published_digits(file: Path) -> str:
    """Of its checksum: the end of torchvision's name, or the name of it in HuggingFace's cache."""
    blob = file.resolve()
    if blob.parent.name == "blobs" and re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", blob.name):
        return blob.name
    digits = re.search(r"-([0-9a-f]{8})\.pth$", file.name)
    return digits[1] if digits else ""


def _digest(file: Path, digits: int) -> str:
    """HuggingFace names large files by their sha256, and small ones as git does."""
    if digits != _DIGITS_OF_GIT:
        return checksums.of(file)
    content = file.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
