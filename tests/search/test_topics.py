"""The map of topics: places, clusters and words are those of plain computations, and texts from data are no markup."""

import xml.etree.ElementTree as ET
from collections import Counter
from math import log
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data.dataset import DatasetWriter
from dewpoint.errors import UserError
from dewpoint.search import topics
from dewpoint.search.topics import nearest, plane, telling_words
from dewpoint.study.grammar import Config
from dewpoint.study.graph import Graph
from programs import call
from sample_study import load
from stored import store

SVG = "{http://www.w3.org/2000/svg}"
TEXTS = ["<b>dew</b> & air", "dew point", "what is dew", "what is <script>glass</script>", "glass", "river &amp; stone"]


def vectors(rows: int, dimension: int) -> np.ndarray:
    """With two directions in which they differ most, and a mean that is not zero."""
    random = np.random.default_rng(rows)
    scale = np.array([5, 3, *np.ones(dimension)])[:dimension]
    turned, _ = np.linalg.qr(random.normal(size=(dimension, dimension)))
    return (random.normal(size=(rows, dimension)) * scale @ turned + 7).astype(np.float32)


@pytest.mark.parametrize("dimension", [1, 2, 9])
def test_places_are_the_two_principal_components(tmp_path, monkeypatch, dimension):
    made = vectors(50, dimension)
    monkeypatch.setattr(topics, "BLOCK", 7)
    places, shares = plane(store(tmp_path, "queries.train", made))
    centred = made.astype(np.float64) - made.astype(np.float64).mean(0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    expected = (left * singular)[:, :2]
    for axis in range(min(2, dimension)):
        assert np.abs(places[:, axis]) == pytest.approx(np.abs(expected[:, axis]), abs=1e-4)
        assert abs(np.corrcoef(places[:, axis], expected[:, axis])[0, 1]) == pytest.approx(1)
    assert places.shape == (50, 2) and shares[: len(singular)] == pytest.approx((singular**2 / (singular**2).sum())[:2])


def test_words_tell_a_cluster_from_all(tmp_path):
    random = np.random.default_rng(2)
    texts = [" ".join(random.choice(["dew", "air", "Air", "cold", "what", "is"], 4)) for _ in range(60)]
    cluster = random.integers(0, 4, 60)
    found = telling_words(texts, cluster, [2, 0], 3)
    sets = [{word.lower() for word in text.split()} for text in texts]
    for one, words in zip((2, 0), found, strict=True):
        own = [words for words, of in zip(sets, cluster, strict=True) if of == one]
        counts = Counter(word for words in own for word in words)
        share = {word: (n / len(own), sum(word in of for of in sets) / 60) for word, n in counts.items()}
        tells = {word: p * log(p / overall) for word, (p, overall) in share.items()}
        assert words == sorted(tells, key=lambda word, tells=tells: (-tells[word], word))[:3]


def test_the_nearest_to_the_centroid(tmp_path, monkeypatch):
    made, cluster = vectors(40, 5), np.arange(40) % 3
    monkeypatch.setattr(topics, "BLOCK", 6)
    found = nearest(store(tmp_path, "queries.train", made), cluster, [2, 1], 4)
    for one, rows in zip((2, 1), found, strict=True):
        away = {row: ((made[row] - made[cluster == one].mean(0)) ** 2).sum() for row in np.flatnonzero(cluster == one)}
        assert rows == sorted(away, key=away.get)[:4]


def drawn(folder, texts: list[str], cluster: list[int], **changed) -> tuple[Path, list[int], list[str]]:
    """The manifest of a map, how many dots each of the figure's groups has, pale ones first, and its texts."""
    data = Artifact(folder / "data" / "manifest.json")
    writer = DatasetWriter(data)
    writer.passage("", "p", "text")
    for row, text in enumerate(texts):
        writer.query("", "train", f"q{row}", text)
    writer.finish()
    data.seal()
    clusters = Artifact(folder / "clusters" / "manifest.json")
    pq.write_table(pa.table({"cluster": np.array(cluster, np.int32)}), clusters.path("clusters.parquet"))
    clusters.seal()
    stored, output = store(folder, "queries.train", vectors(len(texts), 4)), folder / "map" / "manifest.json"
    settings = {"split": "train", "shown": 2, "words": 2, "points": 100, "seed": 1} | changed
    files = {"dataset": data.manifest, "queries": stored.manifests, "clusters": clusters.manifest}
    call("analyses.topics work", output, settings, **files)
    assert pd.read_parquet(output.parent / "topics.parquet")[["x", "y"]].to_numpy() == pytest.approx(plane(stored)[0])
    chart = ET.fromstring((output.parent / "topics.svg").read_text())
    dots = [path.get("d").count("h0") for path in chart.iter(f"{SVG}path")]
    return output, dots, [text.text for text in chart.iter(f"{SVG}text")]


def test_the_map_has_each_query_and_texts_are_escaped(tmp_path):
    cluster = [2, 2, 2, 0, 0, 3]  # and of 1 none
    output, dots, names = drawn(tmp_path, TEXTS, cluster)
    found = pd.read_parquet(output.parent / "topics.parquet")
    assert found["query"].tolist() == [*range(len(TEXTS))] and found["cluster"].tolist() == cluster
    listed = pd.read_parquet(output.parent / "largest.parquet")
    assert listed["cluster"].tolist() == [2, 0] and listed["queries"].tolist() == [3, 2]
    assert listed["words"].tolist() == ["dew, air", "glass, script"]
    assert {*listed["nearest to its centroid"][1].split(" · ")} == {TEXTS[3], TEXTS[4]}
    assert dots[:3] == [1, 3, 2] and names[:2] == ["2: dew, air", "0: glass, script"]
    assert read_manifest(output)["facts"]["queries"] == len(TEXTS)


def test_few_are_drawn_half_of_them_coloured(tmp_path):
    _, dots, _ = drawn(tmp_path, ["what"] * 90, [0] * 40 + [1] * 30 + [2] * 20, points=20)
    assert dots[0] == 10 == sum(dots[1:3]) and min(dots[:3]) > 0


def test_clusters_are_those_of_batches_that_want_the_same(tmp_path):
    """And others are others; the model's vectors of the queries are what it is made from."""
    batches = ("[bm25]}", "[bm25], batches: {name: tas, model: co, clusters: 9}}")
    analysis = ("tables:", "analyses:\n  map: {kind: topics, model: co, data: d, clusters: 9}\ntables:")
    graph = Graph(Config(study="s.yaml"), load(tmp_path, batches, analysis))
    [clusters] = graph.analysis_inputs("map")["clusters"]
    assert [clusters] == graph.model_inputs("first")["clusters"]
    name = clusters.split("/")[-2]
    queries = ["results/s/embeddings/co/d/queries.train-0of1.json"]
    assert graph.clusters_inputs(name) == {"queries": queries}
    assert graph.analysis_inputs("map")["queries"] == queries and "co" in graph.needed.models
    assert "clusters" not in graph.analysis_settings("map")
    alone = Graph(Config(study="s.yaml"), load(tmp_path, (analysis[0], analysis[1].replace("9", "8"))))
    [other] = alone.analysis_inputs("map")["clusters"]
    assert other != clusters and alone.clusters_inputs(other.split("/")[-2]) == {"queries": queries}
    assert '"clusters": 8' in alone.clusters_settings(other.split("/")[-2])


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        ("model: no", "analyses.map.model: no model 'no'"),
        ("model: t5", "analyses.map.model: 't5' gives no vectors; name a retriever"),
        ("model: co, split: tran", "analyses.map.split: no judged split 'tran'; did you mean 'train'"),
        ("model: co, shown: 7", "analyses.map.shown: Input should be less than or equal to 6, found 7"),
    ],
)
def test_mistakes_are_a_line(tmp_path, written, wrong):
    t5 = ("  first:", "  t5: {recipe: seq2seq, from: hub:a/t5}\n  first:")
    with pytest.raises(UserError) as error:
        load(tmp_path, t5, ("tables:", f"analyses:\n  map: {{kind: topics, data: d, {written}}}\ntables:"))
    assert wrong in str(error.value)
