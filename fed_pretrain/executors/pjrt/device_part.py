"""One device's part of a round: what goes to its worker, and what comes back."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from fed_pretrain.executors.pjrt import part_of_cohort
from fed_pretrain.executors.pjrt.client_step import ClientStep
from fed_pretrain.executors.pjrt.device_worker import Deadline, DeviceWorker
from fed_pretrain.executors.pjrt.part_of_cohort import Launch

Arrays = Sequence[np.ndarray]
# Of the device's memory for the data of one launch; the rest is for the work itself.
_SHARE = 16
_LEAST, _MOST = 64 << 20, 1 << 30


class DevicePart:
    def __init__(self, worker: DeviceWorker, deadline: Deadline, most: int) -> None:
        self._worker = worker
        self._deadline = deadline
        self._most = most
        memory = int(worker.hello.get("memory") or 0)
        self._budget = min(max(memory // _SHARE, _LEAST), _MOST)

    def run(
        self, step: ClientStep, carry: Arrays, shared: Arrays, clients: Iterable[list[np.ndarray]]
    ) -> Iterator[list[np.ndarray]]:
        """Yields what is kept of each client, in their order; sums stay on the device."""
        message = {"verb": "begin", "carry": len(carry)}
        self._worker.call(message, self._deadline, [*carry, *shared])
        for wave in part_of_cohort.waves(clients):
            kept: list[list[np.ndarray]] = [[] for _ in wave]
            for launch in part_of_cohort.launches(wave, self._budget, self._most):
                lowered = step.lowered(carry, launch.clients[0], shared)
                self._worker.load(lowered, self._deadline)
                results = self._launch(lowered.name, launch)
                for number, place in enumerate(launch.places):
                    kept[place] = [np.array(array[number]) for array in results]
            yield from kept

    def finish(self) -> list[np.ndarray]:
        """What was accumulated and summed."""
        _, arrays = self._worker.call({"verb": "finish"}, self._deadline)
        return [np.array(a) for a in arrays]

    def _launch(self, program: str, launch: Launch) -> list[np.ndarray]:
        forms = [(a.dtype.name, (launch.capacity, *a.shape)) for a in launch.clients[0]]
        for position, place in enumerate(self._worker.reserve(forms)):
            for number, client in enumerate(launch.clients):
                place[number] = client[position]
        message = {"verb": "run", "program": program, "count": len(launch.clients)}
        return self._worker.call(message, self._deadline)[1]
