#!/bin/sh
# On a machine with JAX (CUDA, TPU or CPU) and NumPy, and no more: prints one table in under 6 minutes.
# `make device-check` writes the folder that this file is copied to. PYTHON names another Python.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec "${PYTHON:-python3}" "$here/check.py" "$here" "$@"
