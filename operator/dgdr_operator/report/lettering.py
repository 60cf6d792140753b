"""Letters made of strokes, for drawings that cannot ask a font: the characters of a chart, drawn by hand.

A letter lies on a grid: 0..4 across, 0 (top of a capital) .. 6 (base line), 8 (bottom of a descender).
"""

from dgdr_operator.report.scene import Point, Stroke, Word

_ADVANCE = 5.6
"""Grid units from one letter to the next."""

_HEIGHT = 6.0
_PEN = 0.75
"""Width of the pen, grid units."""

# Strokes are separated by blanks; every two digits are a point, across and down; one point is a dot.
_GLYPHS = {
    "0": "103041453616050110", "1": "112026 1636", "2": "01103041420646", "3": "01103041423313 334445361605",
    "4": "36300444", "5": "40000312324345361605", "6": "413010010516364544331304", "7": "004016",
    "8": "13020110304142331304051636454433", "9": "051636454130100102133342", "a": "4332120305163645 4246",
    "b": "0006 0312324345361605", "c": "4332120305163645", "d": "4046 4332120305163645", "e": "04444332120305163645",
    "f": "302126 1232", "g": "4332120305163645 4247381807", "h": "0006 0312324346", "i": "2226 20",
    "j": "22271807 20", "k": "0006 4204 2346", "l": "202536", "m": "0602 03122326 23324346", "n": "0602 0312324346",
    "o": "123243453616050312", "p": "0208 0312324345361605", "q": "4248 4332120305163645", "r": "0602 03123243",
    "s": "4212031434453606", "t": "202536 1232", "u": "0205163645 4246", "v": "022642", "w": "0216233642",
    "x": "0246 4206", "y": "0226 42261808", "z": "02420646", "A": "062046 1434", "B": "003041423303 334445360600",
    "C": "4130100105163645", "D": "00304145360600", "E": "40000646 0333", "F": "400006 0333",
    "G": "41301001051636454323", "H": "0006 4046 0343", "I": "2026 1030 1636", "J": "4045361605",
    "K": "0006 4004 1346", "L": "000646", "M": "0600234046", "N": "06004640", "O": "103041453616050110",
    "P": "06003041423303", "Q": "103041453616050110 3446", "R": "06003041423303 2346",
    "S": "413010010213334445361605", "T": "0040 2026", "U": "000516364540", "V": "002640", "W": "0016233640",
    "X": "0046 4006", "Y": "002340 2326", "Z": "00400646", ".": "26", ",": "2617", ":": "23 26", "-": "0444",
    "_": "0747", "+": "0444 2226", "/": "4006", "(": "30212536", ")": "10212516", "=": "0343 0545",
    "%": "4006 11 35", "<": "420446", ">": "024406",
}  # fmt: skip


def width(text: str, size: float) -> float:
    """Pixels that *text* takes when its capitals are *size* pixels high."""
    return max(len(text) * _ADVANCE - (_ADVANCE - 4), 0.0) * size / _HEIGHT


def strokes(word: Word) -> list[Stroke]:
    """*word* as strokes; a character that has no drawing leaves its place empty."""
    scale = word.size / _HEIGHT
    across, down = word.at
    across -= width(word.text, word.size) * {"start": 0.0, "middle": 0.5, "end": 1.0}[word.anchor]
    drawn = []
    for place, character in enumerate(word.text):
        left = across + place * _ADVANCE * scale
        for line in _GLYPHS.get(character, "").split():
            points = tuple(_placed(line[index : index + 2], left, down, scale) for index in range(0, len(line), 2))
            drawn.append(Stroke(points=points, width=_PEN * scale, color=word.color))
    return drawn


def _placed(pair: str, left: float, down: float, scale: float) -> Point:
    return left + int(pair[0]) * scale, down + (int(pair[1]) - _HEIGHT) * scale
