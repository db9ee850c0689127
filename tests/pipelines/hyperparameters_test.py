"""The HParams page of a study, as TensorBoard's own backend reads it."""

import json

import pytest

from pipelines import hyperparameters
from pipelines.execution.execution import StepState
from pipelines.plan.steps import Step


def finished(workdir, start, rate, seed):
    place = {"task": "digits", "start": start, "algorithm": "FedAvg", "seed": seed}
    folder = workdir / f"steps/train/{start}/{seed}"
    folder.mkdir(parents=True)
    algorithm = {"client_learning_rate": rate, "client_update": "sgd"}
    config = {"model": "edge_cnn", "start": {}, "work": {"rounds": 2}, "algorithm": algorithm}
    (folder / "config.json").write_text(json.dumps({"config": {**config, "system": {}}}))
    rows = [{"round": n, "eval_accuracy": n / 10 + seed, "train_loss": None} for n in range(3)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    step = Step(f"train/digits/{start}/FedAvg/{seed}", "train", "m", {}, "w", coordinates=place)
    return StepState(step, "done", output=folder, fingerprint="f")


def table(folder):
    """The rows of TensorBoard's HParams page: the columns of each session, and its metrics."""
    from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
    from tensorboard.context import RequestContext
    from tensorboard.plugins import base_plugin
    from tensorboard.plugins.hparams import api_pb2, backend_context, list_session_groups

    runs = plugin_event_multiplexer.EventMultiplexer()
    runs.AddRunsFromDirectory(str(folder))
    runs.Reload()
    provider = data_provider.MultiplexerDataProvider(runs, str(folder))
    context = base_plugin.TBContext(data_provider=provider)
    backend = backend_context.Context(context)
    about = backend.experiment_from_metadata(
        RequestContext(), "", False, backend.hparams_metadata(RequestContext(), ""), []
    )
    request = api_pb2.ListSessionGroupsRequest(
        start_index=0,
        slice_size=100,
        allowed_statuses=list(api_pb2.Status.values()),
        col_params=[api_pb2.ColParams(hparam=info.name) for info in about.hparam_infos],
    )
    answer = list_session_groups.Handler(RequestContext(), backend, "", request).run()
    return {
        group.sessions[0].name: (
            {
                name: value.number_value or value.string_value
                for name, value in group.hparams.items()
            },
            {one.name.tag: (one.value, one.training_step) for one in group.metric_values},
        )
        for group in answer.session_groups
    }


def test_tensorboard_shows_the_runs_by_what_they_differ_in_and_their_last_figures(tmp_path):
    states = [finished(tmp_path, *cell) for cell in (("random", 0.2, 1), ("digits", 0.1, 2))]
    states.append(StepState(Step("report", "report", "m", {}, "o"), "done", fingerprint="f"))
    for _ in range(2):  # the second time in the place of the first
        hyperparameters.write(tmp_path, states)
    shown = table(tmp_path / "tensorboard")
    assert {place: values for place, (values, _) in shown.items()} == {
        "digits/random/FedAvg/1": {"start": "random", "seed": 1.0, "client_learning_rate": 0.2},
        "digits/digits/FedAvg/2": {"start": "digits", "seed": 2.0, "client_learning_rate": 0.1},
    }
    _, figures = shown["digits/digits/FedAvg/2"]
    assert figures == {"eval_accuracy": (pytest.approx(2.2), 2)}


def test_what_has_no_finished_run_has_no_page(tmp_path):
    hyperparameters.write(tmp_path, [])
    assert not (tmp_path / "tensorboard").exists()
