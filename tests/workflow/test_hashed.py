"""Nothing runs that is not hashed: every function that a program calls is in its fingerprint."""

import json
import re
from pathlib import Path

import pytest
import yaml

from dewpoint.study.fingerprint import reached
from dewpoint.study.kind import TAGS, kind, kinds
from dewpoint.study.modules import Modules
from dewpoint.study.written import Yaml
from programs import TABLES, write_files
from traced import Call, calls, environment, unhashed
from workflow.conftest import ROOT, STUDY, Project, copy_project
from workflow.test_rehearsing import FILES, OWN

MORE = """\
datasets:
  d: {source: pydocs, packages: [json]}
  dpr: {source: dpr, questions: [nq], adversarial: true}
  marco: {source: msmarco-passage, titles: true, triples: 4}
  documents: {source: msmarco-document, passages: all}
  wikipedia: {source: wikipedia}
  paq: {source: paq, dev: 0.0001}
  asked: {source: questions, data: paq, split: train, queries: dpr}
  reduced: {source: reduced, data: dpr, split: nq-dev, of_lists: [hard]}
  kilt: {source: kilt, tasks: [hotpotqa, triviaqa]}
  chat: {source: convai2}
  help: {source: ubuntu}
  challenge: {source: dstc7}
  pairs: {source: pairs, pairs: {train: {files: [pairs/*.jsonl.zst]}, dev: {files: [pairs.csv]}}}
  posts: {source: posts, submissions: [RS_2019-*.zst], comments: [RC_2019-*.zst]}
  sts: {source: sts}
  scored: {source: scored-pairs, pairs: {train: {files: [scored/*.csv]}, test: {files: [scored.jsonl]}}, scale: [1, 5]}
  sections: {source: wiki-sections}
  near: {source: triplets, triplets: {train: {files: [near.tsv]}, test: {files: [near.parquet]}}}
models:
  new: {recipe: mlm, from: scratch, data: d, architecture: {layers: 2, hidden: 32, heads: 2, vocabulary: 500}}
  co:
    recipe: cocondenser
    from: pre
    data: [w, wikipedia]
    early_layers: 1
    loss: {name: weighted, of: contrast, weight: 0.5}
  topics:
    recipe: retriever
    from: one
    data: b
    teacher: one
    in_batch_teacher: late
    loss: dual
    batches: {name: tas, model: one}
  balanced:
    recipe: retriever
    from: topics
    data: b
    teacher: one
    negatives: [bm25]
    loss: {name: dual, in_batch: {name: lambda, gains: rank}}
    batches: {name: tas-balanced, model: one, draw: by-size}
  near: {recipe: retriever, from: balanced, data: b, teacher: one, negatives: [bm25], loss: kl, sizes: [256, 64]}
  net: {recipe: retriever, from: near, data: b, teacher: one, negatives: [bm25], loss: listnet}
  soft: {recipe: retriever, from: net, data: b, teacher: one, negatives: [bm25], loss: soft-labels}
  margins: {recipe: retriever, from: soft, data: b, teacher: one, negatives: [bm25], loss: margin-mse}
  mined: {recipe: retriever, from: co, data: dpr, split: nq-train, negatives: [bm25, one], development: {split: nq-dev}}
  own: {recipe: pairs, from: new, data: d, negatives: [bm25], development: {data: d, split: test, rankers: [bm25]}}
  cloze: {recipe: pairs, task: ict, from: new, data: wikipedia, development: {data: d, split: test}}
  body: {recipe: pairs, task: bfs, from: new, data: wikipedia, development: {data: d, split: test}}
  chats: {recipe: retriever, from: new, data: chat, negatives: [candidates], query_length: 64, query_cut: left}
  t5: {recipe: seq2seq, from: hub:org/t5}
  cat: {recipe: crossencoder, from: new, data: d, negatives: [bm25], loss: binary}
  late: {recipe: colbert, from: new, data: d, negatives: [bm25], projection: {size: 8}}
  mono: {recipe: monot5, from: t5, data: d, negatives: [bm25]}
  scorer: {recipe: regression, from: new, data: sts, train_examples: 500, pooling: mean}
  nearer: {recipe: triplet, from: scorer, data: sections}
  nearest: {recipe: triplet, from: new, data: near, epochs: 2}
  dog: {recipe: released-crossencoder, from: "hub:some/cross-encoder"}
rankers:
  again: {kind: rerank, of: raw, by: [cat, dog], top: 50}
  raw: {kind: dense, model: new}
  tokens: {kind: late-interaction, model: late, index: {name: ivf}}
  lately: {kind: rerank, of: raw, by: late, top: 50}
  more: {kind: expand, by: t5}
  judged: {kind: monot5, of: more, by: mono}
  compared: {kind: duot5, of: judged, by: t5}
  graph: {kind: dense, model: one, index: {name: hnsw}}
  small: {kind: dense, model: near, index: bits, size: 64, rescore: 1000}
  again-whole: {kind: dense, model: new, index: {name: ivf}, rescore: 1000}
  tuned: {kind: fusion, of: [one, bm25], method: weighted, tune: {split: train}}
  both: {kind: fusion, of: [mined, bm25]}
  candidates: {kind: given, list: candidates}
  chosen: {kind: rerank, of: candidates, by: chats, top: 100}
  alike: {kind: similarity, model: one, similarity: manhattan}
  glove: {kind: word-vectors}
tables:
  d: {rankers: [bm25, raw, more, again-whole], on: d/test, metrics: [nDCG@10, latency@1]}
  again: {rankers: [again, lately, late, tokens], on: d/test, metrics: [nDCG@10]}
  asked: {rankers: [compared], on: d/test, metrics: [MRR@10]}
  fused: {rankers: [bm25, tuned, graph, margins, small], on: b/test, metrics: [MRR@10, Rprec], baseline: bm25}
  dpr: {rankers: [bm25, mined, both], on: dpr/nq-test, metrics: [Hit@20]}
  chosen: {rankers: [chosen], on: {chat/dev: [R@1], help/test: [R@1, MRR], challenge/test: [MRR]}}
  marco: {rankers: [bm25], on: {marco/dev: [MRR@10], documents/dl2019: [nDCG@10]}}
  kilt: {rankers: [bm25], on: {kilt/hotpotqa-dev: [SetRprec, PageSetR@5], kilt/triviaqa-dev: [PageSetRprec]}}
  sentences: {rankers: [scorer, alike, glove], on: {sts/test: [Spearman], scored/test: [Pearson]}}
  sections: {rankers: [nearer, nearest, alike], on: {sections/test: [Accuracy], near/test: [Accuracy]}, baseline: alike}
  reduced: {rankers: [bm25, raw], on: reduced/nq-dev, metrics: [MRR@10, latency@1, latency-sd@1, train-hours], turns: 3}
  pairs: {rankers: [bm25], on: {pairs/dev: [MRR@10], posts/dev: [MRR@10]}}
analyses:
  deep: {kind: recall, rankers: [bm25, raw], on: d/test}
  said: {kind: claims, on: d/test, metric: MRR@10, claims: [{says: Words do it., better: [bm25], than: [raw]}]}
  map: {kind: topics, model: one, data: b, clusters: 2}
  seen: {kind: overlap, rankers: [bm25, mined], on: dpr/nq-test, among: asked, ranker: bm25}
  measured: {kind: proxy, models: [own, cloze, body], on: d/test}
  broad: {kind: attention, models: [new, own], data: d}
  foreseen: {kind: neighbours, first: [bm25, raw], second: [again], on: d/test, top: [5]}
  twice: {kind: near-duplicates, data: b, splits: [train, test], jaccard: 0.2}
  little: {kind: series, rankers: "{of}", axes: {of: [bm25, raw, again-whole]}, x: of, on: d/test}
  well: {kind: health, rankers: [raw, again-whole], on: d/test}
"""
SUBMITTED = """\
datasets:
  t:
    source: table
    corpus: {file: corpus.csv}
    queries: {test: {file: queries.csv}}
    judgements: {test: {file: judgements.csv}}
rankers:
  theirs: {kind: file, on: t, runs: {test: run.trec}}
  scored: {kind: pair-scores, on: t, scores: {test: scores.tsv}}
tables:
  t: {rankers: [theirs], on: t/test, metrics: [MRR@10]}
analyses:
  deep: {kind: recall, rankers: [theirs, scored], on: t/test}
"""


