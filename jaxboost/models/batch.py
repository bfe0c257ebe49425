"""What the network reads: fixed-shape arrays of one batch of crystals."""

from __future__ import annotations

from typing import NamedTuple

import jax
import numpy as np

# Host arrays become device arrays where they enter a compiled program.
Array = jax.Array | np.ndarray


class SymmetryTables(NamedTuple):
    """What belongs to the 230 space groups and the elements, the same for every batch (row = number).

    Attributes:
      co_group: [231, p] index of the little co-group.
      present: [231, p] bool.
      point: [231, p, f] features of the high-symmetry points.
      line: [231, p, p, l] features of the lines between them.
      element: [104, e] element properties, standardised over the table, zero where unknown.
    """

    co_group: Array
    present: Array
    point: Array
    line: Array
    element: Array


class Batch(NamedTuple):
    """`b` crystals whose orbits are packed into `o` nodes.

    Attributes:
      element, site_group: [o] int.
      multiplicity: [o] float, 0 on padding nodes.
      crystal: [o] row of the batch that the node belongs to; `b` on padding nodes.
      target: [o, K] node of each neighbour.
      distance: [o, K] Angstrom, infinity where there is no neighbour.
      reach: [o] Angstrom; the weight of a neighbour falls to zero there.
      space_group: [b] int.
      points: [b, p, c] what each crystal puts at the high-symmetry points, standardised.
      lines: [b, p, p, c] what it puts on the lines between them, standardised; anything where no line is.
      kspace_columns: [b, f] `points` and `lines` pooled over the crystal's own, standardised, zero where unknown.
      scalars, electrons: [b, f] likewise; scalars end with what relatives are known to be.
      kspace_steps, scalars_steps, electrons_steps: [b, f steps] how far along each step of its range each of these
        columns is (`column_steps.climbed`), but those of relatives.
      mask: [b, 4] bool, which modalities are there.
      possible: [b, class] bool, which classes symmetry and filling allow.
    """

    element: jax.Array
    site_group: jax.Array
    multiplicity: jax.Array
    crystal: jax.Array
    target: jax.Array
    distance: jax.Array
    reach: jax.Array
    space_group: jax.Array
    points: jax.Array
    lines: jax.Array
    kspace_columns: jax.Array
    scalars: jax.Array
    electrons: jax.Array
    kspace_steps: jax.Array
    scalars_steps: jax.Array
    electrons_steps: jax.Array
    mask: jax.Array
    possible: jax.Array
