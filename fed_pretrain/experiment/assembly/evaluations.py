"""When and on what a run is evaluated, as columns of a metrics row."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from fed_pretrain.clients.local_work import TRAIN_SPLIT
from fed_pretrain.executors.executor import ClientInput
from fed_pretrain.experiment.assembly.assemble import Assembly
from fed_pretrain.experiment.assembly.client_states import ClientStates
from fed_pretrain.models.weights import ModelArrays
from fed_pretrain.tasks.evaluation import ClientEvaluation, Forward, GlobalEvaluation
from groundwork.untyped import Json

OnClient = Callable[[str, Mapping[str, float]], None]


class Evaluations:
    """Built lazily and shared by the runs of a session that evaluate the same model."""

    def __init__(self, assembly: Assembly, clients: ClientStates | None = None) -> None:
        """`clients`: what they keep, where layers of theirs are to be evaluated."""
        self._assembly = assembly
        self._clients = clients
        self._config = assembly.config.evaluation

    def due(self, round_number: int) -> bool:
        every = self._config.evaluate_every or 1
        return round_number % every == 0 or round_number == self._assembly.config.work.rounds

    def row(
        self, model: ModelArrays, cohort: Sequence[str], on_client: OnClient | None = None
    ) -> dict[str, Json]:
        """The evaluation columns; `cohort` is empty in round 0.

        With --eval_clients `on_client` gets the figures of every client, in order.
        """
        figures = _prefixed("eval", self._global(self._config.eval_split)(model))
        if self._config.eval_clients:
            figures |= _prefixed("eval_clients", self._of_clients(model, on_client))
        if self._clients is not None and self._assembly.config.algorithm.personalised:
            figures |= _prefixed("eval_personal", self._personal(model, self._clients))
        if self._config.eval_cohort and cohort:
            pooled = self._global(TRAIN_SPLIT)(model, client_ids=list(cohort))
            figures |= _prefixed("cohort", pooled)
        return figures

    def evaluated(self) -> dict[str, float]:
        """What accuracies are of: how many labels, and what always giving the commonest scores."""
        return self._global(self._config.eval_split).labels()

    def _key(self, kind: str, split: str) -> tuple[object, ...]:
        config = self._config
        seed = self._assembly.config.seed if config.eval_examples else 0
        device = self._assembly.executor.server_device
        return (
            kind,
            id(self._assembly.seen.task),
            self._assembly.structure,
            split,
            config.eval_examples,
            seed,
            device,
            self._assembly.executor.fixed_shapes,
        )

    def _global(self, split: str) -> GlobalEvaluation:
        assembly, device = self._assembly, self._assembly.executor.server_device
        forward = assembly.session.compiled(
            ("forward", assembly.structure, assembly.seen.task.structure, device),
            lambda: Forward(assembly.seen.task, assembly.seen.build_model, device=device),
        )
        return assembly.session.cached(
            self._key("global", split),
            lambda: GlobalEvaluation(
                assembly.seen.task,
                split=split,
                max_examples=self._config.eval_examples,
                seed=assembly.config.seed,
                forward=forward,
            ),
        )

    def _of_clients(self, model: ModelArrays, on_client: OnClient | None) -> dict[str, float]:
        assembly, split = self._assembly, self._config.eval_split
        evaluation = assembly.session.cached(
            self._key("clients", split),
            lambda: ClientEvaluation(
                assembly.seen.task,
                assembly.seen.build_model,
                split,
                fixed_shapes=assembly.executor.fixed_shapes,
            ),
        )
        ids = assembly.task.dataset.index(split).client_ids
        inputs = [ClientInput(name, read) for name, read in evaluation.reads(ids)]
        results = assembly.executor.map_clients(evaluation.computation, model, inputs)

        def told() -> Iterator[Mapping[str, Json]]:
            for name, sums in zip(ids, results, strict=True):
                if on_client is not None:
                    client = {n: float(value) for n, value in sums.items()}
                    on_client(name, assembly.task.summarise(client))
                yield sums

        return evaluation.figures(told())

    def _personal(self, model: ModelArrays, states: ClientStates) -> dict[str, float]:
        """Each client by the layers it keeps, on its own rows."""
        assembly, split = self._assembly, self._config.eval_split
        kept = assembly.algorithm.kept
        evaluation = assembly.session.cached(
            (*self._key("personal", split), assembly.config.algorithm.personal, repr(kept.spec)),
            lambda: ClientEvaluation(
                assembly.seen.task,
                assembly.seen.build_model,
                split,
                state_spec=kept.spec,
                own=kept.received,
                fixed_shapes=assembly.executor.fixed_shapes,
            ),
        )
        reads = evaluation.reads(assembly.task.dataset.index(split).client_ids)
        inputs = [ClientInput(name, read, states.get(name)) for name, read in reads]
        return evaluation.figures(
            assembly.executor.map_clients(evaluation.computation, model, inputs)
        )


def _prefixed(prefix: str, figures: dict[str, float]) -> dict[str, Json]:
    return {f"{prefix}_{name}": value for name, value in figures.items()}
