import pytest
import torch
import torchaudio
from torch import nn

from tests.workers.small import data_set, generator
from workers.attacks.engine import input_gradient
from workers.layers import TuckerLayer
from workers.models.architectures.logmel_front_end import LogMelFrontEnd
from workers.models.network import build
from workers.spec.model import ModelSpec

TONES = data_set("tones")
MODELS = ["soundnet5", "logmel"]
WAVES = 0.2 * torch.randn(3, 1, 16_000, generator=generator())


def network(name, *, width=2, theta=1.0, **fields):
    net = build(ModelSpec(name=name, width=width, theta=theta, **fields), TONES.info, seed=0).eval().requires_grad_(False)
    net.seed(0)
    return net


def test_soundnet5_is_the_papers():
    net = network("soundnet5", width=16, tensorized=False)
    convolutions = [module for module in net.body.modules() if isinstance(module, nn.Conv1d)]
    shapes = [[c.in_channels, c.out_channels, c.kernel_size[0], c.stride[0], c.padding[0]] for c in convolutions]
    assert shapes == [[1, 16, 64, 2, 32], [16, 32, 32, 2, 16], [32, 64, 16, 2, 8], [64, 128, 8, 2, 4], [128, 256, 4, 2, 2]]
    assert net.body.features(WAVES).flatten(1).shape == (3, 512)
    assert (net.body.hidden.in_features, net.body.hidden.out_features) == (512, 256)
    assert (net.body.classifier.in_features, net.body.classifier.out_features) == (256, 12)


def test_both_networks_are_of_about_one_size():
    sizes = [sum(p.numel() for p in network(name, width=16, tensorized=False).parameters()) for name in MODELS]
    assert sizes == [382_188, 395_902]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("width", [1, 3])
@pytest.mark.parametrize("theta", [1.0, 0.8])
def test_logits_have_one_row_per_waveform_and_one_column_per_class(name, width, theta):
    logits = network(name, width=width, theta=theta)(WAVES)
    assert logits.shape == (3, 12)
    assert logits.isfinite().all()


@pytest.mark.parametrize(("name", "modes"), [("soundnet5", 3), ("logmel", 4)])
@pytest.mark.parametrize(("first", "layers"), [(False, 4), (True, 5)])
def test_every_convolution_can_be_held_in_tucker_form(name, modes, first, layers):
    net = network(name, tensorize_first=first)
    tucker = [module for module in net.body.modules() if isinstance(module, TuckerLayer)]
    assert len(tucker) == len(net.ranks()) == layers
    assert {len(rank) for rank in net.ranks().values()} == {modes}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("sketch_modes", ["channels", "all"])
def test_the_sketch_is_live_and_reproducible(name, sketch_modes):
    net = network(name, width=4, theta=0.7, sketch_modes=sketch_modes)
    draws = [net(WAVES) for _ in range(4)]
    assert any(not torch.equal(draws[0], other) for other in draws[1:])
    net.seed(0)
    assert torch.equal(net(WAVES), draws[0])


@pytest.mark.parametrize("name", MODELS)
def test_the_loss_has_a_gradient_with_respect_to_the_waveform(name):
    gradient = input_gradient(network(name), WAVES, torch.tensor([0, 1, 2]))
    assert gradient.shape == WAVES.shape
    assert gradient.isfinite().all()
    assert (gradient != 0).float().mean() > 0.9


@pytest.mark.parametrize("name", MODELS)
def test_digital_silence_has_finite_logits_and_gradients(name):
    gradient = input_gradient(network(name), torch.zeros(2, 1, 16_000), torch.tensor([0, 1]))
    assert gradient.isfinite().all()


def test_the_front_ends_gradient_is_the_derivative():
    front = LogMelFrontEnd().double()
    waves = WAVES[:1, :, :720].double()
    assert torch.autograd.gradcheck(lambda scale: front(waves * scale).mean(), torch.tensor(1.3, dtype=torch.float64, requires_grad=True))


def mel_filters():
    """Triangular filters, (257 frequencies, 40 filters), evenly spaced on the HTK mel scale: 2595 log10(1 + f / 700)."""
    ends = 2595 * torch.log10(1 + torch.tensor([20, 8000], dtype=torch.float64) / 700)
    mels = torch.linspace(float(ends[0]), float(ends[1]), 42, dtype=torch.float64)
    corners = 700 * (10 ** (mels / 2595) - 1)
    frequencies = torch.linspace(0, 8000, 257, dtype=torch.float64)[:, None]
    rising = (frequencies - corners[:-2]) / (corners[1:-1] - corners[:-2])
    falling = (corners[2:] - frequencies) / (corners[2:] - corners[1:-1])
    return torch.minimum(rising, falling).clamp(min=0)


def test_the_front_end_computes_log_mel_energies_as_defined():
    front = LogMelFrontEnd()
    torch.testing.assert_close(front.filters, mel_filters().float(), rtol=0, atol=1e-5)
    ours = front(WAVES)
    assert ours.shape == (3, 1, 40, 98)
    frames = WAVES.double().unfold(-1, 400, 160) * torch.hann_window(400, dtype=torch.float64)
    power = torch.fft.rfft(frames, n=512).abs().square()
    expected = (power @ mel_filters() + 1e-6).log().transpose(-1, -2)
    torch.testing.assert_close(ours.double(), expected, rtol=1e-4, atol=1e-3)


def test_the_front_end_is_torchaudios_mel_spectrogram_and_adds_nothing_to_a_checkpoint():
    theirs = torchaudio.transforms.MelSpectrogram(
        16_000, n_fft=512, win_length=400, hop_length=160, pad=56, f_min=20, f_max=8000, n_mels=40, center=False
    )
    front = LogMelFrontEnd()
    torch.testing.assert_close(front(WAVES), (theirs(WAVES) + 1e-6).log())
    assert not front.state_dict()


def test_waveforms_are_normalised_inside_the_network():
    net = network("soundnet5")
    torch.testing.assert_close(net(WAVES), net.body(WAVES / 0.17))
    assert net.bounds == (-1, 1)
