"""The front door: picks the verb, and turns every refusal into one sentence and an exit code."""

import importlib
import os
import sys
import traceback
from collections.abc import Sequence

from dgdr_operator import __version__
from dgdr_operator.cli import options
from dgdr_operator.cli.kubectl import Refused, Unreachable
from dgdr_operator.cli.options import BAD_INPUT, INFEASIBLE, UNREACHABLE, Parser, UsageError
from dgdr_operator.errors import JourneyError
from estimator.errors import EstimatorError
from perf_db.errors import PerfDatabaseError

VERBS = {
    "optimize": "a model, some GPUs and an SLA: the best plan, ranked tables, a chart",
    "recommend": "a load and an SLA: the fewest GPUs that will do, with head-room and alternatives",
    "support": "models, systems and engines: what is measured, operation by operation",
    "plan": "a DynamoGraphDeploymentRequest file: exactly what the controller would create for it",
    "generate": "a model and some GPUs: manifests of a configuration that fits, without a search",
    "compare": "a saved plan and a run of AIPerf: prediction against measurement",
    "doctor": "a deployment: is RDMA active, is everything mounted, what to change",
    "simulate": "a deployment and its traffic: what every request meets, as percentiles",
    "validate": "measured runs: how far the predictions are from them",
    "calibrate": "measured runs: learn how far to believe a prediction",
    "estimate": "one configuration: where its time goes, and how far to believe that",
    "status": "a request in a cluster, or all of them: phase, plan, graph, what waits",
    "explain": "a request in a cluster: why it got this plan, or none",
    "diff": "a request in a cluster: what its plan would change in the graph that runs",
    "approve": "a request in a cluster: apply the plan that waits, and no later one",
    "pause": "a request in a cluster: leave it and its graph as they are",
    "resume": "a request in a cluster: end the pause",
    "history": "a request in a cluster: its last plans",
    "rollback": "a request in a cluster: go back to an earlier plan",
    "report": "a request in a cluster: everything about it in one archive, for a bug report",
    "perfdb": "the measurements: which there are, where they come from, what was repaired",
}
ROOMS = {
    **dict.fromkeys(("status", "explain", "diff", "history", "report"), "looking"),
    **dict.fromkeys(("approve", "pause", "resume", "rollback"), "deciding"),
}
"""Verbs that share a room; every other one has a room of its name."""
_CRASH = 1
_INTERRUPTED = 130
_DESCRIPTION = "Plans how to serve a language model on GPUs with Dynamo, from measured kernel times."
_EXAMPLES = """\
examples:
  dgdr optimize --model Qwen/Qwen3-32B-FP8 --system h200_sxm --total-gpus 8 --backend vllm \\
       --isl 4000 --osl 500 --ttft 600 --itl 16.67
  dgdr plan -f examples/01-minimal.yaml | kubectl apply -f -
  dgdr validate --measurements runs.csv --output predicted.csv
  dgdr perfdb list

Times are in milliseconds, lengths in tokens. `dgdr VERB --help` shows the flags of a verb.
Exit codes: 0 a plan was found, 2 bad usage or input, 3 no plan keeps the promises, 4 no cluster answers."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code. Nothing a user can type ends in a traceback."""
    try:
        return _run(options.spelled(sys.argv[1:] if arguments is None else arguments))
    except (UsageError, EstimatorError, PerfDatabaseError, JourneyError) as refusal:
        return _complain(str(refusal), BAD_INPUT)
    except Refused as refusal:
        return _complain(str(refusal), UNREACHABLE if isinstance(refusal, Unreachable) else INFEASIBLE)
    except BrokenPipeError:
        # The reader of our output has seen enough. Python flushes once more at exit: let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (OSError, KeyboardInterrupt) as problem:
        return _stopped(problem)
    except Exception as fault:  # noqa: BLE001 - the last guard: a fault of ours is told in one line, traces on demand
        if os.environ.get("DGDR_DEBUG"):
            traceback.print_exc()
        what = f"{type(fault).__name__}: {fault}"
        return _complain(f"this is a fault of dgdr, please report it ({what}); DGDR_DEBUG=1 shows where", _CRASH)


def _stopped(problem: OSError | KeyboardInterrupt) -> int:
    """A file that is not as it should be, or a user who has waited long enough."""
    if isinstance(problem, KeyboardInterrupt):
        return _INTERRUPTED
    return _complain(f"{problem.filename}: {problem.strerror}" if problem.filename else str(problem), BAD_INPUT)


def _run(arguments: list[str]) -> int:
    verb = next((word for word in arguments if not word.startswith("-")), None)
    if verb is not None and verb not in VERBS:
        hint = options.nearest(verb, VERBS) or f"; there are {', '.join(VERBS)}"
        raise UsageError(f"there is no verb {verb!r}{hint}")
    parser = Parser(prog="dgdr", description=_DESCRIPTION, epilog=_EXAMPLES)
    parser.add_argument("--version", action="version", version=f"dgdr {__version__}")
    verbs = parser.add_subparsers(metavar="VERB", title="verbs", parser_class=Parser)
    if verb is None:
        for name, purpose in VERBS.items():
            verbs.add_parser(name, help=purpose)
        return _without_verb(parser, arguments)
    # One verb a run: the others' imports (YAML, the request's schema) would only cost time.
    module = importlib.import_module(f"dgdr_operator.cli.{ROOMS.get(verb, verb)}")
    module.register(verbs)
    code: int = module.run(parser.parse_args(arguments))
    sys.stdout.flush()
    return code


def _without_verb(parser: Parser, arguments: list[str]) -> int:
    parser.parse_args(arguments)
    raise UsageError(f"say what to do: {', '.join(VERBS)} (dgdr --help shows examples)")


def _complain(message: str, code: int) -> int:
    print(f"dgdr: {' '.join(message.split())}", file=sys.stderr)  # noqa: T201 - a command line speaks by printing
    return code


if __name__ == "__main__":
    sys.exit(main())
