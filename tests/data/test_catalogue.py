"""What sources and rankers fetch: every file can be named, fetched and checked, and the page on it says the same."""

import json
import re
from collections import defaultdict
from itertools import chain
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dewpoint.data.catalogue import Download
from dewpoint.rankers import word_vectors
from dewpoint.sources import _marco, convai2, dpr, dstc7, kilt, paq, sts, ubuntu, wiki_sections, wikipedia
from dewpoint.study.grammar import Study
from dewpoint.study.graph import Graph

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text()
SOURCES = {
    "passage": {"source": "msmarco-passage"},
    "more": {"source": "msmarco-passage", "triples": 5, "titles": True},
    "document": {"source": "msmarco-document"},
    "maxp": {"source": "msmarco-document", "passages": "all", "stride": 200},
    "dpr": {"source": "dpr"},
    "nq": {"source": "dpr", "questions": ["nq"], "adversarial": True},
    "wiki": {"source": "wikipedia"},
    "paq": {"source": "paq"},
    "some": {"source": "paq", "subset": "L1", "dev": 0.01},
    "kilt": {"source": "kilt"},
    "wow": {"source": "kilt", "tasks": ["wow"]},
    "chat": {"source": "convai2"},
    "revised": {"source": "convai2", "persona": "revised"},
    "help": {"source": "ubuntu"},
    "challenge": {"source": "dstc7"},
    "sts": {"source": "sts"},
    "sections": {"source": "wiki-sections"},
    "own": {"source": "beir", "path": "somewhere"},
}
DATASETS = Study.model_validate({"datasets": SOURCES}).datasets
FILES_OF = {name: dataset.downloads() for name, dataset in DATASETS.items()}
OF_RANKERS = word_vectors.WordVectors(kind="word-vectors").downloads()
FILES = {name: file for files in (*FILES_OF.values(), OF_RANKERS) for name, file in files.items()}
EXPECTED = {name: dataset.expected() for name, dataset in DATASETS.items()}


@pytest.fixture
def graph(tmp_path) -> Graph:
    (tmp_path / "study.yaml").write_text(yaml.safe_dump({"datasets": SOURCES}))
    return Graph.load({"study": str(tmp_path / "study.yaml"), "data": str(tmp_path / "data")})


@pytest.mark.parametrize("name", FILES)
def test_a_file_can_be_fetched_kept_and_checked(name):
    file = FILES[name]
    assert re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]*\.(gz|tgz|zip|txt|csv|parquet|jsonl?)", name)
    assert file.url.startswith("https://") and "//" not in file.url[8:]
    assert Path(file.url).suffixes == Path(name).suffixes or name.startswith("wikipedia-2023")
    assert file.bytes is None or file.bytes > 1000
    assert file.checksum is None or re.fullmatch("md5:[0-9a-f]{32}|sha256:[0-9a-f]{64}", file.checksum)
    assert file.licence


def test_no_two_files_are_one():
    assert len({file.url for file in FILES.values()}) == len(FILES)
    assert all(file == FILES[name] for files in FILES_OF.values() for name, file in files.items())
    sums = [file.checksum for file in FILES.values() if file.checksum]
    assert len(set(sums)) == len(sums)


def test_sources_need_what_their_options_say():
    assert set(FILES_OF["more"]) - set(FILES_OF["passage"]) == {"qidpidtriples.train.full.2.tsv.gz", "marco.tar.gz"}
    assert set(FILES_OF["nq"]) - set(FILES_OF["dpr"]) == {"biencoder-nq-adv-hn-train.json.gz"}
    assert {name for name in FILES_OF["dpr"] if "trivia" in name} == set(FILES_OF["dpr"]) - set(FILES_OF["nq"])
    assert set(FILES_OF["document"]) == set(FILES_OF["maxp"])
    assert len(FILES_OF["wiki"]) == 41 and not FILES_OF["own"]
    assert set(FILES_OF["wow"]) == {kilt.CORPUS, "wow-train-kilt.jsonl", "wow-dev-kilt.jsonl"}
    assert FILES_OF["chat"] == FILES_OF["revised"]
    fetched = [_marco.FILES, dpr.DOWNLOADS, kilt.DOWNLOADS, paq.DOWNLOADS, wikipedia.FILES]
    fetched.append(map(wiki_sections.kept, chain(*wiki_sections.FILES.values())))
    assert FILES.keys() == {*chain(*fetched), convai2.FILE, ubuntu.FILE, dstc7.FILE, sts.ARCHIVE, *OF_RANKERS}


@given(st.sampled_from(sorted(DATASETS)), st.data())
def test_what_is_expected_is_of_splits_that_are_there(name, data):
    known, dataset = EXPECTED[name], DATASETS[name]
    assert set(known) <= {"passages", "queries", "judgements", "examples"}
    assert set(known.get("examples", {})) == set(dataset.examples)
    assert set(known.get("queries", {})) <= {*judged(dataset), *dataset.answered}
    assert set(known.get("judgements", {})) <= set(judged(dataset))
    for split, count in known.get("judgements", {}).items():
        assert count >= known["queries"][split] > 0


def judged(dataset) -> list[str]:
    return [] if dataset.source == "beir" else dataset.judged or []


def test_how_many_passages_documents_are_cut_to_is_not_expected():
    assert EXPECTED["document"]["passages"] == 3_213_835 and "passages" not in EXPECTED["maxp"]
    assert EXPECTED["document"]["judgements"] == EXPECTED["maxp"]["judgements"]
    assert EXPECTED["wiki"] == EXPECTED["own"] == {}
    assert {split.split("-")[0] for split in EXPECTED["nq"]["queries"]} == {"nq"}


def test_a_dataset_is_made_of_its_downloads_each_with_exactly_what_it_must_be(graph):
    for name, files in FILES_OF.items():
        if files:
            assert graph.dataset_files(name) == [graph.download(file) for file in files]
        for file, known in files.items():
            assert Download(**json.loads(graph.download_settings(file))) == known
        settings = json.loads(graph.dataset_settings(name))
        assert settings.get("expected", {}) == EXPECTED[name]


def test_a_mirror_or_a_folder_is_no_part_of_any_settings(graph):
    other = graph.config.model_copy(update={"mirrors": {"https://trec.nist.gov/": "x"}, "offline": "y"})
    for name, files in FILES_OF.items():
        moved = Graph(other, graph.study)
        assert moved.dataset_settings(name) == graph.dataset_settings(name)
        assert all(moved.download_settings(file) == graph.download_settings(file) for file in files)


def test_the_page_has_every_file_with_its_size_checksum_and_licence():
    rows = defaultdict(set)
    for line in PAGE.splitlines():
        if line.startswith("|") and (name := line.split("|")[2].strip(" `")) in FILES:
            rows[name].add(tuple(cell.strip() for cell in line.split("|")[3:6]))
    described = dict(re.findall(r"^- ([A-Z]): ((?:.|\n  )*)", PAGE, re.MULTILINE))
    for name, file in FILES.items():
        if name not in FILES_OF["wiki"]:
            ((size, kind, letter),) = rows[name]
            assert size == f"{file.bytes:,}" if file.bytes else size.startswith("?")
            assert kind == (file.checksum or "—").split(":")[0]
            assert " ".join(described[letter].split()) == f"{file.licence}."
    assert len(described) == len({file.licence for file in FILES.values()})
