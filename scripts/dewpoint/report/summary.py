"""What a study found, in three sentences made from the figures of its first table.

They say what was compared on what; what is best by which metric, and by how much; and whether that is beyond chance.
"""

import math
from dataclasses import dataclass, field

from dewpoint.report.tables import Compared
from dewpoint.report.words import listed

MOST_NAMED = 5


@dataclass(frozen=True)
class Findings:
    """Of one table; all that sentences are made from."""

    places: dict[str, int]  # dataset/split → queries; the first is spoken of
    metric: str
    values: dict[str, float]  # by ranker, nan where not measured
    lower_is_better: bool = False
    unit: str = ""  # of a cost, such as milliseconds for a query
    baseline: str | None = None
    tests: dict[str, Compared] = field(default_factory=dict)  # by ranker
    published: str = ""  # how many figures are near the published ones, where a paper's table stands beside
    other_tables: int = 0


def sentences(found: Findings) -> list[str]:
    """Three, or two where a single ranker was measured or nothing is known of any."""
    known = {name: value for name, value in found.values.items() if not math.isnan(value)}
    first = compared(found)
    if not known:
        return [first, f"Of none is {found.metric} known."]
    if len(found.values) == 1:
        [value] = known.values()
        return [
            first,
            f"Its {found.metric} is {written(found, value)}; there is nothing that it could be compared with.",
        ]
    best = winners(found, known)
    return [first, won(found, known, best), chance(found, known, best)]


def winners(found: Findings, known: dict[str, float]) -> list[str]:
    """The best, with all whose figure reads alike."""
    top = (min if found.lower_is_better else max)(known.values())
    return [name for name, value in known.items() if f"{value:.3f}" == f"{top:.3f}"]


# --- the first: what was compared -----------------------------------------------------------------


def compared(found: Findings) -> str:
    names = [*found.values]
    place, queries = next(iter(found.places.items()))
    on = f"{place} ({queries:,} {'query' if queries == 1 else 'queries'})"
    if len(found.places) > 1:
        on = f"{len(found.places)} splits, of which {on} is spoken of here"
    who = f"{len(names)} rankers" + (f", {listed(names)}," if len(names) <= MOST_NAMED else "")
    text = f"{who} were compared on {on}" if len(names) > 1 else f"One ranker, {names[0]}, was measured on {on}"
    text += f"; {found.published}" if found.published else ""
    if found.other_tables:
        text += f"; {found.other_tables} more {'table' if found.other_tables == 1 else 'tables'} below"
    return f"{text}."


# --- the second: what is best ---------------------------------------------------------------------


def won(found: Findings, known: dict[str, float], best: list[str]) -> str:
    top, baseline = known[best[0]], found.baseline
    rest = {name: value for name, value in known.items() if name not in best}
    is_are = "are" if len(best) > 1 else "is"
    text = f"By {found.metric}, {listed(best)} {is_are} best with {written(found, top)}"
    if not rest:
        return f"{text}: all that were measured are alike."
    if baseline in known and baseline not in best:
        apart = abs(top - known[baseline])
        where = "below" if found.lower_is_better else "above"
        return f"{text}, {apart:.3f} {where} the baseline {baseline} ({known[baseline]:.3f})."
    second = (min if found.lower_is_better else max)(rest, key=rest.__getitem__)
    itself = f", the baseline{' itself' if len(best) == 1 else ' among them'}" if baseline in best else ""
    apart, where = abs(top - rest[second]), "above" if found.lower_is_better else "below"
    return f"{text}{itself}; the next, {second}, is {apart:.3f} {where} ({rest[second]:.3f})."


def written(found: Findings, value: float) -> str:
    return f"{value:.3f} {found.unit}".rstrip()


# --- the third: whether that is chance ------------------------------------------------------------


def chance(found: Findings, known: dict[str, float], best: list[str]) -> str:
    if found.unit:
        return "A cost has no value for each query, so chance was not tested."
    if found.baseline is None:
        return "Whether that is beyond chance was not tested: the table has no baseline."
    if not found.tests:
        return f"Whether that is beyond chance was not tested: {found.metric} has no value for each query."
    if next(iter(found.places.values())) < 2:
        return "A single query says nothing of chance."
    others = [name for name in best if name in found.tests]
    if found.baseline in best:
        others = [name for name in known if name in found.tests and name not in best]
        return of_the_others(found, others)
    if len(others) == 1:
        return f"That difference is {of_one(found.tests[others[0]])}."
    said = [f"of {name} it is {of_one(found.tests[name])}" for name in others]
    return f"As for that difference, {listed(said)}."


def of_one(test: Compared) -> str:
    sure = "beyond chance" if test.beyond_chance else "within chance"
    p = "p < 0.001" if test.p < 0.001 else f"p = {test.p:.3f}"
    return f"{sure} ({p}, paired bootstrap, corrected; 95% interval {test.low:+.3f} to {test.high:+.3f})".replace(
        "-", "−"
    )


def of_the_others(found: Findings, others: list[str]) -> str:
    """Where the baseline is best itself."""
    worse = [name for name in others if found.tests[name].beyond_chance]
    if not others:
        return "No other differs from it, so there was nothing to test."
    if len(others) == 1:
        return f"That difference is {of_one(found.tests[others[0]])}."
    if not worse:
        return "None of the others differs from it beyond chance (paired bootstrap, corrected)."
    who = "All others" if len(worse) == len(others) > 1 else listed(worse)
    return f"{who} {'is' if len(worse) == 1 else 'are'} below it beyond chance (paired bootstrap, corrected)."
