"""The files that a study is written in: itself, what it includes, and the studies whose models it starts from."""

from pathlib import Path

from dewpoint.study.load import OTHER, expand
from dewpoint.study.written import parse


def written_in(study: Path) -> list[Path]:
    """Each once, the study first; they have been read before, so they are right."""
    found: list[Path] = []
    todo = [study]
    for path in todo:
        if path.resolve() in [one.resolve() for one in found]:
            continue
        found.append(path)
        said = parse(path)
        todo += [path.parent / other for other in said.get("include") or []]
        models = expand(said.get("models") or {}, f"{path}: models")
        sources = [model.get(key) for model in models.values() for key in ("from", "query_from")]
        others = [source for source in sources if isinstance(source, str) and OTHER.fullmatch(source)]
        todo += [path.parent / f"{source.split('/')[0]}.yaml" for source in others]
    return found
