"""The classes of the Materiae database, and the coarser groupings that results on it are reported in.

`python -m jaxboost.data.topomat` builds the labelled table of them (`--help`, docs/table.md).
"""

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

ALIASES: dict[str, str] = {name: name for name in CLASSES} | {
    "Triv_Ins": "trivial",
    "HSP_SM": "HSPSM",
    "HSL_SM": "HSLSM",
    "TrI": "trivial",
}
"""What a source may call a class -> the class.

The first three are the database's own; its web page and public programs that asked it compare with them. `TrI` is what
Y. He et al., Machine learning on multiple topological materials datasets, npj Computational Materials (2025), call
trivial insulators. Anything else is refused, semimetals with a crossing at generic momenta (`GM_SM`, known without
spin-orbit coupling alone) among it.
"""

if __name__ == "__main__":
    import sys

    from jaxboost.data.topomat_command import run  # here: who wants the names of classes need not wait for it

    sys.exit(run(sys.argv[1:], ALIASES))
