"""DPR's released encoders, in the classes that the Hugging Face library has for them."""

from pathlib import Path

from torch import nn

from dewpoint.errors import UserError
from dewpoint.models.backbone import DPR, load_config, load_dpr
from dewpoint.models.encoder import Encoder, Retriever


def is_dpr(source: str | Path) -> bool:
    return load_config(source).model_type == DPR


def read_dpr(source: str | Path, query_source: str | Path | None = None) -> Retriever:
    """From folders or hub ids: the encoder of passages, and that of questions if it is named."""
    if query_source and not is_dpr(query_source):
        raise UserError(f"{query_source}: is no DPR, but {source} is; name its encoder of questions")
    encoders = [_encoder(one) for one in (source, query_source) if one]
    return Retriever(encoders[0], *encoders[1:])


def _encoder(source: str | Path) -> Encoder:
    """The CLS, through a linear projection where there is one."""
    backbone, projection = load_dpr(source)
    encoder = Encoder(backbone)
    encoder.projection = projection and nn.Sequential(projection)
    return encoder
