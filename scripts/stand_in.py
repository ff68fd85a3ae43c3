"""Make the stand-in for a released model, for a rehearsal."""

from dewpoint.artifact import Artifact
from dewpoint.data.tiny import Words
from dewpoint.models.stand_in import stand_in
from dewpoint.program import Settings, run


def main(artifact: Artifact, settings: Settings) -> None:
    words = Words(settings.seed)
    texts = [words.passage(40) for _ in range(200)]
    artifact.facts |= {"class": stand_in(settings.source, lambda: [texts], settings.seed, artifact.path("."))}


if __name__ == "__main__":
    run(main)
