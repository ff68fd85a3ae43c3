"""Values in words that a person reads."""

from typing import Any


def plain(value: Any) -> str:
    """A setting: yes or no, a list's values in a row, a kind with its own settings, numbers without needless digits."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None or value in ("", [], {}):
        return "none"
    if isinstance(value, list | tuple):
        return ", ".join(map(plain, value))
    if isinstance(value, dict):
        rest = {key: of for key, of in value.items() if key != "name" and of is not None}
        inside = ", ".join(f"{key} {plain(of)}" for key, of in rest.items())
        return f"{value['name']} ({inside})" if "name" in value and inside else str(value.get("name", inside))
    return f"{value:g}" if isinstance(value, float) else str(value)


def listed(names: list[str]) -> str:
    """a, b and c."""
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else "none"


def duration(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def memory(megabytes: int) -> str:
    return f"{megabytes / 1024:.1f} GB" if megabytes >= 1024 else f"{megabytes} MB"


def share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "–"
