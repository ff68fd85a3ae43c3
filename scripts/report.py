"""Make the report: one self-contained page."""

from pathlib import Path

from dewpoint.program import Settings, run


def main(settings: Settings, output: Path) -> None:
    output.write_text("")


if __name__ == "__main__":
    run(main)
