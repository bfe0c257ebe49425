"""The recipes as trees of fields: `extreme` has them all with their reasons, `quick` and `embedded` those that differ.

They lie inside the package so that an installed jaxboost has them; `configs/*.py` of the repository are their names on
the command line. Each module has a `get_config()`.
"""
