"""Make the report: one self-contained page."""

from pathlib import Path

from dewpoint.artifact import Artifact
from dewpoint.program import Settings, run
from dewpoint.report.page import page
from dewpoint.study.grammar import Study


def main(artifact: Artifact, settings: Settings) -> None:
    study = Study.model_validate_json(settings.study)
    html = page(study, Path(settings.results), Path(settings.data), vars(settings.papers))
    artifact.beside(".html").write_text(html, encoding="utf-8")


if __name__ == "__main__":
    run(main)
