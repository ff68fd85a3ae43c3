"""What the benchmarks share: printing figures, generated text, rivals that may not be installed."""

import gzip
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

WORDS = 8000  # that generated text has


def say(name: str, value: float, goal: float, unit: str = "", most: bool = False) -> None:
    met = value <= goal if most else value >= goal
    shown = f"{value:.2f} {unit}" if unit else f"{value:.4f}"
    print(f"{name}: {shown}, goal {'≤' if most else '≥'} {goal:g}, {'ok' if met else 'short'}", flush=True)


def here(rival: str, *packages: str) -> bool:
    """Whether a rival's packages are installed; says so where they are not."""
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        print(f"{rival}: skipped, {', '.join(missing)} not installed (envs/rival.txt)", flush=True)
    return not missing


def paragraphs(path: Path, field: str) -> Iterator[str]:
    """Texts of JSON lines, plain or .gz; the field is a string or a list."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
        for line in file:
            text = json.loads(line)[field]
            yield from (text if isinstance(text, list) else [text])


def sentences(count: int, words: int, seed: int) -> Iterator[str]:
    """Texts of so many words on average, the frequent words far more often than the rare."""
    rng = np.random.default_rng(seed)
    names = np.array([f"w{number}" for number in range(WORDS)])
    for first in range(0, count, 10_000):
        lengths = rng.integers(words // 2, words + words // 2, min(10_000, count - first))
        drawn = names[(WORDS * rng.random(lengths.sum()) ** 3).astype(int)]
        yield from (" ".join(text) for text in np.split(drawn, np.cumsum(lengths)[:-1]))
