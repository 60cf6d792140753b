"""`python -m dgdr_operator`: the controller, and the image's entry point."""

import sys

from dgdr_operator.controller import run


def main() -> int:
    """Runs the controller; see `--help`."""
    return run.main()


if __name__ == "__main__":
    sys.exit(main())
