"""Every mistake in a study is one line: the file, the place, what is wrong, the nearest name."""

import pytest

from dewpoint.errors import UserError
from dewpoint.study.load import load_config, load_study
from sample_study import STUDY, load, write

LATENCIES = ", ".join(f"latency{part}{p99}@10" for part in ("", "-encode", "-search") for p99 in ("", "-p99"))
OTHER_METRICS = f"Success@10, P@10, SetR@10, PageSetR@10, {LATENCIES}, Rprec, PageRprec, SetRprec, PageSetRprec, MRR"
OTHER_METRICS += ", Pearson, Spearman, Accuracy"
OTHER_METRICS += ", train-hours, encode-index-hours, vector-megabytes, index-megabytes, latency-sd@10"
OTHER_METRICS += ", latency-encode-sd@10, latency-search-sd@10"
GRAMMAR = [
    # unknown keys, recipes, kinds, sources
    ("layers: 2", "layrs: 2", "models.bert.architecture.layrs: unknown key; did you mean 'layers'?"),
    ("early_layers: 1}", "early_layer: 1}", "models.condenser.early_layer: unknown key; did you mean 'early_layers'?"),
    (
        "negatives: [bm25]}",
        "negative: [bm25]}",
        "models.first.negative: unknown key; did you mean 'negatives'?",
    ),
    ("{file: c.csv}", "{fil: c.csv}", "datasets.own.corpus.fil: unknown key; did you mean 'file'? (and 1 more)"),
    (
        "{file: q.csv}",
        "{file: q.csv, colums: {}}",
        "datasets.own.queries.train.colums: unknown key; did you mean 'columns'?",
    ),
    ("  t: {", "  table: {tile: x, ", "tables.table.tile: unknown key; did you mean 'title'?"),
    ("models:", "modles:", "modles: unknown key; did you mean 'models'?"),
    ("recipe: mlm", "recipe: mln", "models.bert: unknown recipe 'mln'; did you mean 'mlm'?"),
    ("recipe: mlm, ", "", "models.bert: needs 'recipe'"),
    ("kind: bm25", "kind: bm52", "rankers.bm25: unknown kind 'bm52'; did you mean 'bm25'?"),
    ("source: pydocs", "source: pydoc", "datasets.d: unknown source 'pydoc'; did you mean 'pydocs'?"),
    (
        "pydocs, packages: [json]",
        "text, file: [w.txt]",
        "datasets.d.file: unknown key; did you mean 'files'? (and 1 more)",
    ),
    (
        "{file: c.csv}",
        "{file: c.csv, columns: {titel: x}}",
        "datasets.own.corpus.columns.titel: Input should be 'id'",
    ),
    # values
    (
        "layers: 2",
        "layers: -2",
        "models.bert.architecture.layers: Input should be greater than or equal to 1, found -2",
    ),
    ("seed: 7", "learning_rate: -1e-3", "models.co.learning_rate: Input should be greater than 0, found -0.001"),
    ("seed: 7", "seed: -7", "models.co.seed: Input should be greater than or equal to 0, found -7"),
    ("seed: 7", "warmup: 1.5", "models.co.warmup: Input should be less than or equal to 1, found 1.5"),
    ("seed: 7", "steps: 10.5", "models.co.steps: Input should be a valid integer, got a number with a fractional part"),
    (
        "kind: bm25",
        "kind: bm25, k1: nope",
        "rankers.bm25.k1: Input should be a valid number, unable to parse string as a",
    ),
    (
        "kind: bm25",
        "kind: bm25, stemmer: klingon",
        "rankers.bm25.stemmer: Input should be 'none', 'arabic', 'armenian'",
    ),
    ("kind: bm25", "kind: bm25, words: all", "rankers.bm25.words: Input should be 'standard' or 'plain', found 'all'"),
    ("negatives: [bm25]", "negatives: bm25", "models.first.negatives: Input should be a valid list, found 'bm25'"),
    ("rankers: [bm25, second, hybrid, weighted]", "rankers: []", "tables.t.rankers: List should have at least 1 item"),
    ("pydocs, packages: [json]", "text, files: []", "datasets.d.files: List should have at least 1 item"),
    (
        "model: co",
        "model: co, index: hsnw",
        "rankers.zero.index: unknown index 'hsnw', write flat, hnsw, ivf, ivf-pq, pq, sq8, float16, int8, "
        "bits or a factory string of FAISS; did you mean 'hnsw'?",
    ),
    ("model: co", "model: co, index: byts", "rankers.zero.index: unknown index 'byts', write flat, hnsw, "),
    ("model: co", "model: co, rescore: 2000", "rankers.zero: rescore: flat search of whole vectors is exact already"),
    (
        "model: co",
        "model: co, index: bits, rescore: 999",
        "rankers.zero: rescore: 999 candidates, but 1000 are kept; take as many at least",
    ),
    (
        "[bm25]}",
        "[bm25], sizes: [16, 32]}",
        "models.first: sizes: [16, 32] do not fall; write the whole vectors' first",
    ),
    ("model: co", "model: co, index: {name: hsnw}", "rankers.zero.index: unknown name 'hsnw'; did you mean 'hnsw'?"),
    (
        "model: co",
        "model: co, index: {name: hnsw, m: 8}",
        "rankers.zero.index.m: unknown key; known: name, M, efConstruction, efSearch",
    ),
    (
        "model: co",
        "model: co, index: {name: ivf, nprobe: 0}",
        "rankers.zero.index.nprobe: Input should be greater than",
    ),
    ("R@100]", "latency@7]", "tables.t.metrics: latency@7, but latency is measured @1, @10, @2000"),
    ("heads: 2", "heads: 3", "models.bert.architecture: hidden 32 is not a multiple of heads 3"),
    ("[1, 0.5]", "[1]", "rankers.weighted: 1 weights for 2 rankers"),
    ("  bert:", "  be rt:", "models.be rt: expected a name of letters, digits, ., - and _, found 'be rt'"),
    ("d/test", "dtest", "tables.t.on: expected dataset/split, found 'dtest'"),
    (
        "MRR@10",
        "MRr@10",
        "tables.t.metrics.0: unknown metric 'MRr@10', write MRR@10, R@10, PageR@10, nDCG@10, Hit@10, "
        f"{OTHER_METRICS}; did you mean 'MRR@10'?",
    ),
    (
        "R@100",
        "NDCG@5",
        "tables.t.metrics.1: unknown metric 'NDCG@5', write MRR@10, R@10, PageR@10, nDCG@10, Hit@10, "
        f"{OTHER_METRICS}; did you mean 'nDCG@5'?",
    ),
    (
        "R@100",
        "PageRprc",
        "tables.t.metrics.1: unknown metric 'PageRprc', write MRR@10, R@10, PageR@10, nDCG@10, Hit@10, "
        f"{OTHER_METRICS}; did you mean 'PageRprec'?",
    ),
    ("R@100", "R@0", "tables.t.metrics.1: unknown metric 'R@0'"),
    # what belongs together
    (
        ", architecture: {layers: 2, hidden: 32, heads: 2, vocabulary: 500}",
        "",
        "models.bert.architecture: goes with from: scratch",
    ),
    (
        "early_layers: 1}",
        "early_layers: 1, architecture: {}}",
        "models.condenser.architecture: goes with from: scratch",
    ),
    ("from: co, ", "from: scratch, ", "models.first.from: a retriever starts from another model, not from scratch"),
    ("early_layers: 1}", "early_layers: 2}", "models.condenser.early_layers: 2 of 2 layers leave none after the split"),
    (
        "early_layers: 1, seed",
        "early_layers: 6, seed",
        "models.co.early_layers: 6 of 2 layers leave none after the split",
    ),
    ("  zero:", "  first:", "rankers.first: a model has this name, and is a ranker already; rename one"),
    ("R@100", "R@2000", "tables.t.metrics: R@2000, but ranker 'bm25' keeps only 1000 passages; raise its depth"),
    ("[bm25]}", "[bm25], negatives_depth: 1001}", "models.first.negatives_depth: 1001, but ranker 'bm25' keeps 1000"),
    ("kind: bm25}", "kind: bm25, depth: 90}", "models.first.negatives_depth: 200, but ranker 'bm25' keeps 90"),
    (
        "[bm25]}",
        "[bm25], development: {depth: 1001}}",
        "models.first.development.depth: 1001, but ranker 'bm25' keeps 1000",
    ),
    ("[bm25]}", "[], in_batch: false}", "models.first: in_batch: false leaves a query nothing to tell its positive"),
    ("[bm25]}", "[bm25], query_from: scratch}", "models.first.query_from: a retriever starts from another model, not"),
    ("[bm25]}", "[bm25], train_queries: 0}", "models.first.train_queries.constrained-int: Input should be greater"),
    ("[bm25]}", "[bm25], projection: {sise: 3}}", "models.first.projection.sise: unknown key; did you mean 'size'?"),
    (
        "[bm25]}",
        "[bm25], projection: {size: 0, norm: true}}",
        "models.first.projection: size: 0 is no projection, so there is nothing for norm to follow",
    ),
    ("[bm25]}", "[bm25], development: {often: 3}}", "models.first.development.often: unknown key; known: split, "),
    (
        "[bm25]}",
        "[bm25], development: {every: 3, measurements: 4}}",
        "models.first.development: `every` and `measurements` both say how often; leave one out",
    ),
    (
        "[bm25]}",
        "[bm25], development: {rerank: bm25, passages: 9}}",
        "models.first.development: `passages` are of the small corpus, which `rerank` takes the place of; leave ",
    ),
    (
        "[bm25]}",
        "[bm25], development: {rerank: zero, depth: 1001}}",
        "models.first.development.depth: 1001, but ranker 'zero' keeps 1000",
    ),
    (
        "[bm25]}",
        "[bm25], development: {rerank: bm52}}",
        "models.first.development.rerank: no ranker 'bm52'; did you mean 'bm25'?",
    ),
    (
        "[bm25]}",
        "[bm25], development: {rerank: second}}",
        "models.first: needs itself: models.first → rankers.second → models.second → rankers.first → models.first",
    ),
    ("  first:", "  old: {recipe: released, from: bert}\n  first:", "models.old.from: a released model is from hub:"),
    (
        "  first:",
        "  old: {recipe: released, from: hub:a/b, epochs: 3}\n  first:",
        "models.old.epochs: unknown key; known: ",
    ),
    (
        "[second, bm25]",
        "[second, bm25], tune: {metrc: R@9}",
        "rankers.hybrid.tune.metrc: unknown key; did you mean 'me",
    ),
    ("[second, bm25]", "[second, bm25], tune: {metric: RR@9}", "rankers.hybrid.tune.metric: unknown metric 'RR@9', "),
    ("weights: [1, 0.5]", "scale: zscore", "rankers.weighted.scale: Input should be 'min-max' or 'z', found 'zscore'"),
    ("[1, 0.5]", "[1, 0.5], tune: {}", "rankers.weighted: weights are given or tuned, not both; leave one out"),
    (
        "[second, bm25]",
        "[second, bm25], tune: {steps: 10000}",
        "rankers.hybrid: tune has 10,001 weights to try, at most 10,000; take fewer steps or rankers",
    ),
    (
        "[second, bm25]",
        "[second, bm25], depth: 100, tune: {metric: R@200}",
        "rankers.hybrid.tune.metric: R@200, but depth is 100",
    ),
    (
        "[second, bm25]",
        "[second, bm25], tune: {split: test}",
        "tables.t.on: the weights of ranker 'hybrid' are tuned on d/test itself; tune them on another",
    ),
    (
        "[second, bm25]",
        "[second, inner]}\n  inner: {kind: fusion, of: [bm25, zero], tune: {split: test}",
        "tables.t.on: the weights of ranker 'inner' are tuned on d/test",
    ),
    (
        "[second, bm25]",
        "[second, bm25], tune: {split: dve}",
        "rankers.hybrid.tune.split: no judged split 'dve'; did you mean 'dev'?",
    ),
    # runs of others
    ("kind: bm25}", "kind: file, on: d, runs: {}}", "rankers.bm25.runs: Dictionary should have at least 1 item"),
    ("kind: bm25}", "kind: file, on: dd, runs: {dev: x}}", "rankers.bm25.on: no dataset 'dd'; did you mean 'd'?"),
    (
        "kind: bm25}",
        "kind: file, on: d, runs: {dve: x}}",
        "rankers.bm25.runs: no judged split 'dve'; did you mean 'dev'?",
    ),
    ("kind: bm25}", "kind: file, on: d, runs: {dev: no.trec}}", "rankers.bm25.runs.dev: no file 'no.trec'"),
    (
        "kind: bm25}",
        f"kind: file, on: d, runs: {{dev: '{__file__}', train: '{__file__}'}}}}",
        "tables.t.on: ranker 'bm25' has no run on d/test, only on d/dev, d/train",
    ),
    (
        "kind: bm25}",
        f"kind: file, on: d, runs: {{test: '{__file__}'}}}}",
        "models.first.negatives: ranker 'bm25' has no run on d/train, only on d/test",
    ),
    (
        "kind: bm25}",
        f"kind: file, on: own, runs: {{train: '{__file__}', test: '{__file__}'}}}}",
        "tables.t.on: ranker 'bm25' has no run on d/test, only on own/train, own/test",
    ),
    # a T5 that is trained
    (
        "  second: {",
        "  mono: {recipe: monot5, from: co, data: d, negatives: [bm25]}\n  second: {",
        "models.mono.from: mono-T5 starts from a T5: hub:ORG/NAME, path:DIR, or a model that writes texts",
    ),
    (
        "  second: {",
        "  mono: {recipe: monot5, from: hub:a/t5, data: d, negatives: [bm25], loss: kl}\n  second: {",
        "models.mono.loss: 'kl' follows a teacher; name the ranker whose scores it takes: teacher: …",
    ),
    (
        "  second: {",
        "  mono: {recipe: monot5, from: hub:a/t5, data: d, negatives: [bm25], passage_length: 80}\n  second: {",
        "models.mono.passage_length: 80 tokens hold no passage beside a query; 88 at least",
    ),
    # scores of others
    (
        "kind: bm25}",
        f"kind: pair-scores, on: d, scores: {{test: '{__file__}', train: '{__file__}'}}}}",
        "tables.t.on: ranker 'bm25' is shown the positives of d/test itself; it is a teacher's alone",
    ),
    (
        "kind: bm25}",
        "kind: pair-scores, on: d, scores: {dev: no.tsv}}",
        "rankers.bm25.scores.dev: no file 'no.tsv'",
    ),
    # names of nothing
    ("[bm25]}", "[bm25], query_from: brt}", "models.first.query_from: no model 'brt'; did you mean 'bert'?"),
    ("[bm25]}", "[bm25], query_from: path:nowhere}", "models.first.query_from: no folder 'nowhere'"),
    (
        "[bm25]}",
        "[bm25], development: {split: dve}}",
        "models.first.development.split: no judged split 'dve'; did you mean 'dev'?",
    ),
    ("from: bert", "from: brt", "models.condenser.from: no model 'brt'; did you mean 'bert'?"),
    ("from: bert", "from: path:nowhere", "models.condenser.from: no folder 'nowhere'"),
    ("from: co, data: d", "from: co, data: dd", "models.first.data: no dataset 'dd'; did you mean 'd'?"),
    ("negatives: [bm25]", "negatives: [bm52]", "models.first.negatives: no ranker 'bm52'; did you mean 'bm25'?"),
    ("model: co", "model: cc", "rankers.zero.model: no model 'cc'; did you mean 'co'?"),
    ("[second, bm25]", "[secnd, bm25]", "rankers.hybrid.of: no ranker 'secnd'; did you mean 'second'?"),
    ("[bm25, second, h", "[bm25, secon, h", "tables.t.rankers: no ranker 'secon'; did you mean 'second'?"),
    ("d/test", "x/test", "tables.t.on: no dataset 'x'; known: d, own"),
    ("d/test", "d/tset", "tables.t.on: no judged split 'tset'; did you mean 'test'?"),
    ("d/test", "own/dev", "tables.t.on: no judged split 'dev'; known: train, test"),
    ("R@100]", "Hit@5]", "tables.t.on: no answered split 'test'; dataset 'd' has none"),
    ("R@100]", "PageSetR@5]", "tables.t.on: no proven split 'test'; dataset 'd' has none"),
    ("{rankers", "{baseline: secnd, rankers", "tables.t: baseline 'secnd' is none of the table's rankers"),
    (
        "{rankers: [bm25, second, hybrid, weighted]",
        "{baseline: bm25, rankers: [bm25]",
        "tables.t: baseline needs another ranker, and a metric that each query has, to be compared on",
    ),
    (
        "{rankers: [bm25, second, hybrid, weighted], on: d/test, metrics: [MRR@10, R@100]",
        "{baseline: bm25, rankers: [bm25, second], on: d/test, metrics: [latency@1]",
        "tables.t: baseline needs another ranker, and a metric that each query has, to be compared on",
    ),
    ("[bm25]}", "[bm25], split: trian}", "models.first.split: no judged split 'trian'; did you mean 'train'?"),
    (
        "pydocs, packages: [json]",
        "text, files: [w.txt]",
        "models.first.split: no judged split 'train'; dataset 'd' has none",
    ),
    # cycles
    ("[bm25]}", "[bm25], query_from: first}", "models.first: needs itself: models.first → models.first"),
    ("[bm25]}", "[first]}", "models.first: needs itself: models.first → rankers.first → models.first"),
    (
        "[bm25]}",
        "[hybrid]}",
        "models.first: needs itself: models.first → rankers.hybrid → rankers.second → models.second → ",
    ),
    ("from: bert", "from: co", "models.condenser: needs itself: models.condenser → models.co → models.condenser"),
    ("[second, bm25]", "[hybrid, bm25]", "rankers.hybrid: needs itself: rankers.hybrid → rankers.hybrid"),
]


