"""`condenser`: masked words predicted by a head that must go through the late CLS.

L = Σ_masked CE(W h_cd_i, x_i) + Σ_masked CE(W h_late_i, x_i), over their number in the batch
"""

from pathlib import Path

from torch import Tensor

from dewpoint.artifact import Artifact
from dewpoint.data.streams import Blocks
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import TokenStore
from dewpoint.models.backbone import pick_device, word_loss
from dewpoint.models.condenser import Condenser
from dewpoint.training import loop
from dewpoint.training.recipes.pretraining import Masked, Masker, documents, finish, start


def train(artifact: Artifact, settings, dataset: Path, tokens: Path, tokenizer: Path, parent: Path | None) -> None:
    store, words = TokenStore(tokens), load_tokenizer(tokenizer.parent)
    model = load(settings, words, parent)
    masker = Masker(words, store.special, settings.seed)
    texts = documents(dataset, store, "document")
    blocks = Blocks(texts, store.special, settings.length, settings.batch_size, settings.seed)

    def objective(ids, step):
        batch = masker(ids, step).to(pick_device())
        head, late, _ = condenser_losses(model, batch)
        count = batch.where.sum()
        ((head + late) / count).backward()
        return {"head_mlm": (head / count).item(), "late_mlm": (late / count).item()}

    loop.train(model, blocks.batch, objective, settings, settings.steps, artifact)
    model.save(artifact.path("."))
    finish(artifact, tokenizer.parent)


def load(settings, words, parent: Path | None) -> Condenser:
    """The parent's backbone, with the parent's head when it has one."""
    language_model = start(settings, words, parent)
    return Condenser.load(language_model, parent and parent.parent, settings.early_layers, settings.head_layers)


def condenser_losses(model: Condenser, batch: Masked) -> tuple[Tensor, Tensor, Tensor]:
    """(head MLM, late MLM, both summed over masked positions; late CLS)."""
    late, early = model.backbone(batch.inputs, batch.mask, early=True)
    condensed = model.condense(late, early, batch.mask)
    head = word_loss(model.language_model, condensed, batch.ids, batch.where)
    return head, word_loss(model.language_model, late, batch.ids, batch.where), late[:, 0]
