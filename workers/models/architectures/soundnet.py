"""SoundNet5 on raw waveforms: five 1-d convolutions, then two linear layers (defensive tensorization; after Aytar et al., 2016).
Its stages, real and binary, serve other audio networks too."""

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
