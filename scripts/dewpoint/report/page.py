"""The page that shows what came out of a study: gathered here, written by page.html.j2."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from dewpoint.artifact import read_manifest
from dewpoint.report import analyses, curves
from dewpoint.report.graph import picture
from dewpoint.report.lineage import Made, environment, follow, stages
from dewpoint.report.provenance import Provenance, in_short, provenance
from dewpoint.report.shown import shown


@dataclass(frozen=True)
class Index:
    """An approximate index, and what it costs to use it."""

    ranker: str
    on: str
    kind: str
    of_exact: dict[str, float]  # shares of exact search's best 10, 100, 1000
    seconds: float
    megabytes: float


@dataclass(frozen=True)
class Settings:
    """The settings of one recipe's models: what they share, and where they differ."""

    recipe: str
    shared: dict[str, str]
    differing: list[str]
    models: dict[str, list[str]]  # what differs


def page(
    study,
    results: Path,
    data: Path,
    papers: dict[str, Any],
    config: dict[str, Any] | None = None,
    again: Provenance | None = None,
    missing: Sequence[str] = (),
) -> str:
    """The HTML of a study's report, from what the study says; whatever optional part is missing is left out.

    `missing`: the jobs that are not done, of an unfinished study, whose tables and analyses may then be left out.
    `papers`: where the table is from that a table reproduces. `config`: what of config.yaml shaped the results.
    `again`: the provenance of what was made, found here when left out.
    """
    study = as_far_as_made(study, results) if missing else study
    scores = scores_of(study, results)
    folders = {name: results / "models" / name for name in study.models}
    analysed = {name: results / "analyses" / name / "manifest.json" for name in study.analyses}
    again = again or provenance(made_for(study, results), results)
    made = again.made
    models = _manifests(folders)
    metrics = {name: folder / "metrics.jsonl" for name, folder in folders.items()}
    panels = [curves.panel(name, path) for name, path in metrics.items() if path.is_file()]
    template = _templates().get_template("page.html.j2")
    return template.render(
        study=study,
        title=study.title or results.name,
        tables=[shown(name, table, results, papers.get(name)) for name, table in study.tables.items()],
        indexes=indexes(scores, results),
        latencies=latencies(scores),
        picture=picture(study),
        built=built(made, study),
        analyses=[analyses.shown(name, study.analyses[name], path) for name, path in analysed.items()],
        panels=[panel for panel in panels if panel],
        shape=curves,
        datasets=_manifests({name: data / name for name in study.datasets}),
        models=models,
        settings=settings_of({name: manifest["settings"] for name, manifest in models.items()}),
        stages=stages(made),
        environment={what: values for what, values in (environment(made) | in_short(again)).items() if values},
        config=", ".join(f"{key} {value}" for key, value in (config or {}).items()),
        again=again,
        missing=missing,
    )


def as_far_as_made(study, results: Path):
    """A study without the tables and analyses that are not made yet."""

    def whole(name: str, table) -> bool:
        tests = [results / "comparisons" / f"{name}.json"] if table.baseline else []
        alone = study.model_copy(update={"tables": {name: table}})
        needed = [results / "tables" / f"{name}.json", *tests, *scores_of(alone, results)]
        return all(path.is_file() for path in needed)

    tables = {name: table for name, table in study.tables.items() if whole(name, table)}
    analysed = {name for name in study.analyses if (results / "analyses" / name / "manifest.json").is_file()}
    kept = {name: one for name, one in study.analyses.items() if name in analysed}
    return study.model_copy(update={"tables": tables, "analyses": kept})


def scores_of(study, results: Path) -> list[Path]:
    """The scores that tables show."""
    scores = [
        results / "scores" / ranker / f"{dataset}.{split}.json"
        for table in study.tables.values()
        for dataset, split in table.columns
        for ranker in table.rankers
    ]
    return list(dict.fromkeys(scores))


