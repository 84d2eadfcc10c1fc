"""What the program itself does on the device: the `fast` recipe on the whole of CIFAR-10, and table 1, as far as the time allows."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.builders import attack_job, attack_settings, evaluate_job
from tests.gpu.machine import Machine, Part
from workers.artifacts.outcomes import BatchRecord, EpochRecord, FlagsOutcome
from workers.runtime.run import RunSettings, run
from workers.spec.component import DataSpec
from workers.spec.job import Job
from workers.spec.keys import derive_seed
from workers.spec.model import ModelSpec
from workers.spec.recipes import resolve_training
from workers.spec.stage_specs import TrainSpec

_LAST_SECONDS = 20.0
_OF_TABLE_1 = ("theta", "attack", "epsilon", "clean_accuracy", "robust_accuracy")


class _OutOfTimeError(Exception):
    """The part's time is over."""


def fast_recipe(machine: Machine, part: Part, *, seconds: float) -> None:
    """Train by `recipe: fast`, as many epochs as the time allows; then PGD in float32 and in bf16 on the trained net.

    On a CPU two epochs of a narrow net on few examples, of digits where there is no CIFAR-10.
    """
    dataset = "cifar10" if machine.data is not None else "digits"
    job, home = _training(machine, dataset, epochs=machine.size(30, 2)), Path("build/gpu/fast")
    deadline, times = time.monotonic() + seconds, [time.monotonic()]

    def report(record: EpochRecord | BatchRecord) -> None:
        times.append(time.monotonic())
        if isinstance(record, EpochRecord):
            epoch = times[-1] - times[-2]
            part.note("epochs", record.epoch)
            part.note("seconds of the last epoch", epoch)
            part.note("training accuracy", record.accuracy)
            if times[-1] + 2 * epoch + _LAST_SECONDS > deadline and machine.is_gpu:
                raise _OutOfTimeError

    settings = RunSettings(home, machine.data, device=machine.device.type)
    try:
        run(job, settings, report=report)
    except _OutOfTimeError:
        part.note("unfinished", "its checkpoint stays: the same command goes on")
        return
    _measure(job, settings, machine, part)


def _training(machine: Machine, dataset: str, *, epochs: int) -> Job:
    training = resolve_training({"recipe": "fast", "epochs": epochs}, dataset=dataset, binary=False)
    data = DataSpec(name=dataset, train_examples=None if machine.is_gpu else 256)
    model = ModelSpec.model_validate({"name": "resnet18", "width": machine.size(64, 4)})
    return Job(spec=TrainSpec(stage="pretrain", data=data, model=model, training=training, seed=0))


def _measure(job: Job, settings: RunSettings, machine: Machine, part: Part) -> None:
    """Note the accuracy, and what PGD leaves of it by gradients in float32 and in bf16: whether these weaken the attack."""
    examples, batch = machine.size(10_000, 64), machine.size(500, 32)
    if not machine.is_gpu:
        examples = 64
    part.note("test accuracy", _accuracy(evaluate_job(job, examples=examples, batch_size=batch), settings))
    for precision in ("float32", "bf16"):
        attack = attack_settings(name="pgd", steps=machine.size(20, 3), precision=precision)
        measured = attack_job(job, attack=attack, examples=machine.size(2000, 64), batch_size=batch)
        start = time.monotonic()
        part.note(f"accuracy under PGD, {attack.steps} steps, 8/255, gradients in {precision}", _accuracy(measured, settings))
        part.note(f"seconds of that attack, {precision}", time.monotonic() - start)


def _accuracy(job: Job, settings: RunSettings) -> float:
    outcome = run(job, settings).outcome
    assert isinstance(outcome, FlagsOutcome)
    return float(outcome.n_correct) / (outcome.n_examples * outcome.draws)


def table_1(machine: Machine, part: Part, *, seconds: float) -> None:
    """Launch table 1 on processes of this machine, without Ray, until it is done or the time is over; the rows that there are.

    Small first: `table1-small` (on a CPU a few of its jobs, on digits), then, where time is left, the whole `table1`.
    """
    deadline = time.monotonic() + seconds
    small = [] if machine.is_gpu else _tiny()
    for space, changes in (("table1-small", small), *([("table1", [])] if machine.is_gpu else [])):
        _launch(space, changes, machine, part, deadline=deadline)


def _tiny() -> list[str]:
    model, data = {"model.width": 2, "model.theta": [1.0, 0.9]}, {"data": {"name": "digits", "train_examples": 64}}
    evaluation = {"evaluation.examples": 12, "evaluation.batch_size": 6, "evaluation.repeats": 1, "diagnosis": None}
    training = {"training": {"epochs": 1, "batch_size": 32}, "fine_tuning": {"epochs": 1}}
    attacks = {"attacks": [{"attack": ["fgsm", "pgd"], "epsilon": "8/255"}]}
    changed: dict[str, Any] = {**model, **data, **evaluation, **training, **attacks}
    return [word for name, value in changed.items() for word in ("--set", f"{name}={json.dumps(value)}")]


def _launch(space: str, changes: list[str], machine: Machine, part: Part, *, deadline: float) -> None:
    home = Path("build/gpu") / f"home-{derive_seed(space, machine.device.type) % 10**6}"
    program = [sys.executable, "-m", "orchestrator.cli.main"]
    data = [] if machine.data is None else ["--data", str(machine.data)]
    shares = ["--gpus-per-train", "0.5", "--gpus-per-attack", "0.25", "--workers", "4"] if machine.is_gpu else []
    command = [*program, "launch", space, "--executor", "processes", "--home", str(home), *data, *shares, *changes]
    start = time.monotonic()
    launched = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        said, _ = launched.communicate(timeout=max(5.0, deadline - start - _LAST_SECONDS))
    except subprocess.TimeoutExpired:
        launched.terminate()
        said, _ = launched.communicate(timeout=60)
    part.note(f"{space}: last line", _outcome(said))
    part.note(f"{space}: seconds", time.monotonic() - start)
    shown = subprocess.run(
        [*program, "results", space, "--format", "json", "--home", str(home)], capture_output=True, text=True, check=False
    )
    rows = json.loads(shown.stdout) if shown.returncode == 0 and shown.stdout.strip() else []
    part.note(f"{space}: rows", [{name: row.get(name) for name in _OF_TABLE_1} for row in rows])


def _outcome(said: str) -> str:
    """Return the line in which a launch says how it ended."""
    lines = [line for line in said.splitlines() if line.startswith(("sweep ", "robustsweep"))]
    return lines[-1] if lines else said[-500:]


def reachable(folder: Path) -> bool:
    """Return whether CIFAR-10 is in the data root."""
    return (folder / "cifar-10-batches-py").is_dir()
