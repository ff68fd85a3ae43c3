"""Make the report: one self-contained page."""

import os
from pathlib import Path

from dewpoint.program import Settings, run
from dewpoint.report.page import page
from dewpoint.study.grammar import Study


def main(settings: Settings, output: Path) -> None:
    study = Study.model_validate_json(settings.study)
    html = page(study, Path(settings.results), Path(settings.data), vars(settings.papers))
    partial = output.with_suffix(".partial")
    partial.write_text(html, encoding="utf-8")
    os.replace(partial, output)


if __name__ == "__main__":
    run(main)
