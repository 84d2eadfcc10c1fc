"""Panels of a picture grid: each example clean, attacked, and what was added, with the predicted classes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from orchestrator.report.examples.renderings import (
    Array,
    as_wav,
    image_pixels,
    is_image,
    loudness_of,
    perturbation_range,
    snr_db,
    sound_pixels,
)
from workers.data.loading.image_files import Pixels

PanelTone = Literal["right", "wrong", ""]


@dataclass(frozen=True)
class Guess:
    """Predicted class by name; its probability in [0, 1], None where it is not known; and if it is the true one."""

    name: str
    confidence: float | None
    is_right: bool


@dataclass(frozen=True)
class Perturbed:
    """Example, its adversarial version, and their difference, each (*shape), in input units."""

    clean: Array
    adversarial: Array

    @property
    def perturbation(self) -> Array:
        return self.adversarial - self.clean

    @property
    def largest(self) -> float:
        """Largest change of any input value."""
        return float(np.abs(self.perturbation).max())

    @property
    def size(self) -> str:
        """The perturbation's size in words."""
        length = float(np.linalg.norm(self.perturbation.astype(np.float64)))
        if is_image(self.clean):
            return f"at most {255 * self.largest:.3g}/255, l2 {length:.3g}"
        ratio = snr_db(self.clean, self.adversarial)
        return f"at most {self.largest:.3g}" + ("" if ratio is None else f", SNR {ratio:.1f} dB")


@dataclass(frozen=True, kw_only=True)
class Example(Perturbed):
    """An example with its number in the order of evaluation, the name of its class, and what the network says of it before and after the
    attack, where that is known."""

    number: int
    label: str
    before: Guess | None = None
    after: Guess | None = None


@dataclass(frozen=True)
class Panel:
    """One picture of the grid, what stands below it, and what is to be heard (a WAV file; empty: nothing)."""

    pixels: Pixels
    heading: str
    caption: str
    tone: PanelTone = ""
    sound: bytes = b""


@dataclass(frozen=True)
class PanelRow:
    """Panels of one example."""

    title: str
    panels: tuple[Panel, ...]


def lines(examples: Sequence[Example]) -> Iterator[PanelRow]:
    """Yield the panels of each example."""
    for example in examples:
        yield PanelRow(f"example {example.number}: {example.label}", _of_image(example) if is_image(example.clean) else _of_sound(example))


def _of_image(example: Example) -> tuple[Panel, ...]:
    return (
        Panel(image_pixels(example.clean), "clean", *_said(example.before)),
        Panel(image_pixels(example.adversarial), "attacked", *_said(example.after)),
        Panel(image_pixels(perturbation_range(example.perturbation)), "difference, enlarged", example.size),
    )


def _of_sound(example: Example) -> tuple[Panel, ...]:
    peak = max(float(np.abs(example.clean).max()), float(np.abs(example.adversarial).max()))
    loudness = loudness_of(example.perturbation)
    return (
        Panel(sound_pixels(example.clean, peak=peak), "clean", *_said(example.before), as_wav(example.clean)),
        Panel(sound_pixels(example.adversarial, peak=peak), "attacked", *_said(example.after), as_wav(example.adversarial)),
        Panel(
            sound_pixels(example.perturbation, peak=example.largest),
            f"difference, {loudness:.3g} times as loud",
            example.size,
            "",
            as_wav(example.perturbation, loudness=loudness),
        ),
    )


def _said(guess: Guess | None) -> tuple[str, PanelTone]:
    if guess is None:
        return "", ""
    share = "" if guess.confidence is None else f" {100 * guess.confidence:.1f} %"
    return f"{guess.name}{share}", "right" if guess.is_right else "wrong"
