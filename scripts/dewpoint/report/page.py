"""The page that shows what came out of a study: gathered here, written by page.html.j2."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from dewpoint.artifact import member, read_manifest
from dewpoint.report import analyses, curves
from dewpoint.report.found import findings
from dewpoint.report.graph import picture
from dewpoint.report.lineage import Made, environment, follow, stages
from dewpoint.report.nodes import details
from dewpoint.report.provenance import Provenance, in_short, provenance
from dewpoint.report.rankers import rows
from dewpoint.report.sample import Sample, sample
from dewpoint.report.settings import grouped, of_model
from dewpoint.report.shown import p_value, shown
from dewpoint.report.summary import sentences
from dewpoint.report.words import duration, memory, plain, share


@dataclass(frozen=True)
class Index:
    """An approximate index, and what it costs to use it."""

    ranker: str
    on: str
    kind: str
    of_exact: dict[str, float]  # shares of exact search's best 10, 100, 1000
    seconds: float
    megabytes: float


def page(
    study,
    results: Path,
    data: Path,
    papers: dict[str, Any],
    config: dict[str, Any] | None = None,
    again: Provenance | None = None,
    command: str = "",
    missing: Sequence[str] = (),
) -> str:
    """The HTML of a study's report, from what the study says; whatever optional part is missing is left out.

    `missing`: the jobs that are not done, of an unfinished study, whose tables and analyses may then be left out.
    `papers`: where the table is from that a table reproduces. `config`: what of config.yaml shaped the results.
    `again`: the provenance of what was made, found here when left out. `command`: what makes the same again.
    """
    study = as_far_as_made(study, results) if missing else study
    scores = scores_of(study, results)
    folders = {name: results / "models" / name for name in study.models}
    again = again or provenance(made_for(study, results), results)
    made = again.made
    models = _manifests(folders)
    datasets = _manifests({name: data / name for name in study.datasets})
    panels = curves.panels(training(study, folders))
    drawn, found, ranked = picture(study), findings(study, results, papers), rows(study, made)
    analysed = [
        analyses.shown(name, entry, results / "analyses" / name / "manifest.json")
        for name, entry in study.analyses.items()
    ]
    template = _templates().get_template("page.html.j2")
    return template.render(
        study=study,
        title=study.title or results.name,
        tables=[shown(name, table, results, papers.get(name)) for name, table in study.tables.items()],
        explored=explored(study, results),
        indexes=indexes(scores, results),
        latencies=latencies(scores),
        summary=[*(sentences(found) if found else []), *(one.says for one in analysed if one.says)],
        picture=drawn,
        details=details(study, drawn, made, [panel.model for panel in panels]),
        rankers=ranked,
        ranker_settings=grouped({row.name: (row.kind, row.settings) for row in ranked}),
        analyses=analysed,
        panels=panels,
        curves_say=curves.explained(panels),
        shape=curves,
        datasets=datasets,
        samples=samples(study, data, datasets),
        models=models,
        settings=grouped(
            {
                name: (manifest["settings"]["recipe"], of_model(manifest, study.models[name].sources))
                for name, manifest in models.items()
            }
        ),
        stages=stages(made),
        environment={what: values for what, values in (environment(made) | in_short(again)).items() if values},
        config=", ".join(f"{key} {plain(value)}" for key, value in (config or {}).items()),
        again=again,
        command=command,
        missing=missing,
        zip=zip,
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


def training(study, folders: dict[str, Path]) -> dict[str, tuple[str, Path]]:
    """Model → (recipe, its metrics.jsonl) of those that were trained."""
    metrics = {name: folder / "metrics.jsonl" for name, folder in folders.items()}
    return {name: (study.models[name].recipe, path) for name, path in metrics.items() if path.is_file()}


def samples(study, data: Path, datasets: dict[str, dict]) -> dict[str, Sample]:
    """A look into each dataset; queries are of a split that is measured on, if there is one."""
    asked = [(dataset, split) for _, _, dataset, split in study.asked()]
    found = {}
    for name, manifest in datasets.items():
        splits = [split for dataset, split in asked if dataset == name]
        one = sample(data / name, [*splits, *manifest["facts"]["queries"]])
        found |= {name: one} if one else {}
    return found


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


def explored(study, results: Path) -> list[tuple[str, str]]:
    """(title, what the explorer shows in base64) of each table whose queries can be looked at."""
    paths = {name: results / "comparisons" / f"queries+{name}.json" for name in study.tables}
    return [
        (study.tables[name].title or name, base64.b64encode(member(path).read_bytes()).decode())
        for name, path in paths.items()
        if path.is_file()
    ]


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
    environment.filters |= {"duration": duration, "memory": memory, "share": share, "p_value": p_value}
    return environment
