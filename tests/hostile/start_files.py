"""Hostile weights files, each a few kB at most, made by hand where no library would write them."""

import io
import json
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import h5py
import numpy as np

from tests.fed_pretrain.starts.torch_files import write_legacy, write_zip

GIB = 1 << 30
TIB = 1 << 40
_MIB_OF_ZEROS = bytes(1 << 20)


def bomb(name: str, *others: tuple[str, bytes], head: bytes = b"") -> Callable[[Path], object]:
    """A zip archive whose member `name` is said to unpack to 3 GiB of zeros."""

    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(name, head + _MIB_OF_ZEROS)
            for other, content in others:
                archive.writestr(other, content)
        whole = bytearray(path.read_bytes())
        struct.pack_into("<I", whole, whole.index(b"PK\x01\x02") + 24, 3 * GIB)
        path.write_bytes(bytes(whole))

    return write


def real_bomb(path: Path) -> None:
    """The same with its 300 MiB in it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("config.json", b"{}")
        with archive.open("model.weights.h5", "w") as file:
            for _ in range(300):
                file.write(_MIB_OF_ZEROS)


def npy_header(shape: Iterable[int], descr: str = "<f4", version: int = 1, pad: int = 0) -> bytes:
    text = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {tuple(shape)!r}, }}"
    content = text.encode() + b" " * pad + b"\n"
    length = struct.pack("<H" if version == 1 else "<I", len(content))
    return b"\x93NUMPY" + bytes([version, 0]) + length + content


def npz(*members: tuple[str, bytes]) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members:
                archive.writestr(name, content)

    return write


def hdf5(fill: Callable[[h5py.File], object]) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        with h5py.File(path, "w") as file:
            fill(file)

    return write


def keras_archive(weights: Callable[[zipfile.ZipFile], object], config: bytes = b"{}"):  # type: ignore[no-untyped-def]
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("config.json", config)
            weights(archive)

    return write


def content(parts: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(parts)


def safetensors(header: object, body: bytes = b"") -> Callable[[Path], object]:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return content(struct.pack("<Q", len(text)) + text + body)


def array_pickle(shape: Iterable[int], held: bytes = b"", code: str = "f4") -> bytes:
    """An array that declares a shape and holds other bytes, as protocol 2 writes it."""
    make = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85C\x01btR"
    dtype = b"cnumpy\ndtype\n(X" + struct.pack("<I", len(code)) + code.encode() + b"K\x00K\x01tR"
    sizes = b"(" + b"".join(b"\x8a\x08" + struct.pack("<q", n) for n in shape) + b"t"
    raw = b"B" + struct.pack("<I", len(held)) + held
    return (
        b"\x80\x03}X\x01\x00\x00\x00w" + make + b"(K\x01" + sizes + dtype + b"\x89" + raw + b"tbs."
    )


def laughs(levels: int, leaf: bytes, wrap: bytes) -> bytes:
    """A container of ten times the container before, `levels` deep."""
    program = leaf + b"q\x00"
    for level in range(levels):
        program += b"(" + b"h" + bytes([level]) + (b"h" + bytes([level])) * 9 + wrap
        program += b"q" + bytes([level + 1])
    return program


def torch_pickle(storage_count: int, shape: Iterable[int], strides: Iterable[int]) -> bytes:
    def sizes(values: Iterable[int]) -> bytes:
        return b"(" + b"".join(b"\x8a\x08" + struct.pack("<q", n) for n in values) + b"t"

    count = b"\x8a\x08" + struct.pack("<q", storage_count)
    identity = (
        b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpu"
    )
    return (
        b"\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n("
        + identity + count + b"tQK\x00" + sizes(shape) + sizes(strides) + b"\x89}tRs."
    )  # fmt: skip


def torch_zip(program: bytes, storage: bytes = bytes(4)) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("archive/data.pkl", program)
            archive.writestr("archive/data/0", storage)

    return write


def _cycle(file: h5py.File) -> None:
    group = file.create_group("group")
    group["root"] = file["/"]
    group["again"] = group


def _diamonds(file: h5py.File) -> None:
    group = file
    for level in range(40):
        below = group.create_group("a")
        group["b"] = below
        group = below
        del level


def _deflated_chunk(file: h5py.File) -> None:
    """A chunk that declares 40 bytes and inflates to 8 MiB."""
    dataset = file.create_dataset("w", (10,), "f4", chunks=(10,), compression="gzip")
    deflate = zlib.compressobj(9)
    parts = [deflate.compress(_MIB_OF_ZEROS) for _ in range(8)]
    dataset.id.write_direct_chunk((0,), b"".join(parts) + deflate.flush())


def _gap_of_no_size(path: Path) -> None:
    """HDF5's own library reads this for ever."""
    hdf5(_many_names)(path)
    whole = bytearray(path.read_bytes())
    heap = whole.index(b"GCOL")
    whole[heap + 64 : heap + 80] = bytes(16)
    path.write_bytes(bytes(whole))


