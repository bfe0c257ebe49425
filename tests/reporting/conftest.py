"""One whole report for all tests that read one: drawing it takes seconds."""

import pytest

from jaxboost.reporting.album import draw
from tests.reporting.made_cases import HOSTILE, LOG, made_cases, made_metrics


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """Of rows with hostile names, beside its figures."""
    cases = made_cases(HOSTILE)
    environment = {"python": "3.11.2", "packages": {"jax": HOSTILE}, "devices": ["cpu", "cpu"], "commit": None}
    folder = tmp_path_factory.mktemp("drawn")
    return draw(folder, made_metrics(cases), cases, log=LOG, notes=[], environment=environment)
