"""Lowered steps as files that any current JAX reads: runs in the environment of `make pjrt`.

`python -m tools.device_check.export FOLDER` turns each NAME.hlo there into NAME-exact.jax and
NAME-fast.jax, for CPUs, CUDA and TPUs.
"""

import json
import sys
from pathlib import Path

import jax
from jax import numpy as jnp

from fed_pretrain.executors.pjrt import cohort_program


def main(folder: Path) -> None:
    jax.config.update("jax_enable_x64", True)
    for facts in json.loads((folder / "programs.json").read_text())["programs"]:
        path = folder / f"{facts['name']}.hlo"
        carries = len(facts["carry"])
        inputs = carries + len(facts["own"]) + len(facts["shared"])
        for precision in ("exact", "fast"):
            module = cohort_program.module_of(path.read_bytes(), precision == "exact")
            step = cohort_program.step_of(module)
            variables = module.inputs[inputs:]

            @jax.jit
            def one_client(*arrays, step=step, variables=variables):  # type: ignore[no-untyped-def]
                made = [jnp.zeros(v.shape, v.dtype) for v in variables]
                return step(*arrays, *made)[:carries]  # noqa: B023

            export = jax.export.export(one_client, platforms=("cpu", "cuda", "tpu"))
            exported = export(*module.inputs[:inputs])
            path.with_name(f"{path.stem}-{precision}.jax").write_bytes(exported.serialize())
        path.unlink()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
