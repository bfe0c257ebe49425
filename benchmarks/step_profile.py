"""What a member's training step on a CPU is made of: each operation as XLA's own trace times it, by kind.

    nice -n 5 python -m benchmarks.step_profile

The step is that of `benchmarks/versus_torch.py`, in the program as it runs, on one core. Times are wall time, so a
machine with other jobs adds to all of them: compare the shares. An operation counts for the part of the network that it
was written for; what XLA adds by itself are copies.
"""

import argparse
import gzip
import json
import re
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import jax

from benchmarks.one_core import pin, processor
from benchmarks.population_case import compile_population, make_case, population_call, widened
from jaxboost.environment import git_commit

_RANDOM = re.compile(r"threefry|fold_in|_uniform|_gamma|_beta|_normal|_shuffle|_randint|random_bits")
_PARTS = ("reader", "crystal", "kspace_columns", "kspace", "scalar", "electron", "fusion", "classifier")
_HOLDS_OTHERS = ("while", "conditional", "call")  # their time is that of what is in them


def operations(program: str) -> dict[str, tuple[str, str]]:
    """Name -> kind and opcode of each operation in the text of a compiled program."""
    found = {}
    for line in program.splitlines():
        if matched := re.match(r"\s+(?:ROOT )?%([\w.\-]+) = .*?([\w\-]+)\(", line):
            name, opcode = matched.groups()
            written = re.search(r'op_name="([^"]*)"', line)
            found[name] = (kind_of(opcode, written.group(1) if written else ""), opcode)
    return found


def kind_of(opcode: str, written: str) -> str:
    """For people; `written` is the path in the source that the operation was written for."""
    if not written:
        return "copies" if opcode == "copy" else "other"
    if _RANDOM.search(written):
        return "random bits"
    part = next((part for part in _PARTS if re.search(rf"[/.]{part}\b", written)), None)
    if part is None:
        return "clipping, AdamW, guard, packing, loss"
    return f"{part}, products" if written.endswith("dot_general") or opcode == "dot" else f"{part}, rest"


def traced(call: Callable[[], object]) -> Counter[str]:
    """Name of an operation -> microseconds in one call."""
    options = jax.profiler.ProfileOptions()
    options.host_tracer_level, options.python_tracer_level = 3, 0
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder, profiler_options=options):
            call()
        (path,) = Path(folder).rglob("*.trace.json.gz")
        with gzip.open(path) as file:
            events = json.load(file)["traceEvents"]
    took: Counter[str] = Counter()
    for event in events:
        if event.get("ph") == "X":
            took[event["name"]] += event["dur"]
    return took


def main() -> None:
    """Compiles, traces, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--width", type=int, default=128)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--crystals", type=int, default=300)
    parser.add_argument("--steps", type=int, default=16, help="of one call")
    parser.add_argument("--repeats", type=int, default=5, help="calls; of each operation the least time counts")
    arguments = parser.parse_args()
    core = pin()
    config = widened(arguments.width, arguments.batch, arguments.crystals)
    case = make_case(config, members=1, steps=arguments.steps)
    began = time.process_time()
    compiled = compile_population(case, "map")
    seconds = time.process_time() - began
    program = compiled.as_text()
    call = population_call(case, compiled)
    call()
    known = operations(program)
    rounds = [traced(call) for _ in range(arguments.repeats)]
    kinds: Counter[str] = Counter()
    for name, (kind, opcode) in known.items():
        if opcode not in _HOLDS_OTHERS and all(name in one for one in rounds):
            kinds[kind] += min(one[name] for one in rounds) / arguments.steps
    total = sum(kinds.values())
    print(f"{processor()}, core {core}; jax {jax.__version__}; commit {git_commit(Path(__file__).parent)}")
    print(
        f"width {arguments.width}, batch {arguments.batch}, float32, {arguments.steps} steps a call: compiled in "
        f"{seconds:.0f} s of processor time, {len(program.splitlines())} lines of HLO\n"
    )
    for kind, took in kinds.most_common():
        print(f"{kind:40}{took / 1e3:8.2f} ms{took / total:8.1%}")
    print(f"{'all':40}{total / 1e3:8.2f} ms")


if __name__ == "__main__":
    main()
