"""Two CPU devices for every test, so that the sharded paths are walked too; set before JAX looks for devices."""

import os

# Here and in the processes that tests start: to optimise these programs takes longer than to run them.
QUICK = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {QUICK}"

import jax  # noqa: E402  after its flags
import pytest  # noqa: E402

jax.config.update("jax_num_cpu_devices", 2)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A folder with a table, and in `run` a run on it that learned nothing; for all tests that only read it."""
    from tests.tiny_run import tiny_run  # here: few tests need what it loads

    folder = tmp_path_factory.mktemp("tiny")
    tiny_run(folder)
    return folder


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder with a table, its config `tiny.py`, and in `run` a run of it that was trained without a stop."""
    from tests.trained_run import call, write_config

    folder = tmp_path_factory.mktemp("trained")
    out = call(f"--config={write_config(folder)}", f"--workdir={folder / 'run'}")
    assert "78 crystals (1 rejected)" in out
    return folder
