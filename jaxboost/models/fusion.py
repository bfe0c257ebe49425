"""Fusion: every modality asks the other three, then all four attend to each other, then one vector comes out.

Or, to see what that is worth, the vector comes straight from the four tokens side by side.
"""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxboost.models.layers import Dropout

_ABSENT = -1e9


def _attention(q: jax.Array, k: jax.Array, v: jax.Array, allowed: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Softmax attention that returns zero where no key is allowed.

    Args:
      q: [b, m, h, f]; k, v: [b, m, j, h, f] or [b, 1, j, h, f]; allowed: [b, m, j] bool.

    Returns:
      [b, m, h, f] and the weights [b, m, j, h].
    """
    score = jnp.einsum("bmhf,bmjhf->bmjh", q, jnp.broadcast_to(k, (*q.shape[:2], *k.shape[2:])))
    score = score.astype(jnp.float32) / jnp.sqrt(q.shape[-1])
    weight = nn.softmax(jnp.where(allowed[..., None], score, _ABSENT), axis=2)
    weight = jnp.where(allowed[..., None], weight, 0)
    mixed = jnp.einsum("bmjh,bmjhf->bmhf", weight.astype(v.dtype), jnp.broadcast_to(v, (*q.shape[:2], *v.shape[2:])))
    return mixed, weight


def _evenly(allowed: jax.Array) -> jax.Array:
    """Weights that add up to 1 over the last axis, the same for all that is `allowed`; zero where nothing is."""
    return allowed / jnp.maximum(allowed.sum(-1, keepdims=True), 1)


class CrossModalAttention(nn.Module):
    """One multi-head attention for each modality: its own token is the query, the others are keys and values.

    The four of them are stacked on a leading modality axis of the parameters, so they are one matrix product.
    """

    heads: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, tokens: jax.Array, mask: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Tokens [b, m, w] and mask [b, m] to updates [b, m, w] and weights [b, m, j, head]."""
        _, m, w = tokens.shape
        init = nn.initializers.lecun_normal(in_axis=-2, out_axis=-1, batch_axis=(0,))
        weights = {name: self.param(name, init, (m, w, w)).astype(self.dtype) for name in ("q", "k", "v", "out")}
        split = lambda x: x.reshape(*x.shape[:-1], self.heads, w // self.heads)  # noqa: E731
        q = split(jnp.einsum("bmw,mwf->bmf", tokens, weights["q"]))
        k = split(jnp.einsum("bjw,mwf->bmjf", tokens, weights["k"]))
        v = split(jnp.einsum("bjw,mwf->bmjf", tokens, weights["v"]))
        allowed = mask[:, None, :] & ~jnp.eye(m, dtype=bool)
        mixed, attention = _attention(q, k, v, allowed)
        return jnp.einsum("bmw,mwf->bmf", mixed.reshape(tokens.shape), weights["out"]), attention


class SelfAttention(nn.Module):
    """Multi-head attention of the modality tokens over each other."""

    heads: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, tokens: jax.Array, mask: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Tokens [b, m, w] and mask [b, m] to updates [b, m, w] and weights [b, m, j, head]."""
        b, m, w = tokens.shape
        q, k, v = (nn.Dense(w, dtype=self.dtype)(tokens).reshape(b, m, self.heads, w // self.heads) for _ in range(3))
        allowed = jnp.broadcast_to(mask[:, None, :], (b, m, m))
        mixed, attention = _attention(q, k[:, None], v[:, None], allowed)
        return nn.Dense(w, dtype=self.dtype)(mixed.reshape(tokens.shape)), attention


class Fusion(nn.Module):
    """Four tokens to one vector.

    Attributes:
      heads: attention heads; they divide the tokens' width.
      width: of the result.
      attention: False leaves out both attentions: the tokens are normalised and concatenated as they are.
      dtype: of the matrix work.
    """

    heads: int
    width: int
    attention: bool
    dtype: jnp.dtype

    @nn.compact
    def __call__(
        self, tokens: jax.Array, mask: jax.Array, rate: jax.Array | None
    ) -> tuple[jax.Array, dict[str, jax.Array]]:
        """Tokens [b, m, w] and mask [b, m] to [b, width] and the named attention weights.

        The weights are `cross_attention` [b, m, j] (which other modality each one listened to, mean over heads) and
        `modality_attention` [b, m] (self-attention, mean over heads and asking modalities; adds up to 1). Without
        attention every modality that is there has the same weight.
        """
        norm = lambda x: nn.LayerNorm(dtype=self.dtype)(x)  # noqa: E731
        missing = self.param("missing", nn.initializers.normal(0.02), tokens.shape[1:])
        x = jnp.where(mask[..., None], tokens, missing.astype(tokens.dtype))
        if self.attention:
            update, cross = CrossModalAttention(self.heads, self.dtype)(norm(x), mask)
            x = x + Dropout()(update, rate)
            update, own = SelfAttention(self.heads, self.dtype)(norm(x), mask)
            x = x + Dropout()(update, rate)
            asking = mask[..., None, None] / jnp.maximum(mask.sum(-1), 1)[:, None, None, None]
            weights = {"cross_attention": cross.mean(-1), "modality_attention": (own * asking).sum(1).mean(-1)}
        else:
            others = mask[:, None, :] & ~jnp.eye(mask.shape[1], dtype=bool)
            weights = {"cross_attention": _evenly(others), "modality_attention": _evenly(mask)}
        flat = norm(x).reshape(x.shape[0], -1)
        y = nn.gelu(norm(nn.Dense(2 * self.width, dtype=self.dtype)(flat)))
        y = Dropout()(y, rate)
        return nn.gelu(norm(nn.Dense(self.width, dtype=self.dtype)(y))), weights
