"""A device without the memory for all of its members at once: fewer at a time, with the same result."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

import jax

from jaxboost.errors import InputError

logger = logging.getLogger(__name__)

Program = TypeVar("Program")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether a program could not be compiled or run for want of a device's memory."""
    return isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)


def fewer(error: BaseException, at_once: int) -> int:
    """Half as many members at a time, so that the tries are at most the logarithm of their number.

    Args:
      error: why another number is needed.
      at_once: members that a device ran at a time.

    Raises:
      the error itself where it is another one.
      InputError: it was one member already.
    """
    if not is_out_of_memory(error):
        raise error
    if at_once == 1:
        raise InputError(
            "the device has not the memory for a single member; lower config.optimizer.batch (in training) or "
            f"config.vote.batch (in scoring), or the widths of config.network: {str(error).splitlines()[0]}"
        ) from error
    logger.warning("out of device memory with %d members at once: from now on %d", at_once, at_once // 2)
    return at_once // 2


def within_memory(compile_for: Callable[[int], Program], at_once: int) -> tuple[Program, int]:
    """What `compile_for` makes for `at_once` members at a time, or for as many fewer as the device needs; how many."""
    while True:
        try:
            return compile_for(at_once), at_once
        except jax.errors.JaxRuntimeError as error:
            at_once = fewer(error, at_once)
