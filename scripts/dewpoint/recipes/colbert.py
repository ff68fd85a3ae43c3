"""`colbert`: late interaction, a vector for each token, s(q, p) = Σ_i max_j q_i · p_j.

L = 1/n Σ_i loss(s(q_i, p_1) … s(q_i, p_m))        p over all passages of the step; which may be negative the loss knows

Padding has no part. Khattab and Zaharia (2020) have a projection to 128 dimensions, vectors of length one, and queries
filled up with [MASK]; each is a setting. Punctuation has its vectors here; [MASK] is seen by the other tokens.
"""

from types import SimpleNamespace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from dewpoint.artifact import Artifact
from dewpoint.recipes._encoding import Encoded, Encoding
from dewpoint.recipes._retrieval import loss_and_batches
from dewpoint.study.bases import TEXTS
from dewpoint.training.given import Pace


class ColBERT(Encoding):
    """Late interaction: a vector for each token; a query's score is the sum of its vectors' nearest in the passage."""

    several: ClassVar[bool] = True
    ranker: ClassVar[str | None] = "late-interaction"
    cites: ClassVar[tuple[str, ...]] = ("khattab2020colbert",)

    recipe: Literal["colbert"]
    augmented: Annotated[bool, TEXTS] = Field(True, description="queries are filled up with [MASK] to query_length")

    @property
    def fills_queries(self) -> bool:
        return self.augmented

    def work_settings(self, config) -> dict[str, Any]:
        """Where nothing is measured on the way nothing says so."""
        made = super().work_settings(config)
        return made if self.development else {key: value for key, value in made.items() if key != "development"}


def work(artifact: Artifact, settings, given: Encoded, pace: Pace) -> None:
    from dewpoint.models.encoder import TOKENS
    from dewpoint.training.ranking import train

    fixed = {"pooling": TOKENS, "train_query_length": settings.query_length}
    settings = SimpleNamespace(**{"development": None} | vars(settings) | fixed)
    train(artifact, settings, given, pace, *loss_and_batches(settings, given))
