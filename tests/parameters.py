"""Tight-binding figures that tests make themselves."""

import numpy as np

from jaxboost.physics.fit_tight_binding import moved, prior_widths
from jaxboost.physics.tight_binding_elements import Parameters


def moved_parameters(size: float = 0.5) -> Parameters:
    """The published figures, each moved at random by about `size` times what it may be off: none is as published."""
    rng = np.random.default_rng(1)
    offsets = Parameters(*(size * rng.normal(size=np.shape(array)) for array in prior_widths()))
    return moved(offsets._replace(shell_factor=offsets.shell_factor + offsets.shell_factor.T))
