"""Published files by name: where they are looked for, and what may be downloaded."""

import json
import sys
import types
from pathlib import Path

import pytest

from groundwork import hub
from groundwork.errors import UserError


@pytest.fixture(autouse=True)
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No cache of this machine, and nothing to be had from a network."""
    monkeypatch.setenv(hub.FOLDER_VARIABLE, str(tmp_path / "own"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv(hub.OFFLINE_VARIABLE, "1")
    return tmp_path


def put(path: Path, content: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def test_a_revision_is_a_branch_a_tag_or_a_commit_of_the_cache(empty: Path) -> None:
    kept = empty / "hf" / "hub" / "models--me--net"
    old = put(kept / "snapshots" / "c0ffee" / "model.safetensors")
    new = put(kept / "snapshots" / "beef" / "model.safetensors")
    put(kept / "refs" / "v1", "c0ffee")
    assert hub.find("me/net") in (old, new)
    assert hub.find("me/net@v1") == hub.find("me/net@c0ffee") == old
    with pytest.raises(UserError, match=r"--start=hub:me/net@v2: not on this machine.*v2.*OFFLINE"):
        hub.find("me/net@v2")


def test_files_brought_by_hand_are_found_with_their_shards(empty: Path) -> None:
    folder = empty / "own" / "me" / "net"
    shards = {"a": "model-1.safetensors", "b": "model-2.safetensors"}
    index = put(folder / hub.SHARDS, json.dumps({"weight_map": shards}))
    put(folder / "model-1.safetensors")
    with pytest.raises(UserError, match=r"put model-2\.safetensors into"):
        hub.find("me/net")
    put(folder / "model-2.safetensors")
    assert hub.find("me/net") == index
    assert hub.find("me/net", ("vocab.json", "model-1.safetensors")).name == "model-1.safetensors"


def test_a_damaged_file_of_huggingfaces_cache_is_refused(empty: Path) -> None:
    kept = empty / "hf" / "hub" / "models--me--net"
    # `printf x | sha256sum` and `printf x | git hash-object --stdin`
    names = {
        "model.safetensors": "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881",
        "vocab.json": "c1b0730e0133447badcfd47fd144e254807b06e1",
    }
    for file, name in names.items():
        blob, snapshot = put(kept / "blobs" / name), kept / "snapshots" / "c0ffee" / file
        snapshot.parent.mkdir(parents=True, exist_ok=True)
        snapshot.symlink_to(blob)
        assert hub.find("me/net", (file,)) == snapshot
        put(blob, "y")
        with pytest.raises(UserError, match="is damaged"):
            hub.find("me/net", (file,))


@pytest.mark.parametrize("shard", ["../model.safetensors", "/etc/x.safetensors", "model.bin", 3])
def test_an_index_names_files_in_its_own_folder_alone(empty: Path, shard: object) -> None:
    index = put(empty / hub.SHARDS, json.dumps({"weight_map": {"a": shard}}))
    with pytest.raises(UserError, match="in its own folder"):
        hub.shards_of(index)


@pytest.mark.parametrize("spec", ["../x", "a/b/c", "me/net@../x", "@v1", "torchvision/none", ""])
def test_what_is_no_name_is_refused(spec: str) -> None:
    with pytest.raises(UserError, match="--start=hub:"):
        hub.check(spec)


def test_huggingface_hub_downloads_where_it_is_installed(
    empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def download(repository: str, file: str, revision: str | None) -> str:
        asked.append((repository, file, revision))
        if file != "pytorch_model.bin":
            raise ValueError("404")
        return str(put(empty / file))

    library = types.ModuleType("huggingface_hub")
    library.hf_hub_download = download  # type: ignore[attr-defined]
    library.__spec__ = types.SimpleNamespace()  # type: ignore[assignment]
    monkeypatch.setitem(sys.modules, "huggingface_hub", library)
    with pytest.raises(UserError, match="HF_HUB_OFFLINE is set"):
        hub.find("me/net@v1")
    assert not asked
    monkeypatch.delenv(hub.OFFLINE_VARIABLE)
    assert hub.find("me/net@v1") == empty / "pytorch_model.bin"
    assert asked == [("me/net", file, "v1") for file in hub.WEIGHTS]
