"""From a config to the parts of a run: dataset, task, start, algorithm, executor."""

import dataclasses
import functools
from collections.abc import Hashable, Sequence

from fed_pretrain.algorithms import known_algorithms
from fed_pretrain.algorithms.algorithm import Algorithm
from fed_pretrain.algorithms.algorithm_config import ResolvedAlgorithm
from fed_pretrain.algorithms.client_updates import known_updates
from fed_pretrain.clients import population
from fed_pretrain.clients.local_work import TRAIN_SPLIT, LocalWork
from fed_pretrain.executors.executor import Executor
from fed_pretrain.experiment.assembly import exclusion, feature_cache, one_pass_head, private_run
from fed_pretrain.experiment.assembly.exclusion import Exclusion
from fed_pretrain.experiment.assembly.feature_cache import Seen
from fed_pretrain.experiment.assembly.run_config import (
    EvaluationConfig,
    ResolvedEvaluation,
    ResolvedRun,
    ResolvedWork,
    RunConfig,
    WorkConfig,
    identity,
)
from fed_pretrain.experiment.assembly.session import Session, structure
from fed_pretrain.probes import known_probes
from fed_pretrain.starts import start as starts
from fed_pretrain.starts.origins import proxy_origin
from fed_pretrain.starts.start import Start
from fed_pretrain.tasks import embedded_datasets
from fed_pretrain.tasks.task import Task
from groundwork import plugins
from groundwork.errors import UserError
from groundwork.untyped import Json


@dataclasses.dataclass(frozen=True)
class Assembly:
    """`config` is `given` with every default filled in; `identity` makes two runs the same.

    exclusion: the clients that are not part of `task`; proxies: what the start was pre-trained on.
    """

    given: RunConfig
    config: ResolvedRun
    task: Task
    start: Start
    executor: Executor
    session: Session
    identity: dict[str, Json]
    exclusion: Exclusion
    proxies: tuple[str, ...]

    @functools.cached_property
    def seen(self) -> Seen:
        """What rounds and evaluations read and build."""
        wanted = self.config.work.feature_cache
        return feature_cache.seen_by_rounds(
            self.start, self.task, self.executor, self.session, wanted
        )

    @functools.cached_property
    def algorithm(self) -> Algorithm:
        """Built when first wanted: probes of a start need none."""
        config = self.config
        return self.session.algorithm(
            config.algorithm,
            self.seen.task,
            self.start,
            config.work.batch_size,
            self.seen.build_model,
            self.executor.fixed_shapes,
        )

    @functools.cached_property
    def structure(self) -> Hashable:
        """What runs that share compiled programs have in common."""
        return structure(self.task, self.start)

    @property
    def work(self) -> LocalWork:
        work = self.config.work
        return LocalWork(
            batch_size=work.batch_size,
            epochs=work.epochs,
            steps=work.local_steps,
            max_examples=work.max_examples,
        )

    def start_table(self) -> str:
        """The start's report, who is left out because of it, and what privacy asks of the run."""
        lines = [self.start.report.table(), *(f"  {sentence}" for sentence in self.proxies)]
        if self.exclusion.client_ids:
            lines.append(f"  {self.exclusion.sentence()}")
        lines += [f"  privacy: {sentence}" for sentence in private_run.sentences(self.config)]
        return "\n".join(lines)

    @property
    def client_ids(self) -> Sequence[str]:
        ids: Sequence[str] = self.task.dataset.index(TRAIN_SPLIT).client_ids
        return ids


def assemble(given: RunConfig, session: Session) -> Assembly:
    """Opens, resolves and builds; every mistake in the config is reported before any training."""
    plugins.load(given.plugins)
    # Before the first tensor: the executor sets TensorFlow's threads and devices.
    executor = session.executor(given.executor)
    dataset = embedded_datasets.open_for_task(given.task, given.dataset)
    pretrainings = proxy_origin.pretrainings(given.start)
    left_out = exclusion.find(given.work.exclude_clients, dataset, pretrainings)
    task = session.task(given.task, dataset, given.model, given.options, left_out.client_ids)
    work = _work(given.work, task)
    _check(given, work, task)
    start = starts.resolve(given.start, task, given.seed)
    config = _resolved(given, work, task)
    _check_schedule(config)
    private_run.check(config)
    if given.start.fits_head:
        start = one_pass_head.fitted(start, config, task, executor, session)
        if given.algorithm is None:
            config = one_pass_head.with_gentle_rate(config, start)
    same = identity(config, dataset.fingerprint, start.digest, left_out.digest)
    proxies = tuple(one.sentence(dataset, left_out.client_ids) for one in pretrainings)
    return Assembly(given, config, task, start, executor, session, same, left_out, proxies)


