"""What to cite: every kind of a paper or a public dataset says so, a study's file has what its kinds say."""

import re
from importlib import import_module

import pytest
from small_study import study

from dewpoint.report.references import BIBLIOGRAPHY, entries, field, references
from dewpoint.study.grammar import Study
from dewpoint.study.kind import TAGS, kinds
from dewpoint.study.published import PUBLISHED

TEXT = BIBLIOGRAPHY.read_text(encoding="utf-8")
KNOWN = entries(TEXT)
ALL = [(folder, name) for folder in TAGS for name in kinds(folder)]
NAMED = re.compile(r"\bet al\b|\((?:[A-ZÖ]\w+ and )?[A-ZÖ]\w+,? \d{4}\)|[A-Z]\w+ and [A-Z]\w+ \(\d{4}\)")
OF_PAPERS = {"condenser", "cocondenser", "colbert", "monot5", "duot5", "crossencoder", "mlm", "bm25", "expand"}


def test_the_file_parses():
    """Braces match, keys and fields come once, and each entry has whom, what, where and when."""
    lines = [line for line in TEXT.splitlines() if line and not line.startswith("%")]
    assert "".join(f"{line}\n" for line in lines) == "".join(f"{entry}\n" for entry in KNOWN.values())
    assert len(KNOWN) == TEXT.count("\n@") and list(KNOWN) == list(dict.fromkeys(KNOWN))
    for key, entry in KNOWN.items():
        depth = 0
        for character in entry:
            depth += {"{": 1, "}": -1}.get(character, 0)
            assert depth >= 0, key
        assert depth == 0, key
        names = re.findall(r"^  (\w+) = ", entry, re.MULTILINE)
        assert len(names) == len({*names}) and {"author", "title", "year"} < {*names}, key
        assert {"booktitle", "journal", "howpublished", "institution", "note"} & {*names}, key
        assert re.fullmatch(r"\d{4}", field(entry, "year")) and field(entry, "year") in key, key
        assert all(", " in name or name == "others" or name[0] == "{" for name in field(entry, "author").split(" and "))


@pytest.mark.parametrize(("folder", "name"), ALL)
def test_each_kind_of_a_paper_or_a_public_dataset_cites(folder, name):
    """What is fetched is public; what a kind follows its docstring names."""
    kind = kinds(folder)[name]
    told = NAMED.search(import_module(kind.module()).__doc__) or name in OF_PAPERS
    if told or (folder == "sources" and kind.fetched() and name != "pydocs"):
        assert kind.cites
    assert {*kind.cites} <= KNOWN.keys()


def test_each_paper_whose_figures_are_published_has_an_entry():
    of = {field(entry, "keywords") for entry in KNOWN.values()} - {""}
    assert of == {path.stem for path in PUBLISHED.glob("*.yaml")}


def test_each_entry_is_cited_by_some_kind_or_paper():
    cited = {key for folder, name in ALL for key in kinds(folder)[name].cites}
    conditional = {
        "kwiatkowski2019nq",
        "joshi2017triviaqa",
        "lee2019orqa",
        "chang2020pretraining",
        "kusupati2022matryoshka",
    }
    assert {key for key in KNOWN if not field(KNOWN[key], "keywords")} <= cited | conditional


def keys(study: Study) -> set[str]:
    return {*entries(references(study.cited()))}


def test_a_study_cites_what_its_kinds_do_and_no_more():
    models = {
        "bert": {"recipe": "released", "from": "hub:some/model"},
        "first": {
            "recipe": "retriever",
            "from": "bert",
            "data": "wiki",
            "negatives": ["bm25"],
            "sizes": [64, 32],
            "loss": {"name": "dual", "in_batch": "listnet"},
        },
    }
    rankers = {"bm25": {"kind": "bm25"}, "first": {"kind": "dense", "model": "first"}}
    rankers["all"] = {"kind": "fusion", "of": ["bm25", "first"]}
    table = {"rankers": ["bm25"], "on": "wiki/nq-test", "metrics": ["R@5"], "paper": "condenser/table5"}
    found = study(
        datasets={"wiki": {"source": "dpr", "questions": ["nq"]}},
        models=models,
        rankers={
            "bm25": {"kind": "bm25"},
            "all": {"kind": "fusion", "of": ["bm25", "first"]},
            "first": {"kind": "dense", "model": "first"},
        },
        tables={"t": table},
    )
    of_kinds = {"karpukhin2020dpr", "kwiatkowski2019nq", "kusupati2022matryoshka", "robertson2009bm25"}
    assert keys(found) == of_kinds | {"hofstatter2021tas", "cao2007listnet", "gao2021condenser"}


def test_pairs_cite_their_task():
    def of(task: str) -> tuple[str, ...]:
        entry = {"recipe": "pairs", "from": "scratch", "data": "docs", "task": task}
        return study(models={"p": entry}, rankers={}, tables={}).models["p"].cited()

    assert [of(task)[1:] for task in ("judged", "ict", "bfs")] == [(), ("lee2019orqa",), ("chang2020pretraining",)]


def test_an_entry_is_there_once_and_whole():
    text = references(["gao2021condenser", "condenser"])
    assert text == KNOWN["gao2021condenser"] + "\n" and references([]) == ""
