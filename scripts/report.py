"""Make the report: one self-contained page, and beside it what it takes to make the same again and what to cite."""

from pathlib import Path

from dewpoint.artifact import Artifact
from dewpoint.program import Settings, run
from dewpoint.report.page import made_for, page
from dewpoint.report.provenance import as_yaml, provenance
from dewpoint.report.references import references
from dewpoint.study.grammar import Study


def main(artifact: Artifact, settings: Settings, results: str, data: str, command: str) -> None:
    study = Study.model_validate_json(settings.study)
    known = provenance(made_for(study, Path(results)), Path(results))
    written = vars(settings.papers), vars(settings.config), known, command
    html = page(study, Path(results), Path(data), *written)
    artifact.beside(".html").write_text(html, encoding="utf-8")
    artifact.path("references.bib").write_text(references(settings.cites), encoding="utf-8")
    artifact.beside(".yaml").write_text(as_yaml(study, vars(settings.config), known), encoding="utf-8")


if __name__ == "__main__":
    run(main)
