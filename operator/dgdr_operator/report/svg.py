"""A scene as SVG, to stand inside a page or alone."""

from html import escape

from dgdr_operator.report.scene import Scene, Stroke, Word

_STYLE = 'font-family="system-ui, sans-serif" fill="none" stroke-linecap="round" stroke-linejoin="round"'
_CAPITAL = 0.72
"""Height of a capital letter as a share of the font size, for common sans-serif fonts."""


def draw(scene: Scene) -> str:
    """The drawing as one SVG element that scales with its place."""
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {scene.width} {scene.height}" {_STYLE}>']
    lines += [_stroke(stroke) for stroke in scene.strokes]
    lines += [_word(word) for word in scene.words]
    return "\n".join([*lines, "</svg>"])


def _stroke(stroke: Stroke) -> str:
    title = f"<title>{escape(stroke.title)}</title>" if stroke.title else ""
    if len(stroke.points) == 1:
        across, down = stroke.points[0]
        return f'<circle cx="{across:g}" cy="{down:g}" r="{stroke.width / 2:g}" fill="{stroke.color}">{title}</circle>'
    path = " ".join(f"{across:g},{down:g}" for across, down in stroke.points)
    return f'<polyline points="{path}" stroke="{stroke.color}" stroke-width="{stroke.width:g}">{title}</polyline>'


def _word(word: Word) -> str:
    across, down = word.at
    return (
        f'<text x="{across:g}" y="{down:g}" font-size="{word.size / _CAPITAL:.4g}" text-anchor="{word.anchor}" '
        f'fill="{word.color}">{escape(word.text)}</text>'
    )
