"""The explorer of queries in a browser: what is chosen, searched and opened is what was gathered, and text is text."""

import gzip
import json

import pytest
import small_study as small
from browser import CHROMIUM, look

from dewpoint.artifact import Artifact
from dewpoint.report.page import page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium that starts")
NASTY = "<script>faults.push('ours')</script> \"quoted\" שלום"
PLACE = {
    "on": "docs/test",
    "metric": "MRR@10",
    "all": 60,
    "queries": [[f"q{row}", f"{NASTY} {row}" if row < 2 else f"usual {row}"] for row in range(40)],
    "values": [[1000] * 3 + [0] * 37, [0] + [500] * 2 + [0] * 37, [0] * 39 + [1000]],
    "opened": {
        "0": {"judged": [[0, 2, 1, 0, 7]], "found": [[[0, 3.5, 2], [1, 3.25, 0]], [], [[1, 0.5, 0]]]},
        "1": {"judged": [], "found": [[[1, 1, 0]], [[1, 1, 0]], [[1, 1, 0]]]},
    },
    "passages": [["p0", f"Title {NASTY}", f"Text {NASTY}"], ["p1", "", "without a title"]],
}
LOOK = """
for (let waited = 0; waited < 100 && !document.querySelector("#explored li"); waited++)
  await new Promise((done) => setTimeout(done, 20));
const form = document.querySelector("form.explorer"), list = document.getElementById("explored");
const lines = () => [...list.children].map((one) => [
  ...[".values", ".query"].map((part) => one.querySelector(part).textContent), Boolean(one.querySelector("details"))]);
const choose = (select, value) => { select.value = value; select.dispatchEvent(new Event("change")); };
seen.rankers = [form.one, form.other].map((one) => one.selectedOptions[0].textContent);
seen.counted = document.getElementById("counted").textContent;
seen.first = lines();
document.getElementById("more").click();
seen.all = lines().length;
seen.more = document.getElementById("more").hidden;
choose(form.other, "2");
choose(form.order, "other");
seen.second = lines()[0];
choose(form.order, "any");
form.find.value = "שלום 0";
form.find.dispatchEvent(new Event("input"));
seen.found = lines();
const details = list.querySelector("details");
details.open = true;
await new Promise((done) => setTimeout(done, 50));
seen.columns = [...details.querySelectorAll("h4")].map((one) => one.textContent);
seen.passages = [...details.querySelectorAll(".beside li")].map((one) =>
  [one.className, one.querySelector(".head").textContent, one.querySelector(".text").textContent]);
seen.scripts = details.querySelectorAll("script").length;
seen.fits = document.documentElement.scrollWidth <= innerWidth;
"""


@pytest.fixture(scope="module")
def html(tmp_path_factory):
    study = small.study()
    out, data = small.results(tmp_path_factory.mktemp("results"), study)
    artifact = Artifact(out / "comparisons/queries+main.json")
    told = {"rankers": ["bm25", "second", "hybrid"], "places": [PLACE]}
    artifact.beside(".json.gz").write_bytes(gzip.compress(json.dumps(told).encode()))
    artifact.seal()
    return page(study, out, data, {})


@pytest.mark.parametrize("width", [390, 1440])
def test_queries_are_found_and_opened(html, width, tmp_path):
    seen = look(html, LOOK, width, tmp_path)
    assert seen["faults"] == [] and seen["fits"] and seen["scripts"] == 0
    assert seen["rankers"] == ["bm25", "second"]  # the two best
    assert len(seen["first"]) == 25 and seen["all"] == 40 and seen["more"]
    assert "of 40 queries" in seen["counted"] and "20 on which rankers differ least are left out" in seen["counted"]
    assert seen["first"][0][1:] == [f"{NASTY} 0", True] and seen["second"] == ["0.000 · 1.000", "usual 39", False]
    assert seen["found"] == [["1.000 · 0.000", f"{NASTY} 0", True]]
    assert seen["columns"] == ["bm25", "hybrid", "judged"]
    title, text = f"Title {NASTY}", f"Text {NASTY}"
    assert seen["passages"] == [
        ["right", f"1 ✓ grade 2 {title} · score 3.5", text],
        ["", "2 p1 · score 3.25", "without a title"],
        ["", "1 p1 · score 0.5", "without a title"],
        ["right", f"✓ grade 2 {title} · bm25 rank 1 · hybrid rank 7", text],
    ]


def test_a_page_without_one_has_no_section_of_queries(tmp_path):
    assert 'id="queries"' not in page(small.study(), *small.results(tmp_path, small.study()), {})
