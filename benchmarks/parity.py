"""The same rounds by every executor: how far their results are from those of `device`.

    python -m benchmarks.parity              all, and its table in docs/accelerators.md (4 minutes)
    python -m benchmarks.parity NAME ...     these rows anew, and the table with them
    python -m benchmarks.parity --smoke      one client update, by native

Three rounds of five uneven clients with digits for each client update, and one of three clients
with texts for each model; they are those of the tests. A difference is the largest of any number of
a tensor, as a share of the largest way that a number of that tensor went; the largest over weights
and client states. Where a tensor hardly moves, rounding alone is a large share: a row also has the
difference of weights in units in the last place of a tensor's largest number, over all executors.
"""

import argparse
import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks import machine, smoke
from benchmarks.peers.page import circumstances
from fed_pretrain.executors.creation import create
from fed_pretrain.executors.executor import Executor
from fed_pretrain.executors.executor_options import ExecutorOptions
from groundwork import files
from tests.fed_pretrain.executors import digits, texts
from tools import page_tables

OUTPUT = page_tables.ROOT / "runs" / "benchmarks" / "parity.json"
OTHERS = ("native", "beam", "pjrt")
TEXTS = {
    "char_lstm": "a recurrent model (`char_lstm`)",
    "char_cnn_lm": "a model with dropout (`char_cnn_lm`)",
}
HEADER = ("against `device`", *(f"`{other}`" for other in OTHERS), "units, at most", "commit")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    rows = [*digits.UPDATES, *digits.OTHERS, *TEXTS]
    parser.add_argument("names", nargs="*", help=", ".join(rows))
    smoke.add(parser)
    options = parser.parse_args()
    if options.smoke:
        with _executors(("device", "native")) as executors:
            smoke.check(_difference(executors, "fedavg")["shares"], count=1)
        return
    if unknown := set(options.names) - set(rows):
        parser.error(f"no row is named {min(unknown)!r}")
    made = machine.circumstances()
    machine.announce()
    found = json.loads(OUTPUT.read_text()) if options.names and OUTPUT.exists() else {}
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    with _executors(("device", *OTHERS)) as executors:
        for name in options.names or rows:
            found[name] = _difference(executors, name) | {"commit": made["commit"]}
            print(f"{name:24}", found[name], flush=True)
            files.write_json(OUTPUT, found)
    cells = [_row(name, found[name]) for name in rows if name in found]
    blocks = {
        "parity": lambda: page_tables.markdown(HEADER, cells),
        "parity_made": lambda: circumstances(made),
    }
    page_tables.rewrite(page_tables.ROOT / "docs" / "accelerators.md", blocks)


@contextlib.contextmanager
def _executors(names: tuple[str, ...]) -> Iterator[Mapping[str, Executor]]:
    patience = {"start_timeout": 600.0, "clients_in_flight": 2}
    with contextlib.ExitStack() as stack:
        yield {
            name: stack.enter_context(create(ExecutorOptions(executor=name, **patience)))
            for name in names
        }


def _difference(executors: Mapping[str, Executor], name: str) -> dict[str, Any]:
    if name in TEXTS:
        return _of_texts(executors, name)
    return _of_update(executors, (digits.UPDATES | digits.OTHERS)[name])


def _row(name: str, found: Mapping[str, Any]) -> tuple[str, ...]:
    shares = (f"{share:.1e}" if share else "0" for share in map(found["shares"].get, OTHERS))
    most = f"{found['units']:.1f}" if "units" in found else "—"
    return (TEXTS.get(name, name), *shares, most, found["commit"][:10])


def _of_update(executors: Mapping[str, Executor], settings: Any) -> dict[str, Any]:
    made = digits.algorithm(**settings)
    finished = {name: digits.train(one, made) for name, one in executors.items()}
    reference = finished.pop("device")
    shares = {
        name: max(
            relative(one.weights, reference.weights, digits.start_weights()),
            relative(one.client_states, reference.client_states),
        )
        for name, one in finished.items()
    }
    most = max(units(one.weights, reference.weights) for one in finished.values())
    return {"shares": shares, "units": most}


def _of_texts(executors: Mapping[str, Executor], model: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        one = texts.prepared(executors["device"], Path(folder), model)
        weights = {name: one.weights(executor) for name, executor in executors.items()}
    reference, start = weights.pop("device"), one.start.global_model_weights.trainable
    return {
        "shares": {name: relative(found, reference, start) for name, found in weights.items()},
        "units": max(units(found, reference) for found in weights.values()),
    }


def units(found: Any, expected: Any) -> float:
    """The largest difference in units in the last place, in float32, of its tensor's largest."""
    return max(
        float(np.max(np.abs(one - other)) / np.spacing(np.float32(np.max(np.abs(other)))))
        for one, other in zip(_arrays(found), _arrays(expected), strict=True)
    )


def relative(found: Any, expected: Any, start: Any = None) -> float:
    """The largest difference of a tensor's numbers by the largest way of one of them.

    Client states start at zero.
    """
    pairs = list(zip(_arrays(found), _arrays(expected), strict=True))
    starts = _arrays(start) if start is not None else [np.zeros(())] * len(pairs)
    shares = [0.0]
    for (one, other), begin in zip(pairs, starts, strict=True):
        way = np.max(np.abs(other - begin), initial=0.0)
        difference = np.max(np.abs(one - other), initial=0.0)
        shares.append(float(difference / way) if way else float(difference))
    return max(shares)


def _arrays(nest: Any) -> list[np.ndarray]:
    return [np.asarray(leaf, np.float64) for leaf in tf.nest.flatten(nest)]


if __name__ == "__main__":
    main()
