"""Backbones: masked language models of the Hugging Face library, made from scratch or loaded."""

from pathlib import Path

import torch

from dewpoint.data.pretrained import LOCAL, in_a_line, inside, located
from dewpoint.errors import UserError
from dewpoint.models.weights import check_weights

POOLED = ("bert", "ernie", "mpnet", "roberta", "xlm-roberta")  # have a pooler beyond the last layer, unless told not to
DECODED = ("t5", "mt5", "umt5")  # have a decoder, which is left where it is
WRITING = ("t5", "mt5")  # have one that is known here

DPR = "dpr"
OF_DPR = ("DPRContextEncoder", "DPRQuestionEncoder")
UNSHARED = ("model_type", "architectures", "projection_dim")  # of DPR's configuration with BERT's


def from_scratch(architecture, vocabulary: int, pad: int):
    """A new BERT or RoBERTa of the given shape. Its weights spread so that a layer's output varies as in BERT base."""
    from transformers import BertConfig, BertForMaskedLM, RobertaConfig, RobertaForMaskedLM

    config, kind = {"bert": (BertConfig, BertForMaskedLM), "roberta": (RobertaConfig, RobertaForMaskedLM)}[
        architecture.family
    ]
    special = {"type_vocab_size": 1, "bos_token_id": 0, "eos_token_id": 2} if architecture.family == "roberta" else {}
    return kind(
        config(
            vocab_size=vocabulary,
            num_hidden_layers=architecture.layers,
            hidden_size=architecture.hidden,
            num_attention_heads=architecture.heads or max(1, architecture.hidden // 64),
            intermediate_size=architecture.intermediate or 4 * architecture.hidden,
            # RoBERTa counts positions from the padding id on
            max_position_embeddings=architecture.positions + (pad + 1 if architecture.family == "roberta" else 0),
            hidden_dropout_prob=architecture.dropout,
            attention_probs_dropout_prob=architecture.dropout,
            pad_token_id=pad,
            initializer_range=0.02 * (768 / architecture.hidden) ** 0.5,
            **special,
        )
    )


def load_language_model(source: str | Path):
    """A masked language model from a folder or a hub id, in float32 masters; a head that it lacks is new."""
    from transformers import AutoModelForMaskedLM
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES

    if (kind := load_config(source).model_type) not in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        raise UserError(
            f"{source}: models of class '{kind}' are not trained on masked words; take one that is, as BERT"
        )
    return _load_model(AutoModelForMaskedLM, located(source))


def load_encoder(source: str | Path):
    """The encoder alone, without language-model head, pooler or decoder."""
    from transformers import AutoModel, AutoModelForTextEncoding

    folder, kind = located(source), load_config(source).model_type
    pooler = {"add_pooling_layer": False} if kind in POOLED else {}
    return _load_model(AutoModelForTextEncoding if kind in DECODED else AutoModel, folder, **pooler)


def load_seq2seq(source: str | Path):
    """An encoder with its decoder, which writes texts."""
    from transformers import AutoModelForSeq2SeqLM

    if (kind := load_config(source).model_type) not in WRITING:
        raise UserError(f"{source}: models of class '{kind}' write no texts here; known: {', '.join(WRITING)}")
    return _load_model(AutoModelForSeq2SeqLM, located(source))


def load_classifier(source: str | Path):
    """A model for sequence classification, head and all."""
    from transformers import AutoModelForSequenceClassification

    return _load_model(AutoModelForSequenceClassification, located(source), whole=True)


def load_dpr(source: str | Path):
    """(encoder, projection or None) of DPR's classes for questions and for contexts, which wrap a BERT."""
    import transformers

    config = load_config(source)
    name = next(iter(config.architectures or []), "")
    if name not in OF_DPR:
        raise UserError(f"{source}: a DPR of class '{name}' gives no vectors; known: {', '.join(OF_DPR)}")
    wrapped = _load_model(getattr(transformers, name), located(source)).base_model
    shape = {key: value for key, value in config.to_dict().items() if key not in UNSHARED}
    encoder = transformers.BertModel(transformers.BertConfig(**shape), add_pooling_layer=False)
    encoder.load_state_dict(wrapped.bert_model.state_dict())
    return encoder, wrapped.encode_proj if config.projection_dim else None


def load_config(source: str | Path):
    from transformers import AutoConfig

    return _load(AutoConfig, located(source))


def _load_model(auto, folder: Path, whole: bool = False, **options):
    """With all of its encoder's weights, or where it is to be whole its head's: the library would make them up."""
    check_weights(folder, auto.__name__)
    weights = {"dtype": torch.float32, "use_safetensors": True, "output_loading_info": True}
    model, told = _load(auto, folder, **weights, **options)
    encoder = f"{model.base_model_prefix}." if model.base_model is not model and not whole else ""
    if missing := sorted(name for name in told["missing_keys"] if name.startswith(encoder)):
        raise UserError(
            f"{folder}: its weights lack {len(missing)} of this model's, such as {missing[0]}; fetch it again"
        )
    return model


def _load(auto, folder: Path, **options):
    from transformers.utils import logging

    if not inside(folder, "config.json"):
        raise UserError(f"{folder}: has no config.json; name the folder of a model in the Hugging Face format")
    logging.set_verbosity_error()  # of weights that one class has and another has not, it would print a table
    logging.disable_progress_bar()
    try:
        return auto.from_pretrained(folder, **LOCAL, **options)
    except Exception as error:  # whatever others' files make of it
        raise in_a_line(folder, "model", error) from None
