"""A model as a hub takes it: dry, and for real to a server on this machine that speaks as the hub does."""

import json
import os
import re
import subprocess
import sys
from base64 import b64decode
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from huggingface_hub import ModelCard

import publish as program
from dewpoint.artifact import Artifact
from dewpoint.errors import UserError
from programs import SCRIPTS

STUDY = """\
datasets: {docs: {source: beir, path: docs}}
models:
  bert: {recipe: mlm, from: hub:some/bert, data: docs}
  first: {recipe: retriever, from: bert, data: docs, negatives: [bm25]}
rankers:
  bm25: {kind: bm25}
  graph: {kind: dense, model: first, index: hnsw}
  both: {kind: fusion, of: [first, bm25]}
tables: {main: {rankers: [bm25, first, graph, both], on: docs/test, metrics: [MRR@10, vector-megabytes]}}
"""
CARD = """\
---
library_name: sentence-transformers
pipeline_tag: sentence-similarity
tags: [sentence-transformers, dense-retrieval]
---

# first

## Use

```python
model = SentenceTransformer("first")
```
"""
VALUES = {"bm25": 0.125, "first": 0.25, "graph": 0.375, "both": 0.5}


def seal(manifest: str, settings=None, inputs=(), facts=None, **files: str) -> None:
    artifact = Artifact(Path(manifest), settings or {}, "c0de", map(Path, inputs))
    for name, text in files.items():
        path = artifact.beside(".txt") if name == "txt" else artifact.path(name.replace("__", "."))
        path.write_text(text)
    artifact.facts |= facts or {}
    artifact.seal()


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A study that was run, of files with made-up contents."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DEWPOINT_NOTES", str(tmp_path / "results/.notes"))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    for path in ("docs", "studies"):
        (tmp_path / path).mkdir()
    Path("docs/corpus.jsonl").write_text('{"_id": "p", "text": "x"}\n')
    Path("studies/s.yaml").write_text(STUDY)
    seal("data/downloads/a.tsv.json", facts={"licence": "CC BY 4.0"}, txt="rows")
    seal("data/docs/manifest.json", inputs=["data/downloads/a.tsv.json"], corpus="x", facts={"study": "studies/s.yaml"})
    seal("results/s/models/bert/manifest.json", {"source": "some/bert", "recipe": "mlm"}, config__json="{}")
    inputs = ["data/docs/manifest.json", "results/s/models/bert/manifest.json"]
    settings = {"source": "study", "recipe": "retriever"}
    seal("results/s/models/first/manifest.json", settings, inputs, README__md=CARD, model__bin="weights")
    for ranker, value in VALUES.items():
        seal(f"results/s/scores/{ranker}/docs.test.json", facts={"metrics": {"MRR@10": value}}, txt="")
        seal(f"results/s/scores/{ranker}/docs.json", facts={"metrics": {"vector-megabytes": 3.0}}, txt="")
    columns = [{"on": "docs/test", "metrics": ["MRR@10", "vector-megabytes"]}]
    seal("results/s/tables/main.json", {"columns": columns, "rankers": list(VALUES)}, txt="")
    Path("results/s/models/first/left.tmp").write_text("no part of it")
    return tmp_path


def publish(monkeypatch, *words: str) -> None:
    monkeypatch.setattr("sys.argv", ["publish", words[0], "studies/s.yaml", *words[1:]])
    monkeypatch.setattr(program.Graph, "_refuse_foreign_datasets", lambda self: None)  # the dataset is made up
    program.main()


def test_dry_it_writes_what_would_be_sent_and_says_so(project, monkeypatch, capsys):
    publish(monkeypatch, "first", "--to", "me/first", "--dry")
    assert capsys.readouterr().out == "results/s/publish/first: what would be sent to me/first; nothing was\n"
    folder = project / "results/s/publish/first"
    assert {path.name for path in folder.iterdir()} == {"README.md", "model.bin"}
    assert (folder / "model.bin").read_text() == "weights"


def test_the_card_has_what_was_measured_and_what_it_is_made_of(project, monkeypatch):
    """Read again by the hub's own reader; of the rankers those that are the model's alone."""
    publish(monkeypatch, "first", "--to", "me/first", "--dry")
    card = ModelCard.load(project / "results/s/publish/first/README.md")
    found = {(one.metric_name, one.dataset_name, one.dataset_split): one.metric_value for one in card.data.eval_results}
    assert found == {("MRR@10", "docs", "test"): 0.25, ("MRR@10 (graph)", "docs", "test"): 0.375}
    assert (card.data.base_model, card.data.datasets, card.data.model_name) == ("some/bert", ["docs"], "first")
    assert card.data.library_name == "sentence-transformers" and "dense-retrieval" in card.data.tags
    assert "| first | docs/test | MRR@10 | 0.2500 |" in card.text and "- `a.tsv`: CC BY 4.0" in card.text
    assert 'SentenceTransformer("me/first")' in card.text and card.text.count("## Use") == 1
    assert (project / "results/s/models/first/README.md").read_text() == CARD, "the model's own is as it was"


