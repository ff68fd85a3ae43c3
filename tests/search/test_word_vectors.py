"""Texts as means of word vectors: as a plain loop has them, of files as others write them; odd lines are said."""

import gzip
import string
import zipfile
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import distance

from dewpoint.artifact import Artifact, read_manifest
from dewpoint.data.dataset import DatasetWriter
from dewpoint.data.runs import read_run
from dewpoint.evaluation.examples import predicted
from dewpoint.search import word_vectors
from dewpoint.search.word_vectors import STOP_WORDS
from programs import call, zstd

WORDS = "dew river Cold cold , u.s. it's night don't 5,000 the éclair -dash- warm".split()  # noqa: SIM905
PAIRS = [
    ("The Dew, the river!", "a cold\tNIGHT"),
    ("the of and", "dew"),  # stop words alone
    ("?!", "unheard words"),
    ("U.S. (u.s.) it's -dash-", "  éclair  , 5,000 don't. "),
    ("Cold Cold cold", "...cold... warm\u00a0night"),
]
SETTINGS = {"split": "test", "member": "v.txt", "similarity": "cosine", "lower_case": True, "stop_words": "english"}
VECTORS = {word: np.random.default_rng(7).normal(size=(len(WORDS), 6))[row] for row, word in enumerate(WORDS)}


def text(vectors: dict[str, np.ndarray] = VECTORS) -> str:
    return "".join(f"{word} {' '.join(f'{number:.6f}' for number in vector)}\n" for word, vector in vectors.items())


def written(folder: Path, rows: list[tuple[str, ...]]) -> Path:
    writer = DatasetWriter(Artifact(folder / "d" / "manifest.json"))
    for texts in rows:
        writer.example("", "test", texts, None)
    writer.finish()
    writer.artifact.seal()
    return writer.artifact.manifest


def ranked(folder: Path, file: Path, rows: list[tuple[str, ...]] = PAIRS, **changed):
    output = folder / "runs" / "d.test.json"
    given = {"dataset": written(folder, rows), "vectors": file}
    call("rankers.word_vectors rank", output, SETTINGS | changed, **given)
    return predicted(read_run(output), len(rows)), read_manifest(output)["facts"]


def plain(line: str, lower: bool, stop: frozenset[str]) -> np.ndarray:
    """The mean, a word at a time."""
    found = []
    for token in (line.lower() if lower else line).split():
        for form in (token, token.strip(string.punctuation), token.strip(string.punctuation).lower()):
            if form in stop or form in VECTORS:
                found += [] if form in stop else [VECTORS[form].round(6)]
                break
    return np.mean(found, axis=0) if found else np.zeros(6)


@pytest.mark.parametrize("lower", [True, False])
@pytest.mark.parametrize("stop", STOP_WORDS)
@pytest.mark.parametrize("similarity", ["cosine", "euclidean"])
@pytest.mark.parametrize("each", [2, 3])
def test_texts_are_as_alike_as_the_means_of_a_plain_loop(tmp_path, monkeypatch, lower, stop, similarity, each):
    monkeypatch.setattr(word_vectors, "BLOCK", 2)
    rows = [(*pair, PAIRS[row - 1][0])[:each] for row, pair in enumerate(PAIRS)]
    (tmp_path / "v.txt").write_text(text())
    options = {"lower_case": lower, "stop_words": stop, "similarity": similarity}
    found, facts = ranked(tmp_path, tmp_path / "v.txt", rows, **options)
    means = [[plain(one, lower, STOP_WORDS[stop]) for one in row] for row in rows]
    for row, of in enumerate(means):
        for number, (one, other) in enumerate(combinations(of, 2)):
            if similarity == "cosine":
                expected = 1 - distance.cosine(one, other) if one.any() and other.any() else 0
            else:
                expected = -distance.euclidean(one, other)
            assert found[row, number] == pytest.approx(expected, abs=1e-6)
    assert facts["texts"] == len(rows) * each and facts["size"] == 6
    assert facts["texts_without_words"] == sum(not one.any() for of in means for one in of) > 0


@pytest.mark.parametrize("kind", ["plain", "gz", "zst", "zip", "word2vec"])
def test_the_same_file_however_it_is_packed(tmp_path, kind):
    expected, _ = ranked(tmp_path / "one", write(tmp_path / "v.txt", text().encode()))
    if kind == "zip":
        with zipfile.ZipFile(tmp_path / "v.zip", "w") as archive:
            archive.writestr("inside/other.txt", "x 1\n")
            archive.writestr("inside/v.txt", text())
        file = tmp_path / "v.zip"
    elif kind == "word2vec":
        file = write(tmp_path / "w.txt", f"{len(WORDS)} 6\n{text()}".replace("\n", " \n").encode())
    else:
        pack = {"gz": gzip.compress, "zst": zstd, "plain": bytes}[kind]
        file = write(tmp_path / f"v.{kind}", pack(text().encode()))
    found, _ = ranked(tmp_path / "other", file)
    assert found.tolist() == expected.tolist()


def write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_words_with_spaces_are_words_and_the_first_of_two_counts(tmp_path):
    odd = ". . 1 2 3 4 5 6\nat name@domain.com 1 2 3 4 5 6\n"
    expected, _ = ranked(tmp_path / "one", write(tmp_path / "v.txt", text().encode()))
    found, _ = ranked(tmp_path / "other", write(tmp_path / "w.txt", f"{text()}{odd}dew 9 9 9 9 9 9\n".encode()))
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("dew 1 2 3\nriver 1 2\n", ":2: 2 numbers, expected a word and 3"),
        ("dew 1 2 3\nriver 1 2 3 4\n", ":2: more than 3 numbers, expected a word and 3"),
        ("dew 1 2 3\nriver 1 two 3\n", ":2: 'two' is no number; expected a word and 3 numbers"),
        ("dew 1 2 nan\n", ":1: a number that float32 does not hold"),
        ("dew\n", ":1: expected a word and its vector, with spaces between"),
        ("", ": no word in it; expected a word and its vector a line"),
        ("3 2\ndew 1 2\n", ": 1 words, but its first line says 3; is it whole?"),
        ("rosée 1 2\nnuit 1 2\n", ": none of its 2 words is in the examples; is it another language's?"),
    ],
)
def test_a_file_that_is_none_is_said(tmp_path, content, message):
    file = write(tmp_path / "v.txt", content.encode())
    with pytest.raises(SystemExit) as error:
        ranked(tmp_path, file)
    assert str(error.value) == f"error: {file}{message}"


def test_a_zip_that_lacks_the_file_or_is_none(tmp_path):
    with zipfile.ZipFile(tmp_path / "v.zip", "w") as archive:
        archive.writestr("other.txt", "x 1\n")
    with pytest.raises(SystemExit, match=r"v\.zip: has no 'v\.txt', only other\.txt"):
        ranked(tmp_path, tmp_path / "v.zip")
    with pytest.raises(SystemExit, match=r"n\.zip: broken \.zip after 'v\.txt'"):
        ranked(tmp_path, write(tmp_path / "n.zip", b"none"))


def test_the_tiny_archive_is_read_and_is_the_same_each_time(tmp_path):
    made = [tmp_path / name / "manifest.json" for name in ("one", "other")]
    for manifest in made:
        call("rankers.word_vectors rehearse", manifest, {"seed": 1})
    one, other = (read_manifest(manifest) for manifest in made)
    assert one["content"] == other["content"]
    _, facts = ranked(tmp_path, made[0], [("The river.", "Vienna, 1492")], member="glove.6B.50d.txt")
    assert (facts["size"], facts["words"], facts["texts_without_words"]) == (50, 3, 0)
