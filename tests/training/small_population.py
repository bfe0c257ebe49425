"""Nine members of a small network on a mesh, in a process of its own: a process counts its devices once.

Other tests start it, as one process with eight devices or as two; see `main`.
"""

import argparse
import functools
import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxboost.models import NetworkSettings
from jaxboost.models.layers import Dropout
from jaxboost.training import crew, loop, processes
from jaxboost.training.population import init_program, make_mesh, population_program
from tests.training.tiny_population import tiny_population


class SmallNetwork(nn.Module):
    """In place of the network, which ten meshes would compile for minutes: nodes, neighbours, sums, dropout of both."""

    settings: NetworkSettings

    def setup(self) -> None:
        self.node, self.row, self.last = nn.Dense(4), nn.Dense(4), nn.Dense(self.settings.classes)
        self.dropout = Dropout()

    def fuse(self, batch, tables, rate=None, column_rate=None):
        near = jnp.concatenate([tables.element[batch.element], jnp.exp(-batch.distance)], -1)
        h = self.dropout(nn.gelu(self.node(near)), rate)
        h = (h + h[batch.target].mean(1)) * batch.multiplicity[:, None]
        rows = batch.scalars.shape[0]
        return jax.ops.segment_sum(h, batch.crystal, rows + 1)[:rows] + self.row(batch.scalars), {}

    def classify(self, fused, possible, rate=None):
        return self.last(self.dropout(nn.gelu(fused), rate))

    def __call__(self, batch, tables, memory=None):
        fused, out = self.fuse(batch, tables)
        return self.classify(fused, batch.possible), out


def count_compilations() -> Counter[str]:
    """Names of the programs that are compiled from now on."""
    compiled: Counter[str] = Counter()

    def count(event: str, seconds: float, fun_name: str = "", **_: Any) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            compiled[fun_name] += 1

    jax.monitoring.register_event_duration_secs_listener(count)
    return compiled


def main() -> int:
    """Trains in `FOLDER/NAME`, or goes on there, run after run; prints losses and what was compiled as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("runs", nargs="*", help="NAME:MEMBERSxDATA; NAME:MEMBERSxDATA:3 stops in the second epoch")
    parser.add_argument("--epochs", type=int, default=2)
    arguments = parser.parse_args()
    if "JAX_NUM_PROCESSES" in os.environ:
        processes.join(distributed=False)
    few, workshop = tiny_population()
    hyper = few["kfold_0"].hyperparameters._replace(epochs=arguments.epochs, patience=arguments.epochs)
    figures = [{"seed": seed, "dropout": 0.1 + 0.02 * seed} for seed in range(9)]
    members = [
        replace(few["kfold_0"], name=f"m{own['seed']}", hyperparameters=hyper._replace(**own)) for own in figures
    ]
    network = SmallNetwork(workshop.network.settings)
    # What was compiled for a mesh is not compiled again.
    crew.init_program = functools.cache(init_program)
    crew.population_program = functools.cache(population_program)
    compiled = count_compilations()
    found: dict[str, Any] = {"losses": {}}
    with processes.stop_flag() as stop:
        told = processes.stop_between_steps(stop)
        for run in arguments.runs:
            name, mesh, *calls = run.split(":")
            rows: list[dict[str, Any]] = []
            left = iter(range(int(*calls) - 1 if calls else 10**9))

            def report(progress: loop.Progress, rows: list[dict[str, Any]] = rows) -> None:
                rows.extend(progress.rows)
                if len(rows) == len(members):
                    print("an epoch is done", flush=True)

            loop.train_population(
                members,
                replace(
                    workshop, network=network, folder=arguments.folder / name,
                    mesh=make_mesh(*map(int, mesh.split("x"))),
                ),
                report=report,
                should_stop=lambda left=left: told() or next(left, None) is None,
            )  # fmt: skip
            rows.sort(key=lambda row: (row["member"], row["epoch"]))
            kept = ("member", "epoch", "train_loss", "validation_loss")
            found["losses"][run] = [[row[name] for name in kept] for row in rows]
            found.setdefault("compiled", dict(compiled))  # by the first
    print(json.dumps(found))
    return stop.exit_status


if __name__ == "__main__":
    raise SystemExit(main())
