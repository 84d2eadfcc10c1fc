"""Attention with projections of its own computes what PyTorch's does, whatever the order, the masks and the number of features."""

import warnings

import pytest
import torch
from torch import nn

from tests.workers.small import generator
from workers.layers import LatentSketch, ProjectedAttention
from workers.models.network import Tensorization, tensorize

CASES = {
    "batch first": ({"batch_first": True}, "none"),
    "length first": ({}, "none"),
    "other features": ({"kdim": 6, "vdim": 3, "batch_first": True}, "none"),
    "without bias": ({"bias": False, "batch_first": True}, "causal"),
    "padding": ({"batch_first": True}, "padding"),
    "both masks": ({}, "both"),
    "a mask per head": ({"batch_first": True}, "heads"),
    "not in batches": ({}, "single"),
}
BATCH, LENGTH, OTHER = 3, 5, 4


def given(own, masks):
    """Query, key, value and masks for an attention."""

    def values(length, features, seed):
        shape = (BATCH, length) if own.batch_first else (length, BATCH)
        found = torch.randn(*shape, features, generator=generator(seed))
        return found[:, 0] if masks == "single" else found

    other = LENGTH if masks == "causal" else OTHER
    tensors = [values(LENGTH, own.embed_dim, 0), values(other, own.kdim, 1), values(other, own.vdim, 2)]
    padding = torch.tensor([[False] * 4, [False, False, True, True], [False, False, False, True]])
    heads = torch.randn(BATCH * own.num_heads, LENGTH, OTHER, generator=generator(3))
    causal = torch.ones(LENGTH, LENGTH, dtype=torch.bool).triu(1)
    added = {
        "causal": {"attn_mask": causal, "is_causal": True},
        "padding": {"key_padding_mask": padding},
        "both": {"key_padding_mask": padding, "attn_mask": torch.eye(LENGTH, OTHER, dtype=torch.bool)},
        "heads": {"attn_mask": heads},
    }
    return tensors, added.get(masks, {})


@pytest.mark.parametrize("weights", [{"need_weights": False}, {}, {"average_attn_weights": False}], ids=["none", "mean", "by head"])
@pytest.mark.parametrize("name", CASES)
def test_outputs_and_weights_are_pytorchs(name, weights):
    settings, masks = CASES[name]
    torch.manual_seed(0)
    own = nn.MultiheadAttention(8, 2, **settings).requires_grad_(False)
    nn.init.normal_(own.out_proj.weight)
    tensors, masked = given(own, masks)
    expected, expected_weights = own(*tensors, **masked, **weights)
    found, found_weights = ProjectedAttention(own)(*tensors, **masked, **weights)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    assert (found_weights is None) == (expected_weights is None)
    if expected_weights is not None:
        torch.testing.assert_close(found_weights, expected_weights, rtol=1e-4, atol=1e-5)


def test_an_encoder_with_padding_computes_the_same_and_a_draw_per_example_is_each_ones_own():
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = nn.ModuleList([nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)]).eval().requires_grad_(False)
        tokens, padding = torch.randn(BATCH, OTHER, 8, generator=generator()), torch.zeros(BATCH, OTHER, dtype=torch.bool)
        padding[1, 2:] = True
        expected = net[0](tokens, src_key_padding_mask=padding)
    sketch = LatentSketch(theta=0.5, draws="example")
    settings = Tensorization(rank_fraction=1.0, linear=True, attention=True, init="decompose")
    assert len(tensorize(net, settings, sketch=sketch)) == 12
    with sketch.full_weights():
        found = net[0](tokens, src_key_padding_mask=padding)
    torch.testing.assert_close(found[~padding], expected[~padding], rtol=1e-4, atol=1e-5)
    sketch.generator = generator(1)
    alike = tokens[:1].expand(BATCH, -1, -1)
    drawn = net[0](alike)
    assert not torch.equal(drawn[0], drawn[1])
