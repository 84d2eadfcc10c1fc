"""Checks that everything computes on the device as it does on the CPU: each is a function that raises where it does not."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.builders import attack_job, attack_settings, defend_job, evaluate_job, fine_tune_job, pretrain_job
from tests.gpu.machine import Machine
from workers.artifacts.artifacts import Artifacts
from workers.artifacts.outcomes import BatchRecord, EpochRecord, FlagsOutcome, Result
from workers.attacks.engine import attack_of
from workers.attacks.engine.norms import check_examples
from workers.layers import BinaryConv, DenseKernel, LatentSketch, SignGradient, TuckerLayer
from workers.models.network import Network, build
from workers.registry import ATTACKS, DATASETS, DEFENCES
from workers.runtime.process_memory import is_shortage, keep_within
from workers.runtime.run import RunSettings, run
from workers.spec.component import DefenceSpec
from workers.spec.job import JOB, Job
from workers.spec.model import ModelSpec
from workers.train.loop import in_bf16

_ROUNDING = 2e-3  # relative; convolutions on a GPU may take TF32, or sum in another order
INFO = DATASETS["digits"].facts.info


class _StoppedError(Exception):
    """Stands for the death of a process."""


def require_near(found: Tensor, wanted: Tensor, *, what: str, tolerance: float = _ROUNDING) -> None:
    """Check that two tensors are equal up to rounding.

    Raises:
        AssertionError: they are not.
    """
    difference = float((found.detach().cpu().double() - wanted.detach().cpu().double()).abs().max())
    scale = max(1e-6, float(wanted.detach().abs().max()))
    assert difference <= tolerance * scale, f"{what}: differs by {difference:.2e} of {scale:.2e}"


@contextmanager
def exact_products() -> Iterator[None]:
    """Inside, the GPU's float32 products are float32's, not TF32's."""
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def network(machine: Machine, *, seed: int = 0, **settings: Any) -> Network:
    defence = DefenceSpec.model_validate(settings.pop("defence", {"name": "none"}))
    spec = ModelSpec.model_validate({"name": "resnet18", "width": machine.size(8, 2), **settings})
    net = build(spec, INFO, seed=seed, defence=defence).to(machine.device)
    net.seed(0)
    return net.eval()


def images(machine: Machine, count: int = 8) -> tuple[Tensor, Tensor]:
    inputs = torch.rand(count, *INFO.shape, generator=torch.Generator().manual_seed(1))
    return inputs.to(machine.device), (torch.arange(count) % INFO.n_classes).to(machine.device)