def _texts_of_no_type(path: Path) -> None:
    """HDF5's own library falls over when it reads this."""
    hdf5(_many_names)(path)
    whole = bytearray(path.read_bytes())
    text = whole.index(b"\x19\x01", whole.index(b"layer_names\0"))
    whole[text + 1] = 0xBE
    path.write_bytes(bytes(whole))


def _many_names(file: h5py.File) -> None:
    file.attrs["layer_names"] = [b"a"] * 3
    file.create_group("a").attrs["weight_names"] = [b"a/kernel:0"]


def _shared_texts(key: str) -> Callable[[Path], object]:
    """4,000 names, a few bytes each, that all point at one text of 8 MiB."""

    def write(path: Path) -> None:
        with h5py.File(path, "w") as file:
            file.attrs.create(key, ["x" * (8 << 20), *["y"] * 3999], dtype=h5py.string_dtype())
        whole = path.read_bytes()
        # A reference is the text's length, its heap's address and its place there.
        first = whole.index(struct.pack("<I", 8 << 20), whole.index(f"{key}\0".encode()))
        one = whole[first : first + 16]
        whole = whole[:first] + one * 4000 + whole[first + 16 * 4000 :]
        path.write_bytes(whole)

    return write


def _classic_huge(file: h5py.File) -> None:
    file.attrs["layer_names"] = [b"a"]
    group = file.create_group("a")
    group.attrs["weight_names"] = [b"kernel:0"]
    group.create_dataset("kernel:0", (TIB,), "f4")


