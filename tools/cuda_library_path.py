"""Puts the CUDA wheels on the dynamic linker's path; `make gpu` copies this beside them.

The linker reads LD_LIBRARY_PATH once, when a process starts, so a Python that finds the wheels
missing from it starts itself again with the path set. Child processes inherit it.
"""

import os
import sys


def libraries(packages):
    """The library folders of the nvidia wheels inside one site-packages folder."""
    nvidia = os.path.join(packages, "nvidia")
    if not os.path.isdir(nvidia):
        return []
    folders = (os.path.join(nvidia, part, "lib") for part in sorted(os.listdir(nvidia)))
    return [folder for folder in folders if os.path.isdir(folder)]


def ensure():
    packages = os.path.dirname(os.path.abspath(__file__))
    found = libraries(packages)
    present = os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)
    if not found or all(folder in present for folder in found) or not sys.orig_argv:
        return
    kept = [folder for folder in present if folder and folder not in found]
    os.environ["LD_LIBRARY_PATH"] = os.pathsep.join(found + kept)
    compiler = os.path.join(packages, "nvidia", "cuda_nvcc")
    os.environ.setdefault("XLA_FLAGS", f"--xla_gpu_cuda_data_dir={compiler}")
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
