"""`mlm`: BERT's masked language modelling, whole words."""

from pathlib import Path

from dewpoint.artifact import Artifact
from dewpoint.data.streams import Blocks
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import TokenStore
from dewpoint.models.backbone import pick_device, word_loss
from dewpoint.training import loop
from dewpoint.training.recipes.pretraining import Masker, documents, finish, start


def train(artifact: Artifact, settings, dataset: Path, tokens: Path, tokenizer: Path, parent: Path | None) -> None:
    store, words = TokenStore(tokens), load_tokenizer(tokenizer.parent)
    model = start(settings, words, parent)
    masker = Masker(words, store.special, settings.seed)
    texts = documents(dataset, store, "document")
    blocks = Blocks(texts, store.special, settings.length, settings.batch_size, settings.seed)

    def objective(ids, step):
        batch = masker(ids, step).to(pick_device())
        hidden = model.base_model(batch.inputs, attention_mask=batch.mask).last_hidden_state
        loss = word_loss(model, hidden, batch.ids, batch.where) / batch.where.sum()
        loss.backward()
        return {"mlm": loss.item()}

    loop.train(model, blocks.batch, objective, settings, settings.steps, artifact)
    model.save_pretrained(artifact.path("."))
    finish(artifact, tokenizer.parent)
