"""Networks on raw waveforms: SoundNet5 (after Aytar et al., 2016), and the very deep M5 and M11 (Dai et al., 2017)."""

from torch import Tensor, nn

_NORMS: dict[type[nn.Module], type[nn.BatchNorm1d] | type[nn.BatchNorm2d]] = {nn.Conv1d: nn.BatchNorm1d, nn.Conv2d: nn.BatchNorm2d}


def real_stage(convolution: nn.Conv1d | nn.Conv2d, *, pool: nn.Module | None) -> list[nn.Module]:
    """Return convolution, batch norm, ReLU, pooling."""
    return [convolution, _norm(convolution, convolution.out_channels), nn.ReLU(), *_present(pool)]


def binary_stage(convolution: nn.Conv1d | nn.Conv2d, *, pool: nn.Module | None) -> list[nn.Module]:
    """Return batch norm, convolution, ReLU, pooling: the order of XNOR-Net's blocks (section 3.2).

    The convolution takes the sign of its inputs. Pooling signs would make nearly all of them +1, so pooling comes after the convolution,
    whose outputs are real. Without the ReLU SoundNet5 learns far more slowly (Speech Commands, 10 epochs: 38 % instead of 60 %).
    """
    return [_norm(convolution, convolution.in_channels), convolution, nn.ReLU(), *_present(pool)]


def binary_head(last: nn.Conv1d | nn.Conv2d) -> list[nn.Module]:
    """Return the layers between the last binary stage and a real layer: batch norm, ReLU."""
    return [_norm(last, last.out_channels), nn.ReLU()]


def _norm(convolution: nn.Conv1d | nn.Conv2d, channels: int) -> nn.Module:
    return _NORMS[type(convolution)](channels)


def _present(pool: nn.Module | None) -> list[nn.Module]:
    return [] if pool is None else [pool]


_KERNELS, _POOLS = (64, 32, 16, 8, 4), (8, 4, 2, 2, 2)
_LAST_LENGTH = 2


class SoundNet5(nn.Module):
    """Network from waveforms (batch, channels_in, 16000) to logits (batch, n_classes).

    The convolutions have kernels of 64, 32, 16, 8 and 4 samples, stride 2, padding half the kernel, and `width` times 1, 2, 4, 8 and 16
    filters (16 gives the paper's), no bias; each is followed by batch norm, ReLU and max-pooling. The paper gives no pool sizes: pools of
    8, 4, 2, 2 and 2 (the early ones large, as in SoundNet) leave two steps of 256 channels, its 512 features.

    With `binary` the stages after the first are in the order that binary convolutions need, with a batch norm and a ReLU after the last;
    the convolutions themselves are still real.
    """

    def __init__(self, *, width: int, n_classes: int, channels_in: int = 1, binary: bool = False) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        for stage, (kernel, pool) in enumerate(zip(_KERNELS, _POOLS, strict=True)):
            channels = width * 2**stage
            before = channels_in if stage == 0 else channels // 2
            convolution = nn.Conv1d(before, channels, kernel, stride=2, padding=kernel // 2, bias=False)
            ordered = binary_stage if binary and stage > 0 else real_stage
            stages += ordered(convolution, pool=nn.MaxPool1d(pool))
        self.features = nn.Sequential(*stages, *(binary_head(convolution) if binary else []))
        self.hidden = nn.Linear(_LAST_LENGTH * width * 16, width * 16)
        self.relu = nn.ReLU()
        self.classifier = nn.Linear(width * 16, n_classes)

    def forward(self, waveforms: Tensor) -> Tensor:
        features = self.features(waveforms).flatten(1)
        logits: Tensor = self.classifier(self.relu(self.hidden(features)))
        return logits


STAGES: dict[int, tuple[tuple[int, int], ...]] = {
    5: ((1, 1), (1, 1), (2, 1), (4, 1)),
    11: ((1, 1), (1, 2), (2, 2), (4, 3), (8, 2)),
}
"""Filters, in units of the first convolution's, and convolutions of each stage by the number of layers (table 1)."""
_KERNEL, _STRIDE, _POOL = 80, 4, 4


class WaveformNet(nn.Module):
    """Network from waveforms (batch, channels_in, samples), of a few thousand samples or more, to logits (batch, n_classes).

    A convolution of 80 samples with stride 4, then stages of convolutions of 3, each followed by batch norm and ReLU; max-pooling by 4
    between stages, the mean over what is left, and one linear layer.
    """

    def __init__(self, *, layers: int, width: int, n_classes: int, channels_in: int = 1) -> None:
        super().__init__()
        modules: list[nn.Module] = []
        before = channels_in
        for stage, (factor, convolutions) in enumerate(STAGES[layers]):
            for _ in range(convolutions):
                first = not modules
                kernel, stride = (_KERNEL, _STRIDE) if first else (3, 1)
                convolution = nn.Conv1d(before, width * factor, kernel, stride, padding=kernel // 2, bias=False)
                modules += [convolution, nn.BatchNorm1d(width * factor), nn.ReLU()]
                before = width * factor
            modules += [nn.MaxPool1d(_POOL)] if stage + 1 < len(STAGES[layers]) else []
        self.features = nn.Sequential(*modules)
        self.classifier = nn.Linear(before, n_classes)

    def forward(self, waveforms: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(waveforms).mean(dim=2))
        return logits
