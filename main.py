"""jaxboost on the command line: `python main.py --help`. What it does is in jaxboost/program.py."""

from jaxboost.program import run

if __name__ == "__main__":
    run()
