"""jaxboost: the topological class of a material from its crystal structure alone.

`jaxboost.TopologyClassifier` is the whole of it with scikit-learn's conventions.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
__all__ = ["TopologyClassifier", "__version__"]


def __getattr__(name: str) -> Any:
    # Found when it is asked for: it loads jax, which takes a second and looks for devices.
    if name == "TopologyClassifier":
        return import_module("jaxboost.classifier").TopologyClassifier
    raise AttributeError(f"module 'jaxboost' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
