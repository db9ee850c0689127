"""Whether a task's own data has still to be prepared."""

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
