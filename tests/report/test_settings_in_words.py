"""Settings as the page shows them: in words, as they took effect, and only those of rankers that were used."""

import pytest
import small_study as small

from dewpoint.report.lineage import follow
from dewpoint.report.rankers import rows
from dewpoint.report.settings import grouped, of_model
from dewpoint.report.words import listed, memory, plain, share


def test_settings_are_shared_or_differ():
    mlm, retrievers = grouped(
        {
            "bert": ("mlm", {"seed": "1", "layers": "2"}),
            "a": ("retriever", {"seed": "1", "temperature": "1", "epochs": "3"}),
            "b": ("retriever", {"seed": "1", "temperature": "1", "epochs": "4", "chunk": "8"}),
        }
    )
    assert mlm.shared == {"seed": "1", "layers": "2"} and not mlm.differing
    assert retrievers.shared == {"seed": "1", "temperature": "1"}
    assert retrievers.differing == ["epochs", "chunk"]
    assert retrievers.entries == {"a": ["3", "–"], "b": ["4", "8"]}


def test_what_was_chosen_is_shown_and_what_a_model_is_made_from():
    settings = {"recipe": "retriever", "precision": "auto", "source": "study", "in_batch": True, "normalize": None}
    settings |= {"architecture": {"layers": 2, "intermediate": None}, "loss": {"name": "contrast", "temperature": 1.0}}
    facts = {"precision": "bfloat16", "revision": "0123456789abcdef"}
    assert of_model({"settings": settings, "facts": facts}, {"from": "bert", "query_from": "hub:org/x"}) == {
        "from": "bert",
        "query from": "hub:org/x at 0123456789ab",
        "precision": "bfloat16",
        "in_batch": "yes",
        "loss": "contrast (temperature 1)",
        "layers": "2",
    }


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (True, "yes"),
        (False, "no"),
        (None, "none"),
        ("", "none"),
        (0, "0"),
        (0.9, "0.9"),
        (5e-6, "5e-06"),
        ([1.0, 2], "1, 2"),
        ({"name": "hnsw", "M": 32, "x": None}, "hnsw (M 32)"),
        ({"name": "bits"}, "bits"),
        ({"split": "dev", "steps": 10}, "split dev, steps 10"),
    ],
)
def test_values_are_words(value, words):
    assert plain(value) == words


def test_lists_sizes_and_shares():
    assert [listed(["a", "b", "c"][:count]) for count in range(4)] == ["none", "a", "a and b", "a, b and c"]
    assert (memory(1023), memory(2048), share(1, 8), share(1, 0)) == ("1023 MB", "2.0 GB", "12.5 %", "–")


def test_a_rankers_settings_are_those_of_its_artifacts(tmp_path):
    """More than one value where its runs differ; what is of another ranker is not its own."""
    out = tmp_path / "out"
    index = small.write(out / "indexes/bm25/docs/manifest.json", {"k1": 0.9, "title": True}, {"passages": 3})
    dev, test = (
        small.write(out / f"runs/bm25/docs.{split}.json", {"depth": depth, "split": split}, inputs=[index])
        for split, depth in (("dev", 10), ("test", 1000))
    )
    fused = small.write(out / "runs/hybrid/docs.test.json", {"k": 60, "weights": [1.0, 0.5]}, inputs=[test])
    found = {row.name: row for row in rows(small.study(), follow([fused, dev], out))}
    assert found["bm25"].settings == {"k1": "0.9", "title": "yes", "depth": "10, or 1000"}
    assert found["hybrid"].settings == {"k": "60", "weights": "1, 0.5"}
    assert found["hybrid"].made_from == [("rankers", "second"), ("rankers", "bm25")]
    assert found["second"].settings == {} and found["second"].made_from == [("models", "second")]
