"""jaxboost: the topological class of a material from its crystal structure alone."""

__version__ = "0.1.0"
