"""A retriever's folder: written for AutoModel, SentenceTransformer and Dewpoint, and read again.

At its root lie the passages' encoder and tokenizer. An encoder of queries of its own has a folder of the same kind in
`query/`, and a Router tells SentenceTransformer which is which. What lies beyond the backbone is in the files of
SentenceTransformer's modules, so its released models are read as well.
"""

import json
from pathlib import Path
from typing import Any

from torch import nn

from dewpoint.data.pretrained import inside, is_folder, located, read_json
from dewpoint.data.tokens import fills_queries, query_reading
from dewpoint.errors import UserError
from dewpoint.models import parts
from dewpoint.models.backbone import load_encoder
from dewpoint.models.encoder import TOKENS, Encoder, Retriever
from dewpoint.models.weights import read_tensors, write_model, write_tensors

QUERY = "query"
TYPES = "sentence_transformers.models."
SEVERAL = "sentence_transformers.multi_vector_encoder.modules."
ALL_TOKENS = {"skiplist_words": [], "keep_only_token_ids": None}
POOLING = {"cls": "pooling_mode_cls_token", "mean": "pooling_mode_mean_tokens", "last": "pooling_mode_lasttoken"}
MODES = {"cls": "cls", "mean": "mean", "lasttoken": "last"}  # as newer folders say it
IDENTITY = "torch.nn.modules.linear.Identity"


# --- read ---------------------------------------------------------------------------------------


def read_retriever(source: str | Path, query_source: str | Path | None = None) -> Retriever:
    """From folders or hub ids; without a query source, as the first one has it."""
    queries = _own_queries(query_source or source) or query_source
    return Retriever(read_encoder(source), read_encoder(queries) if queries else None)


def query_folder(folder: Path) -> Path:
    """Where the encoder and the tokenizer of queries lie."""
    return _own_queries(folder) or folder


def is_retriever(source: str | Path) -> bool:
    """Whether it says how its texts become vectors, as released retrievers do and language models do not."""
    return _find(source, "modules.json") is not None


def read_encoder(source: str | Path) -> Encoder:
    """The passages' encoder of a retriever; of any other model the CLS, or the last token where it reads towards it."""
    try:
        return _with_modules(source, Encoder(load_encoder(source)))
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise UserError(f"{source}: what its modules.json names is not as it should be ({error!r})") from None


def _with_modules(source: str | Path, encoder: Encoder) -> Encoder:
    """What follows the backbone, put on it."""
    layers = []
    for kind, path in _modules(source):
        if kind == "Pooling":
            encoder.pooling = _pooling(source, _read(source, f"{path}/config.json"))
        elif kind == "Dense":
            config = _read(source, f"{path}/config.json")
            if config.get("activation_function") != IDENTITY:
                raise UserError(f"{source}: its {path} has an activation; only linear projections are known")
            layers.append(nn.Linear(config["in_features"], config["out_features"], config.get("bias", True)))
            _load(layers[-1], source, path, "linear")
        elif kind == "LayerNorm":
            layers.append(nn.LayerNorm(_read(source, f"{path}/config.json")["dimension"]))
            _load(layers[-1], source, path, "norm")
        elif kind == "Normalize":
            encoder.normalize = True
        elif kind == "MultiVectorMask":
            if any(_read(source, f"{path}/config.json").get(key) for key in ALL_TOKENS):
                raise UserError(f"{source}: its {path} leaves tokens out; only vectors of all tokens are known")
            encoder.pooling = TOKENS
        elif kind != "Transformer":
            raise UserError(f"{source}: its module {kind} is not known here")
    if [type(layer) for layer in layers] not in ([], [nn.Linear], [nn.Linear, nn.LayerNorm]):
        raise UserError(f"{source}: only one linear projection, with or without a LayerNorm, is known")
    encoder.projection = nn.Sequential(*layers) if layers else None
    return encoder


def _own_queries(source: str | Path) -> Path | None:
    if not _find(source, f"{QUERY}/config.json"):
        return None
    if is_folder(source):
        return Path(source, QUERY)
    raise UserError(f"{source}: has two encoders; download it, and name the folder as path:DIR")


def _modules(source: str | Path) -> list[tuple[str, str]]:
    """(kind, folder) of each module that passages go through; none for a model that is no retriever."""
    if not is_retriever(source):
        return []
    modules = _read(source, "modules.json")
    found = [(module["type"].rsplit(".", 1)[-1], module["path"]) for module in modules]
    if found[0][0] == "Router":
        routes = _read(source, "router_config.json")
        names = routes["structure"].get("document") or []
        found[:1] = [(routes["types"][name].rsplit(".", 1)[-1], name) for name in names]
    return found


def _pooling(source: str | Path, config: dict[str, Any]) -> str:
    if not config.get("include_prompt", True):
        raise UserError(f"{source}: its pooling leaves the prompt's tokens out; only vectors of whole texts are known")
    if "pooling_mode" in config:
        mode = config["pooling_mode"]
        modes = [MODES[mode]] if mode in [*MODES] else []
    else:
        modes = [mode for mode, key in POOLING.items() if config.get(key)]
    others = [key for key, value in config.items() if key.startswith("pooling_mode_") and value]
    if len(modes) != 1 or len(others) > 1:
        raise UserError(f"{source}: its pooling is neither the CLS nor the mean nor the last token")
    return modes[0]


def _find(source: str | Path, name: str) -> Path | None:
    return inside(located(source), name)


