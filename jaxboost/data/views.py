"""Views: changes of a crystal that keep its label. View 0 is the crystal as it is.

They touch what is measured from coordinates (the crystal graph, the lattice columns of the scalars). Space group,
filling and k-space stay those of the crystal, which jitter would break and a supercell multiply.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np


class View(NamedTuple):
    """One view, or several stacked on a leading axis.

    Attributes:
      jitter: standard deviation of each atom's displacement along each axis, Angstrom.
      strain: isotropic; a length `d` becomes `d (1 + strain)`.
      neighbors: nearest images that count, at most the number stored.
      reach: largest distance that counts, as a share of the stored cutoff.
    """

    jitter: jax.Array | np.ndarray | float
    strain: jax.Array | np.ndarray | float
    neighbors: jax.Array | np.ndarray | int
    reach: jax.Array | np.ndarray | float


def test_views(count: int, *, neighbors: int, jitter: float, strain: float, seed: int) -> View:
    """`count` views for test-time augmentation, stacked; the first is the crystal as it is.

    Args:
      count: number of views, at least 1.
      neighbors: K of the stored graph; other views keep down to three quarters of it.
      jitter: largest standard deviation, Angstrom; the least is a quarter of it.
      strain: largest absolute strain.
      seed: of the draw.
    """
    rng = np.random.default_rng([seed, 20])
    jitters = rng.uniform(jitter / 4, jitter, count)
    strains = rng.uniform(-strain, strain, count)
    kept = neighbors - rng.integers(0, max(neighbors // 4, 1) + 1, count)
    reaches = rng.uniform(0.8, 1.0, count)
    jitters[0], strains[0], kept[0], reaches[0] = 0.0, 0.0, neighbors, 1.0
    return View(
        jitters.astype(np.float32), strains.astype(np.float32), kept.astype(np.int32), reaches.astype(np.float32)
    )


def random_view(key: jax.Array, *, neighbors: int, jitter: float, strain: float) -> View:
    """A view for one training batch; a third of the batches see the crystals as they are."""
    keys = jax.random.split(key, 5)
    on = jax.random.bernoulli(keys[0], 2 / 3).astype(jnp.float32)
    dropped = jax.random.randint(keys[3], (), 0, max(neighbors // 4, 1) + 1)
    return View(
        jitter=on * jax.random.uniform(keys[1], (), maxval=jitter),
        strain=on * jax.random.uniform(keys[2], (), minval=-strain, maxval=strain),
        neighbors=neighbors - dropped * on.astype(jnp.int32),
        reach=1.0 - on * jax.random.uniform(keys[4], (), maxval=0.2),
    )


def displaced(distance: jax.Array, direction: jax.Array, noise: jax.Array, view: View) -> jax.Array:
    """Distances after strain and displacement.

    Every image of an atom is displaced on its own, as in a snapshot of a warm crystal seen from one node.

    Args:
      distance: [o, K] Angstrom; direction: [o, K, 3]; noise: [o, K + 1, 3] standard normal, the last for the node.
    """
    finite = jnp.isfinite(distance)
    d = jnp.where(finite, distance, 1.0) * (1 + view.strain)
    shift = view.jitter * (noise[:, :-1] - noise[:, -1:])
    # Along the bond to first order, across it to second: exact where the shift is zero, also in floating point.
    along = (shift * direction).sum(-1)
    across = jnp.maximum((shift**2).sum(-1) - along**2, 0)
    moved = jnp.abs(d + along) + across / (2 * d)
    return jnp.where(finite, moved, jnp.inf)
