"""The population's training step beside the same step in PyTorch, one model after another.

    nice -n 5 python -m benchmarks.versus_torch

Both sides train the members of `configs/quick.py` at one width, from the same weights and on the same batches of
embedded crystals: packing, views, dropout, mixup, loss, gradients, clipping, AdamW. First it is checked, with the draws
shared and dropout off, that losses and gradients agree; then the sides are timed in turn, in processor time of the
process (all of its threads) pinned to one core, so other jobs on the machine matter little. Ratios are of a round,
time of the headline over time of the side: median, smallest and largest. PyTorch's sides:

  projected     eager, `W [h_i, h_j, e]` as `W_1 h_i + W_2 h_j + W_3 e`, as jaxboost has it: the headline
  concatenated  eager, `W` after concatenation
  geometric     eager, both graph encoders by the message passing of PyTorch Geometric: lists of edges, concatenated
                ends, sums by scattering; of points and neighbours that are not there it computes nothing
  compiled      `projected` by torch.compile, on batches padded as jaxboost's, since it compiles for one shape

The eager ones are not padded. jaxboost's are the values of `config.population.axis`.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import torch

from benchmarks.one_core import pin, processor
from benchmarks.population_case import PopulationCase, compile_population, make_case, population_call, widened
from benchmarks.torch_agreement import compare_batches, compare_steps, make_member, without_dropout
from benchmarks.torch_network import LAYERS
from benchmarks.torch_training import TorchMember, batch_loss
from jaxboost import settings as of
from jaxboost.environment import git_commit
from jaxboost.training.population import resolve_axis

TORCH = (*LAYERS, "compiled")
AXES = ("map", "vmap")
TOLERANCE = 1e-5


def check(case: PopulationCase, call: Callable[[], object], layers: list[str]) -> bool:
    """Prints what jaxboost and each of `layers` make of the same weights and draws; whether all losses agree."""
    sides = {name: make_member(case, 0, layers=name) for name in layers}
    batches = range(min(3, case.batches.shape[1]))
    agreements = compare_batches(case, 0, batches, list(sides.values()))
    worst = 0.0
    print(f"{'one batch':14}{'batch':>7}{'jaxboost':>12}{'PyTorch':>12}{'gradients differ by':>21}")
    for name, own in zip(sides, agreements, strict=True):
        for one in own:
            kind = "mixed" if one.mixed else "plain"
            print(f"{name:14}{kind:>7}{one.flax:12.7f}{one.torch:12.7f}{one.gradient:21.1e}")
            worst = max(worst, abs(one.flax - one.torch) / one.flax)
    steps = case.settings.steps_per_call
    print(f"mean loss of {steps} steps, by member")
    for flax, found in compare_steps(without_dropout(case), call, 2):
        print(f"{'projected':14}{'':7}{flax:12.7f}{found:12.7f}")
        worst = max(worst, abs(flax - found) / flax)
    agreed = worst <= TOLERANCE
    print(f"losses differ by {worst:.1e} at the most: {'they agree' if agreed else f'MORE THAN {TOLERANCE:.0e}'}")
    return agreed


def torch_side(case: PopulationCase, name: str) -> Callable[[], None]:
    """A round of PyTorch: the steps of one member after another."""
    loss_of = torch.compile(batch_loss, dynamic=False) if name == "compiled" else batch_loss
    layers = "projected" if name == "compiled" else name
    members: list[TorchMember] = [
        make_member(case, index, layers=layers, loss_of=loss_of, padded=name == "compiled")
        for index in range(len(case.members))
    ]
    batches = torch.from_numpy(case.batches).long()

    def round_of() -> None:
        for member, own in zip(members, batches, strict=True):
            for rows in own:
                member.step(rows)

    return round_of


def measure(sides: dict[str, Callable[[], object]], repeats: int) -> dict[str, np.ndarray]:
    """Processor seconds of each side in each round, the first left out; the order turns from round to round."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for count in range(repeats + 1):
        order = list(sides) if count % 2 else list(sides)[::-1]
        for name in order:
            began = time.process_time()
            sides[name]()
            seconds[name].append(time.process_time() - began)
    return {name: np.array(own[1:]) for name, own in seconds.items()}


def spread(ratios: np.ndarray) -> str:
    """Median, smallest and largest."""
    return f"{np.median(ratios):.2f} ({ratios.min():.2f} to {ratios.max():.2f})"


def main() -> None:
    """Checks, times, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--members", type=int, default=9, help="at most 9")
    parser.add_argument("--steps", type=int, default=16, help="of each member in a round")
    parser.add_argument("--crystals", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=5, help="rounds that count")
    parser.add_argument("--sides", nargs="+", choices=TORCH + AXES, default=[*TORCH, *AXES])
    arguments = parser.parse_args()
    core = pin()
    torch.set_num_threads(1)
    config = widened(arguments.width, arguments.batch, arguments.crystals)
    of.compilation_cache(config)
    print(f"{processor()}, pinned to core {core}, one thread; jax {jax.__version__}, torch {torch.__version__}")
    print(f"commit {git_commit(Path(__file__).parent)}; population.axis 'auto' is '{resolve_axis('auto')}' here")
    case = make_case(config, members=arguments.members, steps=arguments.steps)
    filled = np.diff(case.materials.offset)[case.batches].sum(-1).mean() / case.settings.nodes
    weights = sum(leaf.size for leaf in jax.tree.leaves(case.states[0].params))
    print(
        f"{len(case.members)} members, width {arguments.width}, batch {arguments.batch}, float32, {weights} weights, "
        f"{case.settings.nodes} nodes a batch, {filled:.0%} filled, {arguments.steps} steps a call\n"
    )
    axes = [axis for axis in AXES if axis in arguments.sides] or [resolve_axis("auto")]
    compiled = {axis: compile_population(case, axis) for axis in axes}
    names = [name for name in TORCH if name in {"projected", *arguments.sides}]
    layers = [name for name in names if name in LAYERS]
    agreed = check(case, population_call(without_dropout(case), compiled[axes[0]]), layers)

    sides: dict[str, Callable[[], object]] = {f"PyTorch {name}": torch_side(case, name) for name in names}
    sides |= {f"jaxboost {axis}": population_call(case, program) for axis, program in compiled.items()}
    seconds = measure(sides, arguments.repeats)
    headline, steps = seconds["PyTorch projected"], arguments.steps * len(case.members)
    print(f"\n{'side':24}{'ms a step and member':>22}{'PyTorch projected = 1':>30}")
    for name, own in seconds.items():
        print(f"{name:24}{1e3 * np.median(own) / steps:22.2f}{spread(headline / own):>30}")
    for name in names[1:]:
        for axis in compiled:
            ratio = seconds[f"PyTorch {name}"] / seconds[f"jaxboost {axis}"]
            print(f"jaxboost {axis}, where PyTorch {name} is 1: {spread(ratio)}")
    if not agreed:
        raise SystemExit("the two sides do not compute the same")


if __name__ == "__main__":
    main()
