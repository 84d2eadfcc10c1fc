"""GPUs of this machine, found without PyTorch, which takes a second or two to import."""

import os
from pathlib import Path


def gpus_here(devices: Path = Path("/dev")) -> int:
    """Return the number of NVIDIA GPUs of this machine that this process may use, by their device files and `CUDA_VISIBLE_DEVICES`."""
    found = len([path for path in devices.glob("nvidia*") if path.name.removeprefix("nvidia").isdigit()])
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return found if visible is None else min(found, len([name for name in visible.split(",") if name.strip() not in ("", "-1")]))
