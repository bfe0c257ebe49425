"""Arrays between host and mesh, on one process or on several that hold the same data."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P


def place(tree: Any, mesh: Mesh, spec: P) -> Any:
    """Lays arrays on the mesh. Every process holds them whole, and brings the parts of its own devices there."""
    sharding = NamedSharding(mesh, spec)

    def lay(leaf: Any) -> jax.Array:
        array = np.asarray(leaf)
        return jax.make_array_from_process_local_data(sharding, array, array.shape)

    return jax.tree.map(lay, tree)


def on_host(tree: Any, mesh: Mesh) -> Any:
    """Whole copies on every process, wherever on the mesh their parts are; every process calls it."""
    if all(leaf.is_fully_addressable for leaf in jax.tree.leaves(tree)):
        return jax.tree.map(np.array, tree)
    return jax.tree.map(np.array, _gather(mesh)(tree))


def own_parts(tree: Any) -> Any:
    """Copies on the host, of which only what this process's devices hold is set; `place` lays them back."""

    def copy(leaf: jax.Array) -> np.ndarray:
        if leaf.is_fully_addressable:
            return np.array(leaf)
        whole = np.zeros(leaf.shape, leaf.dtype)
        for shard in leaf.addressable_shards:
            whole[shard.index] = shard.data
        return whole

    return jax.tree.map(copy, tree)


@jax.jit
def copied(tree: Any) -> Any:
    """Copies that stay on the devices, of arrays that a program is about to take back."""
    return jax.tree.map(jnp.copy, tree)


def stack(trees: list[Any]) -> Any:
    """Stacks trees of one structure on a leading axis, on the host."""
    return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *trees)


def unstack(parts: Any, index: int, mesh: Mesh) -> Any:
    """One member's slice, on the host of every process; every process calls it.

    Args:
      parts: [member, ...] of 32 bits or bool, as `own_parts` copies them.
      index: of the member.
      mesh: on whose member axis they were laid.
    """
    member = jax.tree.map(lambda leaf: leaf[index], parts)
    if jax.process_count() == 1:
        return member
    seats = len(jax.tree.leaves(parts)[0]) // mesh.shape["member"]
    keeper = mesh.devices[index // seats, 0].process_index
    sent = multihost_utils.broadcast_one_to_all(member, is_source=jax.process_index() == keeper)
    return jax.tree.map(np.asarray, sent)


@cache
def _gather(mesh: Mesh) -> Callable[[Any], Any]:
    return jax.jit(lambda tree: tree, out_shardings=NamedSharding(mesh, P()))
