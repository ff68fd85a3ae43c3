"""Tables as CSV and as Markdown: measured alone, and beside what a paper printed."""

import csv
import json
import math
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dewpoint.artifact import Artifact
from dewpoint.program import run
from dewpoint.report.reproduced import Line, beside, judge, read_lines, row_notes, texts, verdict, write_lines
from dewpoint.report.table_settings import Column, Paper, PrintedRow, TableSettings
from dewpoint.report.tables import write_table
from programs import arguments
from published_study import MEASURED, load, write_scores

BESIDE = """\
row,ranker,system,setting,on,metric,measured,published,difference,within,note,queries,from_baseline,low,high,p
BM25,words,BM25,,marco/dev,MRR@10,0.1844,0.184,0.000,yes,,7,,,,
BM25,words,BM25,,marco/dev,R@1000,0.8401,0.853,-0.013,no,,7,,,,
BM25,words,BM25,,dpr/nq-test,Hit@20,0.6,0.591,0.009,yes,,7,,,,
"BERT, train 1000",few,BERT,"train 1000, neg bm25",marco/dev,MRR@10,0.3349,0.330,0.005,yes,elsewhere 0.666,7,,,,
"BERT, train 1000",few,BERT,"train 1000, neg bm25",marco/dev,R@1000,0.8,,,,elsewhere 0.666,7,,,,
"BERT, train 1000",few,BERT,"train 1000, neg bm25",dpr/nq-test,Hit@20,0.71,0.70,,,suspected misprint; elsewhere 0.666,7,,,,
"BERT, train full",,BERT,"train full, neg bm25",marco/dev,MRR@10,,0.309,,,not run; setting inferred,,,,,
"BERT, train full",,BERT,"train full, neg bm25",marco/dev,R@1000,,0.938,,,not run; setting inferred,,,,,
The other one,,Other,train full,marco/dev,R@1000,,0.959,,,not run: it has no code,,,,,
The other one,,Other,train full,dpr/nq-test,Hit@20,,0.819,,,not run: it has no code,,,,,
,own,,,marco/dev,MRR@10,0.25,,,,,7,,,,
,own,,,marco/dev,R@1000,0.75,,,,,7,,,,
,own,,,dpr/nq-test,Hit@20,0.5,,,,,7,,,,
"""  # noqa: E501
TEXT = """\
**t** (marco/dev, 7 queries; dpr/nq-test, 7 queries)

Lovelace & Babbage (1843), table 2: All of it. 3 of 4 figures within ±0.01 of the published ones.

marco/dev:

| row              | ranker  | MRR@10 | published | difference | R@1000 | published | difference |
|------------------|---------|-------:|----------:|-----------:|-------:|----------:|-----------:|
| BM25             | words   |  0.184 |     0.184 |   +0.000 ✓ |  0.840 |     0.853 |   -0.013 ✗ |
| BERT, train 1000 | few     |  0.335 |     0.330 |   +0.005 ✓ |  0.800 |           |            |
| BERT, train full | not run |        |     0.309 |            |        |     0.938 |            |
| The other one    | not run |        |           |            |        |     0.959 |            |
|                  | own     |  0.250 |           |            |  0.750 |           |            |

dpr/nq-test:

| row              | ranker  | Hit@20 | published | difference |
|------------------|---------|-------:|----------:|-----------:|
| BM25             | words   |  0.600 |     0.591 |   +0.009 ✓ |
| BERT, train 1000 | few     |   0.71 |     0.70? |            |
| The other one    | not run |        |     0.819 |            |
|                  | own     |  0.500 |           |            |

- What one must know.
- BERT, train 1000: elsewhere 0.666; suspected misprint
- BERT, train full: setting inferred
- The other one: not run: it has no code
"""


def table(graph, values=MEASURED, comparison=None) -> tuple[str, str]:
    """(CSV, Markdown) of table t."""
    write_scores(graph, values)
    csv_path, text, manifest = map(Path, graph.table("t"))
    settings, scores = json.loads(graph.table_settings("t")), list(map(Path, graph.table_scores("t")))
    run(write_table, arguments(manifest, settings, scores=scores, comparison=comparison))
    return csv_path.read_text(), text.read_text()


def test_a_papers_rows_stand_beside_what_was_measured(tmp_path, monkeypatch):
    assert table(load(tmp_path, monkeypatch)) == (BESIDE, TEXT)