def made_for(study, results: Path) -> list[Made]:
    """All that the page rests on."""
    trained = [results / "models" / name / "manifest.json" for name in study.models]
    tests = [results / "comparisons" / f"{name}.json" for name in study.tables]
    analysed = [results / "analyses" / name / "manifest.json" for name in study.analyses]
    tables = [results / "tables" / f"{name}.json" for name in study.tables]
    spent = [path for table in tables for path in of_costs(table)]
    return follow([*trained, *scores_of(study, results), *spent, *tests, *analysed], results)


def of_costs(table: Path) -> list[Path]:
    """What a table has costs from: scores of no split, and latencies of its own."""
    inputs = map(Path, read_manifest(table)["inputs"] if table.is_file() else ())
    return [path for path in inputs if path.parts[-3] in ("latency", "scores")]


def built(made: list[Made], study) -> list[str]:
    """What rankers have to say of what they built, a line for each ranker and dataset."""
    found = []
    for manifest, name in ((one.manifest, one.name) for one in made if one.stage == "indexes"):
        _, ranker, dataset = name.split("/")
        said = study.rankers[ranker].built(manifest["facts"], dataset)
        found += [f"{ranker}: {said}"] if said else []
    return found


def indexes(scores: list[Path], results: Path) -> list[Index]:
    """The approximate indexes that tables use."""
    found = []
    for path in scores:
        facts = read_manifest(path)["facts"]
        if "of_exact" in facts:
            dataset, split = path.stem.split(".")
            built = read_manifest(results / "indexes" / path.parent.name / dataset / "manifest.json")["facts"]
            on = f"{dataset}/{split}"
            cost = built["seconds"], built["bytes"] / 2**20
            found.append(Index(path.parent.name, on, built["factory"], facts["of_exact"], *cost))
    return found


def latencies(scores: list[Path]) -> list[tuple[str, dict[str, dict]]]:
    """(ranker and split, batch size → part → mean, sd, p99 in milliseconds) where it was measured."""
    facts = [(f"{path.parent.name} on {path.stem.replace('.', '/')}", read_manifest(path)["facts"]) for path in scores]
    return [(what, fact["latency"]) for what, fact in facts if "latency" in fact]


def settings_of(models: dict[str, dict[str, Any]]) -> list[Settings]:
    """The settings that models were trained with, one entry a recipe."""
    recipes: dict[str, dict[str, dict[str, str]]] = {}
    for name, settings in models.items():
        flat = {key: value for key, value in settings.items() if key not in ("recipe", "architecture")}
        flat |= settings.get("architecture") or {}
        written = {key: plain(value) for key, value in flat.items() if value is not None}
        recipes.setdefault(settings["recipe"], {})[name] = written
    found = []
    for recipe, models in recipes.items():
        keys = dict.fromkeys(key for settings in models.values() for key in settings)
        values = {key: [settings.get(key, "") for settings in models.values()] for key in keys}
        shared = {key: value[0] for key, value in values.items() if len(set(value)) == 1}
        differing = [key for key in keys if key not in shared]
        rows = {name: [settings.get(key, "") for key in differing] for name, settings in models.items()}
        found.append(Settings(recipe, shared, differing, rows))
    return found


def _manifests(folders: dict[str, Path]) -> dict[str, dict[str, Any]]:
    """The manifests of those folders that have one."""
    paths = {name: folder / "manifest.json" for name, folder in folders.items()}
    return {name: read_manifest(path) for name, path in paths.items() if path.is_file()}


def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters |= {"duration": duration, "memory": memory}
    return environment


# --- how values are written -----------------------------------------------------------------------


def plain(value: Any) -> str:
    """A setting as text: a list's values in a row, numbers without needless digits."""
    if isinstance(value, list):
        return ", ".join(map(plain, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def duration(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def memory(megabytes: int) -> str:
    return f"{megabytes / 1024:.1f} GB" if megabytes >= 1024 else f"{megabytes} MB"
