"""The parts of transformers' encoders: one place for what the families call differently."""

from torch import nn

from dewpoint.errors import UserError

LAYERS = ("encoder.layer", "transformer.layer", "encoder.block")  # BERT and its kin, DistilBERT, T5
EMBEDDINGS = ("embeddings", "encoder.embed_tokens")  # all others, T5


def depth(config) -> int:
    """How many layers; transformers finds it under each family's own name."""
    return config.num_hidden_layers


def width(config) -> int:
    """The size of a hidden state."""
    return config.hidden_size


def layers(transformer) -> nn.ModuleList:
    """The layers, first to last."""
    return _part(transformer, LAYERS)


def embeddings(transformer) -> nn.Module:
    """What turns tokens into vectors, before the layers."""
    return _part(transformer, EMBEDDINGS)


def positions(transformer) -> int | None:
    """How many tokens a text may have; None where positions are relative. Some families count from the padding id."""
    table = getattr(embeddings(transformer), "position_embeddings", None)
    if table is None:
        return None
    return table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)


def _part(transformer, names: tuple[str, ...]) -> nn.Module:
    for name in names:
        part = transformer.base_model
        for step in name.split("."):
            part = getattr(part, step, None)
        if part is not None:
            return part
    raise UserError(f"models of class '{transformer.config.model_type}' are not known here: they have no {names[0]}")
