"""Write a dataset's tiny files for a rehearsal, in the formats of the real ones."""

from dewpoint.artifact import Artifact
from dewpoint.data.sources.all import FETCHED, OWN
from dewpoint.data.sources.tiny import Words
from dewpoint.program import Settings, run


def main(artifact: Artifact, settings: Settings) -> None:
    options = vars(settings)
    source = (OWN | FETCHED)[options.pop("source")]
    source.rehearse(artifact.path("."), Words(options.pop("seed")), **options)


if __name__ == "__main__":
    run(main)
