"""Labelled tables of crystals, and how their rows are split by formula."""

from jaxboost.data.materials import Table, read_table
from jaxboost.data.splits import Splits, make_splits, splits_from_json, splits_to_json

__all__ = ["Splits", "Table", "make_splits", "read_table", "splits_from_json", "splits_to_json"]
