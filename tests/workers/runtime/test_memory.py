"""What is asked of CUDA for a job's memory, and which errors mean that it was short; no GPU is needed."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.builders import evaluate_job, pretrain_job
from workers.runtime import process_memory
from workers.spec.stage_specs import CONTEXT_BYTES

GIB = 1 << 30
CUDA, CPU = torch.device("cuda"), torch.device("cpu")


@pytest.fixture
def gpu(monkeypatch):
    """A GPU of 16 GiB, and what it was asked."""
    asked = []
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: SimpleNamespace(total_memory=16 * GIB))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: asked.append("empty"))
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", lambda fraction, _: asked.append(fraction))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _: asked.append("reset"))
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda _: 3 * GIB)
    return asked


def test_a_job_is_held_to_its_share_and_measured_from_its_beginning(gpu):
    process_memory.keep_within(CUDA, share=0.5)
    assert gpu == ["empty", 0.5 - CONTEXT_BYTES / (16 * GIB), "reset"]
    assert process_memory.most_taken(CUDA) == 3 * GIB


def test_the_next_job_of_the_process_may_have_more_again(gpu):
    process_memory.keep_within(CUDA, share=0.5)
    process_memory.keep_within(CUDA, share=1.0)
    assert gpu[-2] == 1.0


def test_on_a_cpu_nothing_is_limited_or_measured(gpu):
    process_memory.keep_within(CPU, share=1.0)
    assert (gpu, process_memory.most_taken(CPU)) == ([], None)


@pytest.mark.parametrize(
    ("error", "short"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: you tried"), True),
        (np._core._exceptions._ArrayMemoryError((10,), np.dtype("f4")), True),
        (RuntimeError("CUDA error: device-side assert triggered"), False),
        (ValueError("epsilon"), False),
    ],
)
def test_want_of_memory_is_told_from_other_errors(error, short):
    assert process_memory.is_shortage(error) is short


def test_the_message_names_what_did_not_fit_and_where(gpu):
    said = process_memory.shortage(pretrain_job(), CUDA, share=1.0, examples_per_pass=None)
    assert "a GPU of 16.0 GiB is too small for batch_size=" in said
    assert "smaller width" in said
    job = evaluate_job(pretrain_job(), batch_size=64)
    said = process_memory.shortage(job, CUDA, share=0.25, examples_per_pass=16)
    assert said == "the memory of a share of 0.25 of a GPU of 16.0 GiB is too small for batch_size=64 in passes of 16 examples"
