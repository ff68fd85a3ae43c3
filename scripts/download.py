"""Download a file that others publish; one that is here already, with the right checksum, is kept."""

import json

from dewpoint.artifact import Artifact
from dewpoint.data.catalogue import Download
from dewpoint.data.download import bring, place_of, wrong
from dewpoint.program import Settings, run


def main(artifact: Artifact, settings: Settings, mirrors: str, offline: str) -> None:
    file, path = Download(**vars(settings)), artifact.beside("")
    here = artifact.folder / path.name
    if file.checksum and here.is_file() and not wrong(file, here):
        place = str(here)
    else:
        place = place_of(file.url, path.name, json.loads(mirrors), offline)
    bring(place, file, path, artifact.workspace())
    artifact.facts |= {"from": place, "licence": file.licence}


if __name__ == "__main__":
    run(main)
