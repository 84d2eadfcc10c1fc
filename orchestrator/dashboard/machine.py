"""Load of this machine: processors, memory, the processes of a sweep, NVIDIA's GPUs. Other machines cannot be seen from here."""

import csv
import shutil
import subprocess
import time
from dataclasses import dataclass
from datetime import datetime

import psutil

_GIB = 2**30
_MEASURED_SECONDS = 0.1
_GPU_SECONDS = 3.0
_GPU_FIELDS = ("index", "name", "utilization.gpu", "memory.used", "memory.total")
_SAME_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True)
class Worker:
    """Process, with `cpu` in percent of one core and `memory` in GiB."""

    pid: int
    name: str
    cpu: float
    memory: float


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Load of the machine: `cpu` in percent of all `cores`, memory in GiB; `workers` are the driver and the processes that it started."""

    cpu: float
    cores: int
    memory_used: float
    memory_total: float
    workers: tuple[Worker, ...]


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """Load of a GPU: use in percent, memory in GiB; None where the GPU does not report it."""

    index: int
    name: str
    use: float | None
    memory_used: float | None
    memory_total: float | None


def look(driver_pid: int | None, launched_at: datetime | None) -> Machine:
    """Measure for a tenth of a second, with the driver's processes if it is still the process that launched the sweep."""
    processes = _family(driver_pid, launched_at)
    psutil.cpu_percent()
    before = {process.pid: _cpu_seconds(process) for process in processes}
    time.sleep(_MEASURED_SECONDS)
    cpu = psutil.cpu_percent()
    workers = [worker for process in processes if (worker := _worker(process, before[process.pid])) is not None]
    memory = psutil.virtual_memory()
    return Machine(
        cpu=cpu,
        cores=psutil.cpu_count() or 1,
        memory_used=(memory.total - memory.available) / _GIB,
        memory_total=memory.total / _GIB,
        workers=tuple(sorted(workers, key=lambda worker: (-worker.cpu, worker.pid))),
    )


def _family(pid: int | None, launched_at: datetime | None) -> list[psutil.Process]:
    """Return the driver and its descendants; none if another process has its number by now."""
    if pid is None or launched_at is None:
        return []
    try:
        driver = psutil.Process(pid)
        if driver.create_time() > launched_at.timestamp() + _SAME_SECONDS:
            return []
        return [driver, *driver.children(recursive=True)]
    except psutil.Error:
        return []


def _cpu_seconds(process: psutil.Process) -> float | None:
    try:
        times = process.cpu_times()
    except psutil.Error:
        return None
    return float(times.user + times.system)


def _worker(process: psutil.Process, before: float | None) -> Worker | None:
    after = _cpu_seconds(process)
    if before is None or after is None:
        return None
    try:
        with process.oneshot():
            name, memory = process.name(), process.memory_info().rss
            title = process.cmdline()[:1]
    except psutil.Error:
        return None
    shown = title[0] if title and title[0].startswith("ray::") else name
    return Worker(pid=process.pid, name=shown, cpu=100 * (after - before) / _MEASURED_SECONDS, memory=memory / _GIB)


def gpus() -> list[Gpu]:
    """Return NVIDIA's GPUs of this machine, as `nvidia-smi` reports them; none without it."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    command = [program, f"--query-gpu={','.join(_GPU_FIELDS)}", "--format=csv,noheader,nounits"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_GPU_SECONDS, check=True)  # noqa: S603 (found above)
    except (OSError, subprocess.SubprocessError):
        return []
    return parse_gpus(done.stdout)


def parse_gpus(text: str) -> list[Gpu]:
    """Parse the output of `nvidia-smi`, one GPU a line; memory comes in MiB."""
    rows = [row for row in csv.reader(text.splitlines(), skipinitialspace=True) if len(row) == len(_GPU_FIELDS)]
    return [
        Gpu(index=int(index), name=name, use=_number(use), memory_used=_number(used, 1024), memory_total=_number(total, 1024))
        for index, name, use, used, total in rows
    ]


def _number(text: str, unit: int = 1) -> float | None:
    """Return a number in units; None for `[N/A]`, from a GPU that does not report it."""
    try:
        return float(text) / unit
    except ValueError:
        return None
