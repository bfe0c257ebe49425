"""What a run will cost: parameters of a member, operations of the recipe, time on this machine."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxboost.console import duration
from jaxboost.data.batches import Materials, gather
from jaxboost.models import SymmetryTables
from jaxboost.training.loop import Workshop
from jaxboost.training.member import Member

# Share of the matrix product's speed that a training step reaches: `configs/quick.py` on two CPU cores took 1,786 s for
# 1.1e14 operations, where the products of both at a time ran at 0.9e11 to 1.2e11 a second on each: 0.26 to 0.34. Small
# batches of a wide network reach less, since the optimiser's memory traffic rules there. Elsewhere a guess; the run
# prints its pace.
EFFICIENCY = 0.25


def estimate(members: list[Member], workshop: Workshop) -> str:
    """One line: members, parameters of each, operations of all, and about how long that takes here.

    Without operations and time where nothing counts them.
    """
    cost = cost_of(members, workshop)
    who = f"{len(members)} members of {cost.parameters:,} parameters"
    where = f"on {workshop.mesh.size} {jax.devices()[0].device_kind} device(s)"
    if np.isnan(cost.operations):
        return f"{who} {where}"
    operations = cost.operations * workshop.settings.steps_per_epoch * sum(m.hyperparameters.epochs for m in members)
    seconds = float(operations / (EFFICIENCY * matmul_rate(workshop.mesh.local_devices) * workshop.mesh.size))
    return f"{who}, {operations:.1e} operations: about {duration(seconds)} {where}"


class Cost(NamedTuple):
    """What a member is: its parameters, and the floating-point operations of one of its training steps, NaN where
    nothing counts them.
    """

    parameters: int
    operations: float


def cost_of(members: list[Member], workshop: Workshop) -> Cost:
    """Of each of `members`, which are of one size: three times the operations of a forward pass.

    Gradients repeat each product for its two sides; to trace and to count them too would take several times as long.
    What recall compares is not counted.
    """
    settings = workshop.settings
    hyper = members[0].hyperparameters
    take = partial(
        gather, nodes=settings.nodes, normalizer=members[0].normalizer, modalities=hyper.modalities,
        cutoff=settings.cutoff,
    )  # fmt: skip
    rows = jnp.zeros(workshop.batch, jnp.int32)

    def fresh(materials: Materials, tables: SymmetryTables) -> Any:
        return workshop.network.init(jax.random.key(0), take(materials, rows), tables)["params"]

    def forward(params: Any, materials: Materials, tables: SymmetryTables) -> Any:
        return workshop.network.apply({"params": params}, take(materials, rows), tables)

    resident = (workshop.materials, workshop.tables)
    params = jax.eval_shape(fresh, *resident)
    count = sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(params))
    with _counting():
        analysis = jax.jit(forward).lower(params, *resident).cost_analysis()
    return Cost(count, 3 * (analysis or {"flops": np.nan})["flops"])


def _counting() -> AbstractContextManager[Any]:
    """Lowers for this machine's CPU where JAX has it: the clients of accelerators do not count operations."""
    try:
        return jax.default_device(jax.local_devices(backend="cpu")[0])
    except RuntimeError:  # JAX_PLATFORMS names others alone
        return nullcontext()


def matmul_rate(devices: Sequence[jax.Device], size: int = 1024) -> float:
    """Float32 operations a second of one device in a matrix product while all of them multiply, the best of five.

    Devices that are made of one CPU share its cores: by itself each of them would use them all.
    """
    ones = [jax.device_put(np.ones((size, size), np.float32), device) for device in devices]
    product = jax.jit(lambda a: a @ a)
    best = np.inf
    for _ in range(6):  # the first one compiles
        began = time.perf_counter()
        jax.block_until_ready([product(x) for x in ones])
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best
