"""Plugins of one file, of several, and installed ones: what they may import, what their digests cover, what is said of broken ones."""

import sys
from pathlib import Path

import pytest

from tests.builders import attack_settings, pretrain_job
from workers.components.facts import PluginVersion
from workers.errors import UserError
from workers.plugins import archives, job_from_json, load_plugins, load_plugins_of, receive, require_planned
from workers.registry import METRICS
from workers.spec.job import JOB, Job
from workers.spec.stage_specs import AttackSpec, EvaluationSpec

METRIC = """
import robustsweep as rs
{imports}
@rs.metric()
def {name}(clean, attacked, labels):
    return {value}
"""


pytestmark = pytest.mark.usefixtures("forgotten")


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.py").write_text(text)
    return folder


def metric(name: str, *, imports: str = "", value: str = "1") -> str:
    return METRIC.format(name=name, imports=imports, value=value)


@pytest.mark.parametrize(
    "imports",
    [
        "from helpers_of_mine import VALUE",
        "from .helpers_of_mine import VALUE",
        "import helpers_of_mine; VALUE = helpers_of_mine.VALUE",
        "import helpers_of_mine as h; VALUE = h.VALUE",
        "from . import helpers_of_mine as h; VALUE = h.VALUE",
    ],
)
def test_a_file_may_import_files_next_to_it_and_its_digest_covers_them(tmp_path: Path, imports: str) -> None:
    write(tmp_path, mine=metric("m1", imports=imports, value="VALUE"), helpers_of_mine="VALUE = 41", unrelated="VALUE = 0")
    load_plugins(["mine.py"], folder=tmp_path)
    assert METRICS["m1"].create(0, 0, 0) == 41
    assert METRICS["m1"].source.plugin is not None
    assert sorted(METRICS["m1"].source.plugin.files) == ["helpers_of_mine.py", "mine.py"]
    before = METRICS["m1"].digest
    write(tmp_path, unrelated="VALUE = 1")
    load_plugins(["mine.py"], folder=tmp_path)
    assert METRICS["m1"].digest == before
    write(tmp_path, helpers_of_mine="VALUE = 42")
    load_plugins(["mine.py"], folder=tmp_path)
    assert METRICS["m1"].digest != before
    assert METRICS["m1"].create(0, 0, 0) == 42
    write(tmp_path, helpers_of_mine="VALUE = 41")
    load_plugins(["mine.py"], folder=tmp_path)
    assert METRICS["m1"].digest == before, "what was read last counts, also where it was there before"
    assert "helpers_of_mine" not in sys.modules


def test_components_of_a_package_depend_on_the_files_that_they_reach_alone(tmp_path: Path) -> None:
    lab = tmp_path / "mylab"
    first = metric("m1", imports="from .common import VALUE", value="VALUE")
    write(lab, __init__="from . import first, second", first=first, second=metric("m2", imports="import mylab.first"), common="VALUE = 1")
    load_plugins([lab])
    digests = {name: METRICS[name].digest for name in ("m1", "m2")}
    write(lab, second=metric("m2", imports="import mylab.first", value="3"))
    load_plugins([lab])
    assert (METRICS["m1"].digest == digests["m1"], METRICS["m2"].digest == digests["m2"]) == (True, False)
    write(lab, common="VALUE = 2")
    load_plugins([lab])
    assert METRICS["m1"].digest != digests["m1"]


def test_a_job_file_runs_with_a_plugin_that_differs_by_comments_and_with_no_other(tmp_path: Path) -> None:
    write(tmp_path, mine=metric("m1"))
    load_plugins(["mine.py"], folder=tmp_path)
    spec = AttackSpec(attack=attack_settings(), knowledge="randomized", evaluation=EvaluationSpec(metrics=("m1",)), repeat=0)
    planned = JOB.dump_json(Job.of(spec, model=pretrain_job()))
    write(tmp_path, mine="# a comment\n" + metric("m1"))
    require_planned(job_from_json(planned, edited=True))
    with pytest.raises(UserError, match=r"mine\.py: differs here"):
        job_from_json(planned)
    write(tmp_path, mine=metric("m1", value="2"))
    with pytest.raises(UserError, match=r"^job \w+: metric m1: here \(\w+, mine\.py, line 4\), and planned with other code \(\w+\); plan"):
        require_planned(job_from_json(planned, edited=True))


