"""A data set larger than memory: resident memory while it is decoded and trained on, and speed against the same set in memory.

`STREAMED_EXAMPLES=100000` measures the size that was asked for; fewer by default.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.benchmarks.conftest import Record

pytestmark = [pytest.mark.bench, pytest.mark.timeout(3600)]

EXAMPLES = int(os.environ.get("STREAMED_EXAMPLES", "40000"))
DISTINCT, SIDE, RESIDENT = 200, 64, 1.5e9

PRELUDE = r"""
import json, re, sys, time
from pathlib import Path
import numpy as np
import torch
from torch import nn
from workers.data.loading import Split, source
from workers.data.loading import device_split
from workers.data.loading.device_split import DeviceSplit
from workers.layers import LatentSketch
from workers.models.network import Network, build
from workers.spec.component import DataSpec
from workers.spec.model import ModelSpec
from workers.spec.training import TrainingSpec
from workers.train import train

torch.set_num_threads(1)
CPU = torch.device("cpu")
found = source(DataSpec.model_validate({"name": "folder:large", "image_size": 64}))
loaded = found.load(Path(sys.argv[1]))

class Forgetful:
    resumed = None
    def restore(self, state, *, last): pass
    def save(self, state): pass

def trained(net, split):
    net.seed(0)
    began = time.process_time()
    settings = TrainingSpec(epochs=1, batch_size=256, learning_rate=0.01)
    train(net, split, settings, order=torch.Generator().manual_seed(0), checkpoint=Forgetful(), report=lambda _: None)
    return time.process_time() - began
"""
MEMORY = (
    PRELUDE
    + r"""
body = nn.Sequential(nn.Conv2d(3, 8, 8, stride=8), nn.ReLU(), nn.Flatten(), nn.Linear(512, 10))
net = Network(body, sketch=LatentSketch(theta=1.0), info=loaded.info)
split = DeviceSplit.put(loaded.train, CPU)
trained(net, split)
print(json.dumps([split.stream is not None, int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024]))
"""
)
SPEED = (
    PRELUDE
    + r"""
net = build(ModelSpec(width=8, tensorized=False), loaded.info, seed=0).to(memory_format=torch.channels_last)
few = Split(loaded.train.inputs[:2048], loaded.train.labels[:2048])
inside = DeviceSplit.put(Split(np.array(few.inputs), few.labels), CPU)
device_split.STREAMED_BYTES = 0
streamed = DeviceSplit.put(few, CPU)
times = [(trained(net, inside), trained(net, streamed)) for _ in range(3)]
print(json.dumps([streamed.stream is not None, min(one for one, _ in times) / min(other for _, other in times)]))
"""
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of `EXAMPLES` training images of 64x64 pixels in ten classes, of which few are distinct, and some test images."""
    folder = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    for number in range(DISTINCT):
        Image.fromarray(random.integers(256, size=(SIDE, SIDE, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    for split, count in (("train", EXAMPLES), ("test", 100)):
        for label in range(10):
            (folder / "large" / split / str(label)).mkdir(parents=True)
        for number in range(count):
            os.link(folder / f"{number % DISTINCT}.png", folder / "large" / split / str(number % 10) / f"{number:06d}.png")
    return folder


def measured(script: str, root: Path) -> tuple[bool, float]:
    command = [sys.executable, "-c", script, str(root)]
    found: tuple[bool, float] = tuple(json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout))
    return found


def test_resident_memory_while_a_large_set_is_decoded_and_trained_on(root: Path, record: Record) -> None:
    for what in ("decoded and trained on", "trained on"):
        streamed, peak = measured(MEMORY, root)
        assert streamed
        size = EXAMPLES * 3 * SIDE**2
        print(f"\n{EXAMPLES} images of {SIDE}x{SIDE} pixels, {size / 1e6:.0f} MB, {what}: {peak / 1e6:.0f} MB resident at most")
        record(f"streaming: resident memory, {what}", peak / RESIDENT, asked="<= 1", reference="1.5 GB")


def test_speed_of_a_streamed_training(root: Path, record: Record) -> None:
    streamed, ratio = measured(SPEED, root)
    assert streamed
    record("streaming: speed of training", ratio, asked=">= 0.95", reference="the same images in memory")
