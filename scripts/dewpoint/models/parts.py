"""The parts of transformers' encoders: one place for what the families call differently."""

from torch import nn

from dewpoint.errors import UserError

LAYERS = ("encoder.layer", "transformer.layer", "encoder.block", "layers")  # BERT and its kin, DistilBERT, T5, others
EMBEDDINGS = ("embeddings", "encoder.embed_tokens", "embed_tokens")  # all others, T5, decoders


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
    """How many tokens a text may have; None where positions are relative, and where they are turned as many as were
    meant. Some families count from the padding id."""
    if turned(transformer):
        return transformer.config.max_position_embeddings
    table = getattr(embeddings(transformer), "position_embeddings", None)
    if table is None:
        return None
    return table.num_embeddings - (0 if table.padding_idx is None else table.padding_idx + 1)


def turned(transformer) -> bool:
    """Whether positions are rotations, made for all layers at once, and no table."""
    return hasattr(transformer.base_model, "rotary_emb")


def causal(transformer) -> bool:
    """Whether it reads from left to right, so that a text's last token alone has seen all others."""
    return any(getattr(module, "is_causal", False) for module in transformer.modules())


def _part(transformer, names: tuple[str, ...]) -> nn.Module:
    for name in names:
        part = transformer.base_model
        for step in name.split("."):
            part = getattr(part, step, None)
        if part is not None:
            return part
    raise UserError(f"models of class '{transformer.config.model_type}' are not known here: they have no {names[0]}")
