"""Meaning of `weights:` in a space: a file relative to the space's folder, or the key of a trained model. Imports no torch."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

SAFE, PICKLED = (".safetensors",), (".pt", ".pth")
_KEY = re.compile("[0-9a-f]{4,64}")
_INDEX = ".safetensors.index.json"
_PUT_TOGETHER = "save_file({{name: tensor for part in glob({parts!r}) for name, tensor in load_file(part).items()}}, {name!r})"
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
            name = self.path.name
            convert = _CONVERTED.format(name=name)
            if name.endswith(_INDEX):
                stem = name.removesuffix(_INDEX)
                convert = _PUT_TOGETHER.format(parts=f"{stem}-*-of-*.safetensors", name=f"{stem}.safetensors")
            kinds = ", ".join((*SAFE, *PICKLED))
            raise ValueError(f"must be a state dict in a file {kinds}, or a model's key; to convert one that you trust: {convert}")
        if not self.path.is_file():
            raise ValueError(f"no such file: {self.path}")
