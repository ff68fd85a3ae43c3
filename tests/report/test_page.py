import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import small_study as small

from dewpoint.artifact import Artifact
from dewpoint.data.dataset import CORPUS, QUERIES
from dewpoint.report.page import page
from dewpoint.report.shown import Pair, shown
from dewpoint.report.table_settings import TableSettings
from dewpoint.report.tables import write_table
from dewpoint.report.words import duration
from dewpoint.study.fingerprint import fingerprint
from dewpoint.study.modules import Modules
from published_study import load, namespace, write_scores

VOID = {"meta", "path", "rect", "polyline", "br"}


class Reading(HTMLParser):
    """The tags of a page, checked to be closed in turn, their attributes and the text."""

    def __init__(self, html: str):
        super().__init__()
        self.open, self.tags, self.attributes, self.text = [], [], [], []
        self.feed(html)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data.strip())


@pytest.fixture
def html(tmp_path):
    return page(small.study(), *small.results(tmp_path, small.study()), {})


def test_nothing_comes_from_elsewhere(html):
    """Links lead to places of the page, to files in its folder, or hold what they lead to."""
    reading = Reading(html)
    assert not {"link", "img", "iframe", "object", "image", "use"} & set(reading.tags)
    assert not [
        value for name, value in reading.attributes if name in ("src", "xlink:href", "data", "style") and "//" in value
    ]
    assert not [name for name, _ in reading.attributes if name == "src"]
    links = [value for name, value in reading.attributes if name == "href"]
    assert all(re.match(r"#[a-z]|data:text/csv;|report\.yaml$|tables/[\w-]+\.(csv|md)$", link) for link in links)
    assert not re.search(r"@import|url\(|https?://", html)


@pytest.mark.parametrize("missing", [None, "out/models/first/manifest.json", "out/models/second/metrics.jsonl"])
def test_links_lead_to_what_is_there(tmp_path, missing):
    out, data = small.results(tmp_path, small.study())
    if missing:
        (tmp_path / missing).unlink()
    reading = Reading(page(small.study(), out, data, {}))
    ids = [value for name, value in reading.attributes if name == "id"]
    assert len(ids) == len({*ids})
    assert {value[1:] for name, value in reading.attributes if name == "href" and value[0] == "#"} <= {*ids}


def test_text_of_a_study_is_text(tmp_path):
    study = small.study(title="<script>alert(1)</script>", description="a & b\n\n<b>c</b>")
    reading = Reading(page(study, *small.results(tmp_path, study), {}))
    assert reading.tags.count("script") == 1, "its own"
    assert reading.text.count("<script>alert(1)</script>") == 2
    assert {"a & b", "<b>c</b>"} <= set(reading.text)


HOSTILE = "</script></td><img src=x onerror=alert(1)>\"'&{{ 7 * 7 }}"


def test_no_text_whatever_becomes_part_of_the_page(tmp_path):
    """Neither a study's texts, nor settings, nor what came of the work."""
    study = small.study(
        title=HOSTILE,
        description=HOSTILE,
        tables={"main": small.study().tables["main"].model_dump() | {"title": HOSTILE}},
        models={
            name: {**model, "from": f"hub:{HOSTILE}"} if name == "first" else model
            for name, model in small.study().model_dump(by_alias=True)["models"].items()
        },
    )
    out, data = small.results(tmp_path, study)
    small.write(
        out / "models" / "second" / "manifest.json", {"recipe": "retriever", "query_prefix": HOSTILE}, {"steps": 2}
    )
    small.write(data / "docs" / "manifest.json", {"source": HOSTILE}, {"passages": 1, "queries": {}, "judgements": {}})
    html = page(study, out, data, {})
    reading = Reading(html)
    assert reading.tags.count("script") == 1 and "img" not in reading.tags and "49" not in reading.text
    assert not [name for name, _ in reading.attributes if name.startswith("on")]
    assert sum(HOSTILE in text for text in reading.text) >= 5


RIGHT_TO_LEFT = "\u202eשלום <b>"


