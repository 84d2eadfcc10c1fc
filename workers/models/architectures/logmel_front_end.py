"""A log-mel front-end of fixed, differentiable operations, and a 2-d convolutional net on it (the paper's ablation of the raw waveform)."""

import torch
from torch import Tensor, nn
from torchaudio.functional import melscale_fbanks, spectrogram

from workers.models.architectures.raw_audio import binary_head, binary_stage, real_stage

_RATE, _WINDOW, _HOP, _BINS, _FILTERS = 16_000, 400, 160, 512, 40
_LOWEST, _HIGHEST = 20.0, 8000.0
_FLOOR = 1e-6
_STAGES = 5


class LogMelFrontEnd(nn.Module):
    """Front-end from waveforms (batch, 1, samples) at 16 kHz to log-mel energies (batch, 1, 40, frames); gradients reach the waveform.

    Frames of 25 ms every 10 ms, Hann window, 512-point power spectrum, 40 triangular filters from 20 to 8,000 Hz on the HTK mel scale,
    logarithm of the energy + 1e-6. It has no parameters, and (unlike `torchaudio.transforms.MelSpectrogram`) nothing in a state dict.
    """

    window: Tensor
    filters: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(_WINDOW), persistent=False)
        filters = melscale_fbanks(_BINS // 2 + 1, _LOWEST, _HIGHEST, _FILTERS, _RATE, norm=None, mel_scale="htk")
        self.register_buffer("filters", filters, persistent=False)

    def forward(self, waveforms: Tensor) -> Tensor:
        # torchaudio puts the window into the middle of the 512 points: the padding makes the first frame begin with the first sample.
        padding = (_BINS - _WINDOW) // 2
        powers = spectrogram(waveforms, padding, self.window, _BINS, _HOP, _WINDOW, power=2.0, normalized=False, center=False)
        energies: Tensor = powers.transpose(-1, -2) @ self.filters
        return (energies + _FLOOR).log().transpose(-1, -2)


class LogMel(nn.Module):
    """Network from waveforms (batch, 1, samples) to logits (batch, n_classes).

    After the front-end and a batch norm, five 3x3 convolutions with `width` times 1, 2, 4, 8 and 16 filters, each with batch norm and ReLU,
    the first four with 2x2 max-pooling, then the mean over time and frequency. Width 16: 396,000 parameters (soundnet5: 382,000).

    With `binary` the stages after the first are in the order that binary convolutions need, with a batch norm and a ReLU after the last;
    the convolutions themselves are still real.
    """

    def __init__(self, *, width: int, n_classes: int, channels_in: int = 1, binary: bool = False) -> None:
        super().__init__()
        self.front_end = LogMelFrontEnd()
        stages: list[nn.Module] = [nn.BatchNorm2d(channels_in)]
        for stage in range(_STAGES):
            channels = width * 2**stage
            before = channels_in if stage == 0 else channels // 2
            convolution = nn.Conv2d(before, channels, 3, padding=1, bias=False)
            ordered = binary_stage if binary and stage > 0 else real_stage
            stages += ordered(convolution, pool=nn.MaxPool2d(2) if stage + 1 < _STAGES else None)
        self.features = nn.Sequential(*stages, *(binary_head(convolution) if binary else []))
        self.classifier = nn.Linear(width * 16, n_classes)

    def forward(self, waveforms: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(self.front_end(waveforms)).mean(dim=(2, 3)))
        return logits
