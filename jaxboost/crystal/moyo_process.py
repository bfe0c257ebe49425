"""moyo's search for symmetries, a request a line; run by path as a program of its own, by `symmetry_search` alone.

A request is JSON: `cell` (the arguments of `moyopy.Cell`), `symprec`, and `seconds` of processor time, after which the
system ends this process: moyo does not come back to Python while it searches.
"""

import json
import logging
import signal
import sys

import moyopy


def _found(cell: list, symprec: float) -> dict:
    """What `symmetry_search.Symmetry` holds, or the `error` that moyo raises."""
    try:
        dataset = moyopy.MoyoDataset(moyopy.Cell(*cell), symprec=symprec)
    except ValueError as error:
        return {"error": str(error)}
    return {
        "number": dataset.number,
        "hall_number": dataset.hall_number,
        "lattice": dataset.prim_std_cell.basis,
        "frac_coords": dataset.prim_std_cell.positions,
        "atomic_numbers": dataset.prim_std_cell.numbers,
        "mapping": dataset.mapping_std_prim,
        "wyckoffs": dataset.wyckoffs,
    }


def main() -> None:
    """Answers until there is no more to read."""
    # Supercells make moyo warn that it leaves out operations of the *listed* cell; those of the primitive cell,
    # which are the ones used here, are complete.
    logging.getLogger("moyo").setLevel(logging.ERROR)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for who asks; this ends with the last request
    for line in sys.stdin:
        request = json.loads(line)
        signal.setitimer(signal.ITIMER_PROF, request["seconds"])
        answer = json.dumps(_found(request["cell"], request["symprec"]))
        signal.setitimer(signal.ITIMER_PROF, 0)
        print(answer, flush=True)


if __name__ == "__main__":
    main()
