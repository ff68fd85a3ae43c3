"""The page in a browser: without errors at the widths of a phone and of a desk, and what is clicked does its work."""

import re

import pandas as pd
import pytest
import small_study as small
from browser import CHROMIUM, look

from dewpoint.artifact import Artifact
from dewpoint.report.page import page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium that starts")
METRICS = ["MRR@10", "R@100", "nDCG@10", "R@10", "P@10", "latency@1"]
CSV = f"""\
ranker,{",".join(METRICS)},queries
bm25,0.3,0.1,0.1,0.1,0.1,2.5,3
second,0.2,0.2,0.2,0.2,0.2,,3
hybrid,0.10,0.3,0.3,0.3,0.3,10,3
"""
LOOK = """
const table = document.getElementById("table-main"), rows = () => [...table.tBodies[0].rows];
const names = () => rows().map((row) => row.cells[0].textContent.trim());
const heads = [...table.tHead.rows[0].cells];
const click = (column) => {
  const button = heads[column].querySelector("button");
  button.focus();
  seen.focused = document.activeElement === button;
  button.click();
  return [names(), heads[column].getAttribute("aria-sort"), heads.filter((one) => one.ariaSort).length];
};
seen.heads = heads.map((one) => one.textContent.trim());
seen.before = names();
const quality = heads.findIndex((one) => one.textContent.trim() === "R@100");
const cost = heads.findIndex((one) => one.textContent.trim() === "latency@1");
seen.quality = [click(quality), click(quality), click(quality)];
seen.cost = [click(cost), click(cost)];

const shown = () => [...document.querySelectorAll(".detail")].filter((one) => getComputedStyle(one).display !== "none");
const press = (link) => link.dispatchEvent(new MouseEvent("click", { bubbles: true, cancelable: true }));
const node = (name) => [...document.querySelectorAll("svg.graph a")].find(
  (one) => one.querySelector(".name").textContent === name);
seen.closed = shown().length;
press(node("second"));
seen.opened = shown().map((one) => one.querySelector("h3 bdi").textContent);
seen.expanded = node("second").getAttribute("aria-expanded");
seen.curves = shown()[0].querySelectorAll("svg.curves polyline").length;
press(shown()[0].querySelector("a.parent"));
seen.parent = shown().map((one) => one.querySelector("h3 bdi").textContent);
press(node("bert"));
seen.again = shown().length;

const wide = table.parentElement;
seen.scrolls = wide.scrollWidth > wide.clientWidth;
wide.scrollLeft = 150;
seen.sticks = Math.round(rows()[0].cells[0].getBoundingClientRect().left - wide.getBoundingClientRect().left);
seen.fits = document.documentElement.scrollWidth <= innerWidth;
seen.width = innerWidth;
seen.csv = await new Response(new Blob([decodeURIComponent(
  document.querySelector("a[download]").href.split(",").slice(1).join(","))])).text();
"""


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    table = small.study().tables["main"].model_dump() | {"metrics": METRICS, "baseline": "bm25"}
    study = small.study(tables={"main": table}, title="<script>faults.push('ours')</script>")
    out, data = small.results(tmp_path_factory.mktemp("results"), study)
    (out / "tables/main.csv").write_text(CSV)
    artifact = Artifact(out / "comparisons/main.json")
    row = {"ranker": "second", "dataset": "docs", "split": "test", "metric": "MRR@10", "bootstrap_corrected": 0.01}
    row |= {"difference": -0.1, "low": -0.2, "high": -0.05, "queries": 3, "mean": 0.2, "baseline": 0.3}
    pd.DataFrame([row | {"t_test": 0.5, "bootstrap": 0.01}]).to_parquet(artifact.beside(".parquet"))
    artifact.seal()
    return page(study, out, data, {})


@pytest.mark.parametrize("width", [390, 1440])
def test_the_page_works(html, width, tmp_path):
    seen = look(html, LOOK, width, tmp_path)
    assert seen["faults"] == [] and seen["width"] == width and seen["fits"]
    assert seen["heads"] == ["ranker", "MRR@10", "difference", "p", *METRICS[1:]]
    assert seen["before"] == ["bm25", "second", "hybrid"] and seen["focused"]
    best, worst = ["hybrid", "second", "bm25"], ["bm25", "second", "hybrid"]
    assert seen["quality"] == [[best, "descending", 1], [worst, "ascending", 1], [seen["before"], None, 0]]
    assert seen["cost"] == [  # by numbers, not by letters; what is not there is last
        [["bm25", "hybrid", "second"], "ascending", 1],
        [["hybrid", "bm25", "second"], "descending", 1],
    ]
    assert seen["closed"] == 0 and seen["opened"] == ["second"] and seen["expanded"] == "true"
    assert seen["curves"] == 1 and seen["parent"] == ["bert"] and seen["again"] == 0
    assert seen["scrolls"] == (width == 390) and seen["sticks"] == 0
    assert seen["csv"] == CSV


def test_without_script_a_nodes_link_leads_to_its_details(html, tmp_path):
    bare = re.sub(r"<script>.*?</script>", "", html, flags=re.DOTALL)
    (id,) = re.findall(r'<article class="detail" id="(node-\d+)">\n<h3><bdi>second<', bare)
    script = """seen.open = [...document.querySelectorAll(".detail")].filter(
        (one) => getComputedStyle(one).display !== "none").map((one) => one.id);"""
    assert look(bare, script, 600, tmp_path / "a", f"#{id}") == {"open": [id], "faults": []}
    assert look(html, script, 600, tmp_path / "b", f"#{id}") == {"open": [id], "faults": []}


def test_an_error_on_the_page_is_seen(html, tmp_path):
    """By the test itself; and nothing is fetched, whatever asks for it."""
    broken = html.replace('"use strict";', '"use strict"; nothing();', 1)
    assert "nothing is not defined" in look(broken, "", 600, tmp_path / "a")["faults"][0]
    asking = html.replace("</header>", '<img src="https://example.org/x.png"></header>', 1)
    assert "example.org" in look(asking, "", 600, tmp_path / "b")["faults"][0]
