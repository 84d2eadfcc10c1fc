from pathlib import Path
from typing import get_args

from tests.commands import robustsweep, rows, write_space
from workers.defence_spec import SETTINGS
from workers.fields import DefenceName

NAMES = list(get_args(DefenceName))
SPACE = f"""
data: {{name: digits, train_examples: 64}}
model: {{width: 2}}
defence: {{name: [{", ".join(NAMES)}], bit_depth: 4}}
training: {{epochs: 1, batch_size: 32}}
evaluation: {{examples: 12, batch_size: 6, repeats: 2}}
attacks:
  - {{attack: fgsm, epsilon: 8/255, knowledge: [randomized, omniscient]}}
"""


def test_a_sweep_over_all_defences_has_rows_of_each_and_is_launched_once(tmp_path: Path) -> None:
    space = write_space(tmp_path, SPACE)
    done = robustsweep("launch", space, "--executor", "inline", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    found = rows(tmp_path)
    assert [(row["defence"], row["knowledge"]) for row in found] == [(n, k) for n in NAMES for k in ("randomized", "omniscient")]
    for row in found:
        settings = row["defence_settings"]
        assert (settings is None) == (row["defence"] == "none")
        assert tuple(settings or ()) == SETTINGS[row["defence"]]
        assert (row["epochs"], row["repeats"], row["n_examples"]) == (1, 2, 12)
    assert {row["defence_settings"]["bit_depth"] for row in found if row["defence"] == "feature_squeezing"} == {4}
    again = robustsweep("launch", space, "--executor", "inline", cwd=tmp_path)
    assert "nothing to do" in again.stdout
    shown = robustsweep("status", "tiny", cwd=tmp_path).stdout
    assert [line.split()[:2] for line in shown.splitlines() if "defend" in line] == [["defend", "3"]]
