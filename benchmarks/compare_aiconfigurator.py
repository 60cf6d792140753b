"""Our command line beside NVIDIA's AIConfigurator on the same questions: wall time, peak memory, and what each chooses.

The peer lives in an environment of its own, given by --peer-python; it is never imported and no dependency.
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
KIBIBYTE = 1024
MEBIBYTE = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One question; ttft and itl in milliseconds."""

    model: str
    system: str
    gpus: int
    backend: str
    isl: int
    osl: int
    ttft: float
    itl: float


CASES: Mapping[str, Case] = {
    "qwen3-32b": Case(
        model="Qwen/Qwen3-32B-FP8", system="h200_sxm", gpus=8, backend="vllm", isl=4000, osl=500, ttft=600, itl=16.67
    ),
    "deepseek-v3": Case(
        model="deepseek-ai/DeepSeek-V3",
        system="h200_sxm",
        gpus=32,
        backend="sglang",
        isl=4000,
        osl=1000,
        ttft=3000,
        itl=50,
    ),
    "auto": Case(
        model="Qwen/Qwen3-32B-FP8", system="h200_sxm", gpus=16, backend="auto", isl=4000, osl=500, ttft=600, itl=16.67
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What one process took, and what it answered: seconds, bytes, a line."""

    seconds: float
    peak: float
    answer: str


def ours(case: Case) -> Run:
    """`dgdr optimize` from this tree."""
    command = [sys.executable, "-m", "dgdr_operator.cli.main", "optimize", *_flags(case), "--output", "json"]
    command += ["--itl", str(case.itl)]
    path = os.pathsep.join([str(ROOT / "operator"), str(ROOT)])
    seconds, peak, out = _measured(command, {**os.environ, "PYTHONPATH": path})
    document = json.loads(out)
    chosen = document["chosen"]
    if chosen is None:
        return Run(seconds=seconds, peak=peak, answer=f"infeasible, {document['infeasible']['message']}")
    engine = f"{chosen['backend']} {chosen['backend_version']}"
    return Run(seconds=seconds, peak=peak, answer=_told(chosen["mode"], engine, chosen))


def peer(case: Case, python: Path) -> Run:
    """`aiconfigurator cli default`, its answer read from the tables it saves."""
    folder = Path(tempfile.mkdtemp(prefix="peer-"))
    start = "import sys; from aiconfigurator.main import main; sys.exit(main())"
    command = [str(python), "-c", start, "cli", "default", "--no-color", *_flags(case), "--tpot", str(case.itl)]
    try:
        seconds, peak, _ = _measured([*command, "--save-dir", str(folder)], dict(os.environ))
        return Run(seconds=seconds, peak=peak, answer=_best(folder, case))
    finally:
        shutil.rmtree(folder)


def _flags(case: Case) -> list[str]:
    return [
        *("--model-path", case.model, "--system", case.system, "--total-gpus", str(case.gpus)),
        *("--backend", case.backend, "--isl", str(case.isl), "--osl", str(case.osl), "--ttft", str(case.ttft)),
    ]


def _measured(command: Sequence[str], environment: Mapping[str, str]) -> tuple[float, float, str]:
    """Seconds, peak bytes and standard output of a process; RuntimeError with its last words when it fails.

    An exit code of 3 is our way to say that nothing is feasible.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        started = time.perf_counter()
        child = subprocess.Popen(command, stdout=out, stderr=err, env=environment)
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if child.returncode not in {0, 3}:
            raise RuntimeError(f"{command[0]} ended with {child.returncode}: {err.read()[-1000:]}")
        return seconds, usage.ru_maxrss * KIBIBYTE, out.read()


def _best(folder: Path, case: Case) -> str:
    """The row with the most output per GPU of the budget, and whether it keeps the targets it was asked for."""
    rows = [
        (table.parent.name, row)
        for table in sorted(folder.rglob("best_config_topn.csv"))
        for row in csv.DictReader(table.read_text().splitlines())
    ]
    if not rows:
        return "no answer"
    kept = [(mode, row) for mode, row in rows if _keeps(row, case)]
    mode, row = max(kept or rows, key=lambda pair: float(pair[1]["tokens/s/gpu_cluster"]))
    figures = {
        "ttft_ms": float(row["ttft"]),
        "itl_ms": float(row["tpot"]),
        "tokens_per_second_per_gpu": float(row["tokens/s/gpu_cluster"]),
    }
    # Tables of pools carry the engine per pool, those of several engines at once in either way.
    engine = " ".join(row.get(name) or row.get(f"(d){name}") or "" for name in ("backend", "version"))
    told = _told(mode, engine, figures)
    return told if kept else f"misses the targets: {told}"


def _keeps(row: Mapping[str, str], case: Case) -> bool:
    return float(row["ttft"]) <= case.ttft and float(row["tpot"]) <= case.itl


def _told(mode: str, engine: str, row: Mapping[str, float]) -> str:
    return (
        f"{mode} on {engine}, {row['tokens_per_second_per_gpu']:.0f} tokens/s/GPU, "
        f"TTFT {row['ttft_ms']:.0f} ms, ITL {row['itl_ms']:.2f} ms"
    )


def main() -> int:
    """Ask both, print the ratios side by side."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peer-python", type=Path, required=True, help="python of an environment with aiconfigurator")
    parser.add_argument("--case", choices=CASES, action="append", help="repeatable; all by default")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each, of which the quickest counts (3)")
    flags = parser.parse_args()
    for name in flags.case or CASES:
        case = CASES[name]
        mine = min((ours(case) for _ in range(flags.repeat)), key=lambda run: run.seconds)
        theirs = min((peer(case, flags.peer_python) for _ in range(flags.repeat)), key=lambda run: run.seconds)
        _show(name, mine, theirs)
    return 0


def _show(name: str, mine: Run, theirs: Run) -> None:
    rows = (
        ("wall time, s", f"{mine.seconds:.2f}", f"{theirs.seconds:.2f}", theirs.seconds / mine.seconds),
        ("peak memory, MiB", f"{mine.peak / MEBIBYTE:.0f}", f"{theirs.peak / MEBIBYTE:.0f}", theirs.peak / mine.peak),
    )
    sys.stdout.write(f"{name}\n{'':18}{'dgdr':>10}{'peer':>10}{'ratio':>8}\n")
    for label, left, right, ratio in rows:
        sys.stdout.write(f"  {label:16}{left:>10}{right:>10}{ratio:>8.1f}\n")
    sys.stdout.write(f"  dgdr chooses    {mine.answer}\n  peer chooses    {theirs.answer}\n\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
