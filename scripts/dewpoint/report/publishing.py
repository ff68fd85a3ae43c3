"""A model's folder as a hub takes it: its files, and its card with what the study measured of it."""

import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from dewpoint.artifact import checked
from dewpoint.data.pretrained import OF_THE_STUDY, hub_name, is_folder
from dewpoint.errors import UserError
from dewpoint.evaluation.costs import is_cost
from dewpoint.inventory import Held, Inventory
from dewpoint.report.moved import Figure, figures

CARD = "README.md"
DIGITS = 4


def staged(held: Inventory, name: str, rankers: Iterable[str], repository: str | None, folder: Path) -> Path:
    """Writes the folder that is to be sent; `rankers` are those whose figures are the model's."""
    model = held.artifacts.get(f"models/{name}")
    if model is None:
        raise UserError(f"{held.results}/models/{name}: was not made yet; run the study first")
    checked(model.manifest)
    shutil.rmtree(folder, ignore_errors=True)
    for path in model.files:
        target = folder / path.relative_to(model.manifest.parent)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    card_of(held, model, measured(held, rankers), repository or name).save(folder / CARD)
    return folder


def measured(held: Inventory, rankers: Iterable[str]) -> dict[Figure, float]:
    """The figures of tables that are these rankers', of quality alone."""
    wanted, found = {*rankers}, figures(held)[0]
    return {at: value for at, value in found.items() if at.ranker in wanted and not is_cost(at.metric)}


def card_of(held: Inventory, model: Held, found: dict[Figure, float], repository: str):
    """The model's own card, with results, base model, data and licences in it, and loaded under its new name."""
    from huggingface_hub import EvalResult, ModelCard

    name, behind = model.manifest.parent.name, list(made_from(held, model))
    written = CARD in model.record["files"]
    card = ModelCard.load(model.manifest.parent / CARD) if written else ModelCard(plain(name, model))
    data = [one.removeprefix("data/") for one in model.inputs if one.startswith("data/") and one.count("/") == 1]
    card.data.datasets = data or None
    if base := base_of([model, *behind]):
        card.data.base_model = base
    if found:
        task = "text-ranking" if card.data.pipeline_tag == "text-ranking" else "text-retrieval"
        card.data.model_name = name
        card.data.eval_results = [
            EvalResult(
                task_type=task,
                dataset_type=figure.on.split("/")[0],
                dataset_name=figure.on.split("/")[0],
                dataset_split=figure.on.split("/")[1],
                metric_type=figure.metric,
                metric_name=figure.metric if figure.ranker == name else f"{figure.metric} ({figure.ranker})",
                metric_value=value,
            )
            for figure, value in found.items()
        ]
    own, heading, use = card.text.partition("\n## Use\n")
    use = use.replace(f'("{name}")', f'("{repository}")')
    card.text = own + "".join(f"\n{part}\n" for part in (*results(found), *licences(behind))) + heading + use
    return card


def plain(name: str, model: Held) -> str:
    """The card of a model that has none, for it neither retrieves nor ranks."""
    head = "---\nlibrary_name: transformers\ntags: [transformers]\n---\n"
    about = f"Pre-trained to start others from: recipe `{model.record['settings']['recipe']}`."
    use = f'from transformers import AutoModel\n\nmodel = AutoModel.from_pretrained("{name}")'
    return f"{head}\n# {name}\n\n{about}\n\n## Use\n\n```python\n{use}\n```\n"


def made_from(held: Inventory, model: Held) -> Iterator[Held]:
    """All that the model is made from, the nearest first, as far as it is at hand."""
    seen, todo = {model.name}, [model]
    for one in todo:
        for source in one.inputs:
            if source in held.artifacts and source not in seen:
                seen.add(source)
                todo.append(held.artifacts[source])
                yield held.artifacts[source]


def base_of(line: list[Held]) -> str | None:
    """The nearest model of a hub that it was trained from."""
    for one in line:
        source = one.record["settings"].get("source")
        if one.name.startswith("models/") and source and source not in OF_THE_STUDY and not is_folder(source):
            return hub_name(source)
    return None


def results(found: dict[Figure, float]) -> list[str]:
    if not found:
        return []
    rows = [
        f"| {figure.ranker} | {figure.on} | {figure.metric} | {value:.{DIGITS}f} |" for figure, value in found.items()
    ]
    return ["\n".join(["## Results", "", "| ranker | dataset/split | metric | value |", "|---|---|---|---:|", *rows])]


def licences(behind: list[Held]) -> list[str]:
    """What is known of the data's; a model hub's own words for licences are not guessed from it."""
    files: dict[str, list[str]] = {}
    for one in behind:
        if one.name.startswith("data/downloads/") and (licence := one.record["facts"].get("licence")):
            files.setdefault(licence, []).append(one.name.removeprefix("data/downloads/"))
    lines = [f"- {', '.join(f'`{file}`' for file in sorted(of))}: {licence}" for licence, of in files.items()]
    return ["\n".join(["## Licences of the data", "", *lines])] if lines else []


# --- sending ------------------------------------------------------------------------------------


def send(folder: Path, repository: str) -> str:
    """Uploads the folder, and returns where it is."""
    from httpx2 import HTTPError  # which the hub's library speaks by
    from huggingface_hub import HfApi

    api = HfApi()
    try:
        address = api.create_repo(repository, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=folder, commit_message=f"{folder.name}, by Dewpoint")
    except (HTTPError, OSError, ValueError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{repository}: not sent ({said}); what was to be sent is in {folder}") from None
    return str(address)


def has_token() -> bool:
    from huggingface_hub import get_token

    return bool(get_token())


def refuse_other_names(repository: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", repository):
        raise UserError(f"--to {repository}: expected ORG/NAME, such as {os.environ.get('USER', 'me')}/retriever")
