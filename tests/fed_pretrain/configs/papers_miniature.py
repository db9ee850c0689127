"""The papers' raw data and weights in miniature: real formats, a few real pictures and lines."""

import io
import json
import pickle
import tarfile
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np
import safetensors.numpy
from PIL import Image

from data_prep.sources import known_sources
from fed_pretrain.models.gpt2 import Size
from groundwork import embedded_packages
from tests.fed_pretrain.starts.torch_files import write_zip

GPT2 = Size(blocks=1, width=12, heads=2, positions=64)


def pictures(prefix: str) -> list[tuple[np.ndarray, int]]:
    """(pixels, label) of the twenty real pictures that foolbox ships of a data set."""
    files = sorted((embedded_packages.path("foolbox") / "foolbox" / "data").glob(f"{prefix}_*.png"))
    assert len(files) == 20
    return [(np.asarray(Image.open(file)), int(file.stem.split("_")[2])) for file in files]


def cifar10(folder: Path) -> Path:
    """cifar-10-python.tar.gz: the real pictures, shifted so that no two are the same."""
    path = folder / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for number, name in enumerate((*(f"data_batch_{n}" for n in range(1, 6)), "test_batch")):
            shifted = [
                (np.roll(pixels, (number, column), (0, 1)), label)
                for pixels, label in pictures("cifar10")
                for column in range(2)
            ]
            content = pickle.dumps(
                {
                    b"batch_label": name.encode(),
                    b"data": np.stack([p.transpose(2, 0, 1).ravel() for p, _ in shifted]),
                    b"labels": [label for _, label in shifted],
                    b"filenames": [b"x.png"] * len(shifted),
                },
                2,
            )
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def femnist(folder: Path) -> Path:
    """LEAF's JSON of three writers: floats, ink on white."""
    digits = [((255 - pixels) / 255, label) for pixels, label in pictures("mnist")]
    writers = {f"f{n:04d}_0{n}": digits[n::3] for n in range(3)}
    for split, part in (("train", slice(1, None)), ("test", slice(0, 1))):
        chosen = {name: own[part] for name, own in writers.items()}
        content = {
            "users": list(chosen),
            "num_samples": [len(own) for own in chosen.values()],
            "user_data": {
                name: {"x": [p.ravel().tolist() for p, _ in own], "y": [label for _, label in own]}
                for name, own in chosen.items()
            },
        }
        (folder / split).mkdir()
        (folder / split / "all_data_0.json").write_text(json.dumps(content))
    return folder


def messages(count: int = 40) -> list[str]:
    """Real chat messages."""
    reader = known_sources.get("chitchat").open("", {})
    records = reader.read(next(iter(reader.units)))
    return [next(records).features["text"] for _ in range(count)]  # type: ignore[union-attr]


def stackoverflow(folder: Path) -> Path:
    """Posts.xml of the dump: four users who ask and answer."""
    rows = [
        f'  <row Id="{number + 1}" PostTypeId="{1 + number % 2}" Score="1" '
        f'CreationDate="2010-01-01T00:{number:02d}:00.000" OwnerUserId="{number % 4 + 1}" '
        f"Body={quoteattr(f'<p>{text}</p>')} />"
        for number, text in enumerate(messages())
    ]
    path = folder / "Posts.xml"
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<posts>", *rows, "</posts>", ""]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def reddit(folder: Path) -> Path:
    """A month of Pushshift's comments by four authors."""
    path = folder / "RC_2017-12"
    comments = [
        {"author": f"author{n % 4}", "body": text, "created_utc": n, "id": f"d{n:05x}"}
        | {"subreddit": "pics", "score": 1, "link_id": "t3_abc", "parent_id": "t1_def"}
        for n, text in enumerate(messages())
    ]
    path.write_text("".join(json.dumps(comment) + "\n" for comment in comments))
    return path


def byte_pairs(folder: Path) -> tuple[Path, Path]:
    """GPT-2's vocab.json and merges.txt with one merge."""
    shown = {*range(33, 127), *range(161, 173), *range(174, 256)}
    hidden = iter(range(256, 512))
    letters = [chr(byte if byte in shown else next(hidden)) for byte in range(256)]
    pieces = [*letters, "he", "<|endoftext|>"]
    vocabulary, merges = folder / "vocab.json", folder / "merges.txt"
    vocabulary.write_text(json.dumps({piece: n for n, piece in enumerate(pieces)}))
    merges.write_text("#version: 0.2\nh e\n", encoding="utf-8")
    return vocabulary, merges


def hub(folder: Path) -> Path:
    """Published weights by their names and shapes; the values are drawn."""
    write_zip(folder / "squeezenet1_0.pth", _drawn(_squeezenet1_0()))
    (folder / "distilgpt2").mkdir()
    weights = _drawn(_gpt2(vocabulary=258))
    safetensors.numpy.save_file(weights, folder / "distilgpt2" / "model.safetensors")
    return folder


def _drawn(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    return {name: random.normal(0, 0.05, s).astype(np.float32) for name, s in shapes.items()}


def _squeezenet1_0() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"features.0.weight": (96, 3, 7, 7)}
    width = 96
    squeezes = (16, 16, 32, 32, 48, 48, 64, 64)
    for place, squeeze in zip((3, 4, 5, 7, 8, 9, 10, 12), squeezes, strict=True):
        shapes[f"features.{place}.squeeze.weight"] = (squeeze, width, 1, 1)
        for part, side in (("expand1x1", 1), ("expand3x3", 3)):
            shapes[f"features.{place}.{part}.weight"] = (4 * squeeze, squeeze, side, side)
        width = 8 * squeeze
    shapes["classifier.1.weight"] = (1000, 512, 1, 1)
    biases = {name.replace("weight", "bias"): shape[:1] for name, shape in shapes.items()}
    return shapes | biases


def _gpt2(vocabulary: int) -> dict[str, tuple[int, ...]]:
    width = GPT2.width
    shapes = {"wte.weight": (vocabulary, width), "wpe.weight": (GPT2.positions, width)}
    for name, shape in (
        *(("h.0.ln_1", (width,)), ("h.0.ln_2", (width,)), ("ln_f", (width,))),
        *(("h.0.attn.c_attn", (width, 3 * width)), ("h.0.attn.c_proj", (width, width))),
        *(("h.0.mlp.c_fc", (width, 4 * width)), ("h.0.mlp.c_proj", (4 * width, width))),
    ):
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[-1:]}
    return shapes