def _resolved(given: RunConfig, work: ResolvedWork, task: Task) -> ResolvedRun:
    evaluation = _filled(
        given.evaluation,
        evaluate_every=task.defaults.evaluate_every,
        eval_examples=task.defaults.evaluation_examples,
    )
    # How clients are drawn counts as it is now: older configs hold it of the work only.
    algorithm = dataclasses.replace(_algorithm(given, work, task), sampling=work.sampling)
    resolved = {
        "algorithm": _weighed(algorithm, work, task),
        "work": work,
        "evaluation": ResolvedEvaluation(**evaluation),
    }
    return ResolvedRun(**{**_values(given), **resolved})


def _algorithm(given: RunConfig, work: ResolvedWork, task: Task) -> ResolvedAlgorithm:
    """The named algorithm with its defaults for this task and start, and the user's settings."""
    if isinstance(given.algorithm, ResolvedAlgorithm):
        return given.algorithm
    config = given.algorithm or known_algorithms.resolve(
        given.algorithm_name, given.task, given.start.spec, dict(given.algorithm_settings)
    )
    if not any(probe.of_alignment for probe in known_probes.of_a_run(given.probes.probes)):
        if config.alignment == "layers":
            raise UserError("--alignment=layers is a setting of --probes=alignment: add that")
        config = dataclasses.replace(config, alignment="none")
    return config.of_run(
        clients_per_round=work.clients_per_round,
        population=len(task.dataset.index(TRAIN_SPLIT).client_ids),
        rounds=work.rounds,
        seed=given.seed,
        releases=one_pass_head.RELEASES if config.private and given.start.fits_head else 0,
    )


def _weighed(config: ResolvedAlgorithm, work: ResolvedWork, task: Task) -> ResolvedAlgorithm:
    """With the rows of all clients where the client update divides by them."""
    keeps_state = known_updates.named(config.client_update).keeps_state
    if not keeps_state or config.weighting == "uniform" or config.population_rows:
        return config
    rows = population.count_rows(task.reader(TRAIN_SPLIT), work.max_examples)
    return dataclasses.replace(config, population_rows=rows)


def _work(given: WorkConfig, task: Task) -> ResolvedWork:
    """A dataset of fewer clients than the task's usual cohort takes part whole."""
    defaults, splits = task.defaults, task.dataset.splits
    clients = len(task.dataset.index(TRAIN_SPLIT).client_ids) if TRAIN_SPLIT in splits else 0
    work = _filled(
        given,
        rounds=defaults.rounds,
        clients_per_round=min(defaults.clients_per_round, max(1, clients)),
        batch_size=defaults.batch_size,
        epochs=defaults.epochs,
        max_examples=defaults.max_examples,
    )
    return ResolvedWork(**work)


def _filled(config: WorkConfig | EvaluationConfig, **defaults: int | None) -> dict[str, Json]:
    """The fields of a config, a default in the place of None."""
    given = {name: value for name, value in _values(config).items() if value is not None}
    return {**_values(config), **defaults, **given}


def _values(config: RunConfig | WorkConfig | EvaluationConfig) -> dict[str, Json]:
    return {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}


def _check(config: RunConfig, work: ResolvedWork, task: Task) -> None:
    dataset = task.dataset
    clients = len(dataset.index(TRAIN_SPLIT).client_ids) if TRAIN_SPLIT in dataset.splits else 0
    if clients == 0:
        if TRAIN_SPLIT in dataset.splits:
            raise UserError("--exclude_clients leaves no client to train on")
        raise UserError(f"--dataset: {dataset.path} has no split {TRAIN_SPLIT!r} with clients")
    wanted = work.clients_per_round
    if work.sampling != "all" and wanted > clients:
        raise UserError(
            f"--clients_per_round={wanted}: the dataset has only {clients} training clients"
        )
    split = config.evaluation.eval_split
    if split not in dataset.splits:
        raise UserError(f"--eval_split={split}: the dataset has {', '.join(dataset.splits)}")
    if len(dataset.index(split)) == 0:
        raise UserError(f"--exclude_clients leaves no client in --eval_split={split}")


def _check_schedule(config: ResolvedRun) -> None:
    if config.algorithm.local_steps_schedule != "constant" and config.work.local_steps is None:
        raise UserError("--local_steps_schedule needs --local_steps, the steps of the first round")