def _read(source: str | Path, name: str) -> Any:
    path = _find(source, name)
    if path is None:
        raise UserError(f"{source}: has no {name}, which its modules.json names")
    return read_json(path)


def _load(layer: nn.Module, source: str | Path, path: str, prefix: str) -> None:
    found = _find(source, f"{path}/model.safetensors")
    if found is None:
        raise UserError(f"{source}: has no {path}/model.safetensors")
    weights = {name.removeprefix(f"{prefix}."): value for name, value in read_tensors(found).items()}
    try:
        layer.load_state_dict(weights)
    except RuntimeError:  # goes over many lines
        raise UserError(f"{found}: its weights are not of the shape that {path}/config.json says") from None


# --- write --------------------------------------------------------------------------------------

Module = tuple[str, str, dict[str, Any], nn.Module | None, str]  # kind, folder, config, weights and their prefix


def write_retriever(folder: Path, model: Retriever, tokenizers: tuple, settings, card: str) -> None:
    """`tokenizers` are of passages and of queries; the card becomes the folder's README."""
    augmented = {"strategy": "fixed", "attend": True, "length": settings.query_length}
    more = {"query_expansion": augmented} if fills_queries(settings) else {}
    _write_encoder(folder, model.passages, tokenizers[0], settings.passage_length, more)
    if not model.tied:
        _cut_from(tokenizers[1], query_reading(settings)["cut"])
        _write_encoder(folder / QUERY, model.queries, tokenizers[1], settings.query_length, more)
        _write_router(folder, model)
    prompts = {"query": settings.query_prefix, "document": settings.passage_prefix}
    score = {"similarity_fn_name": "dot"}
    if model.passages.several:
        score = {"model_type": "MultiVectorEncoder", "similarity_fn_name": "maxsim"}
    _write(folder / "config_sentence_transformers.json", score | {"prompts": prompts})
    (folder / "README.md").write_text(card, encoding="utf-8")


def _cut_from(tokenizer, end: str) -> None:
    """Say in a tokenizer's files which end texts lose that are too long; of encoders that share one they cannot."""
    if tokenizer.truncation_side != end:
        tokenizer.truncation_side = tokenizer.init_kwargs["truncation_side"] = end


def _write_encoder(folder: Path, encoder: Encoder, tokenizer, length: int, more: dict[str, Any]) -> None:
    write_model(encoder.backbone, folder)
    tokenizer.model_max_length = length
    tokenizer.save_pretrained(folder)
    _write(folder / "sentence_bert_config.json", {"max_seq_length": length, "do_lower_case": False} | more)
    for _, path, config, layer, prefix in _layers(encoder):
        _write(folder / path / "config.json", config)
        if layer is not None:
            _save(layer, folder / path / "model.safetensors", prefix)
    modules = [("Transformer", ""), *((kind, path) for kind, path, *_ in _layers(encoder))]
    _write_modules(folder, modules)


def _layers(encoder: Encoder) -> list[Module]:
    """What follows the backbone."""
    hidden, size = parts.width(encoder.backbone.config), encoder.dimension
    modes = {key: mode == encoder.pooling for mode, key in POOLING.items()}
    modes = {key: on for key, on in modes.items() if on or key != POOLING["last"]}  # which others may not know
    pooling = {"word_embedding_dimension": hidden} | modes
    layers: list[Module] = [] if encoder.several else [("Pooling", "1_Pooling", pooling, None, "")]
    reads = {"module_input_name": "token_embeddings"} if encoder.several else {}
    if encoder.projection:
        linear = encoder.projection[0]
        dense = {"in_features": hidden, "out_features": size, "bias": linear.bias is not None}
        layers.append(("Dense", "2_Dense", dense | {"activation_function": IDENTITY} | reads, linear, "linear"))
        if len(encoder.projection) > 1:
            layers.append(("LayerNorm", "3_LayerNorm", {"dimension": size}, encoder.projection[1], "norm"))
    if encoder.normalize:
        layers.append(("Normalize", "4_Normalize", reads, None, ""))
    if encoder.several:
        layers.append(("MultiVectorMask", "5_MultiVectorMask", ALL_TOKENS, None, ""))
    return layers


def _write_router(folder: Path, model: Retriever) -> None:
    """Passages go the way of the folder's own modules, queries that of the folder in it."""
    sides = {"document": (".", model.passages), "query": (QUERY, model.queries)}
    routes = {
        route: [("Transformer", at), *((kind, str(Path(at, path))) for kind, path, *_ in _layers(encoder))]
        for route, (at, encoder) in sides.items()
    }
    router = {
        "types": {path: _type(kind) for modules in routes.values() for kind, path in modules},
        "structure": {route: [path for _, path in modules] for route, modules in routes.items()},
        "parameters": {"default_route": "document", "allow_empty_key": True},
    }
    _write(folder / "router_config.json", router)
    _write_modules(folder, [("Router", "")])


def _write_modules(folder: Path, modules: list[tuple[str, str]]) -> None:
    listed = [
        {"idx": at, "name": str(at), "path": path, "type": _type(kind)} for at, (kind, path) in enumerate(modules)
    ]
    _write(folder / "modules.json", listed)


def _type(kind: str) -> str:
    return f"{SEVERAL if kind == 'MultiVectorMask' else TYPES}{kind}"


def _save(layer: nn.Module, path: Path, prefix: str) -> None:
    write_tensors({f"{prefix}.{name}": value for name, value in layer.state_dict().items()}, path)


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1) + "\n")
