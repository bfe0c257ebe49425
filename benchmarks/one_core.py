"""A benchmark's process on one core, so that processor time means the same whatever else the machine does."""

import os
from pathlib import Path

import jax


def pin() -> int:
    """Pins the process to one core, and gives its number; before JAX or another library starts threads."""
    core = min(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_multi_thread_eigen=false"
    jax.config.update("jax_num_cpu_devices", 1)
    return core


def processor() -> str:
    """The name that Linux gives the processor."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown processor")
