"""`attention`: how broadly the CLS attends in each layer, before and after a training."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from dewpoint.artifact import Artifact
from dewpoint.study.bases import Analysis, Inputs, Resources
from dewpoint.study.kind import Names
from dewpoint.study.sizes import Cost
from dewpoint.study.types import Count, Label, Name, Once

LENGTH = 48  # tokens in a rehearsal


class Attention(Analysis):
    """The entropy of the CLS's attention by layer, averaged over heads and passages; all models read the same ones."""

    resources: ClassVar[Resources] = Resources(mem_mb=8000, runtime=120, threads="half", gpu=1)

    kind: Literal["attention"]
    models: Annotated[list[Label], Names("models"), Once] = Field(
        min_length=1, description="pre-trained models and retrievers; of two encoders that of passages"
    )
    data: Annotated[Name, Names("datasets")] = Field(description="the dataset whose passages are read")
    passages: Count = Field(1000, description="of them, drawn at random")
    length: Count = Field(128, ge=5, description="tokens of a passage, special ones included")
    titles: Literal["pair", "prefix", "none"] = Field(
        "pair", description="a passage's title: before [SEP] and the text, right before the text, or left out"
    )

    def check(self, study) -> Iterator[tuple[str, str]]:
        for name in self.models:
            model = study.models[name]
            if model.pairs or model.writes:
                yield "models", f"'{name}' reads no passage by itself; name a pre-trained model or a retriever"
            for key, wrong in study.too_long(model, {"length": self.length}):
                yield key, f"{wrong} ('{name}')"

    def work_settings(self, config) -> dict[str, Any]:
        return super().work_settings(config) | {"models": self.models}

    def inputs(self, graph) -> Inputs:
        return {
            "models": [graph.model(name) for name in self.models],
            "tokens": [graph.tokens(name, self.data) for name in self.models],
        }

    def small(self) -> dict[str, Any]:
        return {"passages": min(self.passages, 20), "length": min(self.length, LENGTH)}

    def cost(self, sizes) -> Cost:
        passages, tokens = min(self.passages, sizes.passages(self.data)), sizes.passage_tokens(self.data, self.length)
        return Cost(passages * sum(sizes.forward(name, tokens) for name in self.models))


def work(artifact: Artifact, settings, models: list[Path], tokens: list[Path]) -> None:
    import numpy as np
    import pandas as pd

    from dewpoint.data.tokens import TokenStore, input_lengths
    from dewpoint.models.attention import cls_entropies
    from dewpoint.models.backbone import load_encoder
    from dewpoint.models.device import take_device
    from dewpoint.models.reader import Reader
    from dewpoint.report.marked import Line, figure

    device, parts = take_device(), []
    for name, model, made in zip(settings.models, models, tokens, strict=True):
        store = TokenStore(made)
        texts = store.passages(settings.length, title=settings.titles)
        count = min(settings.passages, len(texts))
        rows = np.sort(np.random.default_rng(settings.seed).choice(len(texts), count, replace=False))
        backbone = load_encoder(model.parent).to(device)
        Reader(backbone).check_fits(store.vocabulary, settings.length, name)
        found = cls_entropies(backbone, texts[rows], store.special, name)
        columns = {"layer": np.arange(1, found.shape[1] + 1), "entropy": found.mean(0), "sd": found.std(0)}
        uniform = np.log(input_lengths(texts[rows], store.special)).mean()
        parts.append(pd.DataFrame({"model": name} | columns | {"uniform": uniform, "passages": count}))
    pd.concat(parts).to_parquet(artifact.path("attention.parquet"), index=False)
    series = [
        Line(name, list(zip(part["layer"].tolist(), part["entropy"].tolist(), strict=True)))
        for name, part in zip(settings.models, parts, strict=True)
    ]
    said = figure(series, "layer", "entropy of the CLS's attention, nats")
    artifact.path("attention.svg").write_text(said, encoding="utf-8")
    artifact.facts |= {"passages": int(parts[0]["passages"].iloc[0]), "device": device.type}
