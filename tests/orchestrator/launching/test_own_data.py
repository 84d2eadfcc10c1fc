"""A folder of images through the commands: facts stored with the model, keys that follow the files, one line for what is wrong."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.commands import robustsweep, write_space
from tests.workers.data.picture_folder import make_folder
from workers.data.loading import source
from workers.errors import UserError
from workers.plugins import load_plugins
from workers.spec.component import DataSpec

SPACE = """
data: {name: "folder:birds", image_size: 16, channels: 1}
model: {name: resnet18, width: 2, tensorized: false}
training: {epochs: 1, batch_size: 8, horizontal_flip: false}
evaluation: {examples: 16, batch_size: 8}
attacks: [{attack: pgd, steps: 2, epsilon: 8/255}]
diagnosis: {examples: 16, steps: 2}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_folder(tmp_path / "data")
    write_space(tmp_path, SPACE, name="own")
    return tmp_path


def said(folder: Path, *words: str, code: int = 0) -> str:
    done = robustsweep(*words, cwd=folder)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_sweep_over_a_folder_of_images_and_a_change_in_it(folder: Path) -> None:
    launch = ("launch", "own.yaml", "--executor", "inline", "--data", "data")
    assert "all 4 jobs done" in said(folder, *launch)
    assert "nothing to do" in said(folder, *launch)
    columns = "t.n_classes, t.modality, t.low, t.high, v.dataset, v.image_size"
    facts = f"SELECT {columns} FROM trained_models t JOIN v_models v ON v.model_key = t.job_key"
    assert said(folder, "query", facts, "-f", "csv").splitlines()[1] == "4,image,0.0,1.0,folder:birds,16"
    assert "folder:birds" in said(folder, "results", "own", "--where", "dataset=folder:birds", "--where", "image_size=16")
    assert "unbounded" in said(folder, "verdicts", "own")

    shutil.copy(next((folder / "data/birds/train/d0").iterdir()), next((folder / "data/birds/train/d1").iterdir()))
    assert "4 new, because dataset folder:birds changed" in said(folder, "plan", "own.yaml", "--data", "data")


@pytest.mark.slow
def test_two_workers_of_ray_train_on_the_same_folder(folder: Path) -> None:
    write_space(folder, SPACE.replace("width: 2", "width: [2, 3]"), name="own")
    assert "all 8 jobs done" in said(folder, "launch", "own.yaml", "--data", "data")


def test_an_image_that_cannot_be_read_stops_a_launch_in_one_line_and_doctor_says_it_too(folder: Path) -> None:
    (broken := next((folder / "data/birds/test/d2").iterdir())).write_text("no image")
    stopped = said(folder, "launch", "own.yaml", "--executor", "inline", "--data", "data", code=2)
    assert stopped == f"robustsweep: {broken}: is no image that Pillow knows\n"
    assert f"{broken}: is no image that Pillow knows" in said(folder, "doctor", "own.yaml", "--data", "data", code=1)


def test_plan_counts_the_jobs_and_says_what_is_missing(folder: Path) -> None:
    planned = said(folder, "plan", "own.yaml", "--data", "elsewhere")
    assert "sweep own: 4 jobs" in planned
    assert "folder:birds: looked for classes in" in planned
    refused = said(folder, "plan", "own.yaml", "--data", "elsewhere", "--write-jobs", "jobs", code=2)
    assert refused.startswith("robustsweep: folder:birds: looked for classes in")


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("data.image_size=2", "data.image_size=2"),
        ("data.channels=2", "data.channels=2"),
        ("data.name=folder:../x", "data.name='folder:../x': must name a folder in the data root"),
        ("training.crop_padding=16", "crop_padding=16: sides are of 16 pixels; must be in [1, 15], or null"),
    ],
)
def test_settings_that_cannot_be_are_one_line(folder: Path, override: str, expected: str) -> None:
    refused = said(folder, "plan", "own.yaml", "--data", "data", "--set", override, code=2)
    assert expected in refused
    assert len(refused.splitlines()) == 1


PLUGIN = """
from pathlib import Path
import numpy as np
import robustsweep as rs

@rs.dataset(files=lambda root: ("arrays.npz",))
def arrays(root: Path | None):
    '''Arrays of NumPy, in one file.'''
    found = np.load(root / "arrays.npz")
    return (found["x"][:8], found["y"][:8]), (found["x"][8:], found["y"][8:])
"""


def test_files_that_a_plugins_data_set_names_are_part_of_the_keys_too(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "mine.py").write_text(PLUGIN)
    write_space(tmp_path, SPACE.replace('"folder:birds", image_size: 16, channels: 1', "arrays") + "plugins: [mine.py]\n", name="own")
    keys = []
    for value in (0, 0, 1):
        images = np.full((12, 3, 16, 16), value, dtype=np.uint8)
        np.savez(tmp_path / "data" / "arrays.npz", x=images, y=np.arange(12) % 2)
        keys.append({job["key"] for job in json.loads(said(tmp_path, "plan", "own.yaml", "--data", "data", "-f", "json"))["jobs"]})
    assert keys[0] == keys[1]
    assert not keys[0] & keys[2]


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize(
    ("files", "said"),
    [
        ("sorted(root.glob('*/*.npz'))", None),
        ("[1 / 0]", "arrays (mine.py, line 6): files(root, **settings): ZeroDivisionError: division by zero"),
    ],
)
def test_a_plugins_files_are_relative_to_the_data_root_and_a_failure_is_one_line(tmp_path: Path, files: str, said: str | None) -> None:
    (tmp_path / "mine.py").write_text(PLUGIN.replace('("arrays.npz",)', files))
    load_plugins(["mine.py"], folder=tmp_path)
    digests = []
    for name in ("here", "there"):
        (tmp_path / name / "sub").mkdir(parents=True)
        (tmp_path / name / "sub" / "arrays.npz").write_bytes(b"same")
        if said:
            with pytest.raises(UserError, match=re.escape(said)):
                source(DataSpec(name="arrays")).digest(tmp_path / name)
        else:
            digests.append(source(DataSpec(name="arrays")).digest(tmp_path / name))
    assert len(set(digests)) == len(digests[:1])
