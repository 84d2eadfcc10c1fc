"""Meaning of `weights:` in a space: a file relative to the space's folder, or the key of a trained model. Imports no torch."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

SAFE, PICKLED = (".safetensors",), (".pt", ".pth")
_KEY = re.compile("[0-9a-f]{4,64}")
_CONVERTED = "torch.save(torch.load({name!r}, map_location='cpu')['state_dict'], 'weights.pt')"


@dataclass(frozen=True)
class WeightsPlace:
    """Weights as they are written in a space: a file's path, or the first digits of a model's key."""

    written: str
    folder: Path

    @property
    def is_key(self) -> bool:
        """True where a trained model is meant, by the first four or more digits of its key."""
        return _KEY.fullmatch(self.written) is not None

    @property
    def path(self) -> Path:
        """The file, a relative one relative to the space's folder."""
        return Path(os.path.normpath(Path(self.folder, Path(self.written).expanduser()).absolute()))

    def check(self) -> None:
        """Check that there is such a file, of a kind that can be read.

        Raises:
            ValueError: there is not; one line says what is legal.
        """
        if self.is_key:
            return
        if self.path.suffix not in (*SAFE, *PICKLED):
            convert = _CONVERTED.format(name=self.path.name)
            kinds = ", ".join((*SAFE, *PICKLED))
            raise ValueError(f"must be a state dict in a file {kinds}, or a model's key; to convert one that you trust: {convert}")
        if not self.path.is_file():
            raise ValueError(f"no such file: {self.path}")