@pytest.mark.parametrize(("old", "new", "message"), GRAMMAR)
def test_one_line(tmp_path, old, new, message):
    with pytest.raises(UserError) as error:
        load(tmp_path, (old, new))
    assert str(error.value).startswith(f"{tmp_path}/study.yaml: {message}")
    assert len(str(error.value).splitlines()) == 1


def test_the_sample_has_no_mistake(tmp_path):
    study = load(tmp_path)
    assert list(study.rankers) == ["first", "second", "bm25", "zero", "hybrid", "weighted"]
    assert study.rankers["first"].model == "first"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"shard": 2}, "config.yaml: shard: unknown key; did you mean 'shards'?"),
        ({"seed": -1}, "config.yaml: seed: Input should be greater than or equal to 0, found -1"),
        (
            {"precision": "fp16"},
            "config.yaml: precision: Input should be 'auto', 'float32' or 'bfloat16', found 'fp16'",
        ),
    ],
)
def test_config(values, message):
    with pytest.raises(UserError) as error:
        load_config(values)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", ": expected datasets, models, rankers and tables"),
        (b"- a\n", ": expected datasets, models, rankers and tables"),
        (b"datasets: 5\n", ": datasets: expected names with entries"),
        (b"models: [a]\n", ": models: expected names with entries"),
        (b"title: caf\xe9\n", ": not UTF-8"),
        (b"title: x\nmodels: {a: [}\n", ":2: not YAML (expected the node content, but found '}')"),
        (b"models:\n  a: {}\n  b: {}\n  a: {}\n", ":4: not YAML (key 'a' twice)"),
        (b"title: x\n", ": datasets: Dictionary should have at least 1 item"),
        (b"include: base.yaml\n", ": include: expected a list of studies, such as [shared.yaml]"),
        (b"include: [1]\n", ": include: expected a list of studies, such as [shared.yaml]"),
        (b"models:\n  a: *nowhere\n", ":2: not YAML (found undefined alias 'nowhere')"),
        (b"models: {? [a] : 1}\n", ":1: not YAML (found unhashable key)"),
        (b"models: {a: \x00}\n", ":1: not YAML (unacceptable character #x0000: special characters are not allowed)"),
    ],
)
def test_not_a_study(tmp_path, content, message):
    path = tmp_path / "study.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        load_study(path)
    assert str(error.value).startswith(f"{path}{message}")
    assert len(str(error.value).splitlines()) == 1


