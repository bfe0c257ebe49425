"""The weights of a network with its many small arrays joined: what an optimiser does to each number alike is then a few
dozen operations in place of some two hundred for each thing it does, of which programs were mostly made.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate, pairwise
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

LARGE = 2**14
"""Elements of a matrix that stays by itself: to join and to cut again copies it, at every step."""

Shapes = tuple[tuple[int, ...], ...]


@partial(jax.tree_util.register_dataclass, data_fields=("parts",), meta_fields=("structure", "shapes"))
@dataclass(frozen=True, eq=False)
class JoinedWeights:
    """A tree of arrays of one dtype, or whatever has its form: gradients, moments.

    Attributes:
      parts: each large matrix as it is; the elements of all other matrices [..., m], and those of all scalars and
        vectors [..., v]. `...` are axes that the trees of several members were stacked on.
      structure, shapes: of the tree and of its leaves, without axes of members.
    """

    parts: tuple[Any, ...]
    structure: jax.tree_util.PyTreeDef
    shapes: Shapes

    def named(self) -> Any:
        """The tree, of views where the parts are NumPy's."""
        leaves: list[Any] = [None] * len(self.shapes)
        for part, group in zip(self.parts, _groups(self.shapes), strict=True):
            if _is_large(self.shapes[group[0]]):
                leaves[group[0]] = part
                continue
            ends = accumulate((prod(self.shapes[i]) for i in group), initial=0)
            for i, (start, stop) in zip(group, pairwise(ends), strict=True):
                leaves[i] = part[..., start:stop].reshape((*part.shape[:-1], *self.shapes[i]))
        return jax.tree.unflatten(self.structure, leaves)

    def are_matrices(self) -> JoinedWeights:
        """Of each part whether it is of matrices."""
        return replace(self, parts=tuple(len(self.shapes[group[0]]) > 1 for group in _groups(self.shapes)))


def join(tree: Any) -> JoinedWeights:
    """The weights of a tree of NumPy's or of JAX's arrays."""
    leaves, structure = jax.tree.flatten(tree)
    xp: Any = np if all(isinstance(leaf, np.ndarray) for leaf in leaves) else jnp
    shapes = tuple(leaf.shape for leaf in leaves)
    parts = (
        leaves[group[0]] if _is_large(shapes[group[0]]) else xp.concatenate([leaves[i].ravel() for i in group])
        for group in _groups(shapes)
    )
    return JoinedWeights(tuple(parts), structure, shapes)


def all_named(tree: Any) -> Any:
    """With the named tree in the place of every `JoinedWeights` in it."""
    return jax.tree.map(lambda x: x.named() if _is_joined(x) else x, tree, is_leaf=_is_joined)


def all_joined(tree: Any, template: Any) -> Any:
    """The inverse of `all_named`: `template` says where there are weights."""
    again = lambda own, found: join(found) if _is_joined(own) else found  # noqa: E731
    return jax.tree.map(again, template, tree, is_leaf=_is_joined)


def _is_joined(x: Any) -> bool:
    return isinstance(x, JoinedWeights)


def _is_large(shape: tuple[int, ...]) -> bool:
    return len(shape) > 1 and prod(shape) >= LARGE


def _groups(shapes: Shapes) -> list[list[int]]:
    """The leaves of each part."""
    every = range(len(shapes))
    matrices = [i for i in every if len(shapes[i]) > 1 and not _is_large(shapes[i])]
    vectors = [i for i in every if len(shapes[i]) < 2]
    return [[i] for i in every if _is_large(shapes[i])] + [group for group in (matrices, vectors) if group]
