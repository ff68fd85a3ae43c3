"""What metrics of a run, per query, and of examples are computed from.

Of a run it is the ranks of what is judged, as trec_eval has it, or of passages with an answer, as DPR has it.
"""

from dataclasses import dataclass
from math import comb

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from dewpoint.data.answers import with_answer
from dewpoint.data.dataset import Dataset
from dewpoint.data.gains import normalised_gain
from dewpoint.data.runs import Run, find, pair_numbers
from dewpoint.errors import UserError
from dewpoint.evaluation.registry import (
    ANSWERS,
    JUDGEMENTS,
    OF_EXAMPLES,
    OF_RUNS,
    OF_SETS,
    PAGE_SETS,
    PAGES,
    SCORES,
    TRIPLETS,
    entry,
    goes_by,
    known,
)
from dewpoint.evaluation.sets import Evidence, Sets

CUTOFFS = (10, 100, 1000)


@dataclass
class Judgements:
    """What is judged of a split; where whole documents are, `passage` has documents' numbers."""

    query: np.ndarray
    passage: np.ndarray
    grade: np.ndarray
    relevant: float = 1  # the grade from which on a passage counts as relevant; nDCG's gains are all grades
    documents: np.ndarray | None = None  # each passage's, where these are judged

    @classmethod
    def of(cls, dataset: Dataset, split: str, by: str = JUDGEMENTS) -> "Judgements":
        """As they were given; by pages, a document has the highest grade of its passages."""
        query, passage, grade = dataset.judgements(split)
        if by != PAGES and not dataset.judges_documents:
            return cls(query, passage, grade, dataset.relevant(split))
        documents = dataset.documents()
        document, falling = documents[passage], np.argsort(-grade, kind="stable")
        rows = np.sort(falling[~repeated(query[falling], document[falling])])
        return cls(query[rows], document[rows], grade[rows], dataset.relevant(split), documents)

    def part(self, wanted: np.ndarray) -> "Judgements":
        """The wanted rows."""
        return Judgements(self.query[wanted], self.passage[wanted], self.grade[wanted], self.relevant, self.documents)


@dataclass
class Ranks:
    """The ranks of what is judged for queries 0 … queries - 1, what metrics are computed from; rank 0: not found."""

    query: np.ndarray
    grade: np.ndarray
    rank: np.ndarray
    relevant: float
    queries: int

    def __post_init__(self):
        self.right = self.grade >= self.relevant
        self.relevant_of_each = np.bincount(self.query[self.right], minlength=self.queries)
        self.relevant_or_one = np.maximum(self.relevant_of_each, 1)

    def seen(self, k: int | np.ndarray) -> np.ndarray:
        """What is among the first k of its query."""
        return (self.rank > 0) & (self.rank <= (k if isinstance(k, int) else k[self.query]))

    def found(self, k: int | np.ndarray) -> np.ndarray:
        """How many of a query's relevant ones are among its first k."""
        return np.bincount(self.query[self.seen(k) & self.right], minlength=self.queries)

    def best(self, k: int) -> np.ndarray:
        """1 / the rank of a query's first relevant one, 0 beyond k."""
        best, rows = np.zeros(self.queries), self.seen(k) & self.right
        np.maximum.at(best, self.query[rows], 1 / self.rank[rows])
        return best

    def gain(self, k: int) -> np.ndarray:
        """What a query's first k give of what they could, grades discounted by rank."""
        return normalised_gain(self.query, self.grade, self.rank, self.queries, k)

    def value(self, metric: str) -> np.ndarray:
        """A metric of each query."""
        found, cutoff = entry(metric)
        return found.value(self) if cutoff is None else found.value(self, cutoff)


def measure(run: Run, dataset: Dataset, split: str, metrics: list[str]) -> pd.DataFrame:
    """One row a query that is judged or has answers, one column a metric; nothing where a query does not count."""
    sorts = {metric: goes_by(metric) for metric in metrics}
    for metric, by in sorts.items():
        if by not in OF_RUNS:
            raise UserError(f"{metric} is no metric of a run; write {', '.join(known(*OF_RUNS))}")
    parts = []
    for by in dict.fromkeys(sorts.values()) or [JUDGEMENTS]:
        asked = [metric for metric in metrics if sorts[metric] == by]
        if by == ANSWERS:
            parts.append(answered(run, dataset, split, asked))
            continue
        if by in OF_SETS:
            parts.append(proven(run, dataset, split, asked, pages=by == PAGE_SETS))
            continue
        judged = Judgements.of(dataset, split, by)
        if asked and not len(judged.query):
            folder, other = dataset.manifest.parent, ", ".join(known(ANSWERS)).replace("@10", "@k")
            raise UserError(f"{folder}: no query of {split} is judged, so there is no {asked[0]}, only {other}")
        parts.append(evaluate(run, judged, asked))
    return pd.concat(parts, axis=1).sort_index()[metrics]


def evaluate(run: Run, judged: Judgements, metrics: list[str]) -> pd.DataFrame:
    """One row a judged query, one column a metric: 0 where the run lacks the query or nothing relevant is known."""
    queries, number = np.unique(judged.query, return_inverse=True)
    rank = ranks(run if judged.documents is None else by_document(run, judged.documents), judged)
    of = Ranks(number, judged.grade, rank, judged.relevant, len(queries))
    return pd.DataFrame({m: of.value(m) for m in metrics}, index=pd.Index(queries, name="query"))


