"""The whole recipe at full width, for an accelerator.

    python main.py --config=configs/extreme.py --config.data.path=TABLE

Every field is explained in `jaxboost/configs/extreme.py`.
"""

from jaxboost.configs.extreme import get_config

__all__ = ["get_config"]
