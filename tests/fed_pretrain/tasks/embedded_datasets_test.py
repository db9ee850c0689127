"""Whether a task's own data has still to be prepared, and who prepares it."""

import threading
import time

from data_prep.preparing import preparation
from fed_pretrain.tasks import embedded_datasets


def test_a_task_without_its_prepared_data_names_the_folder_to_come(tmp_path, monkeypatch):
    monkeypatch.setenv("FED_PRETRAIN_CACHE", str(tmp_path))
    folder = embedded_datasets.to_prepare("digits", None)
    assert folder is not None
    assert folder.parent == tmp_path / "datasets"
    folder.mkdir(parents=True)
    (folder / "manifest.json").touch()
    assert embedded_datasets.to_prepare("digits", None) is None


def test_nothing_is_prepared_for_a_given_folder_or_a_task_without_data(tmp_path, monkeypatch):
    monkeypatch.setenv("FED_PRETRAIN_CACHE", str(tmp_path))
    assert embedded_datasets.to_prepare("digits", "data/mine") is None
    assert embedded_datasets.to_prepare("reddit", None) is None


def test_who_comes_while_the_data_is_prepared_waits_for_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("FED_PRETRAIN_CACHE", str(tmp_path))
    prepare, made = preparation.prepare, []

    def slowly(config):
        made.append(config.output)
        time.sleep(0.5)
        return prepare(config)

    monkeypatch.setattr(preparation, "prepare", slowly)
    found = []
    workers = [
        threading.Thread(
            target=lambda: found.append(embedded_datasets.open_for_task("digits", None))
        )
        for _ in range(2)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(made) == 1
    assert [one.fingerprint for one in found] == [found[0].fingerprint] * 2
    assert capsys.readouterr().err.count("another process is preparing") == 1
