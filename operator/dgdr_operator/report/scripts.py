"""Shell scripts that start a graph's workers and frontend on plain machines, one script per machine."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dgdr_operator.manifest import views
from dgdr_operator.manifest.views import View

SYSTEM_PORT = 9090
"""First port of the workers' health and metrics; workers that share a machine count up."""

SIDE_CHANNEL_PORT = 20097
"""First port on which vLLM workers tell each other about the keys and values they hold."""

_ONE_TIME = "HF_HOME"
"""A path inside the pods; on a machine the user's own cache serves."""

_BOOTSTRAP = "--disaggregation-bootstrap-port"
_RENDEZVOUS_PORT = 29500
_NO_MPI = "a TensorRT-LLM worker of several machines starts under MPI, which the platform sets up: use k8s_deploy.yaml"
_HEAD = """\
#!/usr/bin/env bash
# Machine {number} of {count}: the command lines of k8s_deploy.yaml without Kubernetes.
# Needs the engine's runtime image or its Python environment, and etcd and NATS on machine 0.
set -euo pipefail
here="$(cd "$(dirname "${{BASH_SOURCE[0]}}")" && pwd)"
{addresses}
export ETCD_ENDPOINTS="${{ETCD_ENDPOINTS:-http://$NODE_0_IP:2379}}"
export NATS_SERVER="${{NATS_SERVER:-nats://$NODE_0_IP:4222}}"
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
"""
_TAIL = "\n# The first one that ends takes the others with it.\nwait -n\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """Where one pod's process runs: machine, first GPU there, its rank among the pods of its worker.

    copy: which replica; leader: the machine of rank 0.
    """

    view: View
    copy: int
    machine: int
    first_gpu: int
    rank: int
    leader: int

    @property
    def gpus(self) -> str:
        """Its GPUs as CUDA_VISIBLE_DEVICES names them."""
        return ",".join(str(self.first_gpu + index) for index in range(self.view.pod_gpus))


def scripts(graph: Mapping[str, Any], node_gpus: int, files: Mapping[str, str]) -> list[str]:
    """The text of run_0.sh, run_1.sh, ... for *graph* on machines of *node_gpus* GPUs.

    files: path of an engine file inside the pods -> its name beside the scripts.
    """
    parts = views.of(graph)
    seats = list(_seats([part for part in parts if part.is_worker], node_gpus))
    count = max((seat.machine for seat in seats), default=0) + 1
    frontend = next(part for part in parts if part.kind == "frontend")
    return [
        _script(number, count, frontend, [s for s in seats if s.machine == number], files) for number in range(count)
    ]


def _seats(workers: Sequence[View], node_gpus: int) -> Iterator[Seat]:
    """Workers of whole machines first, then the widest; each goes to the first machine with enough free GPUs."""
    free: list[int] = []
    for view in sorted(workers, key=lambda one: (-one.nodes, -one.pod_gpus)):
        for copy in range(view.replicas):
            if view.nodes > 1:
                leader = len(free)
                free += [0] * view.nodes
                for rank in range(view.nodes):
                    yield Seat(view=view, copy=copy, machine=leader + rank, first_gpu=0, rank=rank, leader=leader)
                continue
            machine = next((index for index, left in enumerate(free) if left >= view.pod_gpus), len(free))
            free += [node_gpus] if machine == len(free) else []
            first = node_gpus - free[machine]
            free[machine] -= view.pod_gpus
            yield Seat(view=view, copy=copy, machine=machine, first_gpu=first, rank=0, leader=machine)


def _script(number: int, count: int, frontend: View, seats: Sequence[Seat], files: Mapping[str, str]) -> str:
    needed = sorted({0, *(seat.leader for seat in seats)})
    addresses = "\n".join(_address(machine, number) for machine in needed)
    parts = [_HEAD.format(number=number, count=count, addresses=addresses)]
    if number == 0:
        parts.append(f"\n# {frontend.name}\n{_block({}, _frontend(frontend))}")
    for place, seat in enumerate(seats):
        parts.append(f"\n# {_title(seat)}\n{_start(seat, place, files)}")
    return "".join(parts) + _TAIL


def _start(seat: Seat, place: int, files: Mapping[str, str]) -> str:
    if seat.view.nodes > 1 and "dynamo.trtllm" in seat.view.main.get("command", ()):
        return f"echo {shlex.quote(_NO_MPI)} >&2\nexit 1\n"
    return _block(_variables(seat, place), _arguments(seat, place, files))


def _address(machine: int, number: int) -> str:
    if machine == number:
        return f': "${{NODE_{machine}_IP:=127.0.0.1}}"'
    return f': "${{NODE_{machine}_IP:?set it to the address of the machine that runs run_{machine}.sh}}"'


def _title(seat: Seat) -> str:
    rank = f", rank {seat.rank} of {seat.view.nodes}" if seat.view.nodes > 1 else ""
    return f"{seat.view.name} {seat.copy + 1} of {seat.view.replicas}{rank}: GPUs {seat.gpus}"


def _frontend(view: View) -> list[str]:
    command = [*map(str, view.main.get("command") or ("python3", "-m", "dynamo.frontend")), *view.args]
    return [shlex.quote(word) for word in command]


def _variables(seat: Seat, place: int) -> dict[str, str]:
    own = {name: shlex.quote(value) for name, value in seat.view.env.items() if name != _ONE_TIME}
    ports = {"DYN_SYSTEM_PORT": str(SYSTEM_PORT + place)}
    if "dynamo.vllm" in seat.view.main.get("command", ()):
        ports["VLLM_NIXL_SIDE_CHANNEL_PORT"] = str(SIDE_CHANNEL_PORT + place)
    return {"CUDA_VISIBLE_DEVICES": seat.gpus, **ports, **own}


def _arguments(seat: Seat, place: int, files: Mapping[str, str]) -> list[str]:
    words = [*map(str, seat.view.main.get("command") or ()), *seat.view.args]
    if _BOOTSTRAP in words:
        port = words.index(_BOOTSTRAP) + 1
        words[port] = str(int(words[port]) + place)
    quoted = [f'"$here/{files[word]}"' if word in files else shlex.quote(word) for word in words]
    return quoted + (_joining(seat) if seat.view.nodes > 1 else [])


def _joining(seat: Seat) -> list[str]:
    """What the platform adds to a worker of several pods."""
    ranks = ["--nnodes", str(seat.view.nodes), "--node-rank", str(seat.rank)]
    if "dynamo.sglang" in seat.view.main.get("command", ()):
        return ["--dist-init-addr", f'"$NODE_{seat.leader}_IP:{_RENDEZVOUS_PORT}"', *ranks]
    flags = [*ranks, "--master-addr", f'"$NODE_{seat.leader}_IP"']
    return flags if seat.rank == 0 else [*flags, "--headless"]


def _block(variables: Mapping[str, str], words: Sequence[str]) -> str:
    """One command in the background, every variable and every flag with its value on a line."""
    lines = [f"{name}={value}" for name, value in variables.items()]
    for place, word in enumerate(words):
        if place == 0 or word.startswith("--"):
            lines.append(word)
        else:
            lines[-1] += f" {word}"
    return " \\\n  ".join(lines) + " &\n"
