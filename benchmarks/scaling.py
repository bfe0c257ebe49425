"""The population's step on more devices, and with more members on one: times, ratios, and whether losses stay.

    python -m benchmarks.scaling                    # the devices that are here
    python -m benchmarks.scaling --simulate=8       # eight devices made of the CPU's cores

First the same members on 1, 2, 4 and more devices: laid over them ('members'), and each batch shared by them
('batch'). Efficiency is the time on one device over devices times theirs. Losses are compared with those of one device
and must agree to 1e-5 where the matrix work is float32. Then 1, 2, 4, 8 and 16 members on one device; the bar on a GPU
is 4 for 16 members over one, at width 128.

Wall time, the median of rounds in which all are timed in turn. Simulated devices share the cores: with more devices
than idle cores the times say nothing, only the losses do.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
from jax.sharding import Mesh

from benchmarks.population_case import PopulationCase, compile_population, make_case, population_call, widened
from jaxboost import settings as of
from jaxboost.environment import git_commit
from jaxboost.training.population import make_mesh, resolve_axis

TOLERANCE = 1e-5
BAR = 4.0


def powers(most: int) -> list[int]:
    """1, 2, 4, ... up to `most`."""
    return [1 << power for power in range(most.bit_length())]


def prepared(case: PopulationCase, axis: str, mesh: Mesh) -> tuple[Callable[[], object], np.ndarray]:
    """A call of the compiled program on `mesh`, and the losses [member] of the first."""
    call = population_call(case, compile_population(case, axis, mesh), mesh)
    return call, np.asarray(call().train_loss)


def in_turn(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median seconds of each call; the order turns from round to round."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for count in range(repeats):
        for name in list(calls) if count % 2 else list(calls)[::-1]:
            began = time.perf_counter()
            calls[name]()
            seconds[name].append(time.perf_counter() - began)
    return {name: float(np.median(own)) for name, own in seconds.items()}


def over_devices(case: PopulationCase, axis: str, most: int, repeats: int) -> float:
    """Prints a line a mesh; returns by how much losses differ from those of one device at the most."""
    meshes = {"1 device": make_mesh(1, 1)}
    for count in powers(most)[1:]:
        meshes |= {f"{count} devices, members": make_mesh(count, 1), f"{count} devices, batch": make_mesh(1, count)}
    found = {name: prepared(case, axis, mesh) for name, mesh in meshes.items()}
    seconds = in_turn({name: call for name, (call, _) in found.items()}, repeats)
    losses, alone = found["1 device"][1], seconds["1 device"]
    print(f"{'':22}{'ms a step':>11}{'times as fast':>15}{'efficiency':>12}{'losses differ by':>18}")
    worst = 0.0
    for name, mesh in meshes.items():
        step = 1e3 * seconds[name] / case.settings.steps_per_call
        faster = alone / seconds[name]
        off = float(np.abs(found[name][1] / losses - 1).max())
        worst = max(worst, off)
        print(f"{name:22}{step:11.2f}{faster:15.2f}{faster / mesh.size:12.0%}{off:18.1e}")
    return worst


def over_members(cases: dict[int, PopulationCase], axis: str, repeats: int) -> None:
    """Prints a line a number of members, on one device."""
    calls = {str(count): prepared(case, axis, make_mesh(1, 1))[0] for count, case in cases.items()}
    seconds = in_turn(calls, repeats)
    print(f"{'members, one device':22}{'ms a step':>11}{'time of 1 = 1':>15}")
    for count, case in cases.items():
        step = 1e3 * seconds[str(count)] / case.settings.steps_per_call
        print(f"{count:<22}{step:11.2f}{seconds[str(count)] / seconds['1']:15.2f}")
    most = max(cases)
    if most == 16:
        ratio = seconds["16"] / seconds["1"]
        judged = "held" if ratio <= BAR else "MISSED"
        is_cpu = jax.default_backend() == "cpu"
        print(
            f"bar on a GPU: {BAR:.0f}, " + (f"not measured here ({ratio:.1f})" if is_cpu else f"{judged}: {ratio:.2f}")
        )


def main() -> None:
    """Times and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulate", type=int, default=0, help="devices to make of the CPU")
    parser.add_argument("--devices", type=int, default=8, help="at most")
    parser.add_argument("--members", type=int, default=16, help="at most, a power of two")
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--crystals", type=int, default=300)
    parser.add_argument("--steps", type=int, default=16, help="of a call")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.members not in powers(arguments.members):
        parser.error("--members: give a power of two")
    if arguments.simulate:
        jax.config.update("jax_platforms", "cpu")
        # Devices that wait for each other must not share a pool of threads: none may be left for those waited for.
        os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false"
        jax.config.update("jax_num_cpu_devices", arguments.simulate)

    config = widened(arguments.width, arguments.batch, arguments.crystals)
    config.ensemble.members = max(arguments.members - config.kfold.folds - 1, 0)
    of.compilation_cache(config)
    axis, most = resolve_axis("auto"), min(arguments.devices, jax.device_count(), arguments.members)
    print(f"{jax.device_count()} x {jax.devices()[0].device_kind}, jax {jax.__version__}, {os.cpu_count()} cores")
    print(f"commit {git_commit(Path(__file__).parent)}; population.axis 'auto' is '{axis}' here")
    case = make_case(config, members=arguments.members, steps=arguments.steps)
    print(
        f"{arguments.members} members, width {arguments.width}, batch {arguments.batch}, {case.network.dtype}, "
        f"{arguments.steps} steps a call\n"
    )
    worst = over_devices(case, axis, max(powers(most)), arguments.repeats)
    print()
    over_members({count: case.of(count) for count in powers(arguments.members)}, axis, arguments.repeats)
    if case.network.dtype == "float32" and worst > TOLERANCE:
        raise SystemExit(f"losses on several devices differ by {worst:.1e}, more than {TOLERANCE:.0e}")


if __name__ == "__main__":
    main()
