"""What tests read from a picture."""

from typing import Any

import numpy as np
from matplotlib.lines import Line2D
from numpy.typing import NDArray


def points(line: Line2D) -> NDArray[Any]:
    """(n, 2): x and y, which matplotlib declares as something like an array."""
    drawn = line.get_xydata()
    assert isinstance(drawn, np.ndarray)
    return drawn
