"""The answer as one page for a browser: question, plan, tables, chart, where the time goes; nothing is fetched."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import groupby

from dgdr_operator.report import answer, figures, pareto, ranking, svg
from dgdr_operator.report.answer import Fact
from dgdr_operator.report.asked import Asked
from dgdr_operator.report.grid import Column
from dgdr_operator.report.scene import Scene
from estimator.estimates import Estimate, OpTime, Outcome

_STYLE = """\
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2933; max-width: 64rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem; margin-bottom: 0.3rem }
h2 { font-size: 1.15rem; margin-top: 2.2rem; border-bottom: 1px solid #cbd2d9; padding-bottom: 0.2rem }
h3 { font-size: 1rem; margin-bottom: 0.3rem }
dl { display: grid; grid-template-columns: 6.5rem 1fr; gap: 0.2rem 1rem; margin: 0.8rem 0 }
dt { color: #616e7c } dd { margin: 0 }
.table { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; white-space: nowrap }
th, td { padding: 0.15rem 0.7rem; text-align: right } th { color: #616e7c; font-weight: 600; vertical-align: bottom }
th { border-bottom: 1px solid #7b8794 } .left { text-align: left } tr.plan { background: #fdeaea; font-weight: 600 }
.bar { display: block; height: 0.7rem; background: #2f6fb0; border-radius: 2px; min-width: 1px }
.measured { background: #2a9461 } .interpolated { background: #2f6fb0 } .extrapolated { background: #8a6d1d }
.transferred, .formula { background: #d64545 } .elementwise { background: #9aa5b1 }
svg { width: 100%; height: auto } .note { color: #616e7c }
@media print { body { margin: 0; font-size: 11px } h2 { break-after: avoid } }"""
_BAR = 12
"""Width of a bar of everything, rem."""


def scene(asked: Asked, outcome: Outcome) -> Scene:
    """The Pareto chart of the answer."""
    points = (*outcome.frontier, *outcome.aggregated, *outcome.disaggregated)
    return pareto.scene(points, outcome.choice, asked.targets.itl, _headline(asked))


def html(asked: Asked, outcome: Outcome) -> str:
    """The whole page; equal answers give equal pages."""
    notes = (*asked.notes, *outcome.notes)
    question = [*answer.question(asked, dict(outcome.dtypes), notes, "≤"), ("Search", [answer.searched(outcome)])]
    body = [f"<h1>{escape(answer.title(asked))}</h1>", _facts(question)]
    body += [f"<h2>{escape(answer.chosen(outcome.choice))}</h2>", _facts(answer.plan(asked, outcome))]
    body += ["<h2>Frontier</h2>", svg.draw(scene(asked, outcome))]
    for title, estimates in (("Aggregated", outcome.aggregated), ("Disaggregated", outcome.disaggregated)):
        body += [f"<h2>{title}</h2>", _ranked(estimates, outcome.choice)]
    body += [f'<p class="note">{escape(note)}</p>' for note in _footnotes(outcome)]
    body += ["<h2>Where the time of the plan goes</h2>", *_breakdown(outcome.choice.breakdown)]
    return _document(answer.title(asked), body)


def _headline(asked: Asked) -> str:
    return f"{answer.title(asked)}: {asked.workload.isl} tokens in, {asked.workload.osl} out"


def _document(title: str, body: Iterable[str]) -> str:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    lines = ["<!doctype html>", f'<html lang="en"><head>{head}<style>', _STYLE, "</style></head><body>"]
    return "\n".join([*lines, *body, "</body></html>"]) + "\n"


def _facts(facts: Sequence[Fact]) -> str:
    rows = [
        f"<dt>{escape(label)}</dt><dd>{'<br>'.join(escape(value) for value in values if value)}</dd>"
        for label, values in facts
        if any(values)
    ]
    return f"<dl>{''.join(rows)}</dl>"


def _ranked(estimates: Sequence[Estimate], choice: Estimate) -> str:
    if not estimates:
        return "<p>No plan keeps the promises.</p>"
    columns = ranking.columns(estimates, choice)
    heads = "".join(f"<th{_side(one)}>{'<br>'.join(escape(part) for part in one.head if part)}</th>" for one in columns)
    rows = [
        "".join(f"<td{_side(one)}>{escape(cell)}</td>" for one, cell in zip(columns, cells, strict=True))
        for cells in zip(*(one.cells for one in columns), strict=True)
    ]
    marked = [f"<tr{_marked(one, choice)}>{row}</tr>" for one, row in zip(estimates, rows, strict=True)]
    return _table(heads, marked)


def _table(heads: str, rows: Iterable[str]) -> str:
    return f'<div class="table"><table><tr>{heads}</tr>{"".join(rows)}</table></div>'


def _side(column: Column) -> str:
    return ' class="left"' if column.left else ""


def _marked(estimate: Estimate, choice: Estimate) -> str:
    return ' class="plan"' if estimate == choice else ""


def _footnotes(outcome: Outcome) -> list[str]:
    return ranking.footnotes((*outcome.aggregated, *outcome.disaggregated), outcome.choice)


def _breakdown(operations: Sequence[OpTime]) -> Iterator[str]:
    """One table per phase: seconds of an iteration by operation, the longest first, and the evidence of each."""
    for phase, group in groupby(sorted(operations, key=lambda one: one.phase, reverse=True), key=lambda one: one.phase):
        parts = sorted(group, key=lambda one: -one.seconds)
        whole = sum(one.seconds for one in parts)
        yield f"<h3>One {phase} iteration: {figures.ms(whole)} ms</h3>"
        rows = [_operation(one, one.seconds / whole) for one in parts if one.seconds > 0]
        heads = (
            '<tr><th class="left">operation</th><th>ms</th><th>share</th><th></th><th class="left">evidence</th></tr>'
        )
        yield f'<div class="table"><table>{heads}{"".join(rows)}</table></div>'


def _operation(one: OpTime, share: float) -> str:
    evidence = escape(one.provenance)
    bar = f'<span class="bar {evidence.split()[0]}" style="width:{share * _BAR:.2f}rem"></span>'
    return (
        f'<tr><td class="left">{escape(one.name)}</td><td>{figures.ms(one.seconds)}</td>'
        f'<td>{figures.percent(share)}</td><td class="left">{bar}</td><td class="left">{evidence}</td></tr>'
    )
