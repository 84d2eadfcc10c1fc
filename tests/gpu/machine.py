"""The machine under test, and the record of what was found on it. Needs no pytest, no Ray and no network."""

import json
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

Work = Callable[[], object]


@dataclass(frozen=True)
class Machine:
    """A device, the sizes that fit it, and the folder of data sets (None: what needs CIFAR-10 is stood in for by digits)."""

    device: torch.device
    data: Path | None

    @property
    def is_gpu(self) -> bool:
        return self.device.type == "cuda"

    def size(self, gpu: int, cpu: int) -> int:
        """Return a size of the real measurement, or of its stand-in."""
        return gpu if self.is_gpu else cpu

    def wait(self) -> None:
        """Wait until the device has done all that it was given."""
        if self.is_gpu:
            torch.cuda.synchronize(self.device)

    def described(self) -> dict[str, Any]:
        found: dict[str, Any] = {"device": self.device.type, "torch": torch.__version__, "cores": os.cpu_count()}
        if self.is_gpu:
            properties = torch.cuda.get_device_properties(self.device)
            memory = round(properties.total_memory / 2**30, 1)
            found |= {"gpu": properties.name, "gigabytes": memory, "cuda": torch.version.cuda, "bf16": torch.cuda.is_bf16_supported()}
        return found

    def seconds(self, works: dict[str, Work], *, repeats: int) -> dict[str, float]:
        """Return the median time of each piece of work, the pieces taking turns, after one untimed round."""
        times: dict[str, list[float]] = {name: [] for name in works}
        for _ in range(repeats + 1):
            for name, work in works.items():
                self.wait()
                start = time.perf_counter()
                work()
                self.wait()
                times[name].append(time.perf_counter() - start)
        return {name: statistics.median(found[1:]) for name, found in times.items()}


@dataclass
class Report:
    """What was found, part by part: written after each finding, so that a run that is cut short still counts."""

    path: Path
    found: dict[str, Any] = field(default_factory=dict)

    def part(self, name: str) -> "Part":
        return Part(self, self.found.setdefault("parts", {}).setdefault(name, {"findings": {}}))

    def write(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text(json.dumps(self.found, indent=1) + "\n")
        temporary.replace(self.path)


@dataclass
class Part:
    """One part of the report."""

    report: Report
    content: dict[str, Any]

    def note(self, name: str, value: Any) -> None:
        """Record and print one finding."""
        value = round(value, 4) if isinstance(value, float) else value
        self.content["findings"][name] = value
        print(f"  {name}: {value}", flush=True)
        self.report.write()

    def end(self, **what: Any) -> None:
        self.content.update(what)
        self.report.write()
