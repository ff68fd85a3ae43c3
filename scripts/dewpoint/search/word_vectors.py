"""Texts as the mean of their words' vectors, and how alike the texts of examples are by these.

Words are found as sentence-transformers' baseline `average_word_embeddings_glove.6B.300d` finds them: texts are cut at
white space; each piece is looked for as it stands, without the punctuation around it, and that in lower case. If it is
a stop word it is left out, if it has a vector that is taken; what is neither has no part in the mean.
"""

from collections.abc import Iterator
from pathlib import Path
from string import punctuation

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_array

from dewpoint.artifact import Artifact
from dewpoint.data.runs import RunWriter
from dewpoint.data.word_vectors import read_vectors
from dewpoint.search.alike import pairs, run_of

BLOCK = 2048  # examples whose vectors are held at once
# the baseline's, beside all punctuation
ENGLISH = """'' `` a about above across after afterwards again against ain all almost alone along already also
    although always am among amongst amoungst amount an and another any anyhow anyone anything anyway anywhere
    are aren around as at back be became because become becomes becoming been before beforehand behind being
    below beside besides between beyond bill both bottom but by call can cannot cant co con could couldn couldnt
    cry d de describe detail did didn do does doesn doing don done down due during each eg eight either eleven
    else elsewhere empty enough etc even ever every everyone everything everywhere except few fifteen fifty fill
    find fire first five for former formerly forty found four from front full further get give go had hadn has
    hasn hasnt have haven having he hence her here hereafter hereby herein hereupon hers herself him himself his
    how however hundred i ie if in inc indeed interest into is isn it its itself just keep last latter latterly
    least less ll ltd m ma made many may me meanwhile might mightn mill mine more moreover most mostly move much
    must mustn my myself name namely needn neither never nevertheless next nine no nobody none noone nor not
    nothing now nowhere o of off often on once one only onto or other others otherwise our ours ourselves out
    over own part per perhaps please put rather re s same see seem seemed seeming seems serious several shan she
    should shouldn show side since sincere six sixty so some somehow someone something sometime sometimes
    somewhere still such system t take ten than that the their theirs them themselves then thence there
    thereafter thereby therefore therein thereupon these they thick thin third this those though three through
    throughout thru thus to together too top toward towards twelve twenty two un under until up upon us ve very
    via was wasn we well were weren what whatever when whence whenever where whereafter whereas whereby wherein
    whereupon wherever whether which while whither who whoever whole whom whose why will with within without won
    would wouldn y yet you your yours yourself yourselves"""
STOP_WORDS = {"english": frozenset([*ENGLISH.split(), *punctuation]), "none": frozenset()}


def forms(piece: str, lower_case: bool) -> tuple[str, ...]:
    """What a piece between spaces is looked for as, one after the other."""
    piece = piece.lower() if lower_case else piece
    bare = piece.strip(punctuation)
    return piece, bare, bare.lower()


def sought(piece: str, lower_case: bool, stop_words: frozenset[str]) -> Iterator[str]:
    """The words that a piece may be, until one of its forms is a stop word."""
    for word in forms(piece, lower_case):
        if word in stop_words:
            return
        if word:
            yield word


class Means:
    """The mean of the known words' vectors of each text; a text without any is 0."""

    def __init__(self, texts: pa.ChunkedArray, path: Path, settings):
        stop_words = STOP_WORDS[settings.stop_words]
        pieces = pc.utf8_split_whitespace(pc.cast(texts, pa.large_string())).combine_chunks()
        coded = pieces.flatten().dictionary_encode()
        may_be = [[*sought(piece, settings.lower_case, stop_words)] for piece in coded.dictionary.to_pylist()]
        words, self.vectors = read_vectors(path, settings.member, {word for one in may_be for word in one})
        rows = {word: row for row, word in enumerate(words)}
        row_of = np.array([next((rows[word] for word in one if word in rows), -1) for one in may_be], np.int64)
        taken = row_of[coded.indices.to_numpy()]
        kept = taken >= 0
        ends = np.append(0, np.cumsum(kept))[np.append(0, np.cumsum(pieces.value_lengths().to_numpy()))]
        self.count = np.diff(ends)  # known words of each text
        shape = len(texts), len(words)
        self.times = csr_array((np.ones(ends[-1]), taken[kept].astype(np.int64), ends), shape=shape)

    def __getitem__(self, rows: np.ndarray) -> np.ndarray:
        """Of some texts, in float64."""
        return self.times[rows] @ self.vectors.astype(np.float64) / np.maximum(self.count[rows], 1)[:, None]


def write_means(artifact: Artifact, columns: list[pa.ChunkedArray], path: Path, settings) -> None:
    """How alike the texts of all examples are; `columns` are all first texts, all second, …"""
    each, total = len(columns), len(columns[0])
    means = Means(pa.chunked_array([chunk for column in columns for chunk in column.chunks]), path, settings)
    with RunWriter(artifact) as file:
        for first in range(0, total, BLOCK):
            examples = np.arange(first, min(first + BLOCK, total))
            texts = (examples[:, None] + np.arange(each) * total).ravel()
            file.write(run_of(examples, pairs(means[texts].reshape(len(examples), each, -1), settings.similarity)))
    known, size = means.vectors.shape
    artifact.facts |= {"words": known, "size": size, "texts": each * total}
    artifact.facts |= {"texts_without_words": int((means.count == 0).sum())}
