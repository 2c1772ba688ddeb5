"""How figures are written: plainly in JSON, shortly on a page.

What is not defined, such as the recall of a class without labels, is NaN in Python,
null in JSON and a dash on a page.
"""

import math
from typing import Any

import numpy as np

NOT_A_NUMBER = "–"


def plain(value: Any) -> Any:
    """Turn arrays into lists, NaN into None; six digits after the point."""
    if isinstance(value, np.ndarray | tuple):
        return [plain(one) for one in value]
    number = round(float(value), 6)
    return number if math.isfinite(number) else None


def plain_measure(value: float) -> float | None:
    """Give a number of any unit with six significant digits; None for NaN."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def count(number: int) -> str:
    """Write a whole number."""
    return f"{int(number):,}"


def share(value: float, digits: int = 3) -> str:
    """Write a number between 0 and 1, or about as large."""
    return f"{value:.{digits}f}" if math.isfinite(value) else NOT_A_NUMBER


def percent(value: float) -> str:
    """Write a share of all."""
    return f"{value:.1%}" if math.isfinite(value) else NOT_A_NUMBER


def measure(value: float) -> str:
    """Write a number of any unit, with three significant digits."""
    return f"{value:.3g}" if math.isfinite(value) else NOT_A_NUMBER
