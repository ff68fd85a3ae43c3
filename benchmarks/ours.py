"""The project's programs as a study runs them: Snakemake makes artifacts in a folder of the benchmark's own.

No benchmark has a command line or settings of its own. What its study leaves out, the grammar fills in; how long a
program took and in how much memory, its manifest says.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import yaml

from dewpoint.study.written import Yaml

HOME = Path(__file__).parents[1]
APART = {"benchmarks", "config.yaml", "data", "docs", "results", "studies", "tests"}  # its own, or not wanted
TINY = {"layers": 2, "hidden": 32, "heads": 2, "vocabulary": 1000}
STUDY = "studies/benchmark.yaml"
RESULTS = "results/benchmark"
JOB = re.compile(
    r"^(?:local)?rule (\w+):\n(?:    .*\n)*?    output: (.*)\n(?:    .*\n)*(?:Shell command: (.*)\n)?", re.MULTILINE
)


@dataclass(frozen=True)
class Project:
    """A folder in which the workflow runs one study."""

    folder: Path

    def make(self, *targets: str, again: bool = False, only: bool = False, **config) -> None:
        """Make artifacts; `again`, though they are there; `only` these, of whatever lies there."""
        options = ["--force"] if again else []
        options += ["--allowed-rules", *sorted({self.job(target)[0] for target in targets})] if only else []
        self.snakemake(*targets, *options, **config)

    def made(self, target: str, **options) -> SimpleNamespace:
        """What making one artifact took; with its manifest's `facts` and `settings`."""
        self.make(target, **options)
        return self.record(target)

    def record(self, target: str) -> SimpleNamespace:
        record = json.loads(self.path(target).read_text())
        run = record["run"]
        return SimpleNamespace(
            seconds=run["seconds"], mb=run["peak_memory_mb"], facts=record["facts"], settings=record["settings"]
        )

    def settings(self, target: str) -> dict:
        """What the workflow would hand to the program that makes an artifact."""
        return json.loads(self._words(target)[1])

    def run_without(self, target: str, key: str) -> SimpleNamespace:
        """Make an artifact by its own command, but for one of its settings."""
        command, written = self._words(target)
        settings = {name: value for name, value in json.loads(written).items() if name != key}
        changed = command.replace(shlex.quote(written), shlex.quote(json.dumps(settings)))
        self.path(target).unlink(missing_ok=True)
        log = shlex.split(command)[2]  # bash logged.sh LOG …
        for folder in (self.path(target).parent, self.path(log).parent):
            folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(["bash", "-c", changed], cwd=self.folder, env=environment())
        if done.returncode:
            sys.exit(self.path(log).read_text())
        return self.record(target)

    def _words(self, target: str) -> tuple[str, str]:
        """(the command that makes an artifact, the JSON of settings in it)."""
        command = self.job(target)[1]
        return command, next(word for word in shlex.split(command) if word.startswith("{"))

    def job(self, target: str) -> tuple[str, str]:
        """(rule, command) of an artifact."""
        told = self.snakemake(target, "--dry-run", "--printshellcmds", "--force")
        return next((rule, command) for rule, output, command in JOB.findall(told) if target in output.split(", "))

    def negatives(self, name: str) -> str:
        """The negatives that a model is trained on; they are named after what makes them."""
        told = self.snakemake(model(name), "--dry-run", "--force")
        inputs = re.search(rf"^    input: (.*)\n    output: {re.escape(model(name))}$", told, re.MULTILINE)[1]
        return next(path for path in inputs.split(", ") if path.startswith(f"{RESULTS}/negatives/"))

    def snakemake(self, *arguments: str, **config) -> str:
        """What Snakemake said; when it fails, that is the end."""
        command = [sys.executable, "-m", "snakemake", "--cores", "all", "--nolock", *arguments]
        command += ["--config", *(f"{key}={value}" for key, value in config.items())] if config else []
        done = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, env=environment())
        if done.returncode:
            sys.exit(done.stdout + done.stderr)
        return done.stdout + done.stderr

    def path(self, target: str) -> Path:
        return self.folder / target

    def tokens(self, dataset: str) -> Path:
        """The manifest of a dataset's tokens, of which there is one here."""
        (manifest,) = self.folder.glob(f"data/{dataset}/tokens/*/manifest.json")
        return manifest

    def tokenizer(self) -> Path:
        (manifest,) = self.folder.glob("data/tokenizers/*/manifest.json")
        return manifest


