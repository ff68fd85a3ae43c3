"""`cocondenser`: Condenser plus a contrast between spans, so that passages of one document lie together.

L = 1/(2n) Σ_ij L_co_ij + Σ_masked (head MLM + late MLM) / number masked        2n spans of n documents a step
"""

from pathlib import Path

from dewpoint.artifact import Artifact
from dewpoint.data.streams import SpanPairs
from dewpoint.data.tokenizer import load_tokenizer
from dewpoint.data.tokens import TokenStore
from dewpoint.models.backbone import pick_device
from dewpoint.training import gradient_cache, loop
from dewpoint.training.losses import span_loss
from dewpoint.training.recipes.condenser import condenser_losses, load
from dewpoint.training.recipes.pretraining import Masker, documents, finish


def train(artifact: Artifact, settings, dataset: Path, tokens: Path, tokenizer: Path, parent: Path | None) -> None:
    store, words = TokenStore(tokens), load_tokenizer(tokenizer.parent)
    model = load(settings, words, parent)
    masker = Masker(words, store.special, settings.seed)
    texts = documents(dataset, store, settings.spans_of)
    pairs = SpanPairs(texts, store.special, settings.length, settings.batch_size, settings.seed)

    def objective(ids, step):
        batch = masker(ids, step).to(pick_device())
        count = batch.where.sum()
        sums = {"head_mlm": 0.0, "late_mlm": 0.0}

        def encode(chunk, whole):
            if not whole:
                return model.backbone(chunk.inputs, chunk.mask)[:, 0], None
            head, late, vectors = condenser_losses(model, chunk)
            sums["head_mlm"] += (head / count).item()
            sums["late_mlm"] += (late / count).item()
            return vectors, (head + late) / count

        chunks = batch.chunks(settings.chunk or len(ids))
        contrast = gradient_cache.backward(
            chunks,
            encode,
            lambda spans: span_loss(spans, settings.temperature),
            settings.seed + step,
            bool(settings.chunk),
        )
        return {"contrast": contrast, **sums}

    loop.train(model, pairs.batch, objective, settings, settings.steps, artifact)
    model.save(artifact.path("."))
    finish(artifact, tokenizer.parent)