def roots_of(arguments: tuple[str, ...]) -> list[str]:
    """The roots of the fingerprint that goes with a command line."""
    program, settings = Path(arguments[0]).stem, {}
    if "--settings" in arguments:
        settings = json.loads(arguments[arguments.index("--settings") + 1])
    if program == "work":
        module, function = arguments[1:3]
        loss = settings.get("loss") or {}
        written = [
            ("losses", loss),
            ("losses", loss.get("in_batch")),
            ("losses", loss.get("of")),
            ("batches", settings.get("batches")),
        ]
        named = ((folder, part) for folder, part in written if part and "name" in part)  # not how often what is timed
        below = [kind(folder, part["name"]).module() for folder, part in named]
        return [f"dewpoint.{module}:{function}", *(f"{one}:work" for one in below)]
    if program == "turns":
        return [program, *(f"{kind('rankers', one['kind']).module()}:live" for one in settings["rankers"])]
    does = {"prepare": "write", "rehearse": "rehearse"}.get(program)
    return [program, *([f"{kind('sources', settings['source']).module()}:{does}"] if does else [])]


def rehearsed(project: Project) -> None:
    """Every kind of dataset, model and ranker, as a rehearsal."""
    study, more = yaml.load(OWN, Yaml), yaml.load(MORE, Yaml)
    study |= {section: study.get(section, {}) | more[section] for section in more}
    (project.folder / STUDY).write_text(yaml.safe_dump(study, sort_keys=False))
    write_files(project.folder, dict.fromkeys(FILES.split(), ""))
    project.snakemake("--config", "rehearse=true")