def test_texts_of_data_are_shown_as_text_in_their_own_direction(tmp_path):
    """None can turn around what stands beside it, or be more than text."""
    study = small.study(title=RIGHT_TO_LEFT, description=RIGHT_TO_LEFT)
    out, data = small.results(tmp_path, study)
    corpus = [{"id": HOSTILE, "title": RIGHT_TO_LEFT, "text": HOSTILE, "document": "d"}]
    pq.write_table(pa.Table.from_pylist(corpus, CORPUS), data / "docs/corpus.parquet")
    queries = [{"id": "q", "text": RIGHT_TO_LEFT, "answers": [HOSTILE]}]
    pq.write_table(pa.Table.from_pylist(queries, QUERIES), data / "docs/queries.test.parquet")
    reading = Directed(page(study, out, data, {}))
    assert reading.tags.count("script") == 1 and "img" not in reading.tags
    assert not [name for name, _ in reading.attributes if name.startswith("on")]
    assert {HOSTILE, RIGHT_TO_LEFT} <= {*reading.text}
    assert [text for text, own in reading.directed if "\u202e" in text and not own] == []


class Directed(Reading):
    """And of each text whether an element around it has a direction of its own; the window's title has none."""

    def __init__(self, html: str):
        self.directions, self.directed = [], []
        super().__init__(html)

    def handle_starttag(self, tag, attributes):
        super().handle_starttag(tag, attributes)
        if tag not in VOID:
            self.directions.append(tag in ("bdi", "title") or ("dir", "auto") in attributes)

    def handle_endtag(self, tag):
        super().handle_endtag(tag)
        self.directions.pop()

    def handle_data(self, data):
        super().handle_data(data)
        self.directed.append((data, any(self.directions)))


def test_shows_what_was_made(html):
    text = set(Reading(html).text)
    assert {"bert", "first", "second", "bm25", "hybrid"} <= text, "in the graph"
    assert {"12,345", "docs/test, 3 queries", "a small device", "c0ffee", "numpy 9.9.9", "loss_of_it"} <= text
    assert {"mlm", "retriever", "runs", "scores", "× 3"} <= text, "stages"


def test_shows_the_weights_that_were_tuned(tmp_path):
    rankers = small.study().model_dump()["rankers"]
    study = small.study(rankers=rankers | {"hybrid": {"kind": "fusion", "of": ["second", "bm25"], "tune": {}}})
    out, data = small.results(tmp_path, study)
    facts = {"weights": [0.3, 0.7], "MRR@10": 0.51234, "tried": 11}
    tuned = small.write(out / "indexes" / "hybrid" / "docs" / "manifest.json", facts=facts)
    small.write(out / "runs" / "hybrid" / "docs.test.json", inputs=[tuned])
    text = Reading(page(study, out, data, {})).text
    assert "hybrid: tuned weights second 0.3, bm25 0.7 (MRR@10 0.512 on docs/dev)" in text and "indexes" in text


def test_works_without_models(tmp_path):
    study = small.without_models()
    reading = Reading(page(study, *small.results(tmp_path, study), {}))
    assert "bm25" in reading.text and "Training" not in reading.text and "Models" not in reading.text


def test_shows_a_dataset_without_queries(tmp_path):
    out, data = small.results(tmp_path, small.study())
    study = small.study(datasets=small.study().model_dump()["datasets"] | {"wiki": {"source": "text", "files": ["w"]}})
    small.write(data / "wiki/manifest.json", {"source": "text"}, {"passages": 67890, "queries": {}, "judgements": {}})
    assert {"wiki", "text", "67,890"} <= set(Reading(page(study, out, data, {})).text)


@pytest.mark.parametrize("missing", ["out/models/first/metrics.jsonl", "data/docs/manifest.json"])
def test_works_without_what_is_optional(tmp_path, missing):
    out, data = small.results(tmp_path, small.study())
    (tmp_path / missing).unlink()
    Reading(page(small.study(), out, data, {}))


def test_same_results_make_the_same_page(tmp_path, html):
    assert html == page(small.study(), tmp_path / "out", tmp_path / "data", {})


