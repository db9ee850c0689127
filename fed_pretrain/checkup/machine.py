"""Is this the machine and the environment that the project needs? Imports no TensorFlow."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from fed_pretrain.checkup import verdict
from fed_pretrain.checkup.verdict import Verdict
from groundwork import embedded_packages
from groundwork.errors import UserError

PYTHON = (3, 11)
VERSIONS = {
    "tensorflow": "2.16.2",
    "tensorflow-federated": "0.87.0",
    "apache-beam": "2.77.0",
    "tensorflow-datasets": "4.9.10",
    "numpy": "1.25.2",
}
# The same release without CUDA may take its place.
ALTERNATIVES = {"tensorflow": "tensorflow-cpu"}
DISK_GIGABYTES = 2.0
MEMORY_GIGABYTES = 3.0
_INSTALL = "install requirements.lock (in a checkout `make .venv`, then use .venv/bin/python)"


def examine(folder: str) -> Iterator[Verdict]:
    """Every check that needs no TensorFlow; `folder` is where runs will be written."""
    yield python()
    for distribution, wanted in VERSIONS.items():
        yield version(distribution, wanted)
    yield worker_binary()
    yield disk(folder)
    yield memory()
    yield from embedded()


def python(found: tuple[int, ...] = tuple(sys.version_info[:3])) -> Verdict:
    text = ".".join(map(str, found))
    if found[:2] != PYTHON:
        return verdict.fail("Python", f"{text}, but 3.11 is needed", _INSTALL)
    return verdict.ok("Python", f"{text} at {sys.executable}")


def version(distribution: str, wanted: str) -> Verdict:
    for name in (distribution, ALTERNATIVES.get(distribution, distribution)):
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        if found != wanted:
            return verdict.fail(distribution, f"{found}, but {wanted} is needed", _INSTALL)
        return verdict.ok(distribution, found if name == distribution else f"{found} ({name})")
    return verdict.fail(distribution, f"not installed, {wanted} is needed", _INSTALL)


def worker_binary() -> Verdict:
    """TFF's C++ worker, which the native executor starts."""
    spec = importlib.util.find_spec("tensorflow_federated")
    if spec is None or spec.origin is None:
        return verdict.fail("TFF worker", "tensorflow_federated is not installed", _INSTALL)
    binary = Path(spec.origin).parent / "data" / "worker_binary"
    if not os.access(binary, os.X_OK):
        return verdict.fail("TFF worker", f"{binary} is missing or not executable", _INSTALL)
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        cure = "use a Linux machine on x86_64, or --executor=device"
        return verdict.fail("TFF worker", "runs on Linux on x86_64 only", cure)
    return verdict.ok("TFF worker", f"{binary.stat().st_size / 1e6:.0f} MB, executable")


def disk(folder: str) -> Verdict:
    place = Path(folder).absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free / 1e9
    finding = f"{free:.1f} GB free at {place}"
    if free < DISK_GIGABYTES:
        cure = f"free {DISK_GIGABYTES:.0f} GB, or name another place with --workdir"
        return verdict.fail("disk", finding, cure)
    return verdict.ok("disk", finding)


def memory() -> Verdict:
    available = psutil.virtual_memory().available / 1e9
    finding = f"{available:.1f} GB available, {os.cpu_count()} cores"
    if available < MEMORY_GIGABYTES:
        return verdict.note("memory", finding, "use --executor=device with few clients in flight")
    return verdict.ok("memory", finding)


def embedded() -> Iterator[Verdict]:
    """The embedded packages: present, and their pinned files undamaged."""
    present = [name for name in embedded_packages.NAMES if embedded_packages.available(name)]
    damaged = [name for name in present if not _intact(name)]
    optional = {name for name, package in embedded_packages.PACKAGES.items() if package.large}
    optional.add("fashion_mnist")
    missing = [
        name for name in embedded_packages.NAMES if name not in present and name not in optional
    ]
    if damaged or missing:
        finding = (
            f"missing: {', '.join(missing) or 'none'}; damaged: {', '.join(damaged) or 'none'}"
        )
        yield verdict.fail("embedded packages", finding, f"run `{embedded_packages.command()}`")
    else:
        yield verdict.ok("embedded packages", ", ".join(present))
    absent = sorted(optional.difference(present))
    if absent:
        cure = f"`{embedded_packages.command(large=True)}`, `make fashion-mnist`"
        yield verdict.note("optional packages", f"not installed: {', '.join(absent)}", cure)


def _intact(name: str) -> bool:
    try:
        embedded_packages.check(name)
    except UserError:
        return False
    return True