def _saved(**arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def _run_checkpoint(header: bytes, body: bytes = b"") -> Callable[[Path], object]:
    import hashlib

    from groundwork import array_file

    whole = array_file.MAGIC + header + b"\n" + body
    return content(whole + hashlib.sha256(whole).digest())


def _adapter(width: int) -> Callable[[Path], object]:
    shapes = {"kernel": [1], "lora_a": [width, 1], "lora_b": [1, width]}
    arrays = [
        {"name": f"model/trainable/w/{name}", "dtype": "<f4", "shape": shape, "offset": 0}
        for name, shape in shapes.items()
    ]
    header = {"metadata": {"lora_scale": 1.0}, "arrays": arrays}
    return _run_checkpoint(json.dumps(header).encode(), bytes(4 * width))


_BIG_SHAPE = {"dtype": "F32", "shape": [1 << 40], "data_offsets": [0, 4]}
_ARRAYS = (
    b'{"metadata":{},"arrays":[{"name":"model/trainable/w","dtype":"%s","shape":%s,"offset":%s}]}'
)

FILES: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "an empty file": ("a.bin", content(b""), "not recognised"),
    "zeros": ("a.bin", content(bytes(100)), "not recognised"),
    "text": ("a.h5", content(b"weights"), "not recognised"),
    "HDF5's first bytes alone": ("a.h5", content(b"\x89HDF\r\n\x1a\n"), "not a whole Keras HDF5"),
    "HDF5 of noise": (
        "a.h5", content(b"\x89HDF\r\n\x1a\n" + np.random.default_rng(0).bytes(4000)), "not a whole",
    ),
    "HDF5 of nothing": ("a.h5", hdf5(lambda f: None), "holds no tensors"),
    "HDF5 of text": ("a.h5", hdf5(lambda f: f.create_dataset("w", data="x")), "holds no tensors"),
    "HDF5 that declares TiB": (
        "a.h5", hdf5(lambda f: f.create_dataset("w", (TIB,), "f4")), "unpack to more than",
    ),
    "HDF5 that declares TiB in the classic layout": (
        "a.h5", hdf5(_classic_huge), "unpack to more than",
    ),
    "HDF5 of many that are each just allowed": (
        "a.h5",
        hdf5(lambda f: [f.create_dataset(f"w{n}", (64 << 20,), "f4") for n in range(50)]),
        "unpack to more than",
    ),
    "HDF5 with one huge chunk": (
        "a.h5",
        hdf5(lambda f: f.create_dataset(
            "w", (8,), "f4", maxshape=(None,), chunks=(1 << 29,), compression="gzip")),
        "unpack to more than",
    ),
    "HDF5 with a chunk that inflates to another size": (
        "a.h5", hdf5(_deflated_chunk), "unpack to more than",
    ),
    "HDF5 packed by another filter": (
        "a.h5",
        hdf5(lambda f: f.create_dataset("w", data=np.zeros(9), chunks=(9,), compression="lzf")),
        "compressed in a way",
    ),
    "HDF5 whose groups hold themselves": ("a.h5", hdf5(_cycle), "holds no tensors"),
    "HDF5 of 2^40 ways to one group": ("a.h5", hdf5(_diamonds), "holds no tensors"),
    "HDF5 with a link that leads nowhere": (
        "a.h5", hdf5(lambda f: f.__setitem__("w", h5py.SoftLink("/nowhere"))), "holds no tensors",
    ),
    "HDF5 with a link to another file": (
        "a.h5",
        hdf5(lambda f: f.__setitem__("w", h5py.ExternalLink("/etc/passwd", "/"))),
        "a link to another file",
    ),
    "HDF5 whose layer list names nothing there": ("a.h5", hdf5(_many_names), "not a whole"),
    "HDF5 whose layers share one long name": (
        "a.h5", _shared_texts("layer_names"), "unpack to more than",
    ),
    "HDF5 whose texts are of no type": ("a.h5", _texts_of_no_type, "not a whole"),
    "HDF5 whose texts end in a gap of no size": ("a.h5", _gap_of_no_size, "heap of texts"),
    "HDF5 whose layer list is a number": (
        "a.h5", hdf5(lambda f: f.attrs.__setitem__("layer_names", 3)), "not a whole",
    ),
    "a zip archive of nothing": ("a.zip", npz(), "not recognised"),
    "a zip archive of text": ("a.zip", npz(("a.txt", b"x")), "not recognised"),
    "a zip archive cut short": ("a.npz", content(b"PK\x03\x04" + bytes(50)), "zip archive"),
    "a .keras bomb": (
        "a.keras",
        bomb("model.weights.h5", ("config.json", b"{}")),
        "unpack to more than",
    ),
    "a .keras bomb of real zeros": ("a.keras", real_bomb, "unpack to more than"),
    "a .keras bomb in its configuration": (
        "a.keras",
        bomb("config.json", ("model.weights.h5", b"")),
        "unpack to more than",
    ),
    "a .keras archive of nothing": (
        "a.keras", keras_archive(lambda z: z.writestr("model.weights.h5", b"")), "not a whole",
    ),
    "a .keras archive whose configuration is a list": (
        "a.keras",
        keras_archive(lambda z: z.writestr("model.weights.h5", b""), b"[]"),
        "not a whole",
    ),
    "a .keras archive of a configuration without end": (
        "a.keras",
        keras_archive(lambda z: z.writestr("model.weights.h5", b""), b"[" * 100_000),
        "not a whole",
    ),
    "npz that declares TiB": (
        "a.npz", npz(("w.npy", npy_header((TIB,)) + bytes(8))), "does not hold the shape",
    ),
    "npz of a negative shape": ("a.npz", npz(("w.npy", npy_header((-1,)))), "not a whole"),
    "npz of a shape beyond 64 bits": (
        "a.npz", npz(("w.npy", npy_header((1 << 62, 1 << 62)))), "does not hold the shape",
    ),
    "npz with a header of 2 GiB": (
        "a.npz",
        bomb("w.npy", head=b"\x93NUMPY\x02\x00" + struct.pack("<I", 1 << 31)),
        "unpack to more than",
    ),
    "npz with a header of 1 MiB": (
        "a.npz", npz(("w.npy", npy_header((1,), version=2, pad=1 << 20) + bytes(4))), "not a whole",
    ),
    "npz bomb": (
        "a.npz",
        bomb("w.npy", head=npy_header((3 << 28,))),
        "unpack to more than",
    ),
    "npz of Python objects": (
        "a.npz", npz(("w.npy", npy_header((1,), "|O") + pickle.dumps([1]))), "not of numbers",
    ),
    "npz of text": ("a.npz", content(_saved(a=np.array(["x"]))), "not of numbers"),
    "npz of an unknown version": (
        "a.npz", npz(("w.npy", b"\x93NUMPY\x09\x00\x01\x00x")), "not a whole",
    ),
    "npz of no header": ("a.npz", npz(("w.npy", b"")), "not a whole"),
    "npz with a header that is code": (
        "a.npz", npz(("w.npy", b"\x93NUMPY\x01\x00\x12\x00__import__('os').x")), "not a whole",
    ),
    "npz that is encrypted": ("a.npz", lambda path: _encrypted(path), "not a whole"),
    "a pickle that asks for TiB": (
        "a.pkl", content(array_pickle((TIB, TIB))), "declares .* bytes and holds 0",
    ),
    "a pickle of a negative shape": ("a.pkl", content(array_pickle((-1,), bytes(4))), "refused"),
    "a pickle of Python objects": ("a.pkl", content(array_pickle((0,), b"", "O8")), "refused"),
    "a pickle of big-endian numbers": (
        "a.pkl", content(array_pickle((1,), bytes(4), ">f4")), "refused",
    ),
    "a pickle that allocates an array": (
        "a.pkl",
        content(b"\x80\x02cnumpy\nndarray\n(\x8a\x06" + struct.pack("<q", TIB)[:6] + b"\x85tR."),
        "refused",
    ),
    "a pickle whose text is said to be TiB": (
        "a.pkl", content(b"\x80\x04\x8e" + struct.pack("<Q", TIB) + b"x."), "truncated",
    ),
    "a pickle whose buffer is said to be 15 GiB": (
        "a.pkl", content(b"\x80\x05\x96" + struct.pack("<Q", 15 * GIB) + b"x."), "truncated",
    ),
    "a pickle whose frame is said to be TiB": (
        "a.pkl", content(b"\x80\x04\x95" + struct.pack("<Q", TIB) + b"}."), "truncated|refused",
    ),
    "a pickle with a memo of 2^31 places": (
        "a.pkl", content(b"\x80\x02}r\xff\xff\xff\x7f."), "holds no tensors",
    ),
    "a pickle of a list that holds itself": ("a.pkl", content(b"\x80\x02]q\x00h\x00a."), "not a"),
    "a pickle of ten to the twelfth lists": (
        "a.pkl", content(b"\x80\x02" + laughs(12, b"]", b"l") + b"."), "over and over",
    ),
    "a pickle whose key takes for ever to hash": (
        "a.pkl", content(b"\x80\x02}" + laughs(12, b"K\x00", b"t") + b"K\x00s."), "refused",
    ),
    "a pickle with a set that takes for ever to hash": (
        "a.pkl",
        content(b"\x80\x04\x8f(" + laughs(12, b"K\x00", b"t") + b"\x90."),
        "refused",
    ),
    "a pickle that stops": ("a.pkl", content(b"\x80\x02}q\x00"), "truncated"),
    "a pickle of noise": ("a.pkl", content(b"\x80\x02" + bytes(range(256))), "refused"),
    "a pickle of a number": ("a.pkl", content(pickle.dumps(3, 2)), "holds no tensors"),
    "a pickle that runs a program": (
        "a.pkl", content(b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R."), "allow list",
    ),
    "a pickle that imports by a dotted name": (
        "a.pkl", content(b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93."), "allow list",
    ),
    "torch with strides of nothing": (
        "a.pth", torch_zip(torch_pickle(1, (1 << 20, 1 << 20), (0, 0))), "unpack to more than",
    ),
    "torch with a storage of TiB": ("a.pth", torch_zip(torch_pickle(TIB, (1,), (1,))), "not a"),
    "torch with a storage of less than nothing": (
        "a.pth", torch_zip(torch_pickle(-1, (1,), (1,))), "refused",
    ),
    "torch with a tensor outside its storage": (
        "a.pth", torch_zip(torch_pickle(1, (2,), (1,))), "outside its storage",
    ),
    "torch with a tensor before its storage": (
        "a.pth", torch_zip(torch_pickle(1, (2,), (-1,))), "outside its storage",
    ),
    "torch with more strides than sizes": (
        "a.pth", torch_zip(torch_pickle(1, (1,), (1, 1))), "not a whole",
    ),
    "torch with a size below zero": (
        "a.pth", torch_zip(torch_pickle(1, (-5,), (1,))), "not a whole",
    ),
    "torch with a thousand dimensions": (
        "a.pth", torch_zip(torch_pickle(1, (1,) * 1000, (1,) * 1000)), "refused",
    ),
    "torch whose program is noise": ("a.pth", torch_zip(b"\x80\x02\xff"), "refused"),
    "torch whose program is a bomb": (
        "a.pth", bomb("archive/data.pkl", head=b"\x80\x02"), "unpack to more than",
    ),
    "torch of a list": ("a.pth", torch_zip(b"\x80\x02]."), "not a state dict"),
    "TorchScript": (
        "a.pth", npz(("a/data.pkl", b""), ("a/constants.pkl", b"")), "TorchScript program",
    ),
    "torch of two programs": (
        "a.pth", npz(("a/data.pkl", b""), ("b/data.pkl", b"")), "not a whole",
    ),
    "legacy torch cut after its first pickle": (
        "a.pth", lambda path: _cut(write_legacy, path, 14), "not a whole|truncated",
    ),
    "legacy torch cut in a storage": (
        "a.pth", lambda path: _cut(write_legacy, path, -3), "before its last tensor",
    ),
    "torch cut short": ("a.pth", lambda path: _cut(write_zip, path, 300), "zip archive"),
    "safetensors that declare TiB": ("a.safetensors", safetensors({"w": _BIG_SHAPE}), "unpack to"),
    "safetensors outside the file": (
        "a.safetensors",
        safetensors({"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, bytes(4)),
        "outside the file",
    ),
    "safetensors before the file": (
        "a.safetensors",
        safetensors({"w": {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]}}, bytes(4)),
        "outside the file",
    ),
    "safetensors of a negative shape": (
        "a.safetensors",
        safetensors({"w": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}, bytes(4)),
        "not a whole",
    ),
    "safetensors of an unknown type": (
        "a.safetensors",
        safetensors({"w": {"dtype": "F3", "shape": [1], "data_offsets": [0, 4]}}, bytes(4)),
        "not a whole",
    ),
    "safetensors of a list": ("a.safetensors", safetensors({"w": [1, 2]}), "not a whole"),
    "safetensors of half a header": ("a.safetensors", safetensors(b'{"w": '), "not a whole"),
    "safetensors of a header without end": (
        "a.safetensors", safetensors(b'{"a":' * 50_000), "not a whole",
    ),
    "safetensors of no UTF-8": ("a.safetensors", safetensors(b'{"\xff": 1}'), "not a whole"),
    "safetensors of nothing": ("a.safetensors", safetensors({}), "holds no tensors"),
    "a run's checkpoint of a shape below zero": (
        "a.ckpt", _run_checkpoint(_ARRAYS % (b"<f4", b"[-1]", b"0"), bytes(4)), "damaged",
    ),
    "a run's checkpoint that declares TiB": (
        "a.ckpt", _run_checkpoint(_ARRAYS % (b"<f4", b"[1099511627776]", b"0")), "damaged",
    ),
    "a run's checkpoint of Python objects": (
        "a.ckpt", _run_checkpoint(_ARRAYS % (b"|O", b"[1]", b"0"), bytes(8)), "damaged",
    ),
    "a run's checkpoint before its arrays": (
        "a.ckpt", _run_checkpoint(_ARRAYS % (b"<f4", b"[1]", b"-8"), bytes(8)), "damaged",
    ),
    "a run's checkpoint whose adapter unfolds to 2 GiB": (
        "a.ckpt", _adapter(1 << 14), "the adapter of 'w' does not fit its kernel",
    ),
    "a run's checkpoint without arrays": ("a.ckpt", _run_checkpoint(b"[]"), "damaged"),
    "a run's checkpoint of no JSON": ("a.ckpt", _run_checkpoint(b"{"), "damaged"),
    "a run's checkpoint of a header without end": (
        "a.ckpt", _run_checkpoint(b"[" * 50_000), "damaged",
    ),
    "a run's checkpoint of nothing": (
        "a.ckpt", _run_checkpoint(b'{"metadata":{},"arrays":[]}'), "no model weights",
    ),
    "a run's checkpoint of the first line alone": (
        "a.ckpt", content(b"fed_pretrain checkpoint 1\n"), "damaged",
    ),
}  # fmt: skip


def _encrypted(path: Path) -> None:
    npz(("w.npy", npy_header((1,)) + bytes(4)))(path)
    whole = bytearray(path.read_bytes())
    for magic, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        whole[whole.index(magic) + flags] |= 1
    path.write_bytes(bytes(whole))


def _cut(write: Callable[[Path, dict[str, np.ndarray]], None], path: Path, stop: int) -> None:
    write(path, {"a.weight": np.zeros((2, 2), np.float32)})
    path.write_bytes(path.read_bytes()[:stop])