def test_figures_of_other_queries_are_shown_and_not_judged(tmp_path, monkeypatch):
    """Beside what is measured on a split at hand, and said of no row that has none."""
    hidden = ("row: {system: BM25}\n        on: {msmarco-passage/dev", "row: {system: BM25}\n        on: {hidden/eval")
    told = ("    tolerance:", "    published_on: {marco/dev: hidden/eval}\n    tolerance:")
    written, text = table(load(tmp_path, monkeypatch, hidden, told))
    known, *others = csv.DictReader(written.splitlines())
    assert known["measured"] == "0.1844" and known["published"] == "0.184"
    assert known["note"] == "published figures are of hidden/eval" and not known["difference"] + known["within"]
    assert "- BM25: published figures are of hidden/eval\n" in text and "1 of 1 figures within" in text
    assert not [one for one in others if "hidden" in one["note"] and one["system"] != "BM25"]
    assert not [one for one in others if one["on"] == "marco/dev" and one["published"] and one["system"] != "BM25"]


PLAIN = [
    ("    paper: lovelace/table2\n    tolerance: 0.01\n    absent: {Other: it has no code}\n", ""),
    ("{marco/dev: [MRR@10, R@1000], dpr/nq-test: [Hit@20]}", "marco/dev\n    metrics: [MRR@10, R@1000]"),
]


def test_a_single_split(tmp_path, monkeypatch):
    written, text = table(load(tmp_path, monkeypatch, *PLAIN))
    assert written == "ranker,MRR@10,R@1000,queries\nown,0.25,0.75,7\nfew,0.3349,0.8,7\nwords,0.1844,0.8401,7\n"
    assert text == (
        "**t** (marco/dev, 7 queries)\n\n"
        "| ranker | MRR@10 | R@1000 |\n"
        "|--------|-------:|-------:|\n"
        "| own    |  0.250 |  0.750 |\n"
        "| few    |  0.335 |  0.800 |\n"
        "| words  |  0.184 |  0.840 |\n"
    )


@pytest.mark.parametrize(
    ("other", "names"), [("dpr/nq-dev", ("marco/dev", "dpr/nq-dev")), ("marco/dl2019", ("dev", "dl2019"))]
)
def test_several_splits(tmp_path, monkeypatch, other, names):
    """Of one dataset they go by their own names."""
    graph = load(tmp_path, monkeypatch, PLAIN[0], ("dpr/nq-test: [Hit@20]", f"{other}: [Success@5]"))
    values = {key: of for key, of in MEASURED.items() if key[1] == "marco/dev"}
    values |= {(ranker, other): {"Success@5": of["MRR@10"] / 2} for (ranker, _), of in values.items()}
    written, text = table(graph, values)
    assert written.splitlines()[:2] == [
        f"ranker,marco/dev MRR@10,marco/dev R@1000,{other} Success@5,marco/dev queries,{other} queries",
        "own,0.25,0.75,0.125,7,7",
    ]
    assert f"| ranker | {names[0]} · MRR@10 | {names[0]} · R@1000 | {names[1]} · Success@5 |" in text
    assert text.startswith(f"**t** (marco/dev, 7 queries; {other}, 7 queries)\n")


def compared(folder: Path, *tests: tuple[str, str, str, str, float]) -> Path:
    """The manifest of a comparison: (ranker, dataset, split, metric, corrected p)."""
    artifact = Artifact(folder / "c.json")
    frame = pd.DataFrame(tests, columns=["ranker", "dataset", "split", "metric", "bootstrap_corrected"])
    frame = frame.assign(bootstrap=0.001, t_test=0.001, t_test_corrected=0.001, difference=0.5, low=-0.25, high=0.75)
    frame.to_parquet(artifact.beside(".parquet"))
    artifact.seal()
    return artifact.manifest


BASELINE = ("    rankers: [own", "    baseline: words\n    rankers: [own")


@pytest.mark.parametrize("paper", [False, True])
def test_what_differs_from_the_baseline_is_marked(tmp_path, monkeypatch, paper):
    graph = load(tmp_path, monkeypatch, BASELINE, *([] if paper else PLAIN[:1]))
    tests = [("own", "marco", "dev", "MRR@10", 0.049), ("few", "marco", "dev", "MRR@10", 0.05)]
    written, text = table(graph, comparison=compared(tmp_path, *tests))
    assert "†" not in written
    assert text.count("0.250†") == text.count("†") - 1 == 1, "the other one is below the table"
    assert text.endswith("\n\n† differs from words beyond chance: p < 0.05 (paired bootstrap, corrected)\n")


