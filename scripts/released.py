"""Take a released retriever into the study as it is."""

from pathlib import Path

from dewpoint.artifact import Artifact
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.models.card import card
from dewpoint.models.encoder import prefix_tokens
from dewpoint.models.folder import is_retriever, read_retriever, write_retriever
from dewpoint.program import Settings, run


def main(artifact: Artifact, settings: Settings, tokenizer: Path, query_tokenizer: Path) -> None:
    model = read_retriever(settings.source, settings.query_source)
    model.set_output(settings.pooling, settings.normalize)
    words, query_words = (load_tokenizer(made.parent) for made in (tokenizer, query_tokenizer))
    model.check_fits(words, query_words, settings)
    prefix_tokens(words, query_words, settings)  # refuses those that do not fit
    parameters = sum(parameter.numel() for parameter in model.parameters())
    artifact.facts |= model.facts | {"parameters": parameters, "retrieves": is_retriever(settings.source)}
    write_retriever(artifact.path("."), model, (words, query_words), settings, card(artifact, settings, None))


if __name__ == "__main__":
    run(main)
