"""Write a dataset's tiny files for a rehearsal, in the formats of the real ones."""

from dewpoint.artifact import Artifact
from dewpoint.data.tiny import Words
from dewpoint.program import Settings, run
from dewpoint.study.kind import work_of


def main(artifact: Artifact, settings: Settings) -> None:
    options = vars(settings)
    write = work_of("sources", options.pop("source"), "rehearse")
    write(artifact.path("."), Words(options.pop("seed")), **options)


if __name__ == "__main__":
    run(main)
