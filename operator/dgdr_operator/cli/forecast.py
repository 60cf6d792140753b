"""One measured run predicted the way it was served: engine settings and the client's view are those of the run."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from dgdr_operator.cli import dissection, measurements, served
from dgdr_operator.cli.measurements import BadRow, Run
from dgdr_operator.cli.served import Served
from dgdr_operator.report.deployed import Deployed
from estimator import catalogue, deciding, floor, hardware, quantization, search
from estimator.backends import registry
from estimator.errors import EstimatorError
from estimator.estimates import Evidence
from estimator.hardware import System
from estimator.model import Latent, Model
from estimator.parallelism import Parallel
from estimator.problem import DatabaseMode, Problem
from estimator.quantization import EXPERTS, GEMM
from estimator.workload import Benchmark, Targets, Workload
from perf_db.catalog import Catalog
from perf_db.errors import PerfDatabaseError

_BITS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is predicted for a run, seconds, or the reason why nothing is (then both are None).

    ttft as the client of that run saw it; itl None for a single output token; throughput: output tokens per second of
    the whole deployment; evidence: what most of the step time rests on.
    """

    ttft: float | None = None
    itl: float | None = None
    throughput: float | None = None
    evidence: Evidence = "measured"
    reason: str = ""


class Forecaster:
    """Predicts runs; remembers models, systems and equal questions."""

    def __init__(self, catalog: Catalog, length_ratio: float | None = None, *, mode: DatabaseMode = "hybrid") -> None:
        """*length_ratio*: mean length over nominal length, None for what the run's campaign drew; *mode*: what prices
        may rest on."""
        self._catalog = catalog
        self._ratio = length_ratio
        self._mode = mode
        self._answer = lru_cache(maxsize=None)(self._uncached)
        self._published = lru_cache(maxsize=None)(self._stored_as)
        self._model = lru_cache(maxsize=None)(catalogue.load)
        self._system = lru_cache(maxsize=None)(self._facts)
        self._prompt = lru_cache(maxsize=None)(self._prompt_seconds)

    def of(self, record: Mapping[str, str]) -> Forecast:
        """The forecast for one row of the file; never raises for what a row may hold."""
        try:
            return self._answer(measurements.run(record))
        except BadRow as problem:
            return Forecast(reason=str(problem))

    def _uncached(self, run: Run) -> Forecast:
        try:
            return self._predicted(run, self._system(run.system))
        except (EstimatorError, PerfDatabaseError) as refusal:
            return Forecast(reason=str(refusal))

    def _predicted(self, run: Run, system: System) -> Forecast:
        model, weights = self.checkpoint(run.model, label_of(run))
        how = self._settings(run)
        osl = self.output(run)
        estimate = search.predict(
            model,
            system,
            run.backend,
            run.parallel,
            Workload(isl=self._length(run.isl, how), osl=osl, concurrency=run.concurrency / run.replicas),
            catalog=self._catalog,
            backend_version=self._version(run),
            weights=weights,
            experts=how.experts,
            kv_dtype=how.kv_cache,
            max_num_tokens=how.max_num_tokens,
            benchmark=Benchmark(rounds=how.rounds, alike=how.alike),
            database_mode=self._mode,
        )
        seen = dissection.seen(estimate.latency, osl, how.late, how.streamed)
        throughput = run.replicas * estimate.load.tokens_per_second
        return Forecast(ttft=seen.ttft, itl=seen.itl, throughput=throughput, evidence=estimate.evidence)

    def _settings(self, run: Run) -> Served:
        """How it was served, and the length ratio asked for."""
        model, dtype = self.checkpoint(run.model, label_of(run))
        latent = any(isinstance(mixer, Latent) for mixer in model.mixers)
        kind = served.Checkpoint(weights=dtype or main_type(model), dense=model.experts is None, latent=latent)
        how = served.settings(run, kind, self._system(run.system).gpu.sm)
        return how if self._ratio is None else replace(how, length=self._ratio)

    def arithmetic(self, run: Run, rate: float) -> float:
        """Share of its GPUs' peak arithmetic that prompts alone take at *rate* requests per second; above 1 the run
        was not what its row says. Raises what the catalogue and the data types refuse."""
        how, label = self._settings(run), label_of(run)
        isl = self._length(run.isl, how)
        one = self._prompt(run.backend, run.model, run.system, run.parallel, isl, label, how.kv_cache)
        return rate / run.replicas * one

    def _prompt_seconds(
        self, backend: str, model: str, system: str, parallel: Parallel, isl: int, dtype: str | None, kv: str
    ) -> float:
        """Seconds at the peak rate that a prompt costs every GPU of the deployment."""
        checkpoint, weights = self.checkpoint(model, dtype)
        workload = Workload(isl=isl, osl=1)
        problem = Problem(
            model=checkpoint, system=self._system(system), backend=backend, gpus=parallel.gpus, workload=workload,
            targets=Targets(), kv_dtype=kv,
        )  # fmt: skip
        shape = floor.served(problem, parallel, weights)
        least = floor.of_iteration(shape, workload, "prefill", float(workload.isl), 0.0)
        return least.computing / parallel.dp / parallel.pp

    def deployed(self, run: Run) -> Deployed:
        """What that run is taken to have served. Raises what its prediction would have raised."""
        model, weights = self.checkpoint(run.model, label_of(run))
        engine, sm = registry.engine(run.backend), self._system(run.system).gpu.sm
        types = deciding.stored(model, engine, sm, kv_dtype=self._settings(run).kv_cache, weights=weights)
        return Deployed(
            backend=run.backend,
            checkpoint=model.name,
            attention=types.attention_gemm,
            weights=types.gemm if model.experts is None else types.experts,
            kv_cache=types.kv,
        )

    def checkpoint(self, name: str, dtype: str | None) -> tuple[Model, str | None]:
        """The checkpoint that was served as *name* with weights of *dtype*, and the dtype where it does not say itself.

        Where the named checkpoint is of that type it is itself; else a published one of the same shapes and that type;
        else itself if the width agrees (files call every kind of 4-bit float nvfp4); else every matrix in that type.
        """
        base = self._model(name)
        if dtype is None or dtype == main_type(base):
            return base, None
        if (published := self._published(name, dtype)) is not None:
            return published, None
        return base, (None if width(dtype) == width(main_type(base)) else dtype)

    def _stored_as(self, name: str, dtype: str) -> Model | None:
        return catalogue.stored_as(self._model(name), dtype)

    def _facts(self, name: str) -> System:
        return hardware.system(name, self._catalog.facts(name))

    def _version(self, run: Run) -> str | None:
        """The version that ran if there is something as old, else None: the closest measurements there are."""
        try:
            return self._catalog.resolve(run.system, run.backend, run.backend_version).pack.version
        except PerfDatabaseError:
            return None

    def output(self, run: Run) -> int:
        """Output tokens of the mean request."""
        return self._length(run.osl, self._settings(run))

    def _length(self, nominal: int, how: Served) -> int:
        return max(round(nominal * how.length), 1)


def label_of(run: Run) -> str | None:
    """The dtype of the weights as the file names it, None where it names none.

    The file says fp8 for both kinds: in blocks where the experts' dtype says so, else with the fixed scales that
    ModelOpt exports, the checkpoints these runs served, carry.
    """
    if run.weights == "fp8":
        return "fp8_block" if run.experts == "fp8_block" else "fp8_static"
    return run.weights or None


def main_type(model: Model) -> str:
    """The dtype that a checkpoint stores most of its weights in: its experts' where it has any."""
    declared = quantization.checkpoint(model)
    return declared.gemm if model.experts is None else declared.experts


def width(dtype: str) -> int:
    """Whole bits per weight of *dtype*, without its scales; 0 for one that does not exist."""
    known = EXPERTS.get(dtype) or GEMM.get(dtype)
    return 0 if known is None else int(known.weight_bytes * _BITS)
