"""A folder of images, as a user has one: scikit-learn's digits as small PNG files, by split and class."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits


def make_folder(root: Path, name: str = "birds", *, train: int = 40, test: int = 20, splits: Sequence[str] = ("train", "test")) -> Path:
    """Write so many images a split under `root/name`, of the classes `d0` to `d3`, and return that folder."""
    scans, labels = load_digits(n_class=4, return_X_y=True)
    sizes = dict(zip(splits, (train, test), strict=True))
    number = 0
    for split, size in sizes.items():
        for _ in range(size):
            place = root / name / split / f"d{labels[number]}"
            place.mkdir(parents=True, exist_ok=True)
            pixels = (scans[number].reshape(8, 8) * 15.9).astype(np.uint8)
            Image.fromarray(pixels).resize((20, 24)).save(place / f"{number:04d}.png")
            number += 1
    return root / name
