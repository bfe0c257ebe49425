"""All weights of a network in two vectors: what an optimiser does to each number alike is then one operation, not one
for each of some two hundred arrays, of which programs were mostly made.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


@partial(jax.tree_util.register_dataclass, data_fields=("matrices", "vectors"), meta_fields=("structure", "shapes"))
@dataclass(frozen=True, eq=False)
class FlatWeights:
    """A tree of arrays of one dtype, or whatever has its form: gradients, moments.

    Attributes:
      matrices: [..., m] the elements of all arrays with more than one axis, which decay; `...` are axes that the
        trees of several members were stacked on.
      vectors: [..., v] those of all others.
      structure, shapes: of the tree and of its leaves, without axes of members.
    """

    matrices: Any
    vectors: Any
    structure: jax.tree_util.PyTreeDef
    shapes: tuple[tuple[int, ...], ...]

    def named(self) -> Any:
        """The tree, of views where the vectors are NumPy's."""
        leaves: list[Any] = [None] * len(self.shapes)
        for vector, places in zip((self.matrices, self.vectors), _places(self.shapes), strict=True):
            ends = np.cumsum([0, *(np.prod(self.shapes[i], dtype=int) for i in places)]).tolist()
            for i, (start, stop) in zip(places, pairwise(ends), strict=True):
                leaves[i] = vector[..., start:stop].reshape((*vector.shape[:-1], *self.shapes[i]))
        return jax.tree.unflatten(self.structure, leaves)


def flat(tree: Any) -> FlatWeights:
    """The vectors of a tree of NumPy's or of JAX's arrays, of at least one matrix and one vector."""
    leaves, structure = jax.tree.flatten(tree)
    xp: Any = np if all(isinstance(leaf, np.ndarray) for leaf in leaves) else jnp
    shapes = tuple(leaf.shape for leaf in leaves)
    matrices, vectors = (xp.concatenate([leaves[i].ravel() for i in places]) for places in _places(shapes))
    return FlatWeights(matrices, vectors, structure, shapes)


def all_named(tree: Any) -> Any:
    """With the named tree in the place of every `FlatWeights` in it."""
    return jax.tree.map(lambda x: x.named() if _is_flat(x) else x, tree, is_leaf=_is_flat)


def all_flat(tree: Any, template: Any) -> Any:
    """The inverse of `all_named`: `template` says where the vectors are."""
    return jax.tree.map(lambda own, found: flat(found) if _is_flat(own) else found, template, tree, is_leaf=_is_flat)


def _is_flat(x: Any) -> bool:
    return isinstance(x, FlatWeights)


def _places(shapes: tuple[tuple[int, ...], ...]) -> tuple[list[int], list[int]]:
    """Which leaves are matrices, and which are not."""
    every = range(len(shapes))
    return [i for i in every if len(shapes[i]) > 1], [i for i in every if len(shapes[i]) < 2]
