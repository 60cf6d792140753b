"""The page for a search that found something: the question, the data, the plan, the tables, the chart."""

from collections.abc import Iterator

from dgdr_operator.report import chart, figures, ranking
from dgdr_operator.report.asked import Asked, decided, promises, sources, traffic
from dgdr_operator.report.paper import Paper
from dgdr_operator.report.prose import facts, heading
from estimator.estimates import Estimate, Outcome, Worker

_LEAST_SHARE = 0.005

Fact = tuple[str, list[str]]
"""A label and the sentences beside it."""


def page(asked: Asked, outcome: Outcome, paper: Paper) -> str:
    """The whole answer as text that ends with a newline; no line is wider than the paper unless a word is."""
    lines = [*head(asked, dict(outcome.dtypes), (*asked.notes, *outcome.notes), paper)]
    lines += facts("Search", [searched(outcome)], paper)
    lines += ["", *_plan(asked, outcome, paper)]
    for title, estimates in (("Aggregated", outcome.aggregated), ("Disaggregated", outcome.disaggregated)):
        lines += ["", *heading(f"{title}, best first" if estimates else f"{title}: no plan keeps the promises", paper)]
        lines += ranking.table(estimates, outcome.choice, paper)
    notes = ranking.footnotes((*outcome.aggregated, *outcome.disaggregated), outcome.choice)
    lines += ["", *notes] if notes else []
    lines += _frontier(asked, outcome, paper)
    return "\n".join(lines) + "\n"


def head(asked: Asked, dtypes: dict[str, str], notes: tuple[str, ...], paper: Paper) -> Iterator[str]:
    """The lines that say what was asked and what is known about it."""
    yield from heading(title(asked), paper)
    for label, values in question(asked, dtypes, notes, paper.at_most):
        yield from facts(label, values, paper)


def title(asked: Asked) -> str:
    """What was to be served, and on what."""
    return f"{asked.model.name} on up to {asked.gpus} x {asked.system}"


def question(asked: Asked, dtypes: dict[str, str], notes: tuple[str, ...], at_most: str) -> list[Fact]:
    """What was asked and what is known about it; *at_most* is the sign of an upper bound."""
    return [
        ("Asked", [traffic(asked.workload), promises(asked.targets, at_most), decided(asked.pins)]),
        ("Measured", sources(asked)),
        ("Dtypes", [f"{name}: {value}" for name, value in dtypes.items()]),
        ("Notes", list(dict.fromkeys(notes))),
    ]


def searched(outcome: Outcome) -> str:
    """How many candidates were priced, and why others fell."""
    counts = [f"{count:,} {reason}" for reason, count in _by_count(outcome)]
    ruled_out = f"; ruled out: {', '.join(counts)}" if counts else ""
    return f"{outcome.considered:,} candidates priced{ruled_out}"


def _by_count(outcome: Outcome) -> list[tuple[str, int]]:
    return sorted(((reason, count) for reason, count in outcome.rejections.items() if count), key=lambda item: -item[1])


def _plan(asked: Asked, outcome: Outcome, paper: Paper) -> Iterator[str]:
    yield from heading(chosen(outcome.choice), paper)
    for label, values in plan(asked, outcome):
        yield from facts(label, values, paper)


def chosen(choice: Estimate) -> str:
    """The plan in one line."""
    return f"Plan: {choice.mode}, {_pools(choice)}"


def plan(asked: Asked, outcome: Outcome) -> list[Fact]:
    """What is known about the plan, in labelled sentences; empty ones are to be left out."""
    choice = outcome.choice
    return [
        ("Runs on", [f"{choice.gpus} of {asked.gpus} GPUs with {choice.backend}"]),
        ("Serves", [_rates(choice), _versus(asked, outcome)]),
        ("Latency", [_latency(choice)]),
        ("Trust", trusted(choice)),
        ("Memory", [_memory(worker) for worker in choice.workers]),
        ("Evidence", [evidence(choice)]),
    ]