def test_a_study_that_is_not_there(tmp_path):
    write(tmp_path, name="quickstart.yaml")
    with pytest.raises(UserError) as error:
        load_study(tmp_path / "quikstart.yaml")
    assert str(error.value) == f"{tmp_path}/quikstart.yaml: no such study; did you mean '{tmp_path}/quickstart.yaml'?"


@pytest.mark.parametrize(
    ("changes", "dataset"),
    [
        ([("  own:\n", "  wiki: {source: text, files: [w.txt]}\n  own:\n"), ("d/test", "wiki/test")], "wiki"),
        ([("{train: {file: q.csv}, test:", "{dev:"), ("d/test", "own/test")], "own"),
    ],
)
def test_a_table_on_a_dataset_without_judged_splits(tmp_path, changes, dataset):
    with pytest.raises(UserError, match=f"tables.t.on: no judged split 'test'; dataset '{dataset}' has none$"):
        load(tmp_path, *changes)


def test_text_is_what_a_model_is_pre_trained_on(tmp_path):
    text = ("  own:\n", "  wiki: {source: text, files: ['w/*.jsonl.zst']}\n  own:\n")
    study = load(tmp_path, text, ("recipe: mlm, from: scratch, data: d", "recipe: mlm, from: scratch, data: wiki"))
    assert study.models["bert"].data == "wiki"


