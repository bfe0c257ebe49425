"""Learns the figures of tight binding from a labelled table.

    python -m jaxboost.learn_bands --config=configs/quick.py --config.data.path=TABLE

The rows are training rows of the run's split, without vote rows and without one fold, so that what the fit is worth
can be seen on crystals it never saw. Gaps (column `dft_band_gap_ev`, computed without spin-orbit coupling; magnetic
crystals left out) and labels are targets and never inputs: the figures, thirteen a shell and three an element, are
frozen and serve structures alone.
"""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import numpy as np
from absl import app, flags
from joblib import Parallel, delayed, parallel_config
from ml_collections import config_flags

from jaxboost import settings as of
from jaxboost.data.gaps import known_gaps
from jaxboost.physics.band_targets import TargetSettings
from jaxboost.physics.fit_tight_binding import FitSettings, fit, prepare
from jaxboost.physics.tight_binding_elements import PARAMETER_SETS, parameters_to_json
from jaxboost.rows import split_identity, split_table

_CONFIG = config_flags.DEFINE_config_file("config", None, "of the run whose training rows are taken")
_LEAVE_FOLD = flags.DEFINE_integer("leave_fold", 0, "the fold that the fit does not see; -1: it sees all")
_MAX_ATOMS = flags.DEFINE_integer("max_atoms", FitSettings.max_atoms, "listed atoms of the largest cell", lower_bound=1)
_ROWS = flags.DEFINE_integer("rows", FitSettings.rows, "most crystals", lower_bound=1)
_EPOCHS = flags.DEFINE_integer("epochs", FitSettings.epochs, "passes over them", lower_bound=1)
_RATE = flags.DEFINE_float("rate", FitSettings.rate, "Adam's, as in FitSettings", lower_bound=0.0)
_SEED = flags.DEFINE_integer("seed", FitSettings.seed, "as in FitSettings: another one is another fit")
_START = flags.DEFINE_enum("start", "published", list(PARAMETER_SETS), "the figures to begin with")
_OUTPUT = flags.DEFINE_string(
    "output", str(Path(__file__).parent / "physics" / "tight_binding_learned.json"), "what is written"
)


def main(_: list[str]) -> None:
    """Reads the table, fits, writes what `learned_parameters` reads."""
    config = _CONFIG.value
    settings = FitSettings(
        max_atoms=_MAX_ATOMS.value, rows=_ROWS.value, epochs=_EPOCHS.value, rate=_RATE.value, seed=_SEED.value
    )
    targets, workers = TargetSettings(), of.workers(config)
    with tempfile.TemporaryDirectory() as nowhere:
        table, splits = split_table(config, Path(nowhere))
    gaps = known_gaps(Path(config.data.path), list(table.ids))
    sizes = np.array([len(structure.atomic_numbers) for structure in table.structures])
    rows = np.flatnonzero((splits.fold >= 0) & (splits.fold != _LEAVE_FOLD.value) & (sizes <= settings.max_atoms))
    rows = np.random.default_rng(settings.seed).permutation(rows)[: settings.rows]
    with parallel_config("loky", n_jobs=workers, inner_max_num_threads=1):
        found = Parallel()(
            delayed(prepare)(table.structures[i], table.classes[table.labels[i]], gaps[i], settings.neglect)
            for i in rows
        )
    crystals = [one for one in found if one is not None]
    known = sum(np.isfinite(one.gap) for one in crystals)
    print(f"{len(crystals)} of {len(rows)} crystals, {known} with a gap", flush=True)
    parameters = fit(crystals, PARAMETER_SETS[_START.value](), settings, targets, workers)
    record = {
        "rows": len(crystals),
        "split": split_identity(table.sha256, config),
        "left_out": _LEAVE_FOLD.value,
        "begun_at": _START.value,
        "fit": asdict(settings),
        "targets": asdict(targets),
        **parameters_to_json(parameters),
    }
    # A row a shell.
    text = json.dumps(record, indent=1).replace("[\n   ", "[").replace(",\n   ", ", ").replace("\n  ]", "]")
    Path(_OUTPUT.value).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    app.run(main)