def test_the_best_of_a_column_is_marked_with_all_that_read_alike(tmp_path):
    out, _ = small.results(tmp_path, small.study())
    (out / "tables" / "main.csv").write_text("ranker,MRR@10,R@100\nbm25,0.70012,0.1\nsecond,0.70031,\nNA,0.6,0.3\n")
    table = shown("main", small.study().tables["main"], out).body
    assert [name for name, _ in table.rows] == ["bm25", "second", "NA"]
    assert [[cell.best for cell in cells] for _, cells in table.rows] == [[True, False], [True, False], [False, True]]
    assert table.rows[1][1][1].text == "–"


def test_the_best_latency_is_the_smallest(tmp_path):
    table = small.study().tables["main"].model_dump() | {"metrics": ["latency@1"]}
    study = small.study(tables={"main": table})
    out, _ = small.results(tmp_path, study)
    (out / "tables" / "main.csv").write_text("ranker,latency@1\nbm25,2.5\nsecond,1.25\nhybrid,9\n")
    table = shown("main", study.tables["main"], out).body
    assert [cells[0].best for _, cells in table.rows] == [False, True, False]


def test_shows_several_splits(tmp_path):
    on = {"docs/dev": ["MRR@10", "R@100"], "docs/test": ["nDCG@10"]}
    study = small.study(tables={"main": {"rankers": ["bm25", "second"], "on": on}})
    out, data = small.results(tmp_path, study)
    table = shown("main", study.tables["main"], out)
    assert table.groups == [("dev", 2), ("test", 1)] and table.body.columns == ["MRR@10", "R@100", "nDCG@10"]
    reading = Reading(page(study, out, data, {}))
    assert "docs/dev, 3 queries; docs/test, 3 queries" in reading.text and ("colspan", "2") in reading.attributes


def comparison(folder, tests) -> None:
    """(ranker, dataset, split, metric, corrected p) of a table `t` or `main`."""
    artifact = Artifact(folder)
    frame = pd.DataFrame(tests, columns=["ranker", "dataset", "split", "metric", "bootstrap_corrected"])
    values = {"queries": 4321, "baseline": 0.5, "mean": 0.625, "difference": 0.125, "low": -0.25, "high": 0.375}
    frame.assign(**values, t_test=0.25, bootstrap=0.0001, t_test_corrected=0.5).to_parquet(artifact.beside(".parquet"))
    artifact.facts |= {"baseline": "bm25"}
    artifact.seal()


def test_shows_what_differs_from_the_baseline(tmp_path):
    table = small.study().tables["main"].model_dump() | {"baseline": "bm25"}
    study = small.study(tables={"main": table})
    out, data = small.results(tmp_path, study)
    comparison(
        out / "comparisons/main.json",
        [("second", "docs", "test", "MRR@10", 0.01), ("hybrid", "docs", "test", "R@100", 0.06)],
    )
    marked = {
        (ranker, metric)
        for ranker, cells in shown("main", study.tables["main"], out).body.rows
        for metric, cell in zip(["MRR@10", "R@100"], cells, strict=True)
        if cell.marked
    }
    assert marked == {("second", "MRR@10")}
    text = Reading(page(study, out, data, {})).text
    assert text.count("†") == 1 and "† differs from bm25 beyond chance: p < 0.05 (paired bootstrap, corrected)" in text
    assert {"4,321", "+0.125", "−0.250 to +0.375", "0.010", "< 0.001", "comparisons"} <= set(text)


SAID = "+0.125 from the baseline, 95% interval −0.250 to +0.375, p 0.010"


