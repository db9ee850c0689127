"""What captions say of the runs they show."""

import json

from fed_pretrain.reporting import captions
from fed_pretrain.reporting.results import Run
from tests.fed_pretrain.reporting import toy_study


def run_with(folder, config, **columns) -> Run:
    made = toy_study.run(folder, 0.5, start="random", seed=len(list(folder.iterdir())))
    (made.folder / "config.json").write_text(json.dumps(config))
    return Run(made.coordinates, made.folder, [{**row, **columns} for row in made.rows])


def test_private_runs_say_what_they_spent_and_for_whom(tmp_path) -> None:
    terms = {"privacy": {"delta": 1e-5, "neighbours": "one client replaced by another"}}
    runs = [run_with(tmp_path, terms, dp_epsilon=value) for value in (4.1477, 15.5)]
    words = captions.setting(toy_study.study([*runs, run_with(tmp_path, {})]), "toy")
    assert "epsilon 4.15–15.5 at delta 1e-05 for one client replaced by another" in words
    assert "epsilon" not in captions.setting(toy_study.study([run_with(tmp_path, {})]), "toy")


def test_where_everyone_takes_part_no_default_number_is_shown(tmp_path) -> None:
    algorithm = {"clients_per_round": 4, "population": 14, "sampling": "all"}
    shown = run_with(tmp_path, {"config": {"algorithm": algorithm}})
    assert "14 of 14 clients a round" in captions.setting(toy_study.study([shown]), "toy")


def test_a_setting_names_the_law_that_clients_were_drawn_from(tmp_path) -> None:
    config = {"partition_law": "mixes ~ Dir(0.1 p)"}
    runs = [run_with(tmp_path, config) for _ in range(2)]
    words = captions.setting(toy_study.study(runs), "toy")
    assert words == "4 rounds, 2 seeds; mixes ~ Dir(0.1 p)"


def test_a_setting_says_how_far_the_pool_kept_clients_from_their_law(tmp_path) -> None:
    def words(*deviations: float) -> str:
        config = {"partition_law": "mixes ~ Dir(0.1 p)"}
        runs = [run_with(tmp_path, config | {"partition_deviation": off}) for off in deviations]
        return captions.setting(toy_study.study([*runs, run_with(tmp_path, {})]), "toy")

    aside = ", but for 19–22 % of its examples, as labels ran out"
    assert words(0.216, 0.194).endswith("Dir(0.1 p)" + aside)
    assert words(0.0, 0.001).endswith("Dir(0.1 p)")
