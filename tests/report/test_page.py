import re
from html.parser import HTMLParser

import pytest
import small_study as small

from dewpoint.report.page import duration, measured, page, settings_of
from dewpoint.study import fingerprint

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
    return page(small.study(), *small.results(tmp_path, small.study()))


def test_nothing_comes_from_elsewhere(html):
    reading = Reading(html)
    assert not {"script", "link", "img", "iframe", "object", "image", "use"} & set(reading.tags)
    assert not [value for name, value in reading.attributes if name in ("src", "href", "xlink:href", "data")]
    assert not re.search(r"@import|url\(|https?://", html)


def test_text_of_a_study_is_text(tmp_path):
    study = small.study(title="<script>alert(1)</script>", description="a & b\n\n<b>c</b>")
    reading = Reading(page(study, *small.results(tmp_path, study)))
    assert "script" not in reading.tags
    assert reading.text.count("<script>alert(1)</script>") == 2
    assert {"a & b", "<b>c</b>"} <= set(reading.text)


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
    tuned = small.write(out / "fusions" / "hybrid" / "docs.json", facts=facts)
    small.write(out / "runs" / "hybrid" / "docs.test.json", inputs=[tuned])
    text = Reading(page(study, out, data)).text
    assert "hybrid: second 0.3, bm25 0.7 (MRR@10 0.512 on docs/dev)" in text and "fusions" in text


def test_works_without_models(tmp_path):
    study = small.without_models()
    reading = Reading(page(study, *small.results(tmp_path, study)))
    assert "bm25" in reading.text and "Training" not in reading.text and "Models" not in reading.text


def test_shows_a_dataset_without_queries(tmp_path):
    out, data = small.results(tmp_path, small.study())
    study = small.study(datasets=small.study().model_dump()["datasets"] | {"wiki": {"source": "text", "files": ["w"]}})
    small.write(data / "wiki/manifest.json", {"source": "text"}, {"passages": 67890, "queries": {}, "judgements": {}})
    assert {"wiki", "text", "67,890"} <= set(Reading(page(study, out, data)).text)


@pytest.mark.parametrize("missing", ["out/models/first/metrics.jsonl", "data/docs/manifest.json"])
def test_works_without_what_is_optional(tmp_path, missing):
    out, data = small.results(tmp_path, small.study())
    (tmp_path / missing).unlink()
    Reading(page(small.study(), out, data))


def test_same_results_make_the_same_page(tmp_path, html):
    assert html == page(small.study(), tmp_path / "out", tmp_path / "data")


def test_the_best_of_a_column_is_marked_with_all_that_read_alike(tmp_path):
    out, _ = small.results(tmp_path, small.study())
    (out / "tables" / "main.csv").write_text("ranker,MRR@10,R@100\nbm25,0.70012,0.1\nsecond,0.70031,\nNA,0.6,0.3\n")
    table = measured("main", small.study().tables["main"], out)
    assert [name for name, _ in table.rows] == ["bm25", "second", "NA"]
    assert [[cell.best for cell in cells] for _, cells in table.rows] == [[True, False], [True, False], [False, True]]
    assert table.rows[1][1][1].text == ""


def test_the_best_latency_is_the_smallest(tmp_path):
    study = small.study()
    out, _ = small.results(tmp_path, study)
    (out / "tables" / "main.csv").write_text("ranker,latency@1\nbm25,2.5\nsecond,1.25\nhybrid,9\n")
    table = measured("main", study.tables["main"], out)
    assert [cells[0].best for _, cells in table.rows] == [False, True, False]


def test_shows_indexes_and_latencies_where_they_were_measured(tmp_path):
    study = small.study()
    out, data = small.results(tmp_path, study)
    html = page(study, out, data)
    assert "Approximate indexes" not in html and "99th percentile" not in html
    small.write(
        out / "indexes/second/docs/manifest.json", facts={"factory": "HNSW7,Flat", "seconds": 90, "bytes": 3 * 2**20}
    )
    part = {"mean": 1.5, "sd": 0.25, "p99": 7.75}
    measures = {"of_exact": {"10": 0.875}, "latency": {"2000": {"total": part, "search": part}}}
    small.write(out / "scores/second/docs.test.json", facts={"queries": 3, "metrics": {}} | measures)
    text = Reading(page(study, out, data)).text
    for said in ("HNSW7,Flat", "0.875", "1.5 min", "3.0 MB", "second on docs/test", "2,000", "0.25", "7.75"):
        assert said in text


def test_settings_are_shared_or_differ():
    retriever = {"recipe": "retriever", "seed": 1, "temperature": 1.0}
    bert = {"recipe": "mlm", "seed": 1, "architecture": {"layers": 2, "intermediate": None}}
    mlm, retrievers = settings_of(
        {"bert": bert, "a": retriever | {"epochs": 3}, "b": retriever | {"epochs": 4, "chunk": 8}}
    )
    assert mlm.shared == {"seed": "1", "layers": "2"} and not mlm.differing
    assert retrievers.shared == {"seed": "1", "temperature": "1"}
    assert retrievers.differing == ["epochs", "chunk"]
    assert retrievers.models == {"a": ["3", ""], "b": ["4", "8"]}


def test_durations_have_a_fitting_unit():
    assert [duration(s) for s in (0.04, 89, 90, 5400, 200_000)] == ["0.0 s", "89.0 s", "1.5 min", "1.5 h", "2.3 d"]


def test_a_template_counts_in_the_fingerprint(tmp_path, monkeypatch):
    monkeypatch.setattr(fingerprint, "SCRIPTS", tmp_path)
    (tmp_path / "page.py").write_text("x = 1")
    template = tmp_path / "page.html.j2"
    template.write_text("<p>")
    before = fingerprint.fingerprint("page")
    template.write_text("<div>")
    assert fingerprint.fingerprint("page") != before