def test_a_beir_folder_tells_its_splits(tmp_path):
    (tmp_path / "b/qrels").mkdir(parents=True)
    for name in ("dev.tsv.zst", "test.tsv.gz", "test.tsv", "notes.txt"):
        (tmp_path / "b/qrels" / name).touch()
    beir = ("{source: pydocs, packages: [json]}", f"{{source: beir, path: {tmp_path}/b}}")
    with pytest.raises(UserError, match="no judged split 'train'; known: dev, test"):
        load(tmp_path, beir)
    retrievers = STUDY[STUDY.index("  first: {recipe") : STUDY.index("rankers:\n")]
    rest = [
        (retrievers, ""),
        ("[second, bm25]", "[zero, bm25]"),
        ("[first, zero]", "[bm25, zero]"),
        ("second, hybrid", "hybrid"),
    ]
    assert load(tmp_path, beir, *rest).tables["t"].on.endswith("/test")


OWN_RUN = ("  bm25:", f"  own-run: {{kind: file, on: d, runs: {{test: '{__file__}'}}}}\n  bm25:")


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ([("[bm25, second, hybrid, weighted]", "[own-run]")], "a file, which cannot be asked a question"),
        (
            [("[second, bm25]", "[second, own-run]"), ("[bm25, second, hybrid, weighted]", "[hybrid, own-run]")],
            "'hybrid', which asks 'own-run', a file, which cannot be asked",
        ),
    ],
)
def test_where_none_can_be_asked_nothing_is_timed(tmp_path, changes, wrong):
    with pytest.raises(UserError, match=f"tables.t.metrics: latency@10 is not measured of {wrong}"):
        load(tmp_path, OWN_RUN, *changes, ("R@100]", "R@100, latency@10]"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            [("[second, bm25]", "[own-run, bm25], tune: {}")],
            "tables.t.on: ranker 'own-run' has no run on d/dev, only on d/t",
        ),
        (
            [("[bm25]}", "[bm25, own-run], development: {}}"), ("{test: '", f"{{train: '{__file__}', test: '")],
            "models.first.development: ranker 'own-run' has no run on d/dev, only on d/train, d/test",
        ),
    ],
)
def test_runs_that_are_asked_of_files_are_in_them(tmp_path, changes, message):
    """Also those that weights are tuned on, and those that a retriever's development needs."""
    assert load(tmp_path, OWN_RUN, ("[second, bm25]", "[own-run, bm25]")).rankers["own-run"].runs == {"test": __file__}
    with pytest.raises(UserError) as error:
        load(tmp_path, OWN_RUN, *changes)
    assert str(error.value).startswith(f"{tmp_path}/study.yaml: {message}")


def test_weights_may_be_tuned_where_no_table_is(tmp_path):
    """Also on the splits that a retriever's negatives and its development come from."""
    tuned = ("[second, bm25]", "[zero, bm25], tune: {split: train}")
    study = load(tmp_path, tuned, ("[bm25]}", "[bm25, hybrid], development: {split: train}}"))
    assert study.rankers["hybrid"].tune.split == "train"
