"""Where a member's training step spends its time on a CPU: each part on its own, by processor time on one core.

    nice -n 5 python -m benchmarks.population_parts

The step is that of `benchmarks/versus_torch.py`. An encoder's figure is a call for the gradients of its own weights,
those of fusion and classifier are for those of their inputs too, all with dropout; the optimiser's is clipping, AdamW
and the guard.
Parts that a compiler joins may cost less together.
"""

import argparse
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.one_core import pin, processor
from benchmarks.population_case import PopulationCase, make_case, widened
from jaxboost import settings as of
from jaxboost.data.batches import gather
from jaxboost.data.views import random_view
from jaxboost.models import Network
from jaxboost.training.member import stack_hyperparameters
from jaxboost.training.optimizer import optimizer_of, updated

REPEATS, CALLS = 9, 8


def milliseconds(call: Callable[..., Any], *arguments: Any) -> float:
    """Processor time of a compiled call: the median of `REPEATS`."""
    compiled = jax.jit(call).lower(*arguments).compile()
    jax.block_until_ready(compiled(*arguments))
    took = []
    for _ in range(REPEATS):
        began = time.process_time()
        for _ in range(CALLS):
            found = compiled(*arguments)
        jax.block_until_ready(found)
        took.append(1e3 * (time.process_time() - began) / CALLS)
    return float(np.median(took))


def parts(case: PopulationCase) -> dict[str, float]:
    """Milliseconds of each part of a step of the first member."""
    member, settings, network = case.members[0], case.settings, Network(case.network)
    hyper = jax.tree.map(lambda x: x[0], stack_hyperparameters([member.hyperparameters]))
    materials, tables = jax.tree.map(jnp.asarray, (case.materials, case.tables))
    weights, key = jax.tree.map(jnp.asarray, case.states[0].params), jax.random.key(0)
    params = weights.named()
    view = random_view(key, neighbors=settings.neighbors, jitter=settings.jitter, strain=settings.strain)
    rate, rows = hyper.dropout, jnp.asarray(case.batches[0, 0])

    def pack(rows: jax.Array, materials: Any, key: jax.Array) -> Any:
        return gather(
            materials, rows, nodes=settings.nodes, normalizer=member.normalizer, modalities=hyper.modalities,
            view=view, key=key, cutoff=settings.cutoff,
        )  # fmt: skip

    found = {"packing": milliseconds(pack, rows, materials, key)}
    batch = jax.jit(pack)(rows, materials, key)
    b, token, width = len(rows), case.network.token, case.network.fusion_width
    calls = {
        "crystal": lambda bound, batch, x: bound.crystal(batch, tables.element, rate),
        "kspace": lambda bound, batch, x: bound.kspace(batch, tables, rate),
        "kspace_columns": lambda bound, batch, x: bound.kspace_columns(
            x, batch.space_group, rate, hyper.column_dropout
        ),
        "scalar": lambda bound, batch, x: bound.scalar(x, batch.space_group, rate, hyper.column_dropout),
        "electron": lambda bound, batch, x: bound.electron(x, batch.space_group, rate, hyper.column_dropout),
        "fusion": lambda bound, batch, x: bound.fusion(x, batch.mask, rate)[0],
        "classifier": lambda bound, batch, x: bound.classify(x, batch.possible, rate),
    }
    inputs = {"scalar": batch.scalars, "electron": batch.electrons, "kspace_columns": batch.kspace_columns}
    inputs["fusion"] = jax.random.normal(key, (b, batch.mask.shape[1], token))
    inputs["classifier"] = jax.random.normal(key, (b, width))
    for name, call in calls.items():

        def loss(own: Any, x: Any, batch: Any, call: Any = call) -> jax.Array:
            return (call(network.bind({"params": own}, rngs={"dropout": key}), batch, x) ** 2).mean()

        own = {name: params[name], "penalty": params["penalty"]}
        to = (0, 1) if name in ("fusion", "classifier") else 0
        found[name] = milliseconds(jax.grad(loss, argnums=to), own, inputs.get(name), batch)
    found["optimiser"] = _optimizer_milliseconds(case, hyper, weights)
    return found


def _optimizer_milliseconds(case: PopulationCase, hyper: Any, params: Any) -> float:
    """In a loop as the program has it, where the state is changed in place."""
    optimizer = optimizer_of(hyper, case.settings)

    def step(carry: Any, _: None) -> Any:
        params, state, grads = carry
        failed = ~jnp.isfinite(optax.tree.norm(grads))
        return (*updated(optimizer, grads, params, state, failed), grads), None

    steps = case.settings.steps_per_call
    loop = lambda *carry: jax.lax.scan(step, carry, length=steps)[0]  # noqa: E731
    return milliseconds(loop, params, optimizer.init(params), params) / steps


def main() -> None:
    """Times and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--crystals", type=int, default=300)
    arguments = parser.parse_args()
    core = pin()
    config = widened(arguments.width, arguments.batch, arguments.crystals)
    of.compilation_cache(config)
    found = parts(make_case(config, members=1, steps=16))
    total = sum(found.values())
    print(f"{processor()}, pinned to core {core}; width {arguments.width}, batch {arguments.batch}, float32")
    for name, took in found.items():
        print(f"{name:12}{took:8.2f} ms{took / total:8.1%}")
    print(f"{'sum':12}{total:8.2f} ms")


if __name__ == "__main__":
    main()
