"""Published networks: as large as published, narrow where asked, every convolution but the first tensorized."""

from dataclasses import replace

import pytest
import torch

from tests.workers.small import DIGITS
from workers.models.network import build
from workers.registry import MODELS
from workers.spec.model import ModelSpec

NARROW = {
    "wide_resnet": ({"depth": 10, "widen_factor": 1}, 8),
    "preact_resnet18": ({"width": 2}, 19),
    "vgg": ({"layers": 11, "width": 2}, 7),
    "resnet": ({"layers": 34, "width": 2}, 35),
    "vit": ({"patch": 4, "depth": 1, "width": 6, "heads": 2, "tensorize_linear": True}, 3),
    "convnext": ({"depth": 1, "width": 4, "tensorize_linear": True}, 13),
    "m5": ({"width": 2}, 3),
    "m11": ({"width": 2}, 9),
}


def inputs_of(name):
    """Small images, or a second of sound."""
    if MODELS[name].facts.modality == "image":
        return DIGITS.info
    return replace(DIGITS.info, shape=(1, 16000), mean=(0.0,), std=(1.0,))


@pytest.mark.parametrize(
    ("name", "settings", "parameters"),
    [
        ("wide_resnet", {}, 36_479_194),  # Zagoruyko & Komodakis, 2016: 36.5 million
        ("wide_resnet", {"depth": 34}, 46_160_474),  # RobustBench's WRN-34-10: 46.2 million
        ("preact_resnet18", {}, 11_172_170),  # with the batch norm after the last block, 1,024 of them
        ("vgg", {}, 14_724_042),
        ("resnet", {}, 11_173_962),  # the CIFAR form of ResNet-18: 11.2 million
        ("resnet", {"layers": 34}, 21_282_122),
        ("resnet", {"layers": 50}, 23_520_842),
        ("m5", {}, 558_090),  # Dai et al., 2017, table 1: 0.5 million
        ("m11", {}, 1_784_202),  # 1.8 million
    ],
)
def test_it_has_the_published_number_of_parameters(name, settings, parameters):
    with torch.device("meta"):
        net = MODELS[name].create(inputs_of(name), **settings)
    assert sum(parameter.numel() for parameter in net.parameters()) == parameters


@pytest.mark.parametrize("name", NARROW)
def test_its_convolutions_are_tensorized_and_it_gives_logits(name):
    settings, tensorized = NARROW[name]
    spec = ModelSpec.model_validate({"name": name, "theta": 0.9, **settings})
    info = inputs_of(name)
    net = build(spec, info, seed=0).eval()
    net.seed(0)
    assert len(net.ranks()) == tensorized
    assert net(torch.rand(2, *info.shape)).shape == (2, 10)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": "wide_resnet", "depth": 18}, "depth=18: must be 6 n [+] 4 layers: 10, 16, 22, 28, 34"),
        ({"name": "resnet", "layers": 20}, "layers=20: must be one of 18, 34, 50"),
        ({"name": "vgg", "layers": 12}, "layers=12: must be one of 11, 13, 16, 19"),
    ],
)
def test_another_depth_is_refused_in_one_line(given, said):
    with pytest.raises(ValueError, match=said):
        ModelSpec.model_validate(given)