def test_the_csv_says_how_each_figure_compares_to_the_baselines(tmp_path, monkeypatch):
    tests = [("own", "marco", "dev", "MRR@10", 0.0625), ("few", "marco", "dev", "MRR@10", math.nan)]
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    graph = load(tmp_path / "a", monkeypatch, BASELINE, *PLAIN)
    own, few, words = csv.DictReader(table(graph, comparison=compared(tmp_path, *tests))[0].splitlines())
    names = [f"MRR@10 {what}" for what in ("difference", "low", "high", "p")]
    assert [*own][:4] == ["ranker", "MRR@10", "R@1000", "queries"] and [*own][4:] == names
    assert [own[name] for name in names] == ["0.5", "-0.25", "0.75", "0.0625"]
    assert few[names[-1]] == "" and [words[name] for name in names] == [""] * 4, "the baseline itself"
    graph = load(tmp_path / "b", monkeypatch, BASELINE)
    written = table(graph, comparison=compared(tmp_path, *tests))[0]
    lines = {(line["ranker"], line["on"], line["metric"]): line for line in csv.DictReader(written.splitlines())}
    own = lines["own", "marco/dev", "MRR@10"]
    assert [own[name] for name in ("queries", "from_baseline", "low", "high", "p")] == [
        "7",
        "0.5",
        "-0.25",
        "0.75",
        "0.0625",
    ]
    assert lines["few", "marco/dev", "MRR@10"]["p"] == "" and lines["words", "marco/dev", "MRR@10"]["low"] == ""


def test_that_nothing_differs_from_the_baseline_is_said(tmp_path, monkeypatch):
    comparison = compared(tmp_path, ("own", "marco", "dev", "MRR@10", 0.5))
    text = table(load(tmp_path, monkeypatch, BASELINE), comparison=comparison)[1]
    assert "†" not in text and "\n\nNothing differs from words beyond chance: p < 0.05 " in text


def test_a_mean_has_its_deviation_and_a_latency_is_not_judged(tmp_path, monkeypatch):
    graph = load(
        tmp_path,
        monkeypatch,
        ("{MRR@10: 0.309, R@1000: 0.938}}", "{MRR@10: 0.309, R@1000: 0.938, latency@1: 64}}"),
        ("        inferred: true", "        sd: {msmarco-passage/dev: {MRR@10: 0.004}}"),
        ("[own, few, words]", "[own, few, words, all]"),
        ("[MRR@10, R@1000], dpr/nq-test: [Hit@20]", "[MRR@10, latency@1]"),
    )
    settings = TableSettings.of(json.loads(graph.table_settings("t")))
    measured = {(ranker, "marco/dev", "MRR@10"): 0.25 for ranker in settings.rankers}
    measured |= {(ranker, "marco/dev", "latency@1"): 12.34 for ranker in settings.rankers}
    of_all = [line for line in beside(settings, measured) if line.ranker == "all"]
    assert [(str(line.published), line.within, line.note) for line in of_all] == [
        ("0.309", False, "± 0.004"),
        ("64", None, ""),
    ]
    assert [texts(line) for line in of_all] == [("0.250", "0.309 ± 0.004", "-0.059"), ("12", "64", "")]
    assert row_notes(of_all) == []


# --- measured is measured, published is published --------------------------------------------------


PLACES = [(on, metric) for on in ("x/dev", "y/test") for metric in ("MRR@10", "R@5")]


@st.composite
def papers(draw):
    """Rows with figures at random, rankers that reproduce some; all numbers are distinct and of three digits."""
    numbers = iter(draw(st.permutations(range(100, 140))))
    rows = [
        {place: next(numbers) for place in draw(st.sets(st.sampled_from(PLACES), min_size=1))}
        for _ in range(draw(st.integers(1, 4)))
    ]
    rankers = draw(st.lists(st.sampled_from([*range(len(rows)), None]), max_size=4, unique=True))
    measured = {(f"r{ranker}", *place): next(numbers) for ranker in rankers for place in PLACES}
    suspect = {(row, place) for row, figures in enumerate(rows) for place in figures if draw(st.booleans())}
    return rows, rankers, measured, suspect


