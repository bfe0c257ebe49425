"""The same recipe for two CPU cores: every part of it, narrower and shorter.

    python main.py --config=configs/quick.py --config.data.path=TABLE

The fields that differ are in `jaxboost/configs/quick.py`.
"""

from jaxboost.configs.quick import get_config

__all__ = ["get_config"]
