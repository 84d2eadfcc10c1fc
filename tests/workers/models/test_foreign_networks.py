"""Networks of libraries, by reference, at 64 by 64 pixels: tensorized, sketched and attacked as ours are."""

import pytest
import torch

from tests.builders import attack_settings
from tests.workers.small import generator, run_attack, same_state
from workers.components.facts import DatasetInfo
from workers.models.network import build
from workers.models.network.behaviour import require_sound
from workers.registry import MODELS
from workers.spec.model import ModelSpec

RGB = DatasetInfo(n_classes=5, shape=(3, 64, 64), mean=(0.5,) * 3, std=(0.25,) * 3)
GREY = DatasetInfo(n_classes=5, shape=(1, 64, 64), mean=(0.5,), std=(0.25,))
LARGE = [
    "torchvision:resnet50",
    "torchvision:mobilenet_v3_large",
    "torchvision:vit_b_16",
    "torchvision:swin_t",
    "timm:wide_resnet50_2",
    "timm:vit_tiny_patch16_224",
]
KINDS = {"tensorize_linear": True, "tensorize_attention": True, "tensorize_transposed": True}
SMALL = ["torchvision:mobilenet_v3_small", "timm:test_vit", "timm:test_convnext"]


def spec(name: str, **fields: object) -> ModelSpec:
    return ModelSpec.model_validate({"name": name, "rank_fraction": 0.25, **KINDS, **fields})


@pytest.mark.parametrize("name", [*SMALL, *(pytest.param(name, marks=pytest.mark.slow) for name in LARGE)])
def test_a_net_of_a_library_is_tensorized_sketched_and_attacked(name: str) -> None:
    net = build(spec(name, theta=0.9), RGB, seed=3).eval().requires_grad_(False)
    require_sound(net, RGB, name=name)
    assert net.ranks()
    for projection in ("q_proj",) if name == "torchvision:vit_b_16" else ("qkv",) if "vit" in name or "swin" in name else ():
        assert any(layer.endswith(f".{projection}") for layer in net.ranks())
    net.seed(0)
    images, labels = torch.rand(2, *RGB.shape, generator=generator()), torch.tensor([0, 1])
    assert not torch.equal(net(images), net(images))
    with net.full_weights():
        clean = net(images)
    settings = attack_settings(name="pgd", epsilon=8 / 255, steps=2)
    points = run_attack(net, images, labels, settings=settings, generator=generator(), randomness="batch")
    assert float((points - images).abs().max()) <= 8 / 255 + 1e-6
    assert (points != images).any()
    with net.full_weights():
        assert not torch.equal(net(points), clean)


@pytest.mark.parametrize("name", ["torchvision:mobilenet_v3_small", "timm:test_resnet"])
def test_initial_weights_are_the_librarys_and_depend_on_the_seed_alone(name: str) -> None:
    dense = spec(name, tensorized=False)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    one, again, other = (build(dense, GREY, seed=seed) for seed in (3, 3, 4))
    assert same_state(one, again)
    assert not same_state(one, other)
    assert torch.equal(torch.get_rng_state(), state)
    assert one.eval()(torch.rand(2, *GREY.shape)).shape == (2, 5)


def test_names_are_read_without_importing_the_library() -> None:
    for name in ("torchvision:resnet50", "torchvision:vit_b_16", "timm:wide_resnet50_2", "timm:vit_tiny_patch16_224", "timm:test_vit"):
        assert name in MODELS
        assert MODELS[name].facts.modality == "image"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("torchvision:resnet5", r"torchvision has no network resnet5 for classification \(did you mean torchvision:resnet50\?\)"),
        ("torchvision:fcn_resnet50", "torchvision has no network fcn_resnet50 for classification"),
        ("timm:vit_tiny_patch16_224.augreg_in21k", "pretrained weights are a file, in weights: vit_tiny_patch16_224"),
        ("robustbench:Standard", "robustbench is not installed; pip install robustbench"),
    ],
)
def test_a_network_that_a_library_lacks_is_one_line(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^model '{name}': .*{message}"):
        MODELS[name]
