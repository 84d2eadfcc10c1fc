"""Signal-to-noise ratio of waveforms to their perturbations."""

import torch
from torch import Tensor


def snr_db(examples: Tensor, inputs: Tensor) -> Tensor:
    """Return the signal-to-noise ratio of each adversarial waveform in dB, 20 log10(||x||_2 / ||x' - x||_2), float64, (batch,).

    It is the ratio of powers with the perturbation as noise, as for universal audio perturbations (Abdoli et al., 2019); Carlini & Wagner
    (2018, "Audio Adversarial Examples") compare the loudest samples instead. NaN where a waveform is silent or was not changed.

    Args:
        examples: x', (batch, *shape).
        inputs: x, the same shape.
    """
    signal, noise = _lengths(inputs), _lengths(examples.double() - inputs.double())
    return torch.where((signal > 0) & (noise > 0), 20 * torch.log10(signal / noise), torch.nan)


def median_snr(ratios: Tensor) -> float | None:
    """Return the median of ratios (examples,) in dB, without NaN; None where all are NaN."""
    known = ratios[~ratios.isnan()]
    return float(known.quantile(0.5)) if len(known) else None


def _lengths(waveforms: Tensor) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(waveforms.double().flatten(1), dim=1)
    return lengths