def _pools(estimate: Estimate) -> str:
    if estimate.mode == "aggregated":
        worker = estimate.workers[0]
        return f"{estimate.replicas} x {figures.split(worker.parallel)}, batch {worker.batch_size}"
    parts = [
        f"{worker.count} {worker.role} x {figures.split(worker.parallel)}, batch {worker.batch_size}"
        for worker in estimate.workers
    ]
    copies = f", all {estimate.replicas} times" if estimate.replicas > 1 else ""
    return " + ".join(parts) + copies


def _rates(estimate: Estimate) -> str:
    users = estimate.tokens_per_second_per_user
    speed = "" if users is None else f", {figures.plain(users)} per user"
    whole = f"{estimate.load.tokens_per_second:,.0f} in all, {figures.plain(estimate.load.request_rate)} requests/s"
    return (
        f"{figures.plain(estimate.tokens_per_second_per_gpu)} tokens/s per GPU ({whole}){speed}, "
        f"at concurrency {estimate.load.concurrency}"
    )


def _versus(asked: Asked, outcome: Outcome) -> str:
    """What the chosen mode gains over the other one, where both could serve as much as they can."""
    others = outcome.aggregated if outcome.choice.mode == "disaggregated" else outcome.disaggregated
    fixed = asked.workload.concurrency is not None or asked.workload.request_rate is not None
    if not others or fixed:
        return ""
    ratio = outcome.choice.load.tokens_per_second / others[0].load.tokens_per_second
    needs = ", and needs RDMA between its workers" if outcome.choice.mode == "disaggregated" else ""
    return f"{ratio:.2f} times the best {others[0].mode} plan{needs}"


def _latency(estimate: Estimate) -> str:
    terms = [f"{name} {figures.ms(value)}" for name, value in estimate.latency.ttft_terms.items() if value > 0]
    made_of = f" ({', '.join(terms)})" if len(terms) > 1 else ""
    return (
        f"TTFT {figures.ms(estimate.latency.ttft)} ms{made_of}, ITL {figures.ms(estimate.latency.itl)} ms, "
        f"whole request {figures.ms(estimate.latency.request)} ms"
    )


def trusted(estimate: Estimate) -> list[str]:
    """How probable it is that the promises are kept, and how far each number is to be believed."""
    trust = estimate.trust
    if trust is None:
        return []
    spans = [
        ("TTFT", figures.between(trust.ttft, figures.ms), " ms"),
        ("ITL", figures.between(trust.itl, figures.ms), " ms"),
        ("output", figures.between(trust.tokens_per_second, figures.plain), " tokens/s"),
    ]
    words = ", ".join(f"{name} {span}{unit}" for name, span, unit in spans if span)
    return [f"the latency targets are kept with probability {figures.odds(estimate)}", words]


def _memory(worker: Worker) -> str:
    memory = worker.memory
    role = "" if worker.role == "aggregated" else f"{worker.role}: "
    return (
        f"{role}{figures.gib(memory.used)} of {figures.gib(memory.capacity)} GiB per GPU: "
        f"weights {figures.gib(memory.weights)}, KV cache {figures.gib(memory.kv_needed)} "
        f"(room for {figures.gib(memory.kv_cache)}), activations {figures.gib(memory.activations)}, "
        f"fixed {figures.gib(memory.fixed)}"
    )


def evidence(estimate: Estimate) -> str:
    """Which classes of evidence the step time rests on, largest share first."""
    shares = sorted(estimate.provenance.items(), key=lambda item: -item[1])
    words = [f"{name} {figures.percent(share)}" for name, share in shares if share > _LEAST_SHARE]
    warning = f" {ranking.DOUBTED} treat with care" if estimate.is_doubtful else ""
    return f"of the step time: {', '.join(words)}{warning}"


def _frontier(asked: Asked, outcome: Outcome, paper: Paper) -> list[str]:
    points = (*outcome.frontier, *outcome.aggregated, *outcome.disaggregated)
    lines = chart.pareto(points, outcome.choice, asked.targets.itl, paper)
    return ["", *heading("Frontier", paper), *lines] if lines else []
