"""Kinds are found by their folder: a file is enough, and one that is no kind is refused in a line."""

import pytest

from dewpoint.errors import UserError
from dewpoint.study import kind as found_by
from dewpoint.study.kind import kinds

ONE = """\
from typing import Literal

from dewpoint.study.bases import Loss


class {name}(Loss):
    name: Literal["{tag}"]
    weight: float = 1


def work(scores, known, settings):
    return settings.weight
"""


@pytest.fixture
def losses(tmp_path, monkeypatch):
    """A package's folder of losses, and the kinds that are found in it."""
    package = tmp_path / tmp_path.name  # each test's own, for modules stay imported
    (package / "losses").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(found_by, "PACKAGE", package)

    def losses(**files: str):
        for name, text in files.items():
            (package / "losses" / f"{name}.py").write_text(text)
        return kinds.__wrapped__("losses")

    return losses


def one(name: str, tag: str) -> str:
    return ONE.format(name=name, tag=tag)


def test_a_file_is_a_kind(losses):
    """Helpers begin with an underscore; a class that a module has from elsewhere is not its own."""
    taken = one("Second", "second").replace("class", "from {package}.losses.first import First\n\n\nclass", 1)
    found = losses(first=one("First", "first"), _shared=one("Shared", "shared"))
    assert [(tag, kind.__name__) for tag, kind in found.items()] == [("first", "First")]
    package = found["first"].module().split(".")[0]
    found = losses(second=taken.replace("{package}", package))
    assert [(tag, kind.__name__) for tag, kind in found.items()] == [("first", "First"), ("second", "Second")]
    assert found["second"].tag() == "second" and found["second"].folder() == "losses"
    assert found["second"].has("work") and not found["second"].has("index")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("WEIGHT = 1\n", "0 classes with `name: Literal[…]`; a kind's module has one"),
        (one("A", "a").replace('Literal["a"]', "str"), "0 classes with `name: Literal[…]`; a kind's module has one"),
        (one("A", "a") + one("B", "b"), "2 classes with `name: Literal[…]`; a kind's module has one"),
        (one("A", "good"), "name 'good' is that of {package}.losses.good, too"),
    ],
)
def test_a_module_that_is_no_kind(losses, tmp_path, text, message):
    losses(good=one("Good", "good"))
    with pytest.raises(UserError) as error:
        losses(other=text)
    place = tmp_path / tmp_path.name / "losses/other.py"
    assert str(error.value) == f"{place}: {message.format(package=tmp_path.name)}"
