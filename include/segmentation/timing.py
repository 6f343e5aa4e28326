"""How long the parts of a step took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def timed(seconds: dict[str, float], part: str) -> Iterator[None]:
    """Enter in ``seconds`` the wall time of the block under the name of the part, if it ends without an error."""
    began = time.perf_counter()
    yield
    seconds[part] = time.perf_counter() - began
