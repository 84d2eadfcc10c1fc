"""The signal-to-noise ratio of adversarial waveforms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workers.registry import metric

if TYPE_CHECKING:
    from torch import Tensor


@metric(heading="SNR dB", decimals=1, modalities=("audio",), always=True, over_examples="median")
def snr_db(clean: Tensor, attacked: Tensor, labels: Tensor) -> Tensor:  # noqa: ARG001 (of every metric)
    """The signal-to-noise ratio of each adversarial waveform in dB, 20 log10(||x||_2 / ||x' - x||_2), float64, (batch,).

    It is the ratio of powers with the perturbation as noise, as for universal audio perturbations (Abdoli et al., 2019); Carlini & Wagner
    (2018, "Audio Adversarial Examples") compare the loudest samples instead. NaN where a waveform is silent or was not changed.

    Args:
        clean: x, (batch, *shape).
        attacked: x', the same shape.
        labels: true classes, (batch,).
    """
    import torch

    signal, noise = _lengths(clean), _lengths(attacked.double() - clean.double())
    return torch.where((signal > 0) & (noise > 0), 20 * torch.log10(signal / noise), torch.nan)


def _lengths(waveforms: Tensor) -> Tensor:
    import torch

    lengths: Tensor = torch.linalg.vector_norm(waveforms.double().flatten(1), dim=1)
    return lengths
