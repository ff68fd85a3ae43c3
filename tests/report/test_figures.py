"""Every figure on the page is that of the file that it is from, read anew from both."""

import csv
import json
import random
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest
import small_study as small

from dewpoint.artifact import Artifact
from dewpoint.report.page import page

METRICS = ["MRR@10", "R@100", "latency@1"]


class Tables(HTMLParser):
    """The cells of a page's tables: (text, attributes), by the heads of their columns."""

    def __init__(self, html: str):
        super().__init__()
        self.tables, self.links, self.cell = [], [], None
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("th", "td"):
            self.cell = ["", dict(attributes)]
            self.tables[-1][-1].append(self.cell)
        elif tag == "a":
            self.links.append(dict(attributes))

    def handle_endtag(self, tag):
        self.cell = None if tag in ("th", "td") else self.cell

    def handle_data(self, data):
        if self.cell:
            self.cell[0] += data

    def with_head(self, *heads: str) -> list[dict[str, list]]:
        """Rows of the first table that has these columns."""
        for head, *rows in self.tables:
            names = [text.strip() for text, _ in head]
            if {*heads} <= {*names}:
                return [dict(zip(names, row, strict=True)) for row in rows]
        raise AssertionError(f"no table has {heads}")


@pytest.fixture(params=range(3))
def made(tmp_path, request):
    """(results, page) of a study whose figures are random, some not known."""
    draw = random.Random(request.param)
    table = small.study().tables["main"].model_dump() | {"metrics": METRICS, "baseline": "bm25"}
    study = small.study(tables={"main": table})
    out, data = small.results(tmp_path, study)
    values = {
        name: [draw.random(), draw.choice([0.5, 0.25]), draw.choice([draw.random() * 99, None])]
        for name in table["rankers"]
    }
    lines = [
        ",".join([name, *("" if value is None else repr(value) for value in of), "3"]) for name, of in values.items()
    ]
    (out / "tables/main.csv").write_text("\n".join([",".join(["ranker", *METRICS, "queries"]), *lines]) + "\n")
    tests = [
        {"ranker": name, "dataset": "docs", "split": "test", "metric": metric, "queries": 3, "baseline": 0.5}
        | {what: draw.uniform(-1, 1) for what in ("mean", "difference", "low", "high")}
        | {what: draw.random() / 10 for what in ("t_test", "bootstrap", "bootstrap_corrected")}
        for name in table["rankers"][1:]
        for metric in METRICS[:2]
    ]
    artifact = Artifact(out / "comparisons/main.json")
    pd.DataFrame(tests).to_parquet(artifact.beside(".parquet"))
    artifact.seal()
    for number, path in enumerate(sorted(out.glob("runs/*/*.json"))):
        small.write(path, seconds=10.0**number)
    return out, page(study, out, data, {})


def test_a_tables_figures_are_those_of_its_csv(made):
    out, html = made
    written = list(csv.DictReader((out / "tables/main.csv").open()))
    rows = Tables(html).with_head("ranker", *METRICS)
    assert [row["ranker"][0] for row in rows] == [row["ranker"] for row in written]
    for metric in METRICS:
        known = [float(row[metric]) for row in written if row[metric]]
        best = known and f"{(min if metric == 'latency@1' else max)(known):.3f}"
        for row, of in zip(rows, written, strict=True):
            text, attributes = row[metric]
            shown = f"{float(of[metric]):.3f}" if of[metric] else "–"
            assert text.rstrip("†") == shown and (attributes["data-value"] or None) == (of[metric] or None)
            assert ("best" in attributes["class"].split()) == (shown == best)
    [link] = [link for link in Tables(html).links if "download" in link]
    assert unquote(link["href"].partition(",")[2]) == (out / "tables/main.csv").read_text()


def test_differences_and_marks_are_those_of_the_comparison(made):
    out, html = made
    for test in pd.read_parquet(out / "comparisons/main.parquet").itertuples():
        [row] = [row for row in Tables(html).with_head("ranker", *METRICS) if row["ranker"][0] == test.ranker]
        text, attributes = row[test.metric]
        assert text.endswith("†") == (test.bootstrap_corrected < 0.05)
        said = attributes["title"].replace("−", "-")
        assert [float(number) for number in re.findall(r"[+-]\d\.\d+", said)] == [
            round(value, 3) for value in (test.difference, test.low, test.high)
        ]
        assert said.endswith(f"p {test.bootstrap_corrected:.3f}" if test.bootstrap_corrected >= 0.001 else "< 0.001")


def test_times_and_their_shares_are_those_of_manifests(made):
    out, html = made
    manifests = [json.loads(path.read_text()) for path in out.rglob("*.json") if path.name != "main.json"]
    seconds = [one["run"]["seconds"] for one in manifests]
    comparison = json.loads((out / "comparisons/main.json").read_text())["run"]["seconds"]
    stages = Tables(html).with_head("stage", "time", "share")
    found = {row["stage"][0].split(" ×")[0].strip(): float(row["time"][1]["data-value"]) for row in stages}
    assert sum(found.values()) == pytest.approx(sum(seconds) + comparison)
    runs = [json.loads(Path(path).read_text())["run"]["seconds"] for path in out.glob("runs/*/*.json")]
    assert found["runs"] == sum(runs)
    share = next(row["share"][0] for row in stages if row["stage"][0].startswith("runs"))
    assert share == f"{100 * sum(runs) / sum(found.values()):.1f} %"
    artifacts = Tables(html).with_head("artifact", "time", "share")
    assert len(artifacts) == len(manifests) + 1