def every_layer(machine: Machine) -> None:
    """Tucker layers of every order in both executions, and the binary convolution: outputs and gradients as on the CPU."""
    for shape, size in (((6, 5), ()), ((6, 5, 3), (9,)), ((6, 5, 3, 3), (9, 9))):
        for execution in ("reconstruct", "factorized"):
            layer = TuckerLayer(shape, [max(1, d // 2) for d in shape], sketch=LatentSketch(theta=1.0), execution=execution, **_like(size))  # type: ignore[arg-type]
            layer.kernel.initialise(torch.Generator().manual_seed(0))
            _same_on_both(layer, torch.randn(4, 5, *size, generator=torch.Generator().manual_seed(1)), machine, what=f"{shape} {execution}")
    binary = network(Machine(torch.device("cpu"), None), binary=True, tensorized=False)
    _same_on_both(binary, images(Machine(torch.device("cpu"), None))[0], machine, what="a binary network")
    assert any(isinstance(module, BinaryConv | DenseKernel) for module in binary.modules()), "no binary layer"
    assert isinstance(binary.signs, SignGradient)


def _like(size: tuple[int, ...]) -> dict[str, Any]:
    return {"padding": (1,) * len(size), "stride": (1,) * len(size), "dilation": (1,) * len(size)} if size else {}


def _same_on_both(module: torch.nn.Module, inputs: Tensor, machine: Machine, *, what: str) -> None:
    found = []
    for device in (torch.device("cpu"), machine.device):
        leaf = inputs.detach().clone().to(device).requires_grad_()
        outputs = module.to(device)(leaf)
        (slope,) = torch.autograd.grad(outputs.square().sum(), leaf)
        found.append((outputs, slope))
    for name, wanted, here in zip(("outputs", "gradients"), *found, strict=True):
        require_near(here, wanted, what=f"{name} of {what}")


def sketches(machine: Machine) -> None:
    """Sketches per batch and per example: equal seeds give equal draws on the device, and their mean is near the full weights' logits."""
    inputs, _ = images(machine)
    for draws in ("batch", "example"):
        net = network(machine, theta=0.8, draws=draws)
        net.seed(3)
        first = net(inputs)
        net.seed(3)
        assert torch.equal(net(inputs), first), f"draws per {draws}: equal seeds, other logits"
        assert not torch.equal(net(inputs), first), f"draws per {draws}: nothing is drawn"


def every_attack(machine: Machine) -> None:
    """Every attack gives legal points on the device, on a fixed and on a randomised net; a suite is its attacks."""
    inputs, labels = images(machine, 6)
    for theta in (1.0, 0.8):
        net = network(machine, theta=theta).requires_grad_(False)
        for component in (found for found in ATTACKS if not found.facts.suite):
            norm = "linf" if "linf" in component.facts.norms else component.facts.norms[0]
            draws = {} if theta == 1 else {"selection_draws": 2}
            settings = attack_settings(name=component.name, norm=norm, epsilon=0.1, epsilon_literal="0.1", steps=2, **draws)  # type: ignore[arg-type]
            generator = torch.Generator(machine.device).manual_seed(0)
            points = attack_of(settings)(net, inputs, labels, settings=settings, generator=generator, randomness=net.randomness)
            assert points.device.type == machine.device.type, f"{component.name}: points on {points.device}"
            check_examples(points, inputs, epsilon=0.1, norm=norm)


def every_defence(machine: Machine) -> None:
    """Every defence gives finite logits on the device, and with its randomness off those of the CPU."""
    cpu = Machine(torch.device("cpu"), None)
    for component in DEFENCES:
        here, there = (network(place, defence={"name": component.name}, width=machine.size(8, 2)) for place in (machine, cpu))
        with here.full_weights(), there.full_weights(), torch.no_grad():
            require_near(here(images(machine)[0]), there(images(cpu)[0]), what=f"logits under {component.name}")
        assert here(images(machine)[0]).isfinite().all(), component.name


def precision_choice(machine: Machine) -> None:
    """`auto` trains in bf16 where the GPU has it, and in float32 on a CPU; attacks in bf16 stay in the ball."""
    expected = machine.is_gpu and torch.cuda.is_bf16_supported(including_emulation=False)
    assert in_bf16("auto", machine.device) == expected
    assert in_bf16("bf16", machine.device)
    assert not in_bf16("float32", machine.device)
    net, (inputs, labels) = network(machine).requires_grad_(False), images(machine)
    settings = attack_settings(name="pgd", steps=2, precision="bf16")
    points = attack_of(settings)(net, inputs, labels, settings=settings, generator=torch.Generator(machine.device).manual_seed(0))
    check_examples(points, inputs, epsilon=settings.epsilon)
    assert points.dtype == torch.float32


def jobs(machine: Machine) -> None:
    """A chain of jobs: training, a sketch, a defence, evaluation and attacks; twice, to the same flags."""
    found = []
    for _ in range(2):
        with tempfile.TemporaryDirectory() as folder:
            found.append([_flags(_run(job, folder, machine)) for job in _chain()])
    assert found[0] == found[1], "two runs of the same jobs differ"


def _chain() -> tuple[Job, ...]:
    full = pretrain_job(width=4, epochs=2)
    model = fine_tune_job(full)
    pgd = attack_settings(name="pgd", steps=3)
    return full, model, defend_job(model), evaluate_job(model), attack_job(model, attack=pgd, draws=2), attack_job(full, attack=pgd)


def _run(job: Job, folder: str | Path, machine: Machine, **settings: Any) -> Result:
    report = settings.pop("report", lambda _: None)
    return run(job, RunSettings(folder, None, device=machine.device.type, **settings), report=report)


def _flags(result: Result) -> bytes | None:
    return result.outcome.flags if isinstance(result.outcome, FlagsOutcome) else None


def checkpoint(machine: Machine) -> None:
    """A training that dies after an epoch goes on from its checkpoint, to the weights of one that did not."""

    def die(record: EpochRecord | BatchRecord) -> None:
        if isinstance(record, EpochRecord) and record.epoch == 1:
            raise _StoppedError

    job = pretrain_job(width=4, epochs=3)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        whole = _run(job, one, machine)
        _stopped(job, other, machine, die)
        resumed = _run(job, other, machine)
        weights = [_weights(folder, result) for folder, result in ((one, whole), (other, resumed))]
    for name, values in weights[0].items():
        require_near(weights[1][name].float(), values.float(), what=f"{name} after the checkpoint", tolerance=1e-5)


def _weights(folder: str, result: Result) -> dict[str, Tensor]:
    from workers.runtime.stored_models import load_model

    return load_model(Artifacts(folder), result.key)[0].state_dict()


def _stopped(job: Job, folder: str, machine: Machine, report: Any, **settings: Any) -> None:
    try:
        _run(job, folder, machine, report=report, **settings)
    except _StoppedError:
        return
    raise AssertionError("the job was to be stopped, and was not")


def resumption(machine: Machine) -> None:
    """An attack that dies after a batch goes on from what it saved, to the same flags."""

    def die(record: EpochRecord | BatchRecord) -> None:
        if isinstance(record, BatchRecord) and record.done == record.total // 2:
            raise _StoppedError

    full = pretrain_job(width=4)
    job = attack_job(full, attack=attack_settings(name="pgd", steps=2))
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        for folder in (one, other):
            _run(full, folder, machine)
        whole = _run(job, one, machine)
        _stopped(job, other, machine, die, save_seconds=0.0)
        assert _flags(_run(job, other, machine)) == _flags(whole)


def divided_pass(machine: Machine) -> None:
    """Passes of a few examples give the logits of whole ones, under the same draws."""
    inputs, _ = images(machine, 12)
    net = network(machine, theta=0.8, draws="example")
    found = []
    for most in (None, 5):
        net.examples_at_once = most
        net.seed(2)
        found.append(net(inputs))
    require_near(found[1], found[0], what="logits in passes of 5")


def memory_share(machine: Machine) -> None:
    """A job that needs more than its share of the GPU runs out of memory itself, which is told as such; elsewhere nothing is limited."""
    if not machine.is_gpu:
        keep_within(machine.device, share=0.01)
        assert is_shortage(torch.OutOfMemoryError("CUDA out of memory"))
        return
    total = torch.cuda.get_device_properties(machine.device).total_memory
    keep_within(machine.device, share=0.05)
    short = None
    try:
        torch.empty(int(total * 0.2), dtype=torch.uint8, device=machine.device)
    except torch.OutOfMemoryError as error:
        short = error
    finally:
        keep_within(machine.device, share=1.0)
    if short is None or not is_shortage(short):
        raise AssertionError("a fifth of the GPU was to be had in a share of a twentieth")


def two_processes(machine: Machine) -> None:
    """Two processes share the device, each running a training, as `python -m workers` does; both results are there."""
    trainings = [pretrain_job(width=4, seed=seed) for seed in (1, 2)]
    with tempfile.TemporaryDirectory() as folder:
        running = []
        for job in trainings:
            path = Path(folder) / f"{job.key}.json"
            path.write_bytes(JOB.dump_json(job))
            command = [sys.executable, "-m", "workers", str(path), "--artifacts", f"{folder}/artifacts", "--device", machine.device.type]
            running.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))
        for process in running:
            _, said = process.communicate(timeout=600)
            assert process.returncode == 0, said
        artifacts = Artifacts(f"{folder}/artifacts")
        assert {artifacts.result(job.key).environment.device for job in trainings} != set()


CHECKS = {
    "every layer": every_layer,
    "sketches": sketches,
    "every attack": every_attack,
    "every defence": every_defence,
    "bf16 and float32": precision_choice,
    "jobs": jobs,
    "checkpoint": checkpoint,
    "resumption": resumption,
    "divided pass": divided_pass,
    "memory share": memory_share,
    "two processes on the device": two_processes,
}