def answered(run: Run, dataset: Dataset, split: str, metrics: list[str]) -> pd.DataFrame:
    """One row a query with answers, one column a Hit@k: is there an answer in one of the first k passages?"""
    seen = run.rank <= max(entry(metric)[1] for metric in metrics)
    run = run.at(seen)
    right, rank = with_answer(run, dataset, split), run.rank
    answers = dataset.column(f"queries.{split}", "answers")
    queries = np.flatnonzero(pc.list_value_length(answers).to_numpy(zero_copy_only=False))
    number, ones = np.searchsorted(queries, run.query[right]), np.ones(int(right.sum()), np.int32)
    of = Ranks(number, ones, rank[right], 1, len(queries))
    return pd.DataFrame({m: of.value(m) for m in metrics}, index=pd.Index(queries, name="query"))


def proven(run: Run, dataset: Dataset, split: str, metrics: list[str], pages: bool) -> pd.DataFrame:
    """One row a query of the split, one column a metric of its sets of evidence; 0 where it has none, as in KILT."""
    if split not in dataset.proven_splits:
        folder = dataset.manifest.parent
        raise UserError(
            f"{folder}: {split} has no sets of evidence, so there is no {metrics[0]}; KILT's splits have them"
        )
    evidence = Evidence.of(dataset, split, pages)
    found, rows = by_document(run, evidence.part_of), np.flatnonzero(evidence.key >= 0)
    rank = np.zeros(len(evidence.key), np.int64)
    rank[rows] = ranks(found, Judgements(evidence.query[rows], evidence.key[rows], np.ones(len(rows))))
    sets, queries = Sets(evidence, rank), np.arange(dataset.rows(f"queries.{split}"))
    values = pd.DataFrame({m: sets.value(m) for m in metrics}, index=pd.Index(sets.queries, name="query"))
    return values.reindex(pd.Index(queries, name="query"), fill_value=0.0)


def measure_examples(predicted: np.ndarray, dataset: Dataset, split: str, metrics: list[str]) -> dict[str, float]:
    """Each metric of a split's examples; `predicted` has a row for each, how alike its texts 1 and 2 are.

    Of triplets it has three columns: texts 1 and 2, 1 and 3, 2 and 3.
    """
    place = f"{dataset.manifest.parent}: examples of {split}"
    texts, scores = dataset.examples(split)
    pairs = comb(len(texts), 2)
    predicted = predicted[:, None] if predicted.ndim == 1 else predicted
    if predicted.shape != (len(texts[0]), pairs):
        shape = " × ".join(map(str, predicted.shape))
        raise UserError(f"{place}: {shape} similarities were predicted, expected {len(texts[0])} × {pairs}")
    if not np.isfinite(predicted).all():
        raise UserError(f"{place}: predicted similarities are not all finite numbers")
    values = {}
    for metric in metrics:
        found, _ = entry(metric)
        if found.by not in OF_EXAMPLES:
            raise UserError(f"{metric} is no metric of examples; write {', '.join(known(*OF_EXAMPLES))}")
        if found.by == SCORES and len(texts) == 2 and scores is not None:
            if min(len(np.unique(part)) for part in (predicted, scores)) < 2:
                raise UserError(f"{place}: no {metric}, as the scores or what was predicted are all the same")
            values[metric] = found.value(predicted[:, 0], scores)
        elif found.by == TRIPLETS and len(texts) == 3:
            values[metric] = found.value(predicted)
        else:
            raise UserError(f"{place}: {metric} needs {'triplets' if found.by == TRIPLETS else 'pairs with scores'}")
    return values


def by_document(run: Run, documents: np.ndarray) -> Run:
    """A run of documents, each where its best passage is (MaxP)."""
    document = documents[run.passage]
    best = ~repeated(run.query, document)
    return Run(run.query[best], document[best], run.score[best])


def repeated(query: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Which pairs were there before."""
    return pd.Series(*pair_numbers((query, row))).duplicated().to_numpy()


def ranks(run: Run, judged: Judgements) -> np.ndarray:
    """The rank of what is judged, 0 where the run has it not. Only rows of judged passages are looked at closely."""
    known = np.zeros(1 + max(int(of.passage.max(initial=0)) for of in (run, judged)), bool)
    known[judged.passage] = True
    rows = np.flatnonzero(known[run.passage])
    pairs, wanted = pair_numbers((run.query[rows], run.passage[rows]), (judged.query, judged.passage))
    order = np.argsort(pairs)
    found, at = find(pairs[order], wanted)
    rank, rows = np.zeros(len(wanted), np.int64), rows[order[at]]
    rank[found] = 1 + rows - np.searchsorted(run.query, run.query[rows])
    return rank


def agreement(run: Run, exact: Run, depth: int) -> dict[str, float]:
    """Which share of exact search's best 10, 100, 1000 passages a run has among as many, as far as it is that deep."""
    codes, shares = pair_numbers(*((of.query, of.passage) for of in (run, exact))), {}
    for cutoff in (cutoff for cutoff in CUTOFFS if cutoff <= depth):
        ours, theirs = (code[of.rank <= cutoff] for code, of in zip(codes, (run, exact), strict=True))
        shares[str(cutoff)] = round(float(np.isin(theirs, ours, assume_unique=True).mean()), 4)
    return shares
