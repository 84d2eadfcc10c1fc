"""Peak memory of a training step of tensorized ResNet-18 against its dense form, each in a process of its own."""

import json
import os
import subprocess
import sys

import pytest

from tests.benchmarks.conftest import Record

pytestmark = [pytest.mark.bench, pytest.mark.timeout(1800)]

SCRIPT = r"""
import json, re, sys
from pathlib import Path
import torch
from torch.nn import functional as F
from workers.models.network import build
from workers.registry import DATASETS
from workers.spec.model import ModelSpec

def peak():  # not ru_maxrss: a process inherits the largest one of the process that started it
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024

torch.set_num_threads(2)
generator = torch.Generator().manual_seed(0)

def step(net, size):
    images = torch.rand(size, 3, 32, 32, generator=generator).to(memory_format=torch.channels_last)
    labels = torch.randint(10, (size,), generator=generator)
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=0.9)
    for _ in range(2):
        optimizer.zero_grad()
        F.cross_entropy(net(images), labels).backward()
        optimizer.step()

def made(width):
    info = DATASETS["cifar10"].facts.info
    net = build(ModelSpec(width=width, **json.loads(sys.argv[1])), info, seed=0).to(memory_format=torch.channels_last)
    net.seed(0)
    return net

step(made(4), 2)  # what the libraries themselves take
before = peak()
step(made(64), 128)
print(peak() - before)
"""


def peak_bytes(**model: object) -> int:
    """What two training steps of a net of width 64 on a batch of 128 add to the largest resident size of a fresh process."""
    command = [sys.executable, "-c", SCRIPT, json.dumps(model)]
    # Freed tensors go back to the system at once: what stays resident is what is in use.
    allocator = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "4194304"}
    return int(subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | allocator).stdout)


@pytest.mark.parametrize("rank", [0.25, 0.5, 1.0])
def test_peak_memory_of_a_training_step_against_dense(rank: float, record: Record) -> None:
    dense = peak_bytes(tensorized=False)
    for execution, asked in (("reconstruct", "<= 1.15"), ("factorized", "<= 1.5"), ("auto", "<= 1.5")):
        found = peak_bytes(rank_fraction=rank, theta=0.9, execution=execution)
        name = f"peak memory of a training step, rank {rank}, {execution}"
        record(name, found / dense, asked=asked, reference=f"dense ResNet-18, {dense / 2**20:.0f} MiB, batch 128")
