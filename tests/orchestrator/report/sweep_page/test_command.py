"""`robustsweep report SWEEP` as a user runs it, on a sweep that was really computed."""

import shutil
from pathlib import Path

import pytest

from tests.commands import robustsweep, write_space
from tests.orchestrator.report.sweep_page.test_page import payloads

SPACE = """
data: {name: digits, train_examples: 64}
model: {width: 2, theta: [1.0, 0.8]}
training: {epochs: 2, batch_size: 32}
fine_tuning: {epochs: 1}
evaluation: {examples: 12, batch_size: 6, repeats: 2}
attacks:
  - {attack: fgsm, epsilon: [2/255, 8/255]}
surfaces:
  - {resolution: 5}
"""


@pytest.fixture(scope="module")
def launched(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("launched")
    done = robustsweep("launch", write_space(folder, SPACE), "--executor", "inline", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_report_of_a_real_sweep_has_all_its_results_and_surfaces(launched: Path) -> None:
    done = robustsweep("report", "tiny", cwd=launched)
    assert (done.returncode, done.stdout, done.stderr) == (0, "tiny-report.html\n", "")
    page = (launched / "tiny-report.html").read_text(encoding="utf-8")
    found = payloads(page)
    (results,) = [payload["table"] for payload in found if set(payload) == {"table"}]
    assert {len(column["values"]) for column in results} == {2 * 2}
    contours = [payload for payload in found if any(trace["type"] == "contour" for trace in payload.get("data", []))]
    assert [len(payload["data"][0]["z"]) for payload in contours] == [5, 5]
    assert len({(payload["layout"]["coloraxis"]["cmin"], payload["layout"]["coloraxis"]["cmax"]) for payload in contours}) == 1


def test_a_surface_whose_artifact_is_gone_is_named_and_left_out(launched: Path, tmp_path: Path) -> None:
    shutil.copytree(launched / "sweeps", tmp_path / "sweeps")
    for artifact in (tmp_path / "sweeps" / "artifacts").glob("*/*/surface.*.safetensors"):
        artifact.unlink()
    assert robustsweep("report", "tiny", "--output", "out/page.html", cwd=tmp_path).returncode == 0
    page = (tmp_path / "out" / "page.html").read_text(encoding="utf-8")
    section = page.split('<section id="surfaces">')[1].split("</section>")[0]
    assert section.count("Left out: job ") == 2
    assert "<figure" not in section


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["other"], "robustsweep: sweep 'other': one of tiny\n"),
        ([], "robustsweep: report: needs SWEEP, or --paper"),
        (["tiny", "--format", "html"], "robustsweep: report: needs SWEEP, or --paper"),
        (["tiny", "--width", "3in"], "robustsweep: --width: only with --figures DIR"),
        (["tiny", "--figures", "f", "--width", "3"], "robustsweep: --width 3: must be a length such as 3.25in, 8.3cm, 83mm or 234pt"),
        (["tiny", "--figures", "f", "--font-size", "80"], "robustsweep: --font-size 80: must be in [4, 40], in points"),
        (["tiny", "--figures", "f", "--only", "paretto"], "robustsweep: --only paretto: one of summary, accuracy_epsilon, "),
        (["tiny", "--output", "tiny.yaml/x.html"], "robustsweep: tiny.yaml/x.html: cannot be written: "),
    ],
)
def test_mistakes_are_one_line_and_exit_code_2(launched: Path, arguments: list[str], said: str) -> None:
    done = robustsweep("report", *arguments, cwd=launched)
    assert done.returncode == 2
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == 1
