"""The quick recipe for the embedded default, about 3 minutes on two CPU cores from a cold start.

    python main.py --config=configs/embedded.py

The fields that differ are in `jaxboost/configs/embedded.py`.
"""

from jaxboost.configs.embedded import get_config

__all__ = ["get_config"]