def test_shows_a_papers_table(tmp_path, monkeypatch):
    graph = load(tmp_path, monkeypatch, ("tolerance: 0.01", "tolerance: 0.01\n    baseline: words"))
    numbers = {"MRR@10": 0.3351, "R@1000": 0.7777}
    values = {(ranker, "marco/dev"): numbers for ranker in ("own", "few", "words")}
    values |= {(ranker, "dpr/nq-test"): {"Hit@20": 0.5953} for ranker in ("own", "few", "words")}
    write_scores(graph, values)
    comparison(Path(graph.comparison("t")), [("few", "marco", "dev", "MRR@10", 0.01)])
    settings, scores = TableSettings.of(json.loads(graph.table_settings("t"))), map(Path, graph.table_scores("t"))
    artifact = Artifact(Path(graph.table("t")[2]))
    write_table(artifact, settings, list(scores), Path(graph.comparison("t")), [], [])
    artifact.seal()
    papers = vars(namespace(graph.report_settings()).papers)
    table = shown("t", graph.study.tables["t"], Path(graph.results), papers["t"])
    assert table.groups == [("marco/dev", 6), ("dpr/nq-test", 3)]
    few = next(cells for row, ranker, cells in table.body.rows if ranker == "few")
    assert few == [
        Pair("0.335", "0.330", "+0.005", True, True, SAID, True),
        Pair("0.778", "", "", None, False, "", True),
        Pair("0.60", "0.70?", "", None, False, "", True),
    ]
    absent = {row: [cell.published for cell in cells] for row, ranker, cells in table.body.rows if not ranker}
    assert absent == {"BERT, train full": ["0.309", "0.938", ""], "The other one": ["", "0.959", "0.819"]}
    assert not any(cell.measured for _, ranker, cells in table.body.rows if not ranker for cell in cells)
    reading = Reading(page(graph.study, Path(graph.results), tmp_path / "data", papers))
    assert {
        "2 of 4 figures within ±0.01 of the published ones",
        "What one must know.",
        "The other one: not run: it has no code",
        "not run",
        "0.70?",
        "−0.075 ✗",
    } <= set(reading.text)
    assert [value for name, value in reading.attributes if value in ("within", "outside")].count("outside") == 2
    assert ("title", SAID) in reading.attributes
    assert reading.attributes.count(("class", "absent")) == 2


def test_shows_indexes_and_latencies_where_they_were_measured(tmp_path):
    study = small.study()
    out, data = small.results(tmp_path, study)
    html = page(study, out, data, {})
    assert "Approximate indexes" not in html and "99th percentile" not in html
    small.write(
        out / "indexes/second/docs/manifest.json", facts={"factory": "HNSW7,Flat", "seconds": 90, "bytes": 3 * 2**20}
    )
    part = {"mean": 1.5, "sd": 0.25, "p99": 7.75}
    measures = {"of_exact": {"10": 0.875}, "latency": {"2000": {"total": part, "search": part}}}
    small.write(out / "scores/second/docs.test.json", facts={"queries": 3, "metrics": {}} | measures)
    text = Reading(page(study, out, data, {})).text
    for said in ("HNSW7,Flat", "0.875", "1.5 min", "3.0 MB", "second on docs/test", "2,000", "0.25", "7.75"):
        assert said in text


def test_what_an_analysis_says_is_in_the_summary_and_few_rows_are_open(tmp_path):
    study = small.study(analyses={"deep": {"kind": "recall", "rankers": ["bm25"], "on": "docs/test"}})
    out, data = small.results(tmp_path, study)
    written = Artifact(out / "analyses" / "deep" / "manifest.json", {})
    written.path("figure.svg").write_text("<svg></svg>")
    for name, rows in (("few", 12), ("many", 13)):
        pd.DataFrame({"row": range(rows)}).to_parquet(written.path(f"{name}.parquet"))
    written.facts["says"] = "It holds <so>."
    written.seal()
    html = page(study, out, data, {})
    summary, rest = html.split("<nav", 1)
    assert "<p>It holds &lt;so&gt;.</p>" in summary and "<p>It holds &lt;so&gt;.</p>" in rest
    assert re.findall(r"<details( open)?>\n<summary>(few|many)<", rest) == [(" open", "few"), ("", "many")]


def test_durations_have_a_fitting_unit():
    assert [duration(s) for s in (0.04, 89, 90, 5400, 200_000)] == ["0.0 s", "89.0 s", "1.5 min", "1.5 h", "2.3 d"]


def test_a_template_counts_in_the_fingerprint(tmp_path):
    (tmp_path / "page.py").write_text("def main(): pass")
    template = tmp_path / "page.html.j2"
    template.write_text("<p>")
    before = fingerprint("page", modules=Modules(tmp_path))
    template.write_text("<div>")
    assert fingerprint("page", modules=Modules(tmp_path)) != before
