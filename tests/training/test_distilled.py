"""A retriever that follows a teacher: it learns, and what is missing is said before it begins."""

import json
import subprocess
import sys

import numpy as np
import pytest

from dewpoint.artifact import Artifact
from dewpoint.data.runs import Run, read_run, write_run
from dewpoint.errors import UserError
from programs import SCRIPTS
from training.conftest import DISTILLED, taught_by


@pytest.mark.parametrize("loss", ["margin-mse", "dual"])
def test_the_student_comes_nearer_to_its_teacher(trained, world, bert, loss):
    wanted = DISTILLED | ({} if loss == "dual" else {"loss": {"name": loss, "teacher_scale": 1.0}})
    manifest = trained(
        "retriever", f"taught-{loss}", bert, files=taught_by(world), **wanted, epochs=25, learning_rate=3e-3
    )
    values = [json.loads(line)[loss] for line in (manifest.parent / "metrics.jsonl").open()]
    assert np.mean(values[-8:]) < 0.8 * np.mean(values[:8])


@pytest.fixture
def partly(world, tmp_path):
    """A teacher without the scores of query 3."""
    run, artifact = read_run(world.teacher), Artifact(tmp_path / "data.train.json")
    kept = run.query != 3
    write_run(artifact, Run(run.query[kept], run.passage[kept], run.score[kept]))
    artifact.seal()
    return artifact.manifest


def test_a_teacher_that_lacks_pairs_is_refused_before_training(trained, world, bert, partly):
    files = taught_by(world) | {"teacher": partly}
    said = r"^teacher: run .*data\.train\.json lacks 11 of 220 pairs \(query 'q3' with passage 'p\d+' is the first\); "
    with pytest.raises(UserError, match=said):
        trained("retriever", "lacking", bert, files=files, **DISTILLED)
    assert not list(world.root.glob(".unfinished/lacking-*"))


def test_what_it_lacks_can_be_skipped(trained, world, bert, partly):
    files = taught_by(world) | {"teacher": partly}
    manifest = trained("retriever", "skipping", bert, files=files, unscored="skipped", **DISTILLED)
    values = [json.loads(line)["dual"] for line in (manifest.parent / "metrics.jsonl").open()]
    assert np.isfinite(values).all() and min(values) > 0


def test_training_by_clusters_loads_no_faiss(world):
    code = (
        "import sys; from types import SimpleNamespace; from pathlib import Path; import numpy as np\n"
        "import dewpoint.training.ranking; from dewpoint.batches import tas\n"
        "settings = SimpleNamespace(draw='uniform', clusters_per_batch=1)\n"
        "tas.work(np.arange(20), 4, 0, settings, Path(sys.argv[1])).rows(0); assert 'faiss' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code, world.clusters], capture_output=True, text=True, cwd=SCRIPTS)
    assert done.returncode == 0, done.stderr