def test_a_model_without_a_card_gets_one(project, monkeypatch):
    publish(monkeypatch, "bert", "--dry")
    card = ModelCard.load(project / "results/s/publish/bert/README.md")
    assert card.data.base_model == "some/bert" and card.data.library_name == "transformers"
    assert 'AutoModel.from_pretrained("bert")' in card.text and card.data.eval_results is None


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["frist", "--dry"], r"studies/s\.yaml: has no model 'frist'; did you mean 'first'\?"),
        (["first"], r"where to\? Name the repository, TO=ORG/NAME"),
        (["first", "--to", "first"], r"--to first: expected ORG/NAME"),
        (["bert", "--dry"], r"results/s/models/bert: was not made yet; run the study first"),
        (["first", "--dry"], r"model\.bin: .*manifest"),
    ],
)
def test_a_mistake_is_one_line(project, monkeypatch, words, told):
    if words[0] == "bert":
        (project / "results/s/models/bert/manifest.json").unlink()
    if words == ["first", "--dry"]:
        (project / "results/s/models/first/model.bin").write_text("damaged")
    with pytest.raises(UserError, match=told) as error:
        publish(monkeypatch, *words)
    assert "\n" not in str(error.value)


class Hub(BaseHTTPRequestHandler):
    """What the hub answers to who makes a repository and commits small files to it."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        self.server.asked.append((self.path, self.headers.get("authorization"), body))
        said: dict = {}
        if self.path.endswith("/repos/create"):
            said = {"url": f"{self.server.address}/me/first", "name": "me/first"}
        elif "/preupload/" in self.path:
            files = [file["path"] for file in json.loads(body)["files"]]
            said = {"files": [{"path": path, "uploadMode": "regular", "shouldIgnore": False} for path in files]}
        elif "/commit/" in self.path:
            said = {"commitUrl": f"{self.server.address}/me/first/commit/1", "commitOid": "1", "pullRequestUrl": None}
        text = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


@pytest.fixture
def hub():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.asked, server.address = [], f"http://127.0.0.1:{server.server_port}"
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


SENDING = """
import sys
from pathlib import Path

sys.path.insert(0, {!r})
from dewpoint.program import by_hand
from dewpoint.report.publishing import send

by_hand(lambda: print(send(Path("results/s/publish/first"), "me/first")))
"""


def sent(project: Path, address: str) -> subprocess.CompletedProcess:
    """In a process of its own: the hub's library reads its address once."""
    environment = os.environ | {"HF_ENDPOINT": address, "HF_TOKEN": "hf_made_up", "HF_HUB_OFFLINE": "0"}
    command = [sys.executable, "-c", SENDING.format(str(SCRIPTS))]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=120)


def test_what_was_staged_is_what_the_hub_gets(project, monkeypatch, hub):
    publish(monkeypatch, "first", "--to", "me/first", "--dry")
    told = sent(project, hub.address)
    assert told.returncode == 0 and told.stdout.strip() == f"{hub.address}/me/first", told.stderr
    commit = next(body for path, _, body in hub.asked if "/commit/" in path)
    lines = [json.loads(line) for line in commit.splitlines()]
    files = {one["value"]["path"]: b64decode(one["value"]["content"]) for one in lines if one["key"] == "file"}
    folder = project / "results/s/publish/first"
    assert files == {path.name: path.read_bytes() for path in folder.iterdir()}
    assert {token for _, token, _ in hub.asked} == {"Bearer hf_made_up"}


def test_a_hub_that_does_not_answer_is_one_line(project, monkeypatch, hub):
    publish(monkeypatch, "first", "--dry")
    told = sent(project, "http://127.0.0.1:9")
    assert told.returncode == 1 and re.match(
        r"error: me/first: not sent \(.*\); what was to be sent is in", told.stderr
    )
    assert len(told.stderr.splitlines()) == 1


def test_without_a_token_the_folder_is_written_and_nothing_sent(project):
    """In a process of its own: the hub's library looks for a token where HF_HOME was when it was imported."""
    command = [sys.executable, SCRIPTS / "publish.py", "first", "studies/s.yaml", "--to", "me/first"]
    told = subprocess.run(command, cwd=project, capture_output=True, text=True)
    if "from another definition" in told.stderr:
        pytest.fail(told.stderr)
    assert told.returncode == 1 and told.stderr.startswith("error: no token for the hub, so nothing was sent")
    assert told.stderr.strip().endswith("results/s/publish/first") and (project / "results/s/publish/first").is_dir()
