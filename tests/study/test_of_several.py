"""What is made of several: a model of several datasets, a model that another study made."""

import pytest

from dewpoint.errors import UserError
from dewpoint.study.load import load_study
from sample_study import write

OTHER = """\
datasets:
  d: {source: pydocs, packages: [json]}
  e: {source: pydocs, packages: [email]}
models:
  mine: {recipe: retriever, from: study/second, data: [d, e], negatives: [words]}
rankers:
  words: {kind: bm25, k1: 2}
tables:
  t: {rankers: [mine], on: e/test, metrics: [MRR@10]}
"""


def load(folder, *changes):
    text = OTHER
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    write(folder)
    (folder / "other.yaml").write_text(text)
    return load_study(folder / "other.yaml")


def test_several_datasets_are_one_that_joins_them(tmp_path):
    study = load(tmp_path)
    assert study.models["mine"].data == "d--e" and study.datasets["d--e"].of == ["d", "e"]
    assert study.datasets["d--e"].joins() and not study.datasets["d"].joins()


def test_a_model_of_another_study_comes_with_all_that_it_is_made_from(tmp_path):
    study = load(tmp_path)
    names = {"bert", "condenser", "co", "first", "second"}
    assert study.models.keys() == {"mine", *(f"study.{name}" for name in names)}
    assert study.models["study.second"].negatives == ["study.bm25", "study.first"]
    assert study.models["study.second"].from_ == "study.co" and study.models["mine"].from_ == "study.second"
    assert study.rankers["study.bm25"].k1 == 0.9 and study.rankers["words"].k1 == 2
    assert "study.hybrid" not in study.rankers and "own" not in study.datasets


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("study/second", "studi/second", "models.mine.from: no study "),
        ("study/second", "study/secnd", "has no model 'secnd'; did you mean 'second'?"),
        ("packages: [json]", "packages: [csv]", "it is made from dataset 'd', which is another one here"),
        ("[d, e]", "[d]", "models.mine.data: expected a dataset, or names of several, such as [a, b]"),
        ("[d, e]", "[d, f]", "datasets.d--f.of: no dataset 'f'"),
        ("[d, e]", "[d, d]", "datasets.d--d.of: a dataset is in it once"),
    ],
)
def test_mistakes(tmp_path, old, new, message):
    with pytest.raises(UserError) as error:
        load(tmp_path, (old, new))
    assert message in str(error.value) and len(str(error.value).splitlines()) == 1
