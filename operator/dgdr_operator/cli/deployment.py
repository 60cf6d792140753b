"""A deployment that a user describes: what runs, on what, and the workers of either kind where they run apart."""

import argparse

from dgdr_operator.cli import options
from dgdr_operator.cli.options import MOST_GPUS, UsageError
from estimator.backends import registry

_ROLES = ("prefill", "decode")


def add_flags(group: "argparse._ArgumentGroup") -> None:
    """Add what runs, and on what."""
    model = "Hugging Face name, or a directory with its config.json"
    group.add_argument("--model", "--model-path", metavar="NAME", required=True, help=model)
    group.add_argument("--system", metavar="NAME", required=True, help="kind of GPU server: h200_sxm, h100_sxm, ...")
    engine = options.one_of(registry.NAMES)
    group.add_argument("--backend", type=engine, metavar="NAME", required=True, help=", ".join(registry.NAMES))
    group.add_argument("--backend-version", metavar="V", help="version of the measurements (newest)")
    cache = options.one_of(("auto", "bf16", "fp8"))
    group.add_argument("--kv-cache-dtype", type=cache, metavar="TYPE", default="auto", help="auto, bf16 or fp8 (auto)")


def add_pools(group: "argparse._ArgumentGroup") -> None:
    """Add how many workers only prefill, how many only decode, and how each is split."""
    workers, gpus = options.whole("worker", MOST_GPUS), options.whole("GPU", MOST_GPUS)
    for role in _ROLES:
        group.add_argument(f"--{role}-workers", metavar="N", type=workers, help=f"workers that only {role}")
        group.add_argument(f"--{role}-tp", metavar="N", type=gpus, help="their tensor-parallel size (that of --tp)")


def is_apart(flags: argparse.Namespace) -> bool:
    """Whether any flag speaks of workers that only prefill or only decode."""
    return any(getattr(flags, f"{role}_{what}") for role in _ROLES for what in ("workers", "tp"))


def pools(flags: argparse.Namespace, *excluded: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """Workers and their tensor-parallel size, of those that prefill and of those that decode.

    Raises UsageError where one number is missing, and for flags that mean nothing then.
    """
    if flags.prefill_workers is None or flags.decode_workers is None:
        raise UsageError("--prefill-workers and --decode-workers must be given together")
    for name in excluded:
        if getattr(flags, name) is not None:
            raise UsageError(f"--{name.replace('_', '-')} cannot be given together with --prefill-workers")
    return (flags.prefill_workers, flags.prefill_tp or flags.tp), (flags.decode_workers, flags.decode_tp or flags.tp)