def project(folder: Path, study: dict | Path, **config) -> Project:
    """A folder with the workflow, a study (or the file of one), and a config.yaml of what is not as usual."""
    folder.mkdir(parents=True, exist_ok=True)
    for part in HOME.iterdir():
        if part.name not in APART and not part.name.startswith("."):
            (folder / part.name).unlink(missing_ok=True)
            (folder / part.name).symlink_to(part.resolve())
    (folder / STUDY).parent.mkdir(exist_ok=True)
    written = study.read_text() if isinstance(study, Path) else yaml.safe_dump(study, sort_keys=False)
    (folder / STUDY).write_text(written)
    (folder / "config.yaml").write_text(yaml.safe_dump({"study": STUDY, **config}))
    return Project(folder)


def environment() -> dict[str, str]:
    """Offline, and with this Python as `python`."""
    path = os.pathsep.join([str(Path(sys.executable).parent), *os.get_exec_path()])
    return os.environ | {"HF_HUB_OFFLINE": "1", "PATH": path}


def miniature(steps: int, epochs: int) -> dict:
    """The quickstart with everything small."""
    small = {"architecture": TINY, "steps": steps, "epochs": epochs}
    study = yaml.load((HOME / "studies" / "quickstart.yaml").read_text(), Yaml)
    study["datasets"]["pydocs"]["packages"] = ["asyncio", "email"]
    for model in study["models"].values():
        model |= {"batch_size": 16, **{key: small[key] for key in small.keys() & model.keys()}}
        if "negatives" in model:
            model["negatives_depth"] = 50
    for ranker in study["rankers"].values():
        ranker["depth"] = 100
    return study


# --- where artifacts lie: docs/files.md ---------------------------------------------------------


def dataset(name: str) -> str:
    return f"data/{name}/manifest.json"


def model(name: str) -> str:
    return f"{RESULTS}/models/{name}/manifest.json"


def index(ranker: str, dataset: str) -> str:
    return f"{RESULTS}/indexes/{ranker}/{dataset}/manifest.json"


def run(ranker: str, dataset: str, split: str) -> str:
    return f"{RESULTS}/runs/{ranker}/{dataset}.{split}.json"


def vectors(model: str, dataset: str, part: str, shard: int = 0, shards: int = 1) -> str:
    return f"{RESULTS}/embeddings/{model}/{dataset}/{part}-{shard}of{shards}.json"


# --- what goes in -------------------------------------------------------------------------------


def beir(folder: Path, passages: Iterable[str], queries: Iterable[str], split: str) -> str:
    """A BEIR folder; each query's positive is the passage of the same number. Written once."""
    done = folder / "qrels" / f"{split}.tsv"
    if not done.exists():
        done.parent.mkdir(parents=True, exist_ok=True)
        for name, texts, letter in (("corpus", passages, "p"), ("queries", queries, "q")):
            with open(folder / f"{name}.jsonl", "w", encoding="utf-8") as file:
                for row, text in enumerate(texts):
                    file.write(json.dumps({"_id": f"{letter}{row}", "text": text}) + "\n")
        count = sum(1 for _ in open(folder / "queries.jsonl", encoding="utf-8"))
        rows = "".join(f"q{row}\tp{row}\t1\n" for row in range(count))
        done.write_text("query-id\tcorpus-id\tscore\n" + rows)
    return str(folder.resolve())
