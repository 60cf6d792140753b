"""The journey in other processes: cached by its inputs, one flight per question, with a time limit.

The main process never imports the estimator: numbers stay out of its memory, and its event loop stays free.
"""

import asyncio
import logging
import multiprocessing
import os
import signal
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from dgdr_operator.controller import metrics
from dgdr_operator.controller.answers import Answer, Refused, Working
from dgdr_operator.controller.cache import name_of
from dgdr_operator.controller.clock import Clock
from dgdr_operator.controller.recall import release, request_hash, stamped, world_hash
from dgdr_operator.controller.tracing import SILENT, Traces
from dgdr_operator.controller.workqueue import Key
from dgdr_operator.inventory import Inventory
from dgdr_operator.planned import Planned
from dgdr_operator.settings import Settings

log = logging.getLogger(__name__)

SLOT = "dgdr_operator.controller.slot"
LIMIT = 60.0
"""Seconds one plan may take before its process is killed; a warm search takes a tenth of one."""
ANSWERS_KEPT = 4096
REPORTS_KEPT = 1024
"""Searches whose pages are kept, at 20 kB each: they are written down once the graph stands."""
TOGETHER = 256
"""Equal questions that are asked in one go, at most."""
TRIES = 2
SINGLE_THREADED = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""Set before the first child starts: numpy would otherwise start a thread per core in each of them."""

Question = tuple[Key, str, str]
"""Whose request, the digest of what it says, the digest of the nodes: equal questions have equal answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One question with all it takes to answer it."""

    question: Question
    body: Mapping[str, Any]
    nodes: Inventory | None
    settings: Settings


Errand = Callable[[Job], Planned | Refused]


def _errand(job: Job) -> Planned | Refused:
    """Runs in the child, which alone knows the estimator."""
    plan: Callable[..., Planned | Refused] = import_module(SLOT).plan
    return plan(job.body, job.nodes, job.settings)


def _each(errand: Errand, jobs: Sequence[Job]) -> list[Planned | Refused]:
    """Runs in the child: several jobs in one go, since a trip there and back costs more than a remembered answer."""
    return [errand(job) for job in jobs]


def _end_with_the_controller() -> None:
    """Runs first in the child: a controller that is killed takes its children along."""
    controller = multiprocessing.parent_process()

    def wait() -> None:
        if controller:
            controller.join()
        os._exit(0)

    threading.Thread(target=wait, name="mourner", daemon=True).start()


class Slot:
    """One process that answers one question at a time, and is replaced when it dies or hangs."""

    def __init__(self, limit: float = LIMIT, errand: Errand = _errand) -> None:
        self.limit = limit
        self._errand = errand
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([SLOT])
        self._pid: int | None = None  # known once the process has answered; one that still starts ends with its queue
        self._executor = self._fresh()

    def _fresh(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(max_workers=1, mp_context=self._context, initializer=_end_with_the_controller)

    async def answer(self, jobs: Sequence[Job]) -> Sequence[Planned | Refused]:
        """The answers to equal questions, or a refusal that says that the estimator crashed twice or took too long."""
        for attempt in range(1, TRIES + 1):
            try:
                return await self._run(jobs)
            except TimeoutError:
                self._replace("timeout")
                told = f"planning took longer than {self.limit:g} s"
                return [Refused(why="timed-out", message=told)] * len(jobs)
            except BrokenProcessPool:
                log.warning("an estimator process died", extra={"key": _names(jobs), "attempt": attempt})
                self._replace("crash")
            except Exception as error:
                log.exception("a fault in the estimator", extra={"key": _names(jobs)})
                if len(jobs) > 1:  # it may lie in the name of one of them
                    return [answer for job in jobs for answer in await self.answer([job])]
                told = f"a fault in the estimator, {type(error).__name__}: {error}; edit the request to retry"
                return [Refused(why="crashed", message=told)]
        told = f"the estimator died {TRIES} times while planning; edit the request to retry"
        return [Refused(why="crashed", message=told)] * len(jobs)

    async def _run(self, jobs: Sequence[Job]) -> Sequence[Planned | Refused]:
        loop = asyncio.get_running_loop()
        if self._pid is None:
            self._pid = await self._begun()
        async with asyncio.timeout(self.limit):
            return await loop.run_in_executor(self._executor, _each, self._errand, jobs)

    def _replace(self, why: str) -> None:
        metrics.ESTIMATOR_RESTARTS.labels(why).inc()
        if self._pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
        self._pid = None
        self._executor.shutdown(wait=False, cancel_futures=True)
        self._executor = self._fresh()

    async def warm(self) -> None:
        """Starts the process and lets it import the estimator; one that dies at it is replaced by the first job."""
        try:
            self._pid = await self._begun()
        except BrokenProcessPool:
            log.warning("an estimator process died before its first question")
            self._replace("crash")

    async def _begun(self) -> int:
        """The process id, once there is one: the first process waits half a second for its parent to import numpy."""
        return await asyncio.wrap_future(await asyncio.to_thread(self._executor.submit, os.getpid))

    def close(self) -> None:
        """Ends the process, whatever it is doing."""
        self._replace("close")
        self._executor.shutdown(wait=False)


def _names(jobs: Sequence[Job]) -> str:
    """Whose questions these are, for the log."""
    return ", ".join("/".join(job.question[0]) for job in jobs)


class Estimation:
    """Answers at once: from memory, or that it is being worked on; a finished answer rings its key."""

    def __init__(
        self,
        slots: Sequence[Slot],
        settings: Settings,
        ring: Callable[[Key], None],
        clock: Clock,
        traces: Traces = SILENT,
    ) -> None:
        self._traces = traces
        self._settings = settings
        self._release = release(settings)
        self._ring = ring
        self._clock = clock
        self._slots = slots
        self._answers: OrderedDict[Question, Planned | Refused] = OrderedDict()
        self._reports: OrderedDict[bytes, tuple[bytes, set[Question]]] = OrderedDict()
        self._started: dict[Question, float] = {}
        self._latest: dict[Key, Question] = {}
        self._asked: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
        self._jobs: dict[tuple[str, str], list[Job]] = {}

    def answer(self, request: Mapping[str, Any], nodes: Inventory | None) -> Answer:
        """What is known about *request*; never waits."""
        key, said = name_of(request), request_hash(request)
        question = (key, said, nodes.hash if nodes else "")
        known = self._answers.get(question)
        if known is not None:
            metrics.ESTIMATOR_HITS.inc()
            self._answers.move_to_end(question)
            self._traces.recalled(question, _result(known))
            return known
        self._latest[key] = question
        if question not in self._started:
            metrics.ESTIMATOR_MISSES.inc()
            self._started[question] = self._clock.seconds()
            self._traces.asked(question)
            body = {name: request[name] for name in ("apiVersion", "kind", "metadata", "spec") if name in request}
            self._enqueue(Job(question=question, body=body, nodes=nodes, settings=self._settings))
        return Working(seconds=self._clock.seconds() - self._started[question], line=len(self._started))

    def pages(self, request: Mapping[str, Any], plan: Planned) -> Planned:
        """*plan* with the pages about its search, if *request* was last answered with it and they are still known."""
        question = self._latest.get(name_of(request))
        known = self._answers.get(question) if question else None
        return replace(plan, report=known.report) if isinstance(known, Planned) and known.hash == plan.hash else plan

    @property
    def waiting(self) -> int:
        """Questions that wait for a process."""
        return sum(map(len, self._jobs.values()))

    def _enqueue(self, job: Job) -> None:
        """In line, together with those who ask the same in the same world and wait as well."""
        asked = job.question[1:]
        if asked not in self._jobs:
            self._jobs[asked] = []
            self._asked.put_nowait(asked)
        self._jobs[asked].append(job)

    async def _dequeue(self) -> list[Job]:
        """The next jobs: equal questions, as many as go together; the others of them wait at the end of the line."""
        asked = await self._asked.get()
        jobs = self._jobs.pop(asked)
        if jobs[TOGETHER:]:
            self._jobs[asked] = jobs[TOGETHER:]
            self._asked.put_nowait(asked)
        return jobs[:TOGETHER]

    def forget(self, key: Key) -> None:
        """The request is gone; a job of it that has not begun never will."""
        self._latest.pop(key, None)

    async def work(self) -> None:
        """Answers jobs for ever, one per slot at a time."""
        async with asyncio.TaskGroup() as group:
            for slot in self._slots:
                group.create_task(self._serve(slot))

    async def _serve(self, slot: Slot) -> None:
        await slot.warm()
        while True:
            jobs = await self._dequeue()
            wanted = [job for job in jobs if self._latest.get(job.question[0]) == job.question]
            for job, answer in zip(wanted, await self._timed(slot, wanted) if wanted else (), strict=True):
                self._keep(job, answer)
                self._ring(job.question[0])
            for job in jobs:
                self._traces.answered(job.question, "superseded")  # unless it has been answered
                self._started.pop(job.question, None)

    async def _timed(self, slot: Slot, jobs: Sequence[Job]) -> Sequence[Planned | Refused]:
        began = self._clock.seconds()
        for job in jobs:
            self._traces.began(job.question)
        answers = await slot.answer(jobs)
        took = (self._clock.seconds() - began) / len(jobs)
        for job, answer in zip(jobs, answers, strict=True):
            result = _result(answer)
            self._traces.answered(job.question, result)
            if isinstance(answer, Refused):
                metrics.REFUSALS.labels(answer.why).inc()
            metrics.ESTIMATOR_SECONDS.labels(result).observe(took)
        return answers

    def _keep(self, job: Job, answer: Planned | Refused) -> None:
        """Remembers it; equal pages are kept once, and the oldest answers and pages are forgotten."""
        if isinstance(answer, Planned):
            world = world_hash(job.nodes, self._release)
            report, readers = self._reports.setdefault(answer.report, (answer.report, set()))
            readers.add(job.question)
            answer = replace(answer, graph=stamped(answer.graph, job.question[1], world), report=report)
        self._answers[job.question] = answer
        while len(self._reports) > REPORTS_KEPT:
            _, (_, readers) = self._reports.popitem(last=False)
            for question in readers:
                older = self._answers.get(question)
                if isinstance(older, Planned):
                    self._answers[question] = replace(older, report=b"")
        while len(self._answers) > ANSWERS_KEPT:
            question, older = self._answers.popitem(last=False)
            if isinstance(older, Planned) and older.report in self._reports:
                self._reports[older.report][1].discard(question)

    def close(self) -> None:
        """Ends the processes."""
        for slot in self._slots:
            slot.close()


def _result(answer: Planned | Refused) -> str:
    """An answer in one word: planned, or why not."""
    return answer.why if isinstance(answer, Refused) else "planned"
