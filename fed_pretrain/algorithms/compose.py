"""A learning process of four parts: distributor, client work, aggregator, finalizer."""

import functools
from collections.abc import Callable, Sequence

import tensorflow as tf
import tensorflow_federated as tff

from fed_pretrain.algorithms import client_process, distributor, refusals, server_optimizer
from fed_pretrain.algorithms.aggregators import adapter_correction, statistics_mean
from fed_pretrain.algorithms.aggregators import aggregator as aggregation
from fed_pretrain.algorithms.algorithm import Algorithm
from fed_pretrain.algorithms.algorithm_config import HEAD_SETTINGS, ResolvedAlgorithm
from fed_pretrain.algorithms.client_updates import known_updates
from fed_pretrain.models.adapters import Correction
from fed_pretrain.tasks.objective import Loss
from groundwork.errors import UserError
from groundwork.untyped import Nested, Optimizer, Spec, State, TffModel


def build(
    config: ResolvedAlgorithm,
    model_fn: Callable[[], TffModel],
    payload_spec: Spec,
    objective: Loss | None = None,
    weight_names: Sequence[str] | None = None,
    averaged: Sequence[int] = (),
    head: Sequence[int] = (),
    personal: Sequence[int] = (),
    corrected: Sequence[Correction] = (),
    fixed_shapes: bool = True,
) -> Algorithm:
    """The algorithm the config describes, for the model and payload of a task.

    `objective` (a Task or an Objective: `loss` and `statistics`) spares the loss being computed
    twice; without it the loss is the model's own and the statistics are those of cross-entropy.
    `weight_names` (LAYER/ATTRIBUTE, of the trainable weights in order) name the layers of
    --alignment=layers; without them the variables' own names do.
    `averaged` are the positions of non-trainable weights that a round averages
    (statistics_mean.py); all others stay as they are. `head` are the positions of the trainable
    weights that HEAD_SETTINGS are about, and `personal` those that stay at their client.
    `corrected` are the adapters whose kernels the server corrects (adapter_correction.py).
    `fixed_shapes` is what the executor needs (executor.py).
    """
    refusals.check(config)
    if config.moves_head_apart and not head:
        raise UserError(f"{HEAD_SETTINGS} need a head that trains, which this model does not have")
    if averaged:
        refusals.check_averaging(config)
    if corrected:
        refusals.check_correction(config)
    client_update = known_updates.named(config.client_update).of(config)

    @tff.tensorflow.computation
    def initial_weights() -> Nested:
        return tff.learning.models.ModelWeights.from_model(model_fn())

    weights_type = initial_weights.type_signature.result
    with tf.Graph().as_default():
        variables = model_fn().trainable_variables
        layers, groups = _layers(weight_names or [v.name for v in variables])
        specs = [tf.TensorSpec(v.shape, v.dtype) for v in variables]
    distribution = distributor.build(weights_type, config.late_rounds)
    received = distribution.next.type_signature.result.result.member
    work = client_process.build(
        client_update,
        config,
        model_fn,
        payload_spec,
        objective,
        received,
        averaged,
        head,
        personal,
        fixed_shapes,
    )
    result_type = work.process.next.type_signature.result.result.member
    factory = aggregation.build(config, client_update, groups)
    finalizer = server_optimizer.build_finalizer(_optimizer(config), weights_type)
    if averaged:
        factory = statistics_mean.StatisticsFactory(factory)
        finalizer = statistics_mean.build_finalizer(finalizer, weights_type, averaged)
    if corrected:
        kernels = [one.kernel for one in corrected]
        factory = adapter_correction.CorrectionFactory(factory, corrected)
        finalizer = statistics_mean.build_finalizer(finalizer, weights_type, kernels)
    aggregator = factory.create(result_type.update, result_type.update_weight)
    process = tff.learning.templates.compose_learning_process(
        initial_weights,
        distribution,
        work.process,
        aggregator,
        finalizer,
    )
    sizes = [spec.shape.num_elements() for spec in specs]
    shared = 1.0 - sum(sizes[position] for position in personal) / max(1, sum(sizes))
    payload_type = work.process.next.type_signature.parameter[2].member
    return Algorithm(
        config=config,
        process=process,
        kept=work.kept,
        layer_names=tuple(layers),
        first_pass=client_update.first_pass(model_fn, objective, weights_type, payload_type),
        models_down=shared + client_update.extra_models_down,
        models_up=shared * aggregation.share_sent(config) + client_update.extra_models_up,
        build_one_client=functools.cache(work.one_client),
        first_parts=functools.partial(_first_parts, specs),
    )


def _optimizer(config: ResolvedAlgorithm) -> Optimizer:
    """The server's; clients that step by the one the config names leave plain SGD to it."""
    if known_updates.named(config.client_update).holds_server_optimizer:
        return server_optimizer.plain(config)
    return server_optimizer.scheduled(config)


def _first_parts(specs: Spec, config: ResolvedAlgorithm) -> dict[str, State]:
    """See Algorithm.first_parts; the numbers in the types that a process gives them."""
    client_update = known_updates.named(config.client_update).of(config)
    with tf.device("/CPU:0"):
        parts = {
            "client_work": client_process.first_state(config, client_update, specs),
            "finalizer": _optimizer(config).initialize(specs),
        }
        return {name: tf.nest.map_structure(tf.identity, part) for name, part in parts.items()}


def _layers(names: Sequence[str]) -> tuple[list[str], list[list[int]]]:
    """Layers by the part of a variable's name before its last slash, in order of appearance."""
    layers: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        layers.setdefault(name.rsplit("/", 1)[0], []).append(position)
    return list(layers), list(layers.values())
