"""Attention (Vaswani et al., 2017) whose projections are layers of their own, so that each can be in Tucker form."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 (the name that every PyTorch user knows)


class ProjectedAttention(nn.Module):
    """Computation of an `nn.MultiheadAttention` with the layers `q_proj`, `k_proj`, `v_proj` and `out_proj` in place of its parameters.

    Inputs, masks and outputs are those of `nn.MultiheadAttention`; nested tensors are not taken. `nn.TransformerEncoderLayer` takes it
    for one without bias (`in_proj_bias`), and so calls its layers instead of reading their weights.

    Args:
        own: the attention that it takes the place of and whose weights it copies, without `add_bias_kv` and `add_zero_attn`.
    """

    in_proj_bias = None
    _qkv_same_embed_dim = False

    def __init__(self, own: nn.MultiheadAttention) -> None:
        super().__init__()
        self.embed_dim, self.num_heads = own.embed_dim, own.num_heads
        self.dropout, self.batch_first = own.dropout, own.batch_first
        packed, biased = own.in_proj_weight, own.in_proj_bias is not None
        weights = (own.q_proj_weight, own.k_proj_weight, own.v_proj_weight) if packed is None else packed.chunk(3)
        biases = own.in_proj_bias.chunk(3) if biased else (None,) * 3
        self.q_proj, self.k_proj, self.v_proj = map(_linear, weights, biases)
        self.out_proj = _linear(own.out_proj.weight, own.out_proj.bias)
        self.train(own.training)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,  # noqa: ARG002 (a hint that `attn_mask` is the causal one, which is given too)
    ) -> tuple[Tensor, Tensor | None]:
        batched = query.dim() == 3  # noqa: PLR2004 (batch, length, features)
        heads = zip((self.q_proj, self.k_proj, self.v_proj), (query, key, value), strict=True)
        queries, keys, values = (self._divided(project(self._turned(given) if batched else given[None])) for project, given in heads)
        mask = self._mask(attn_mask, key_padding_mask, like=queries)
        weights = None
        if need_weights:
            scores = queries @ keys.transpose(-2, -1) / queries.shape[-1] ** 0.5
            weights = F.dropout((scores if mask is None else scores + mask).softmax(dim=-1), self.dropout, self.training)
            mixed = weights @ values
            weights = weights.mean(dim=1) if average_attn_weights else weights
        else:
            rate = self.dropout if self.training else 0.0
            mixed = F.scaled_dot_product_attention(queries, keys, values, attn_mask=mask, dropout_p=rate)
        found = self.out_proj(mixed.transpose(1, 2).flatten(2))
        if not batched:
            return found.squeeze(0), None if weights is None else weights.squeeze(0)
        return self._turned(found), weights

    def _turned(self, features: Tensor) -> Tensor:
        """Return features with the batch first, as Tucker layers with a draw per example need it, or those again as they were given."""
        return features if self.batch_first else features.transpose(0, 1)

    def _divided(self, features: Tensor) -> Tensor:
        """Divide features (batch, length, embed_dim) among the heads: (batch, heads, length, embed_dim / heads)."""
        return features.reshape(*features.shape[:2], self.num_heads, -1).transpose(1, 2)

    def _mask(self, attn_mask: Tensor | None, key_padding_mask: Tensor | None, *, like: Tensor) -> Tensor | None:
        """Return the sum of both masks, to be added to the scores (batch, heads, queries, keys); None where there are none."""
        mask = None if attn_mask is None else _added(attn_mask, like)
        if mask is not None and mask.dim() == 3:  # noqa: PLR2004 (batch times heads, queries, keys)
            mask = mask.view(-1, self.num_heads, *mask.shape[1:])
        if key_padding_mask is None:
            return mask
        padding = _added(key_padding_mask, like).view(-1, 1, 1, key_padding_mask.shape[-1])
        return padding if mask is None else mask + padding


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None, device="meta").to_empty(device=weight.device)
    with torch.no_grad():
        layer.to(weight.dtype).weight.copy_(weight)
        if bias is not None:
            layer.bias.copy_(bias)
    return layer


def _added(mask: Tensor, like: Tensor) -> Tensor:
    """Return a mask that is true where nothing may be attended to as one that is added; others are added already."""
    return torch.zeros_like(mask, dtype=like.dtype).masked_fill(mask, -torch.inf) if mask.dtype == torch.bool else mask
