"""Opening the rankers that a ranker is made of, where its time is measured."""

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dewpoint.search.live import Live


def opened(parts: list, manifests: list[Path]) -> list[tuple["Live", int]]:
    """Each with the depth that it is asked for; `manifests` are what they need, in the order in which `parts` are."""
    return _opened(parts, iter(manifests))


def wanted(part) -> int:
    """How many manifests a part needs, with those of its own parts."""
    return sum(vars(part.takes).values()) + sum(map(wanted, part.parts))


def _opened(parts: list, manifests: Iterator[Path]) -> list[tuple["Live", int]]:
    from dewpoint.models.device import take_device
    from dewpoint.program import given, parameters
    from dewpoint.study.kind import work_of

    found = []
    for part in parts:
        live = work_of("rankers", part.kind, "live")
        read = given(live, {flag: list(islice(manifests, count)) for flag, count in vars(part.takes).items()})
        inside = _opened(part.parts, manifests)
        how = {"parts": inside, "precision": getattr(part.settings, "precision", None), "device": take_device()}
        how = {name: value for name, value in how.items() if name in parameters(live)}
        found.append((live(part.settings, **read, **how), part.depth))
    return found
