"""`python -m jaxboost`: the program of main.py, where the package is installed and there is no main.py."""

from jaxboost.program import run

if __name__ == "__main__":
    run()
