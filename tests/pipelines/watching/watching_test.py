"""The page over a study in progress: what it reads, and what it gives to whom."""

import http.client
import json
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from groundwork.errors import UserError
from pipelines.watching import progress_file, server
from pipelines.watching.state import Watched

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
STEPS = (
    ("train/a/random/fedavg/0", "train", "running"),
    ("train/a/random/fedavg/1", "train", "failed"),
    ("report", "report", "done"),
)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    records = []
    for name, kind, status in STEPS:
        output = tmp_path / "steps" / name
        output.mkdir(parents=True)
        record = {"id": name, "kind": kind, "status": status, "message": "", "seconds": 1.0}
        records.append(record | {"coordinates": {"start": "random"}, "output": f"steps/{name}"})
    run = tmp_path / "steps" / STEPS[0][0]
    run.joinpath("config.json").write_text(json.dumps({"config": {"work": {"rounds": 9}}}))
    rows = [{"round": r, "eval_accuracy": r / 10 if r != 1 else None} for r in range(4)]
    run.joinpath("metrics.jsonl").write_text(
        "".join(json.dumps(row) + "\n" for row in rows) + '{"round": 4, "eval'
    )
    failed = tmp_path / "steps" / STEPS[1][0]
    failed.with_name(f"{failed.name}.log").write_text("".join(f"line {i}\n" for i in range(40)))
    (tmp_path / "steps" / "report" / "index.html").write_text("<p>the answer</p>")
    plan = {"title": "A study", "question": "Which?"}
    (tmp_path / "study.json").write_text(json.dumps({"plan": plan, "steps": records}))
    return tmp_path


def test_the_state_has_curves_of_whole_rows_and_the_end_of_a_failed_steps_log(study: Path) -> None:
    now = {"at": time.time(), "seconds_left": 70.0, "standing": "2 of 3 claims decided"}
    (study / progress_file.NAME).write_text(json.dumps(now))
    state = Watched(study).state()
    running, failed, report = state["steps"]
    assert (running["round"], running["rounds"]) == (3, 9)
    assert running["accuracy"] == [[0, 0.0], [2, 0.2], [3, 0.3]]
    assert failed["log"].splitlines() == [f"line {i}" for i in range(28, 40)]
    assert (state["seconds_left"], state["standing"]) == (70.0, "2 of 3 claims decided")
    assert state["note"] == ""
    assert "log" not in report


def test_a_row_that_comes_later_is_seen_and_a_silent_study_is_said_to_be_so(study: Path) -> None:
    watched = Watched(study)
    assert "not running" in watched.state()["note"]
    with open(study / "steps" / STEPS[0][0] / "metrics.jsonl", "a") as file:
        file.write('_accuracy": 0.4}\n')
    assert watched.state()["steps"][0]["accuracy"][-1] == [4, 0.4]


def test_a_run_by_itself_is_shown_and_a_folder_that_is_not_there_is_refused(study: Path) -> None:
    (step,) = Watched(study / "steps" / STEPS[0][0]).state()["steps"]
    assert (step["status"], step["round"]) == ("running", 3)
    with pytest.raises(UserError, match="no such folder"):
        Watched(study / "nowhere")


@pytest.fixture
def ask(study: Path) -> Iterator[object]:
    serving = server.create(Watched(study), "127.0.0.1", 0)
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()

    def get(path: str, host: str = "localhost") -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", serving.server_address[1])
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()

    yield get
    serving.shutdown()
    thread.join()
    serving.server_close()


def test_the_server_gives_the_page_the_state_and_the_report_and_nothing_else(ask) -> None:
    assert ask("/")[0] == 200
    assert "http://www.w3.org" not in ask("/")[1].replace("http://www.w3.org/2000/svg", "")
    assert json.loads(ask("/state.json")[1])["title"] == "A study"
    assert ask("/report/index.html") == (200, "<p>the answer</p>")
    assert ask("/report/../../study.json")[0] == 404
    assert ask("/report/%2e%2e/%2e%2e/study.json")[0] == 404
    assert ask("/study.json")[0] == 404
    assert ask("/report/%00")[0] == 404
    assert ask("/report/" + "a" * 5000)[0] == 404


def test_links_and_a_study_of_somebody_else_lead_to_no_other_folder(ask, study, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "index.html").write_text("private")
    (elsewhere.parent / f"{elsewhere.name}.log").write_text("private")
    (study / "steps" / "report" / "link.html").symlink_to(elsewhere / "index.html")
    assert ask("/report/link.html")[0] == 404
    content = json.loads((study / "study.json").read_text())
    for record in content["steps"]:
        record["output"] = str(elsewhere)
    (study / "study.json").write_text(json.dumps(content))
    assert ask("/report/index.html")[0] == 404
    assert "private" not in ask("/state.json")[1]


def test_a_page_elsewhere_cannot_read_it_through_another_name(ask) -> None:
    assert ask("/state.json", host="evil.example")[0] == 403
    assert ask("/state.json", host="localhost.evil.example:8765")[0] == 403
    assert ask("/state.json", host="")[0] == 403
    assert ask("/state.json", host="127.0.0.1:80")[0] == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "[::1]", "127.0.0.2"])
def test_so_it_is_at_every_address_it_is_served_at(study: Path, host: str) -> None:
    try:
        serving = server.create(Watched(study), host, 0)
    except OSError:
        pytest.skip(f"{host} is not an address here")
    thread = threading.Thread(target=serving.serve_forever, args=(0.01,))
    thread.start()
    try:
        for name, status in (("evil.example", 403), ("10.1.2.3:80", 200), ("[::1]:80", 200)):
            connection = http.client.HTTPConnection(*serving.server_address[:2])
            connection.request("GET", "/state.json", headers={"Host": name})
            assert connection.getresponse().status == status
            connection.close()
    finally:
        serving.shutdown()
        thread.join()
        serving.server_close()
    with pytest.raises(UserError, match="--host is empty"):
        server.create(Watched(study), "", 0)


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed")
def test_a_browser_draws_it(study: Path) -> None:
    assert BROWSER is not None
    serving = server.create(Watched(study), "127.0.0.1", 0)
    thread = threading.Thread(target=serving.serve_forever)
    thread.start()
    try:
        page = f"http://127.0.0.1:{serving.server_address[1]}/"
        flags = ["--headless", "--no-sandbox", "--virtual-time-budget=3000", "--dump-dom"]
        done = subprocess.run(
            [BROWSER, *flags, page], capture_output=True, text=True, timeout=120, check=True
        )
    finally:
        serving.shutdown()
        thread.join()
        serving.server_close()
    assert "1 of 3 steps done, 1 running, 1 failed" in done.stdout
    assert "round 3 of 9" in done.stdout
    assert "line 39" in done.stdout
    assert '<path d="M' in done.stdout
