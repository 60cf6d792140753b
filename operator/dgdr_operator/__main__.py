"""`python -m dgdr_operator`: the controller, and the image's entry point."""

import gc
import sys
from importlib import import_module
from types import ModuleType

NEW_OBJECTS = 10_000
"""After so many of them it is looked whether some are garbage in circles; Python's own number is 700."""


def main() -> int:
    """Runs the controller; see `--help`."""
    exit_code: int = _loaded("dgdr_operator.controller.run").main()
    return exit_code


def _loaded(name: str) -> ModuleType:
    """A module with all it imports. None of that ever becomes garbage, and nobody looks for some in it, now or later:
    that would be a tenth of a start. Later it is looked for one time in ten: it took a fourteenth of all time.
    """
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.set_threshold(NEW_OBJECTS)
        gc.enable()


if __name__ == "__main__":
    sys.exit(main())
