"""The classes of the Materiae database, and the coarser groupings that results on it are reported in."""

CLASSES: tuple[str, ...] = ("trivial", "TI", "TCI", "HSPSM", "HSLSM")
"""Topological class with spin-orbit coupling, from symmetry indicators on DFT band structures.

`trivial`: trivial insulator; `TI`, `TCI`: topological (crystalline) insulator; `HSPSM`, `HSLSM`: semimetal
whose crossing is at a high-symmetry point or on a high-symmetry line. Source: T. Zhang, Y. Jiang, Z. Song,
H. Huang, Y. He, Z. Fang, H. Weng, C. Fang, Catalogue of topological electronic materials, Nature 566, 475
(2019). The structures are the Materials Project's (CC-BY 4.0): A. Jain et al., APL Materials 1, 011002
(2013).
"""

RULES: dict[str, str] = {
    "trivial": "trivial",
    "TI": "insulator",
    "TCI": "insulator",
    "HSPSM": "semimetal",
    "HSLSM": "semimetal",
}
"""Class -> which of trivial, insulator and semimetal it is: what the symmetry rules speak of."""

GROUPINGS: dict[str, dict[str, str]] = {
    "binary": {name: "trivial" if name == "trivial" else "topological" for name in CLASSES},
    "3-class": RULES,
}
"""Grouping -> class -> coarse class, whose probability is the sum over its classes."""
