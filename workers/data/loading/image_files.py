"""Decoding of image files into bytes of one shape: resized so that the shorter side fits, then cropped to the centre. Imports no torch."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from pydantic import Field

from workers.errors import DataError, first_line
from workers.files import open_regular

ImageSize = Annotated[int, Field(ge=4, le=1024)]
Channels = Literal[1, 3]
Pixels = NDArray[np.uint8]
DECODING = f"1, Pillow {PIL.__version__}"
"""Version of what is made of an image here."""
_MODES: dict[int, str] = {1: "L", 3: "RGB"}
_UNREADABLE = (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError, UnidentifiedImageError)


def read_image(path: Path, *, size: int, channels: int) -> Pixels:
    """The image in a file, (channels, size, size).

    Raises:
        DataError: the file cannot be read, or is no image; the message names it.
    """
    with _named(path), open_regular(path) as file, Image.open(file) as image:
        return fitted(ImageOps.exif_transpose(image), size=size, channels=channels)


def require_image(path: Path) -> None:
    """Check that a file begins as an image does.

    Raises:
        DataError: it does not, or cannot be read; the message names it.
    """
    with _named(path), open_regular(path) as file, Image.open(file):
        pass


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Say of which file it is that it cannot be decoded."""
    try:
        yield
    except UnidentifiedImageError:
        raise DataError(f"{path}: is no image that Pillow knows") from None
    except _UNREADABLE as error:
        raise DataError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or first_line(error)}") from error


def fitted(image: Image.Image, *, size: int, channels: int) -> Pixels:
    """An image as bytes (channels, size, size): its shorter side is resized to `size` (bilinear, antialiased), its centre cropped."""
    plain = _bytes_per_channel(image).convert(_MODES[channels])
    if plain.size != (size, size):
        shorter = min(plain.size)
        width, height = (max(size, round(side * size / shorter)) for side in plain.size)
        left, top = (width - size) // 2, (height - size) // 2
        plain = plain.resize((width, height), Image.Resampling.BILINEAR).crop((left, top, left + size, top + size))
    pixels = np.asarray(plain, dtype=np.uint8)
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def _bytes_per_channel(image: Image.Image) -> Image.Image:
    """An image of 16 bits a pixel by its upper bytes: Pillow would clip instead. A palette's transparency needs RGBA on the way."""
    if image.mode.startswith("I;16") or image.mode == "I":
        values: NDArray[Any] = np.asarray(image)
        return Image.fromarray((np.clip(values, 0, 2**16 - 1) >> 8).astype(np.uint8))
    return image.convert("RGBA") if image.mode == "P" and "transparency" in image.info else image
