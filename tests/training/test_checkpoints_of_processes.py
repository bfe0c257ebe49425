"""Checkpoints of real processes: killed, out of room, with other devices. A second each."""

import os
import subprocess
import sys
import textwrap

import numpy as np

from jaxboost.training.checkpoints import restore_checkpoint, save_checkpoint


def test_a_write_that_the_system_refuses_is_an_os_error(tmp_path):
    """A real one, inside Orbax: no file may grow beyond 50 kB."""
    save_checkpoint(tmp_path, 2, {"w": np.ones(3)}, {})
    program = textwrap.dedent("""
        import resource, sys
        from pathlib import Path
        import numpy as np
        from jaxboost.training.checkpoints import save_checkpoint
        resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
        noise = np.random.default_rng(0).integers(0, 2**32, 100_000, np.uint32)
        try:
            save_checkpoint(Path(sys.argv[1]), 3, {"w": noise}, {})
        except OSError as error:
            sys.exit(f"refused: {error}")
    """)
    command = [sys.executable, "-c", program, str(tmp_path)]
    run = subprocess.run(command, stderr=subprocess.PIPE, text=True, env=dict(os.environ, JAX_PLATFORMS="cpu"))
    assert run.returncode == 1 and "refused: Orbax cannot write" in run.stderr
    assert restore_checkpoint(tmp_path).step == 2
    assert sorted(os.listdir(tmp_path)) == ["2", "LAST_GOOD"]


def test_saved_on_four_devices_it_restores_on_one(tmp_path):
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        import jax, numpy as np
        from jax.sharding import AxisType, NamedSharding, PartitionSpec
        from jaxboost.training.checkpoints import save_checkpoint
        mesh = jax.make_mesh((4,), ("member",), axis_types=(AxisType.Auto,))
        rows = np.arange(12, dtype=np.float32).reshape(4, 3)
        w = jax.device_put(rows, NamedSharding(mesh, PartitionSpec("member")))
        save_checkpoint(Path(sys.argv[1]), 0, {"w": w}, {"devices": len(w.sharding.device_set)})
    """)
    flags = dict(os.environ, JAX_PLATFORMS="cpu", XLA_FLAGS="--xla_force_host_platform_device_count=4")
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True, env=flags)
    restored = restore_checkpoint(tmp_path)
    assert restored.fitted == {"devices": 4}
    assert restored.tree["w"].dtype == np.float32
    assert restored.tree["w"].tolist() == np.arange(12).reshape(4, 3).tolist()


def test_a_kill_at_any_moment_of_a_save_leaves_a_whole_step(tmp_path):
    """A real SIGKILL, at random moments, while a process saves step after step."""
    program = textwrap.dedent("""
        import sys
        from pathlib import Path
        import numpy as np
        from jaxboost.training.checkpoints import save_checkpoint
        for step in range(3, 10_000):
            save_checkpoint(Path(sys.argv[1]), step, {"w": np.full((50, 50), step)}, {"step": step})
            print(step, flush=True)
    """)
    rng = np.random.default_rng(0)
    command = [sys.executable, "-c", program, str(tmp_path / "killed")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ, JAX_PLATFORMS="cpu")) as run:
        for _ in range(3):
            reported = int(run.stdout.readline())
        try:
            run.wait(timeout=float(rng.uniform(0, 0.1)))
        except subprocess.TimeoutExpired:
            run.kill()
        reported = max([reported, *map(int, run.stdout.read().split())])
    restored = restore_checkpoint(tmp_path / "killed")
    assert restored.step in (reported, reported + 1)
    assert restored.fitted == {"step": restored.step} and (restored.tree["w"] == restored.step).all()
