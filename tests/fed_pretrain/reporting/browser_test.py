"""The page in a browser, where Chromium is installed: silent, nothing cut off, legible."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from fed_pretrain.reporting.index_page import make_index
from fed_pretrain.reporting.study_report import ReportConfig, make_report
from tests.fed_pretrain.reporting import toy_study

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="Chromium is not installed"),
]

# Looks at the page in a frame of a given width and writes what it saw into its own document.
LOOKER = Path(__file__).with_name("looker.html")


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    path = toy_study.on_disk(folder, starts=("a", "b", "c", "d", "e"), tasks=("one", "two"))
    make_report(ReportConfig(str(folder / "report"), str(path), figures=False))
    make_index(str(folder))
    return folder


def look(folder, width, fragment="", page="report/index.html"):
    """What the page is like at a width, and what the browser complained about."""
    looker = folder / "looker.html"
    text = (
        LOOKER.read_text()
        .replace("PAGE", page)
        .replace("FRAGMENT", fragment)
        .replace("WIDTH", str(width))
    )
    looker.write_text(text)
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files",
        "--enable-logging=stderr", f"--user-data-dir={folder / 'profile'}", "--hide-scrollbars",
        "--virtual-time-budget=4000", f"--window-size={max(500, width + 50)},1000", "--dump-dom",
        looker.as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    seen = re.search(r'<pre id="seen">(.*?)</pre>', done.stdout, re.DOTALL).group(1)
    errors = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return json.loads(html.unescape(seen)), errors


@pytest.mark.parametrize("width", [390, 820, 1300])
def test_nothing_runs_off_the_page_and_the_console_is_silent(study, width):
    seen, errors = look(study, width)
    assert errors == []
    assert seen["wide"] == []
    assert seen["scroll"] == seen["client"] == width


def test_the_index_of_studies_fits_a_phone(study):
    seen, errors = look(study, 390, page="index.html")
    assert errors == []
    assert seen["wide"] == []
    assert seen["scroll"] == seen["client"] == 390
    assert seen["pale"] == []


@pytest.mark.parametrize("fragment", ["", "#theme=dark"], ids=["light", "dark"])
def test_every_text_stands_out_from_its_ground(study, fragment):
    seen, _ = look(study, 1300, fragment)
    assert seen["theme"] == ("rgb(19, 20, 22)" if fragment else "rgb(255, 255, 251)")
    assert seen["texts"] > 300
    assert seen["pale"] == []


def test_buttons_choose_an_algorithm_and_a_click_sorts(study):
    seen, _ = look(study, 1300)
    assert seen["shown"] == ["fedavg"] * 12
    assert seen["sorted"] == "ascending"
