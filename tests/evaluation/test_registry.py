"""What can be written of metrics follows from the functions that are entered, and costs no heavy import."""

import re
import subprocess
import sys

import pytest

from dewpoint.errors import UserError
from dewpoint.evaluation import registry
from dewpoint.evaluation.registry import JUDGEMENTS, OF_EXAMPLES, OF_RUNS, TIME, entry, known, metric, names, pattern
from programs import SCRIPTS

EVERY = (*OF_RUNS, TIME, *OF_EXAMPLES)


def test_a_study_is_read_without_heavy_imports():
    program = "import sys, dewpoint.study.load; print({'numpy', 'pandas', 'torch', 'pyarrow'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env={"PYTHONPATH": SCRIPTS})
    assert done.stdout == "set()\n", done.stderr


def test_every_metric_can_be_written_and_is_found_again():
    assert sorted((written.split("@")[0], "@" in written) for written in known()) == sorted(registry.METRICS)
    for written in known():
        found, cutoff = entry(written)
        assert written == (found.name if cutoff is None else f"{found.name}@{cutoff}")
        for by in EVERY:
            assert bool(re.match(pattern(by), written)) == (written in known(by)) == (found.by == by)


@pytest.mark.parametrize("written", ["nDCG", "MRR@", "MRR@0", "MRR@x", "MRR@-1", "Rprec@5", "Spearman@1", "mrr@10", ""])
def test_what_no_pattern_takes_is_unknown(written):
    assert not re.match(pattern(*EVERY), written)
    with pytest.raises(UserError, match=f"^unknown metric '{written}', write MRR@10, "):
        entry(written)


def test_a_new_metric_is_one_function(monkeypatch):
    monkeypatch.setattr(registry, "METRICS", dict(registry.METRICS))

    @metric("First")
    def first(of, k):
        return of.best(k) == 1

    assert "First" in names(JUDGEMENTS, cutoff=True) and "First@10" in known()
    assert entry("First@3") == (registry.Metric("First", JUDGEMENTS, True, first), 3)
    assert re.match(pattern(JUDGEMENTS), "First@3")
