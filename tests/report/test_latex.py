"""Tables as LaTeX: what an independent reader finds in the text is what the CSV has, rounded; names are escaped."""

import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dewpoint.report.latex import MARK, best, escaped, table
from dewpoint.report.reproduced import read_lines
from dewpoint.report.table_settings import Column, TableSettings
from dewpoint.report.tables import write_table
from programs import arguments, run
from published_study import MEASURED, load, write_scores


def plain(rankers: list[str], columns: dict[str, list[str]], baseline: str | None = None) -> TableSettings:
    asked = [Column(on=on, metrics=metrics) for on, metrics in columns.items()]
    return TableSettings(title="A & B", rankers=rankers, baseline=baseline, columns=asked, paper=None)


def body(text: str) -> list[list[str]]:
    """The cells of the rows between \\midrule and \\bottomrule."""
    rows = text[text.index("\\midrule\n") + 9 : text.index("\\bottomrule")].splitlines()
    assert all(row.endswith("\\\\") for row in rows)
    return [[cell.strip() for cell in re.split(r"(?<!\\)&", row[:-2])] for row in rows]


def bare(cell: str) -> str:
    return re.sub(r"\\textbf\{(.*?)\}", r"\1", cell.replace(MARK, ""))


def as_written(folder: Path, monkeypatch) -> tuple[str, Path]:
    """(LaTeX, the CSV's path) of the made-up paper's table, as the program writes them."""
    graph = load(folder, monkeypatch)
    write_scores(graph, MEASURED)
    manifest = Path(graph.table("t")[-1])
    settings, scores = json.loads(graph.table_settings("t")), list(map(Path, graph.table_scores("t")))
    run(write_table, arguments(manifest, settings, scores=scores, comparison=None))
    assert f"{manifest.stem}.tex" in json.loads(manifest.read_text())["files"]
    return manifest.with_suffix(".tex").read_text(), manifest.with_suffix(".csv")


def test_a_papers_table_has_the_numbers_of_the_csv(tmp_path, monkeypatch):
    text, path = as_written(tmp_path, monkeypatch)
    columns = [("marco/dev", "MRR@10"), ("marco/dev", "R@1000"), ("dpr/nq-test", "Hit@20")]
    lines = {(line.row, line.ranker or "not run", line.on, line.metric): line for line in read_lines(path)}
    seen = 0
    for row, ranker, *cells in body(text):
        for at, pair in zip(columns, zip(cells[::2], cells[1::2], strict=True), strict=True):
            measured, published = map(bare, pair)
            line = lines.get((row, ranker, *at))
            seen += line is not None
            assert published.rstrip("?") == (str(line.published) if line and line.published is not None else "")
            if measured:
                assert Decimal(measured) == Decimal(line.measured).quantize(Decimal(measured))
            else:
                assert line is None or line.measured is None
    assert seen == len(lines) == 13
    assert r"\multicolumn{4}{c}{marco/dev} & \multicolumn{2}{c}{dpr/nq-test}" in text
    assert r"\cmidrule(lr){3-6} \cmidrule(lr){7-8}" in text and r"Lovelace \& Babbage (1843), table 2" in text
    assert text.count(r"\textbf") == 3 and r"\textbf{0.335}" in text and r"\textbf{0.71}" in text


def test_what_a_float_is_made_of(tmp_path, monkeypatch):
    """Each begin has its end, in order, and all rows as many cells as there are columns."""
    text, _ = as_written(tmp_path, monkeypatch)
    opened = []
    for what, name in re.findall(r"\\(begin|end)\{(\w+)\}", text):
        opened.append(name) if what == "begin" else None
        assert what == "begin" or opened.pop() == name
    assert not opened
    rules = [text.index(f"\\{rule}") for rule in ("toprule", "midrule", "bottomrule")]
    assert rules == sorted(rules) and "\\hline" not in text and "|" not in text
    columns = re.search(r"\\begin\{tabular\}\{(\w+)\}", text)[1]
    assert columns == "ll" + "r" * 6 and {len(row) for row in body(text)} == {8}


def test_the_best_is_bold_and_what_differs_is_marked():
    values = {("a_b", "d/x", "MRR@10"): 0.51, ("c", "d/x", "MRR@10"): 0.5, ("e", "d/x", "MRR@10"): 0.5101}
    values |= {(ranker, "d/x", "latency@1"): time for ranker, time in {"a_b": 3.0, "c": 1.0, "e": float("nan")}.items()}
    settings = plain(["a_b", "c", "e"], {"d/x": ["MRR@10", "latency@1"]}, baseline="c")
    text = table("t", settings, values, {("a_b", "d/x", "MRR@10")}, 0.05)
    assert body(text) == [
        [r"a\_b", rf"\textbf{{0.510}}{MARK}", "3.000"],
        ["c", "0.500", r"\textbf{1.000}"],
        ["e", r"\textbf{0.510}", ""],
    ]
    assert MARK + " differs from c beyond chance: p $<$ 0.05" in text and r"\caption{A \& B.}" in text
    assert "multicolumn" not in text and MARK not in table("t", settings, values, set(), 0.05)


@pytest.mark.parametrize(
    ("texts", "metric", "bold"),
    [
        (["0.1", "0.2", ""], "MRR@10", {"0.2"}),
        (["10", "9", ""], "latency@1", {"9"}),
        (["10.000", "9.000"], "R@5", {"10.000"}),
        (["0.2", "0.2"], "MRR@10", set()),
        (["0.2", ""], "MRR@10", set()),
        (["", ""], "MRR@10", set()),
    ],
)
def test_which_is_best(texts, metric, bold):
    assert best(texts, metric) == bold


NAMES = {r"\textbackslash{}": "\\", r"\textasciitilde{}": "~", r"\textasciicircum{}": "^", r"\textdagger{}": "†"}
NAMES |= {r"$\pm$": "±", "{[}": "[", "{]}": "]"} | {f"\\{one}": one for one in "&%$#_{}"}


@given(st.text("\\&%$#_{}~^†±[]ab 1", max_size=30))
def test_escaped_text_reads_back(text):
    """By longest match; what is left of it has no character that LaTeX would obey."""
    pattern = "|".join(map(re.escape, sorted(NAMES, key=len, reverse=True)))
    written = escaped(text)
    assert re.sub(pattern, lambda match: NAMES[match[0]], written) == text
    assert not set(re.sub(pattern, "", written)) & set("\\&%$#_{}~^†±[]")
