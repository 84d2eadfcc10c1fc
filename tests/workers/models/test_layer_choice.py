"""Which layers of a foreign network become Tucker layers, and why others stay dense."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from tests.workers.small import generator
from workers.errors import JobError
from workers.layers import LatentSketch, TuckerLayer
from workers.models.network import Tensorization, tensorize
from workers.models.network.layer_choice import LayerKinds, layer_choices

WHOLE = Tensorization(rank_fraction=1.0, first=True, linear=True, grouped="keep", init="decompose")
ALL = replace(WHOLE, attention=True, transposed=True)


class Scaled(nn.Conv2d):
    """A convolution with a forward pass of its own."""

    def forward(self, inputs):
        return 2 * super().forward(inputs)


class Named(nn.Conv2d):
    """A convolution that only has another name."""


class Sharing(nn.Module):
    """A layer used in two places, a weight in two layers, and all kinds that stay dense."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.twice = nn.Conv2d(8, 8, 3, padding=1)
        self.alias = nn.Sequential(self.twice)
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.reflecting = nn.Conv2d(8, 8, 3, padding=1, padding_mode="reflect")
        self.scaled, self.named = Scaled(8, 8, 1), Named(8, 8, 1)
        self.normed = weight_norm(nn.Conv2d(8, 8, 1))
        self.up = nn.ConvTranspose2d(8, 8, 2, stride=2)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.block = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.0, batch_first=True)
        self.one, self.other = nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False)
        self.other.weight = self.one.weight
        self.head = nn.Linear(8, 10)

    def forward(self, inputs):
        found = self.alias(self.twice(self.stem(inputs)))
        found = self.normed(self.named(self.scaled(self.reflecting(self.depthwise(found)))))
        tokens = self.up(found).flatten(2).transpose(1, 2)
        tokens = self.block(self.attention(tokens, tokens, tokens)[0])
        return self.head(self.other(self.one(tokens.mean(dim=1))))


REASONS = {
    "depthwise": "a depthwise convolution with groups=8",
    "reflecting": "padding_mode='reflect'",
    "scaled": "a Scaled, whose forward pass is its own",
    "normed": "a hook or a parametrization",
    "up": "a transposed convolution (tensorize_transposed: false)",
    "attention": "one parameter (tensorize_attention: false)",
    "attention.out_proj": "read by a MultiheadAttention",
    "block.self_attn": "one parameter (tensorize_attention: false)",
    "block.self_attn.out_proj": "read by a MultiheadAttention",
    "block.linear1": "read by a TransformerEncoderLayer",
    "block.linear2": "read by a TransformerEncoderLayer",
    "one": "its weight is that of other too",
    "other": "its weight is that of one too",
}


def test_every_layer_that_stays_dense_says_why():
    choices = {choice.name: choice for choice in layer_choices(Sharing(), LayerKinds(first=True, linear=True))}
    dense = {name: choice.reason for name, choice in choices.items() if choice.reason}
    assert dense.keys() == REASONS.keys()
    assert not [name for name, reason in dense.items() if REASONS[name] not in reason]
    assert choices["twice"].names == ("twice", "alias.0")


def test_what_is_not_asked_for_says_by_which_setting_it_would_be():
    choices = {choice.name: choice.reason for choice in layer_choices(Sharing(), LayerKinds())}
    assert choices["stem"] == "takes the input (tensorize_first: false)"
    assert choices["head"] == "linear (tensorize_linear: false)"
    assert choices["twice"] == ""


PROJECTIONS = {f"{place}.{name}_proj" for place in ("attention", "block.self_attn") for name in ("q", "k", "v", "out")}
LAYERS = {"stem", "twice", "named", "head"}


@pytest.mark.parametrize("trained", [True, False])
@pytest.mark.parametrize(
    ("settings", "names"), [(WHOLE, LAYERS), (ALL, LAYERS | PROJECTIONS | {"up", "block.linear1", "block.linear2"})], ids=["some", "all"]
)
def test_a_net_of_such_layers_computes_the_same_at_the_full_rank(trained, settings, names):
    torch.manual_seed(0)
    net = Sharing().train(trained)
    images = torch.rand(2, 3, 8, 8, generator=generator())
    expected = net(images)
    layers = tensorize(net, settings, sketch=LatentSketch(theta=1.0), input_shape=(3, 8, 8))
    assert set(layers) == names
    torch.testing.assert_close(net(images), expected, rtol=1e-4, atol=1e-5)


def test_attentions_that_compute_otherwise_stay_as_they_are():
    class Other(nn.MultiheadAttention):
        def forward(self, *given, **named):
            return super().forward(*given, **named)

    net = nn.ModuleDict(
        {"other": Other(4, 2), "zero": nn.MultiheadAttention(4, 2, add_zero_attn=True), "usual": nn.MultiheadAttention(4, 2)}
    )
    choices = {choice.name: choice.reason for choice in layer_choices(net, LayerKinds(attention=True))}
    assert choices["other"] == "a Other, whose forward pass is its own"
    assert "add_zero_attn" in choices["zero"]
    assert choices["usual.v_proj"] == ""


def test_a_layer_within_a_data_parallel_of_the_net_has_its_whole_name():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.DataParallel(nn.Sequential(nn.Conv2d(4, 4, 3))))
    images = torch.rand(2, 3, 8, 8, generator=generator())
    expected = net(images)
    assert set(tensorize(net, WHOLE, sketch=LatentSketch(theta=1.0), input_shape=(3, 8, 8))) == {"0", "1.module.0"}
    torch.testing.assert_close(net(images), expected, rtol=1e-4, atol=1e-5)


class Reader(nn.Module):
    """A module that reads the weight of its layer itself, as the attention of Swin does."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 4)

    def forward(self, inputs):
        return nn.functional.linear(inputs, self.layer.weight, self.layer.bias)


def test_a_module_that_reads_its_layers_weight_reads_the_kernel_under_the_sketch():
    net, sketch = nn.Sequential(Reader()), LatentSketch(theta=0.5)
    inputs = torch.rand(3, 6, generator=generator())
    expected = net(inputs)
    tensorize(net, WHOLE, sketch=sketch)
    with sketch.full_weights():
        torch.testing.assert_close(net(inputs), expected)
    sketch.generator = generator(1)
    assert not torch.equal(net(inputs), net(inputs))
    sketch.draws = "example"
    with pytest.raises(JobError, match=r"draws=example: a module of this network reads the weight"):
        net(inputs)


def test_a_layer_used_in_two_places_stays_one():
    net = Sharing()
    tensorize(net, WHOLE, sketch=LatentSketch(theta=1.0))
    assert isinstance(net.twice, TuckerLayer)
    assert net.alias[0] is net.twice


def test_a_layer_whose_weight_is_not_made_yet_stays_dense():
    (choice,) = layer_choices(nn.Sequential(nn.LazyLinear(3)), LayerKinds(linear=True))
    assert (choice.shape, choice.reason) == (None, "a LazyLinear, whose weight its first forward pass makes")
