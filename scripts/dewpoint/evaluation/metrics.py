"""Metrics of a run, per query, as trec_eval defines them: all come from the ranks of what is judged.

Hit goes by answers that a passage contains instead, as DPR has it.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from dewpoint.data.answers import with_answer
from dewpoint.data.dataset import Dataset
from dewpoint.data.runs import Run, find, pair_numbers
from dewpoint.errors import UserError

CUTOFFS = (10, 100, 1000)


@dataclass
class Judgements:
    """What is judged of a split; where whole documents are, `passage` has documents' numbers."""

    query: np.ndarray
    passage: np.ndarray
    grade: np.ndarray
    relevant: int = 1  # the grade from which on a passage counts as relevant; nDCG's gains are all grades
    documents: np.ndarray | None = None  # each passage's, where these are judged

    @classmethod
    def of(cls, dataset: Dataset, split: str) -> "Judgements":
        query, passage, grade = dataset.judgements(split)
        if not dataset.judges_documents:
            return cls(query, passage, grade, dataset.relevant(split))
        documents = dataset.documents()
        document = documents[passage]
        first = ~repeated(query, document)
        return cls(query[first], document[first], grade[first], dataset.relevant(split), documents)

    def part(self, wanted: np.ndarray) -> "Judgements":
        """The wanted rows."""
        return Judgements(self.query[wanted], self.passage[wanted], self.grade[wanted], self.relevant, self.documents)


def measure(run: Run, dataset: Dataset, split: str, metrics: list[str]) -> pd.DataFrame:
    """One row a query that is judged or has answers, one column a metric; nothing where a query does not count."""
    by_answers = [metric for metric in metrics if metric.startswith("Hit@")]
    by_judgements = [metric for metric in metrics if metric not in by_answers]
    parts = []
    if by_judgements or not by_answers:
        judged = Judgements.of(dataset, split)
        if by_judgements and not len(judged.query):
            folder = dataset.manifest.parent
            raise UserError(f"{folder}: no query of {split} is judged, so there is no {by_judgements[0]}, only Hit@k")
        parts.append(evaluate(run, judged, by_judgements))
    if by_answers:
        parts.append(answered(run, dataset, split, by_answers))
    return pd.concat(parts, axis=1).sort_index()[metrics]


def evaluate(run: Run, judged: Judgements, metrics: list[str]) -> pd.DataFrame:
    """One row a judged query, one column a metric: 0 where the run lacks the query or nothing relevant is known."""
    queries, number = np.unique(judged.query, return_inverse=True)
    rank = ranks(run if judged.documents is None else by_document(run, judged.documents), judged)
    values = {m: of_ranks(m, number, judged.grade, rank, judged.relevant, len(queries)) for m in metrics}
    return pd.DataFrame(values, index=pd.Index(queries, name="query"))


def answered(run: Run, dataset: Dataset, split: str, metrics: list[str]) -> pd.DataFrame:
    """One row a query with answers, one column a Hit@k: is there an answer in one of the first k passages?"""
    seen = run.rank <= max(int(metric.split("@")[1]) for metric in metrics)
    run = Run(run.query[seen], run.passage[seen], run.score[seen])
    right, rank = with_answer(run, dataset, split), run.rank
    answers = dataset.column(f"queries.{split}", "answers")
    queries = np.flatnonzero(pc.list_value_length(answers).to_numpy(zero_copy_only=False))
    number, ones = np.searchsorted(queries, run.query[right]), np.ones(int(right.sum()), np.int32)
    values = {metric: of_ranks(metric, number, ones, rank[right], 1, len(queries)) for metric in metrics}
    return pd.DataFrame(values, index=pd.Index(queries, name="query"))


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


def of_ranks(
    metric: str, query: np.ndarray, grade: np.ndarray, rank: np.ndarray, relevant: int, queries: int
) -> np.ndarray:
    """A metric of queries 0 … queries - 1 from the grades and ranks of what is judged; rank 0: not found."""
    kind, _, cutoff = metric.partition("@")
    right = grade >= relevant
    count = np.bincount(query[right], minlength=queries)
    depth = int(cutoff) if cutoff else count[query]  # Rprec's is as many as are relevant
    seen = (rank > 0) & (rank <= depth)
    if kind == "nDCG":
        order = np.lexsort([-grade, query])
        ideal = np.arange(len(query)) - np.searchsorted(query[order], query[order]) + 1
        best = _gain(query[order], grade[order], ideal, ideal <= depth, queries)
        return _gain(query, grade, rank, seen, queries) / np.where(best > 0, best, 1)
    seen &= right
    if kind == "MRR":
        first = np.zeros(queries)
        np.maximum.at(first, query[seen], 1 / rank[seen])
        return first
    found = np.bincount(query[seen], minlength=queries)
    if kind == "P":
        return found / depth
    return found / np.maximum(count, 1) if kind in ("R", "Rprec") else (found > 0).astype(float)


def _gain(query: np.ndarray, grade: np.ndarray, rank: np.ndarray, seen: np.ndarray, queries: int) -> np.ndarray:
    gains = np.maximum(grade[seen], 0) / np.log2(rank[seen] + 1)
    return np.bincount(query[seen], weights=gains, minlength=queries)


def agreement(run: Run, exact: Run, depth: int) -> dict[str, float]:
    """Which share of exact search's best 10, 100, 1000 passages a run has among as many, as far as it is that deep."""
    codes, shares = pair_numbers(*((of.query, of.passage) for of in (run, exact))), {}
    for cutoff in (cutoff for cutoff in CUTOFFS if cutoff <= depth):
        ours, theirs = (code[of.rank <= cutoff] for code, of in zip(codes, (run, exact), strict=True))
        shares[str(cutoff)] = round(float(np.isin(theirs, ours, assume_unique=True).mean()), 4)
    return shares