@given(papers())
def test_a_published_number_is_never_among_the_measured(paper):
    """By a plain join of the two, and after writing and reading."""
    rows, rankers, measured, suspect = paper
    columns = [Column(on=on, metrics=["MRR@10", "R@5"]) for on in ("x/dev", "y/test")]
    printed = []
    for number, figures in enumerate(rows):
        of = {on: {m: f"0.{v}" for (o, m), v in figures.items() if o == on} for on in ("x/dev", "y/test")}
        doubted = {on: [m for o, m in figures if o == on and (number, (o, m)) in suspect] for on in ("x/dev", "y/test")}
        row = {
            "row": f"{{{number}}}",
            "name": f"n{number}",
            "system": "s",
            "setting": "",
            "note": "",
            "inferred": False,
        }
        printed.append(PrintedRow(**row, figures=of, suspect=doubted))
    reproduces = {f"r{ranker}": f"{{{ranker}}}" for ranker in rankers if ranker is not None}
    paper = Paper(source="", notes=[], rows=printed, reproduces=reproduces, absent={}, tolerance=0.01)
    named = [f"r{ranker}" for ranker in rankers]
    settings = TableSettings(title="", rankers=named, baseline=None, columns=columns, paper=paper)
    lines = beside(settings, {key: value / 1000 for key, value in measured.items()})

    expected = {}
    for number, figures in enumerate(rows):
        for place in PLACES:
            pair = measured.get((f"r{number}", *place)) if number in rankers else None, figures.get(place)
            if pair != (None, None):
                expected[f"n{number}", f"r{number}" if number in rankers else "", *place] = pair
    expected |= {("", "rNone", *place): (measured["rNone", *place], None) for place in PLACES if None in rankers}
    thousand = lambda value: None if value is None else round(float(value) * 1000)  # noqa: E731
    found = {(l.row, l.ranker, l.on, l.metric): (thousand(l.measured), thousand(l.published)) for l in lines}
    assert found == expected and len(lines) == len(expected)
    assert not {one for one, _ in found.values()} & {other for _, other in found.values()} - {None}
    for line in lines:
        doubted = line.row and (int(line.row[1:]), (line.on, line.metric)) in suspect
        judged = None not in found[line.row, line.ranker, line.on, line.metric] and not doubted
        assert (line.within is not None) == (line.difference is not None) == judged


numbers = st.none() | st.integers(0, 1000)


@given(numbers, numbers, st.sampled_from([None, True, False]), st.text('a,"\n; é', max_size=5))
def test_lines_are_read_as_they_were_written(tmp_path_factory, measured, published, within, text):
    path = tmp_path_factory.mktemp("lines") / "t.csv"
    decimals = None if published is None else Decimal(published) / 1000
    line = Line(
        text,
        text,
        "s",
        text,
        "d/s",
        "MRR@10",
        None if measured is None else measured / 1000,
        decimals,
        decimals,
        within,
        text,
    )
    write_lines([line, line], path)
    assert read_lines(path) == [line, line]


@pytest.mark.parametrize(
    ("measured", "published", "tolerance", "difference", "within"),
    [
        (0.3383, "0.338", 0.01, "0.000", True),
        (0.338499, "0.338", 0.001, "0.000", True),
        (0.3484, "0.338", 0.01, "0.010", True),  # on the boundary, though 0.0104 apart: half a printed digit is nothing
        (0.3486, "0.338", 0.01, "0.011", False),
        (0.328, "0.338", 0.01, "-0.010", True),
        (0.3274, "0.338", 0.01, "-0.011", False),
        (0.3, "0.33", 0.03, "-0.03", True),
        (0.3249, "0.330", 0.005, "-0.005", True),
        (1.0, "1.000", 0.0005, "0.000", True),
        (0.0, "0.0006", 0.0005, "-0.0006", False),
    ],
)
def test_differences_have_the_printed_digits(measured, published, tolerance, difference, within):
    found = judge(measured, Decimal(published), tolerance)
    assert (str(found[0]), found[1]) == (difference, within)


def test_what_is_judged_is_counted():
    lines = [Line("r", "", "", "", "d/s", "P@1", 0.5, None, None, within, "") for within in (True, False, None, True)]
    assert verdict(lines, 0.025) == "2 of 3 figures within ±0.025 of the published ones"


def test_csv_has_all_digits(tmp_path, monkeypatch):
    values = MEASURED | {("words", "marco/dev"): {"MRR@10": 0.123456, "R@1000": 0.9876543}}
    rows = list(csv.DictReader(table(load(tmp_path, monkeypatch), values)[0].splitlines()))
    assert [row["measured"] for row in rows[:2]] == ["0.123456", "0.9876543"]
    assert [row["published"] for row in rows[3:4]] == ["0.330"]
