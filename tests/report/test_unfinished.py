"""The page of a study that is not finished: what is there is shown, what is not is named, and it says what it is."""

import shutil

import pytest
import small_study as small

import unfinished
from dewpoint.errors import UserError
from dewpoint.report.page import page
from programs import write_files

STUDY = """\
datasets: {d: {source: pydocs, packages: [json]}}
rankers: {bm25: {kind: bm25}}
tables: {t: {rankers: [bm25], on: d/test, metrics: [MRR@10]}}
"""
MISSING = ["retriever second", "table main", "report"]


def made(folder):
    out, data = small.results(folder, small.study())
    small.write(out / "tables" / "main.json")
    return out, data


def test_it_says_what_it_is_and_what_is_missing(tmp_path):
    out, data = made(tmp_path)
    text = page(small.study(), out, data, {}, missing=MISSING)
    assert "Unfinished:" in text and "3 jobs are not done yet" in text and ", ".join(MISSING) in text
    assert "Unfinished" not in page(small.study(), out, data, {})


@pytest.mark.parametrize(
    ("gone", "shown"),
    [
        ("models", True),
        ("models/second", True),
        ("tables", False),
        ("tables/main.json", False),
        ("scores", False),
        ("scores/hybrid", False),
        ("", False),
    ],
)
def test_whatever_is_missing_the_rest_is_shown(tmp_path, gone, shown):
    """A table is shown when it and all that it shows is there."""
    out, data = made(tmp_path)
    gone = out / gone
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    html = page(small.study(), out, data, {}, missing=MISSING)
    assert ("<td" in html and "MRR@10" in html) == shown
    assert ">Small</h1>" in html and "Unfinished:" in html


def test_an_analysis_and_a_table_whose_tests_are_missing(tmp_path):
    table = {"rankers": ["bm25", "second"], "on": "docs/test", "metrics": ["MRR@10"], "baseline": "bm25"}
    analysis = {"kind": "recall", "rankers": ["bm25"], "on": "docs/test"}
    study = small.study(tables={"main": table}, analyses={"deep": analysis})
    out, data = small.results(tmp_path, study)
    small.write(out / "tables" / "main.json")
    assert "Unfinished:" in page(study, out, data, {}, missing=MISSING)


def test_the_program_writes_beside_the_report_and_nothing_else(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["unfinished.py", "s.yaml"])
    write_files(tmp_path, {"s.yaml": STUDY})
    with pytest.raises(UserError, match=r"results/s: nothing was made there; run the study first"):
        unfinished.main()
    (tmp_path / "results" / "s").mkdir(parents=True)
    before = {*tmp_path.rglob("*")}
    assert unfinished.main() == 0
    written = tmp_path / "results" / "s" / "unfinished.html"
    assert {*tmp_path.rglob("*")} - before == {written}
    assert "evaluate bm25/d.test" in written.read_text() and "jobs are not done yet" in capsys.readouterr().out
