"""A study's rankers as the page shows them: what they are made from, what they built, with which settings."""

from dataclasses import dataclass
from typing import Any

from dewpoint.report.lineage import Made
from dewpoint.report.settings import of_ranker

STAGES = ("derived", "indexes", "runs")  # whose settings are a ranker's


@dataclass(frozen=True)
class Row:
    name: str
    kind: str
    made_from: list[tuple[str, str]]  # (section, name)
    settings: dict[str, str]
    built: list[str]  # what it has to say of it, a line for each dataset
    megabytes: float  # of all that it built


def rows(study, made: list[Made]) -> list[Row]:
    found = []
    for name, ranker in study.rankers.items():
        own = belonging(name, made)
        built = [one for one in own if one.stage == "indexes"]
        said = [ranker.built(one.manifest["facts"], one.name.split("/")[2]) for one in built]
        made_from = [(section, other) for _, section, other in ranker.names() if section in ("models", "rankers")]
        settings = of_ranker([one.manifest for one in sorted(own, key=lambda one: (STAGES.index(one.stage), one.name))])
        megabytes = sum(_bytes(one.manifest) for one in built) / 2**20
        found.append(Row(name, ranker.tag(), made_from, settings, [one for one in said if one], megabytes))
    return found


def belonging(ranker: str, made: list[Made]) -> list[Made]:
    """What was built and ranked for one ranker alone."""
    return [one for one in made if one.stage in STAGES and one.name.split("/")[1] == ranker]


def _bytes(manifest: dict[str, Any]) -> int:
    return sum(file["bytes"] for file in manifest.get("files", {}).values())
