"""The crystal encoder: messages between orbits over periodic images, at three distance scales at once."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxboost.models.batch import Array, Batch
from jaxboost.models.layers import Dropout

# Shares of the reach (the K-th distance or the cutoff) at which the three scales fade to zero.
SCALES = (0.5, 0.75, 1.0)


def envelope(x: jax.Array) -> jax.Array:
    """Smooth weight of a neighbour at `x` = distance / reach: 1 at 0; 0, with two derivatives, from 1 on.

    Polynomial of Gasteiger, Gross and Guennemann, Directional Message Passing (2020), eq. 8, with p = 6.
    """
    x = jnp.minimum(x, 1.0)
    return 1 - 28 * x**6 + 48 * x**7 - 21 * x**8


def radial_basis(distance: jax.Array, size: int, cutoff: float) -> jax.Array:
    """Gaussians on an even grid, `[..., size]`; zero where the distance (Angstrom) is infinite."""
    centres = jnp.linspace(0.8, cutoff, size)
    width = centres[1] - centres[0]
    finite = jnp.isfinite(distance)
    d = jnp.where(finite, distance, 0.0)
    return jnp.where(finite[..., None], jnp.exp(-0.5 * ((d[..., None] - centres) / width) ** 2), 0.0)


class CrystalEncoder(nn.Module):
    """Crystal graph to one token.

    Attributes:
      width: of the node states.
      layers: message-passing layers.
      radial: Gaussians of the radial basis.
      cutoff: Angstrom, the last Gaussian's centre.
      token: width of the result.
      dtype: of the matrix work.
    """

    width: int
    layers: int
    radial: int
    cutoff: float
    token: int
    dtype: jnp.dtype

    @nn.compact
    def __call__(self, batch: Batch, elements: Array, rate: jax.Array | None) -> jax.Array:
        """Tokens [b, token] from a batch and the element table [104, e]."""
        dense = lambda size: nn.Dense(size, dtype=self.dtype)  # noqa: E731
        h = (
            dense(self.width)(elements)[batch.element]
            + nn.Embed(elements.shape[0], self.width, dtype=self.dtype)(batch.element)
            + nn.Embed(32, self.width, dtype=self.dtype)(batch.site_group)
            + dense(self.width)(jnp.log1p(batch.multiplicity)[:, None])
        )
        # The stored K and the cutoff of a view may leave a neighbour out: its weight is then exactly zero.
        relative = batch.distance / batch.reach[:, None]
        weights = envelope(relative[:, None] / jnp.array(SCALES)[:, None]).astype(self.dtype)
        # A row each: on two axes the gradient of its projection would first copy both sides transposed.
        basis = radial_basis(batch.distance.ravel(), self.radial, self.cutoff).astype(self.dtype)
        for _ in range(self.layers):
            y = nn.LayerNorm(dtype=self.dtype)(h)
            # Projected before they are gathered: W [h_i, h_j, e] = W_1 h_i + W_2 h_j + W_3 e.
            message = dense(self.width)(y)[:, None] + dense(self.width)(y)[batch.target]
            message = message + dense(self.width)(basis).reshape(*batch.target.shape, self.width)
            gathered = jnp.einsum("osk,okc->osc", weights, nn.silu(message))
            update = dense(self.width)(gathered.reshape(h.shape[0], len(SCALES) * self.width))
            h = h + Dropout()(nn.silu(update), rate)
        return dense(self.token)(self._pool(h, batch))

    def _pool(self, h: jax.Array, batch: Batch) -> jax.Array:
        """Mean, maximum and attention over the atoms of each crystal, [b, 3 width], sums in float32."""
        b = batch.space_group.shape[0]
        h = nn.LayerNorm(dtype=jnp.float32)(h)
        score = nn.Dense(1)(h)[:, 0]
        real = batch.multiplicity > 0
        segment_sum = lambda x: jax.ops.segment_sum(x, batch.crystal, b + 1, indices_are_sorted=True)[:b]  # noqa: E731
        segment_max = lambda x: jax.ops.segment_max(x, batch.crystal, b + 1, indices_are_sorted=True)[:b]  # noqa: E731
        top = segment_max(jnp.where(real, score, -1e9))
        top = jnp.concatenate([top, jnp.zeros(1)])
        attention = batch.multiplicity * jnp.exp(jnp.where(real, score, 0) - jnp.where(real, top[batch.crystal], 0))
        sums = segment_sum(
            jnp.concatenate(
                [h * batch.multiplicity[:, None], h * attention[:, None],
                 batch.multiplicity[:, None], attention[:, None]], -1)
        )  # fmt: skip
        c = h.shape[-1]
        # A row of the batch without nodes (padding) divides by one.
        mean = sums[:, :c] / jnp.maximum(sums[:, 2 * c : 2 * c + 1], 1.0)
        attended = sums[:, c : 2 * c] / jnp.maximum(sums[:, 2 * c + 1 :], 1e-9)
        greatest = segment_max(h)
        greatest = jnp.where(jnp.isfinite(greatest), greatest, 0.0)
        return jnp.concatenate([mean, greatest, attended], -1)