def submitted(project: Project) -> None:
    """A run and scores of others, which a rehearsal does not read, and the run's export."""
    (project.folder / STUDY).write_text(SUBMITTED)
    theirs = {"run.trec": "q1 Q0 p1 1 2.5 x\nq2 Q0 p1 1 2.5 x\n", "scores.tsv": "2.5\t1\tq1\tp1\tp2\n"}
    write_files(project.folder, TABLES | theirs)
    project.snakemake()
    project.snakemake("results/mini/exports/theirs/t.test.trec")


@pytest.fixture(scope="module")
def modules() -> Modules:
    return Modules(ROOT / "scripts")


@pytest.fixture(scope="module")
def traced(tmp_path_factory, modules) -> dict[tuple[str, ...], set[Call]]:
    """Command line → calls, of all programs that some small studies run."""
    folder, found = tmp_path_factory.mktemp("traced"), {}
    with pytest.MonkeyPatch.context() as patch:
        for run in (rehearsed, submitted):
            for name, value in environment(folder / f"{run.__name__}-calls").items():
                patch.setenv(name, value)
            run(copy_project(folder / run.__name__))
            for arguments, made in calls(folder / f"{run.__name__}-calls", modules).items():
                found.setdefault(arguments, set()).update(made)
    return found


def test_nothing_runs_that_is_not_hashed(traced, modules):
    missing = {
        f"{' '.join([Path(arguments[0]).stem, *arguments[1:3]])} runs {':'.join(target)}"
        for arguments, made in traced.items()
        for target in unhashed(made, reached(*roots_of(arguments), modules=modules), modules)
    }
    assert not missing


def test_all_programs_of_the_rules_ran(traced):
    written = "".join(path.read_text() for path in (ROOT / "rules").glob("*.smk"))
    programs = set(re.findall(r'fingerprint\("(\w+)"', written))
    assert programs - {Path(arguments[0]).stem for arguments in traced} == {"download"}


def test_all_kinds_ran(traced):
    ran = {root.split(":")[0] for arguments in traced for root in roots_of(arguments)}
    assert {kind.module() for folder in TAGS for kind in kinds(folder).values()} <= ran