def test_files_next_to_a_plugin_take_the_place_of_no_installed_module(tmp_path: Path) -> None:
    imports = "import random, numpy, torch\nfrom workers import errors"
    write(tmp_path, mine=metric("m1", imports=imports, value="numpy.ones(1)"))
    write(tmp_path, **dict.fromkeys(("random", "numpy", "torch", "workers"), "raise SystemExit(3)"))
    load_plugins(["mine.py"], folder=tmp_path)
    assert METRICS["m1"].create(0, 0, 0) == 1


def test_a_worker_runs_what_the_driver_read_whatever_is_at_that_path_by_then(tmp_path: Path) -> None:
    write(tmp_path, mine=metric("m1", imports="from helpers_of_mine import VALUE", value="VALUE"), helpers_of_mine="VALUE = 1")
    load_plugins(["mine.py"], folder=tmp_path)
    (version,) = [METRICS["m1"].source.plugin]
    assert isinstance(version, PluginVersion)
    write(tmp_path, helpers_of_mine="raise SystemExit(3)")
    with pytest.raises(UserError, match=r"mine\.py: differs here .* from the one of the plan"):
        load_plugins_of([version])
    receive(archives())
    load_plugins_of([version])
    assert METRICS["m1"].create(0, 0, 0) == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "no such file or directory"),
        ("def broken(:", "line 1: "),
        ("import helpers_of_mine", "helpers_of_mine.py, line 2: ZeroDivisionError: division by zero"),
        ("\nraise SystemExit(3)", "line 2: SystemExit: 3"),
        ("raise RuntimeError", "line 1: RuntimeError: RuntimeError"),
        (metric("snr_db"), "metric 'snr_db': "),
        ("import robustsweep as rs\n@rs.dataset(n_classes=4)\ndef d(root): ...", "line 2: @dataset(n_classes=...): no such keyword"),
        ("import robustsweep as rs\n@rs.model(modalty='audio')\ndef n(info): ...", "did you mean 'modality'?"),
        ("import robustsweep as rs\n@rs.model\ndef n(info, *, model_config: int = 1): ...", "n: no setting can be called model_config"),
        ("x = '\0'", "null bytes"),
    ],
)
def test_a_broken_plugin_is_one_line(tmp_path: Path, text: str | None, said: str) -> None:
    write(tmp_path, helpers_of_mine="\n1 / 0", **({} if text is None else {"mine": text}))
    with pytest.raises(UserError) as caught:
        load_plugins(["mine.py"], folder=tmp_path)
    assert f"plugin {tmp_path}/mine.py: " in str(caught.value)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_two_plugins_that_register_one_name_clash(tmp_path: Path) -> None:
    write(tmp_path, one=metric("m1"), two=metric("m1", value="2"))
    with pytest.raises(UserError, match=r"metric 'm1': .*two\.py registers it, and .*one\.py has registered it already"):
        load_plugins(["one.py", "two.py"], folder=tmp_path)


def test_a_plugin_that_registers_one_name_twice_is_refused(tmp_path: Path) -> None:
    write(tmp_path, mine=metric("m1") + metric("m1", value="2"))
    with pytest.raises(UserError, match=r"metric 'm1': .*mine\.py registers it twice"):
        load_plugins(["mine.py"], folder=tmp_path)


def install(folder: Path, text: str, *, version: str = "1.0") -> None:
    """An installed distribution, as pip leaves it behind."""
    write(folder, mylab_metrics=text)
    info = folder / "mylab_metrics-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: mylab-metrics\nVersion: {version}\n")
    (info / "entry_points.txt").write_text("[robustsweep.plugins]\nmetrics = mylab_metrics\n")
    (info / "RECORD").write_text(f"mylab_metrics.py,sha256={hash(text)},\n")


def test_an_installed_distribution_is_a_plugin_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, metric("m1"))
    monkeypatch.syspath_prepend(tmp_path)
    load_plugins(["mylab-metrics"])
    component = METRICS["m1"]
    assert component.source.plugin is not None
    assert component.source.plugin.path == "mylab-metrics"
    load_plugins_of([component.source.plugin])
    install(tmp_path, metric("m1"), version="1.1")
    with pytest.raises(UserError, match="plugin mylab-metrics: differs here"):
        load_plugins_of([component.source.plugin])


def test_a_name_that_is_nothing_is_refused_with_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path, metric("m1"))
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"plugin mylab-atacks: neither a file .* nor an installed distribution; of these: mylab-metrics"):
        load_plugins(["mylab-atacks"], folder=tmp_path)
    with pytest.raises(UserError, match="plugin numpy: this distribution has no entry point in the group"):
        load_plugins(["numpy"], folder=tmp_path)
