"""Very deep networks on raw waveforms, M5 and M11 (Dai et al., 2017)."""

from torch import Tensor, nn

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
