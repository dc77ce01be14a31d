"""The tables of an ablation as Markdown and as one page of HTML, with every interval drawn."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Only for the types: the module imports torch, which takes seconds.
    from fitcli.training.evaluation.ablation import AblationReport, Figure, Line

TITLES = {
    "pretrained": "Pretrained or not",
    "x3d": "Sizes of X3D",
    "slowfast": "Depths of SlowFast",
    "reduction": "SlowFast's channel reduction",
    "transfer": "From exercises to muscles and back",
    "ensemble": "Weights of the ensemble",
}

COLUMNS = ("top-1", "top-3", "macro", "micro", "nothing", "mAP", "AUC", "F1")

EXPLANATION = (
    "top-1, top-3 and macro (mean of the classes' own top-1) are of the exercise; micro (accuracy over all muscles), "
    "mAP, AUC and F1 (means over muscles) of the muscles. 'nothing' is the micro accuracy of calling every muscle "
    "idle: no micro accuracy below it is worth anything. Figures are over the whole test part, with 95 % intervals "
    "from 1000 draws of whole recordings (200 for mAP)."
)

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --bar: #2a78d6; --weak: #777; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2.2rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .55rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
th { font-weight: 600; } td.best { font-weight: 700; }
small { color: var(--weak); } td.fault { color: var(--weak); text-align: left; white-space: normal; }
svg { display: block; margin-left: auto; }
"""


def markdown(report: AblationReport) -> str:
    """The tables as Markdown."""
    parts = [f"# Ablations on {report.data}", _basis(report), EXPLANATION]
    for name, lines in report.tables.items():
        rows = [["", *COLUMNS], ["---", *("---:" for _ in COLUMNS)]]
        rows += [[line.label, *(_text(value) for value in _values(line))] for line in lines]
        table = "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)
        faults = "\n".join(f"- {line.label}: {line.fault}" for line in lines if line.fault)
        parts += [f"## {TITLES[name]}", table, *([faults] if faults else [])]
    return "\n\n".join(parts) + "\n"


def html(report: AblationReport) -> str:
    """The tables as one page that needs nothing else; the best figure of each column is bold."""
    sections = "".join(_section(name, lines) for name, lines in report.tables.items())
    return (
        f"<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><title>Ablations</title>"
        f"<meta name='viewport' content='width=device-width, initial-scale=1'><style>{_STYLE}</style></head><body>"
        f"<h1>Ablations on {escape(report.data)}</h1><p>{escape(_basis(report))}</p><p>{escape(EXPLANATION)}</p>"
        f"{sections}</body></html>\n"
    )


def _basis(report: AblationReport) -> str:
    how = f" Trained with: {' '.join(report.options)}." if report.options else ""
    return f"Measured on {report.clips} clips of {report.recordings} recordings that no training saw.{how}"


def _section(name: str, lines: Iterable[Line]) -> str:
    lines = list(lines)
    best = [_best(column) for column in zip(*map(_values, lines), strict=True)]
    best[COLUMNS.index("nothing")] = None  # the baseline is the same in every line
    heads = "".join(f"<th>{heading}</th>" for heading in ("", *COLUMNS[:1], "0 to 1", *COLUMNS[1:]))
    rows = "".join(_row(line, best) for line in lines)
    return f"<h2>{TITLES[name]}</h2><div class='wide'><table><tr>{heads}</tr>{rows}</table></div>"


def _row(line: Line, best: list[float | None]) -> str:
    label = f"<td>{escape(line.label)}</td>"
    if line.fault:
        return f"<tr>{label}<td class='fault' colspan='{len(COLUMNS) + 1}'>{escape(line.fault)}</td></tr>"
    cells = []
    for column, (value, most) in enumerate(zip(_values(line), best, strict=True)):
        number, interval = _number(value), _interval(value)
        marked = " class='best'" if number is not None and number == most else ""
        beside = f" <small>{interval}</small>" if interval else ""
        cells.append(f"<td{marked}>{_plain(number)}{beside}</td>")
        if column == 0:
            cells.append(f"<td>{_drawn(value)}</td>")
    return f"<tr>{label}{''.join(cells)}</tr>"


def _drawn(value: Figure | float | None) -> str:
    """A share and its interval on a line from 0 to 1."""
    number = _number(value)
    if number is None:
        return ""
    low, high = getattr(value, "interval", None) or (number, number)
    x, left, right = (4 + 112 * share for share in (number, low, high))
    return (
        "<svg width='120' height='14' role='img'><title>"
        f"{number:.3f}, {low:.2f} to {high:.2f}</title>"
        "<line x1='4' x2='116' y1='7' y2='7' stroke='var(--line)'/>"
        f"<line x1='{left:.1f}' x2='{right:.1f}' y1='7' y2='7' stroke='var(--bar)' stroke-width='3' opacity='.45'/>"
        f"<circle cx='{x:.1f}' cy='7' r='4' fill='var(--bar)'/></svg>"
    )


def _values(line: Line) -> list[Figure | float | None]:
    return [
        *(line.top1, line.top3, line.macro_top1),
        *(line.micro_accuracy, line.predict_nothing, line.average_precision, line.auc, line.macro_f1),
    ]


def _best(column: Iterable[Figure | float | None]) -> float | None:
    numbers = [number for value in column if (number := _number(value)) is not None]
    return max(numbers) if len(set(numbers)) > 1 else None


def _number(value: Figure | float | None) -> float | None:
    number = value if value is None or isinstance(value, float) else value.value
    return None if number is None or number != number else number


def _interval(value: Figure | float | None) -> str:
    interval = getattr(value, "interval", None)
    return f"{interval[0]:.2f}-{interval[1]:.2f}" if interval else ""


def _plain(number: float | None) -> str:
    return "-" if number is None else f"{number:.3f}"


def _text(value: Figure | float | None) -> str:
    interval = _interval(value)
    return f"{_plain(_number(value))}{f' ({interval})' if interval else ''}"
