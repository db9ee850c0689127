"""Plans that were made to hurt: each is refused in one sentence, in little memory and time."""

from pathlib import Path

import pytest

from groundwork.errors import UserError
from pipelines.plan import plan as plans
from tests.hostile.bounds import bounded

PLAN = """\
name: toy
title: A toy
question: Does it work?
tasks:
  {task}:
    task: digits
    dataset: {{source: digits}}
    partitions:
      {partition}: {{partition: natural}}
    pretrain:
      {pretrain}: {{task: mnist5k}}
    starts:
      {start}: {{start: random}}
algorithms:
  {algorithm}: {{algorithm: fedavg}}
analyze:
  {analysis}: {{settings: {{probes: hessian}}}}
sweep:
  {axis}:
    {point}: {{seed: 1}}
{more}
"""
PLAIN = {
    name: name
    for name in ("task", "partition", "pretrain", "start", "algorithm", "analysis", "axis", "point")
}


def _loaded(path: Path, text: str, *overrides: str) -> None:
    path.write_text(text)
    with bounded(seconds=15):
        plans.load(str(path), overrides)


def _filled(more: str = "", **names: str) -> str:
    return PLAN.format(**{**PLAIN, **names}, more=more)


def test_the_plan_itself_is_sound(tmp_path: Path) -> None:
    _loaded(tmp_path / "plan.yaml", _filled())


_NAMES = ["..", ".", "../../x", "a/b", '"a\\0"', '""', "x" * 300, '"\\\\"']


@pytest.mark.parametrize(
    ("part", "name"), [*((part, "..") for part in PLAIN), *(("task", name) for name in _NAMES)]
)
def test_a_name_that_is_no_folder_is_refused_with_its_line(
    part: str, name: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=r"line \d+: .*cannot be the name of a folder"):
        _loaded(tmp_path / "plan.yaml", _filled(**{part: name}))


_LAUGHS = "\n".join(
    ["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12))]
)
_MERGES = "\n".join(
    [
        "m0: &m0 {x: 1}",
        *(f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 10)}], y: 1}}" for n in range(1, 12)),
    ]
)
HOSTILE = {
    "aliases of aliases": (_LAUGHS, "aliases multiply"),
    "merges of merges": (_MERGES, "aliases multiply"),
    "a list that holds itself": ("settings: &a [*a]", "aliases multiply"),
    "brackets without end": ("settings: " + "[" * 3_000, "nested too deep|not YAML"),
    "a text without end": (f"title2: {'x' * (1 << 20)}", "longer than 64 KiB"),
    "a date that is none": ("settings: {seed: 2020-13-45}", "not what it is written as"),
    "a number that is none": ("settings: {seed: !!int x}", "not what it is written as"),
    "a truth that is none": ("settings: {seed: !!bool x}", "not what it is written as"),
    "a number of ten thousand digits": ("settings: {seed: " + "9" * 10_000 + "}", "not YAML"),
    "a Python object": ("settings: !!python/object/apply:os.system [true]", "not YAML"),
    "a tab": ("settings:\n\tseed: 1", "line 22: not YAML"),
    "a NUL": ("settings: {seed: \0}", "not YAML"),
    "half a letter": ('settings: {start: "\\ud800"}', "not YAML"),
    "an unknown alias": ("settings: *nothing", "undefined alias"),
    "a list as key": ("settings: {? [a] : 1}", "not YAML"),
    "a wrong value without end": ("seeds: [" + "x, " * 3000 + "]", r"seeds"),
    "settings that are text": ("settings: " + "x" * 5000, r"settings: .*\.\.\. .*object"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_plan_is_refused_in_one_sentence(name: str, tmp_path: Path) -> None:
    more, why = HOSTILE[name]
    with pytest.raises(UserError, match=why) as refusal:
        _loaded(tmp_path / "plan.yaml", _filled(more))
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 1000


@pytest.mark.parametrize(
    "override",
    [
        "seeds=&a [*a]",
        "seeds=" + "[" * 3_000,
        "seeds=2020-13-45",
        "seeds={",
        "=",
        "seeds",
        "tasks.nothing.x=1",
        "name.x.y=1",
        "name=..",
        "algorithms={../x: {algorithm: fedavg}}",
        "seeds=[" + "9" * 10_000 + "]",
        "seeds=.nan",
        "tasks=",
    ],
    ids=lambda override: override[:20],
)
def test_a_hostile_override_is_refused_in_one_sentence(override: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as refusal:
        _loaded(tmp_path / "plan.yaml", _filled(), override)
    assert "\n" not in str(refusal.value)


def test_a_text_that_is_no_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "plan.yaml"
    path.write_bytes(_filled().encode("utf-16"))
    with pytest.raises(UserError, match="is not UTF-8"):
        plans.load(str(path))
