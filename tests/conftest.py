"""Two CPU devices for every test, so that the sharded paths are walked too; set before JAX looks for devices."""

import jax

jax.config.update("jax_num_cpu_devices", 2)
