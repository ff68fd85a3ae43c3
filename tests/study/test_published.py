"""What papers published: the shipped files, their mistakes, and the mistakes of studies that name them."""

import json
import statistics
from decimal import Decimal

import pytest

from dewpoint.errors import UserError
from dewpoint.evaluation.costs import is_timed
from dewpoint.study.published import PUBLISHED, cited, load_paper, printed_table
from dewpoint.study.types import Row
from published_study import PAPER, load

FILES = sorted(PUBLISHED.glob("*.yaml"))
DUAL = {"system": "BERT_DOT", "teacher": "dual", "sampling": "tas-balanced", "batch": 32}
PAQ = {"system": "DPR", "pretrained": "paq", "neg": "hn"}
BASES = [("bert-base", 16), ("distilbert", 64)]
IN_BATCH = {"system": "BERT_DOT", "teacher": "in-batch", "sampling": "random", "batch": 32}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_shipped_figures(path):
    """All are read, with the digits in print; a row's name tells it from all others of its table."""
    tables = load_paper(path).tables
    figures = [
        (metric, figure)
        for table in tables.values()
        for row in table.rows
        for metrics in row.on.values()
        for metric, figure in metrics.items()
    ]
    assert (
        len(figures)
        == {"condenser": 162, "cocondenser": 97, "tas-balanced": 382, "dpr-paq": 146, "efficient-dpr": 231}[path.stem]
    )
    digits = {"Accuracy": {2}, "Edits": {1}, "Share": {2}, "train-hours": {2}, "encode-index-hours": {2}}
    milliseconds = {1} if path.stem == "efficient-dpr" else {0}
    usual = {2, 3, 4} if path.stem == "dpr-paq" else {3}
    for metric, figure in figures:
        assert -figure.as_tuple().exponent in (milliseconds if is_timed(metric) else digits.get(metric, usual))
    for table in tables.values():
        assert len(set(table.names.values())) == len(table.rows) == len({row.row for row in table.rows})


@pytest.mark.parametrize(
    ("table", "row", "place", "figures"),
    [
        ("condenser/table5", {"system": "BM25"}, "msmarco-passage/dev", "MRR@10 0.184, R@1000 0.853"),
        ("condenser/table6", {"system": "BM25"}, "msmarco-passage/dev", "MRR@10 0.189, R@1000 0.853"),
        ("condenser/table5", "Condenser full bm25", "msmarco-passage/dev", "MRR@10 0.338, R@1000 0.961"),
        ("condenser/table5", "Condenser full bm25", "msmarco-passage/dl2019", "nDCG@10 0.648"),
        ("condenser/table6", "Condenser full hn", "msmarco-passage/dev", "MRR@10 0.366, R@1000 0.974"),
        ("condenser/table4", "BERT full hn", "nq/test", "Hit@20 0.813, Hit@100 0.873"),
        ("condenser/table3", "ICT 1000 bm25", "triviaqa/test", "Hit@20 0.734, Hit@100 0.823"),
        ("condenser/table8", "Condenser full hn", "msmarco-document/dev", "MRR@100 0.404"),
        ("cocondenser/table1", "coCondenser full hn", "msmarco-passage/dev", "MRR@10 0.382, R@1000 0.984"),
        ("cocondenser/table1", "coCondenser full hn", "triviaqa/test", "Hit@5 0.768, Hit@20 0.832, Hit@100 0.873"),
        (
            "tas-balanced/table1",
            {"system": "BERT_DOT"},
            "msmarco-passage/dev",
            "latency-encode@1 8, latency-encode-p99@1 11, latency-search@1 54, latency-search-p99@1 55, latency@1 64, "
            "latency-p99@1 68, latency-encode@10 8, latency-encode-p99@10 9, latency-search@10 141, "
            "latency-search-p99@10 144, latency@10 162, latency-p99@10 176, latency-encode@2000 273, "
            "latency-encode-p99@2000 329, latency-search@2000 2515, latency-search-p99@2000 2524, latency@2000 4780, "
            "latency-p99@2000 4877",
        ),
        ("tas-balanced/table3", DUAL | {"loss": "lambda"}, "msmarco-passage/dl2020", "nDCG@10 0.682, R@1000 0.840"),
        ("tas-balanced/table4", IN_BATCH, "msmarco-passage/dl2019", "nDCG@10 0.680, MRR@10 0.857, R@1000 0.745"),
        ("tas-balanced/table5", DUAL | {"instance": "E"}, "msmarco-passage/dl2020", "nDCG@10 0.701, R@1000 0.862"),
        (
            "tas-balanced/table6",
            {"system": "RocketQA", "train": "full", "batch": 128},
            "msmarco-passage/dev",
            "MRR@10 0.309",
        ),
        (
            "tas-balanced/table6",
            DUAL | {"batch": 256},
            "msmarco-passage/dev",
            "nDCG@10 0.410, MRR@10 0.347, R@1000 0.978",
        ),
        (
            "tas-balanced/table7",
            {"system": "BM25", "rerank": "duo-t5@10"},
            "msmarco-passage/dev",
            "nDCG@10 0.310, MRR@10 0.287, R@1000 0.857, latency@1 388",
        ),
        ("cocondenser/table5", "coCondenser full bm25", "msmarco-passage/dev", "MRR@10 0.357, R@1000 0.978"),
        ("dpr-paq/table1", PAQ | {"encoder": "bert-base"}, "nq/test", "Hit@5 0.745, Hit@20 0.837, Hit@100 0.886"),
        ("dpr-paq/table1", PAQ | {"encoder": "roberta-large"}, "msmarco-passage/dev", "MRR@10 0.340"),
        (
            "dpr-paq/table1",
            PAQ | {"encoder": "deberta-xlarge-v2"},
            "nq/test",
            "Hit@5 0.7338, Hit@20 0.83, Hit@100 0.8861",
        ),
        ("dpr-paq/table2", {"system": "Multi-task DPR", "encoder": "bert-base"}, "kilt-zsre/dev", "SetRprec 0.541"),
        (
            "dpr-paq/table3",
            {"system": "DPR", "encoder": "roberta-large", "pretrained": "reddit"},
            "dstc7/test",
            "R@1 0.682, MRR 0.764",
        ),
        (
            "dpr-paq/table4",
            {"system": "DPR", "encoder": "bert-base", "pretrained": "ict", "stage": "zero-shot"},
            "nq/test",
            "Hit@20 0.255",
        ),
        ("dpr-paq/table5", {"system": "hit by both"}, "nq/test", "Edits 2.5"),
        ("dpr-paq/figure2", PAQ | {"encoder": "bert-base", "neg": "bm25"}, "nq/test", "Hit@20 0.816"),
        (
            "efficient-dpr/table2",
            {"system": "DPR", "encoder": "bert-base", "size": 640, "batch": 16},
            "nq-reduced/nq-dev",
            "train-hours 17.43, encode-index-hours 2.20, latency-search@1 6.3, latency-search-sd@1 1.6",
        ),
        (
            "efficient-dpr/table4",
            {"system": "BERT", "train": "full", "neg": "bm25"},
            "nq-reduced/nq-dev",
            "Success@1 0.504, Success@20 0.883, Success@100 0.949, MRR@100 0.614",
        ),
        (
            "efficient-dpr/table5",
            {"system": "DPR", "encoder": "tinybert", "size": 312, "batch": 16},
            "nq-reduced/nq-dev",
            "Success@1 0.240, Success@20 0.650, Success@100 0.803, MRR@100 0.343, train-hours 3.37",
        ),
        ("dpr-paq/overlap", {"system": "DPR", "pretrained": "none"}, "nq/test-in-paq", "Hit@20 0.948"),
    ],
)
def test_figures_by_hand(table, row, place, figures):
    if isinstance(row, str):
        system, train, neg = row.split()
        row = {"system": system, "train": int(train) if train.isdigit() else train, "neg": neg}
    (found,) = [one for one in printed_table(table).rows if one.row == Row(**row)]
    assert ", ".join(f"{metric} {figure}" for metric, figure in found.on[place].items()) == figures


def test_the_misprint_of_cocondenser():
    suspect = {str(one.row): one.suspect for one in printed_table("cocondenser/table1").rows if one.suspect}
    assert suspect == {"{system: BERT, train: full, neg: bm25}": {"nq/test": ["Hit@20", "Hit@100"]}}


def test_a_configuration_of_tas_balanced_is_one_row_in_all_tables():
    """The same figures wherever it stands; only BM25's recall is printed in two ways."""
    seen, tables, differing = {}, {}, set()
    for name, table in load_paper(PUBLISHED / "tas-balanced.yaml").tables.items():
        for one in table.rows:
            tables.setdefault(str(one.row), []).append(name)
            for place, metrics in one.on.items():
                for metric, figure in metrics.items():
                    if seen.setdefault((one.row, place, metric), figure) != figure:
                        differing.add((str(one.row), metric))
    assert differing == {("{system: BM25}", "R@1000")}
    assert {row: found for row, found in tables.items() if len(found) > 1} == {
        "{system: BM25}": ["table6", "table7"],
        str(Row(**DUAL)): ["table3", "table4", "table5", "table6"],
        str(Row(**DUAL | {"batch": 96})): ["table6", "table7"],
        str(Row(**IN_BATCH)): ["table4", "table6"],
        str(Row(**IN_BATCH | {"teacher": "pairwise"})): ["table4", "table6"],
    }


def test_the_mean_of_tas_balanced_is_that_of_its_instances():
    """Mean and deviation, computed from the figures of the five, are the printed ones up to rounding."""
    *instances, mean = printed_table("tas-balanced/table5").rows
    for place, metrics in mean.on.items():
        for metric, figure in metrics.items():
            figures = [float(one.on[place][metric]) for one in instances]
            assert abs(statistics.mean(figures) - float(figure)) < 0.0011
            assert abs(statistics.stdev(figures) - float(mean.sd[place][metric])) < 0.0011
    assert len(instances) == 5 and {one.row for one in instances if one.sd} == set()


def test_the_mean_of_kilt_is_that_of_its_tasks():
    """But for the row in which one of the figures is a misprint."""
    doubtful = []
    for one in printed_table("dpr-paq/table2").rows:
        *tasks, mean = (float(metrics["SetRprec"]) for metrics in one.on.values())
        assert len(tasks) == 7 and "kilt/dev" in one.on
        if abs(statistics.mean(tasks) - mean) > 0.0006:
            doubtful.append(str(one.row))
    suspect = {str(one.row): {*one.suspect} for one in printed_table("dpr-paq/table2").rows if one.suspect}
    assert suspect == {row: {"kilt-zsre/dev", "kilt/dev"} for row in doubtful} and len(doubtful) == 1


def test_dpr_paq_has_one_row_of_one_model():
    """The same figures wherever it stands; only what BERT base does untrained on pairs is printed in two ways."""
    seen, differing = {}, set()
    for table in load_paper(PUBLISHED / "dpr-paq.yaml").tables.values():
        for one in table.rows:
            for place, metrics in one.on.items():
                for metric, figure in metrics.items():
                    if seen.setdefault((str(one.row), place, metric), figure) != figure:
                        differing.add((str(one.row), metric))
    base = Row(system="DPR", encoder="bert-base", pretrained="none", neg="bm25")
    assert differing == {(str(base), "Hit@20")}


def test_efficient_dpr_has_one_row_of_one_model():
    """The same figures wherever it stands, hours of training too, though table 5 calls them others; and its ratios."""
    seen = {}
    for table in load_paper(PUBLISHED / "efficient-dpr.yaml").tables.values():
        for one in table.rows:
            for metric, figure in one.on["nq-reduced/nq-dev"].items():
                assert seen.setdefault((one.row, metric), figure) == figure
    bert, distilbert = (Row(system="DPR", encoder=name, size=768, batch=batch) for name, batch in BASES)
    saved = {
        row.row.stage: row.on["nq-reduced/nq-dev"]["Share"] for row in printed_table("efficient-dpr/abstract").rows
    }
    for stage, metric in (("training", "train-hours"), ("encoding and indexing", "encode-index-hours")):
        assert round(1 - seen[distilbert, metric] / seen[bert, metric], 2) == saved[stage]


def test_where_a_table_is_from():
    assert cited("condenser/table5")["source"].startswith("Gao & Callan (2021), table 5: MS MARCO passages")


def test_digits_stay(tmp_path, monkeypatch):
    load(tmp_path, monkeypatch)
    rows = printed_table("lovelace/table2").rows
    assert str(rows[1].on["msmarco-passage/dev"]["MRR@10"]) == "0.330"
    assert rows[1].on["nq/test"]["Hit@20"] == Decimal("0.70") and rows[1].row.train == 1000


def test_rows_that_are_called_the_same_have_their_setting_in_the_name(tmp_path, monkeypatch):
    load(tmp_path, monkeypatch)
    names = list(printed_table("lovelace/table2").names.values())
    assert names == ["BM25", "BERT, train 1000", "BERT, train full", "The other one"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "    caption: All",
            "    captoin: x\n    caption: All",
            "tables.table2.captoin: unknown key",
        ),
        ("row: {system: BM25}", "row: {sytem: BM25}", "tables.table2.rows.0.row.sytem: unknown key"),
        (
            "train: full, neg: bm25",
            "train: 1000, neg: bm25",
            "tables.table2: row {system: BERT, train: 1000, neg: bm25} twice",
        ),
        ("MRR@10: 0.184", "MMR@10: 0.184", "tables.table2.rows.0.on.msmarco-passage/dev.MMR@10"),
        (
            "MRR@10: 0.184",
            "MRR@10: 18.4",
            "tables.table2.rows.0: on: MRR@10 on msmarco-passage/dev is 18.4; write it as a share of one",
        ),
        (
            "MRR@10: 0.184",
            "MRR@10: -0.1",
            "tables.table2.rows.0.on.msmarco-passage/dev.MRR@10: Input should be greater",
        ),
        ("MRR@10: 0.184", "MRR@10: '-'", "tables.table2.rows.0.on.msmarco-passage/dev.MRR@10: Input should be a valid"),
        ("R@1000: 0.853", "MRR@10: 0.853", "lovelace.yaml:11: not YAML (key 'MRR@10' twice)"),
        ("nq/test: [Hit@20]", "nq/test: [Hit@5]", "tables.table2.rows.1: suspect: no Hit@5 on nq/test in the row"),
        (
            "    inferred: true",
            "    sd: {nq/test: {MRR@10: 0.001}}",
            "tables.table2.rows.2: sd: no MRR@10 on nq/test in the row",
        ),
        ("year: 1843", "year: MDCCCXLIII", "year: Input should be a valid integer"),
    ],
)
def test_a_mistake_in_a_published_file(tmp_path, monkeypatch, old, new, message):
    assert PAPER.count(old) >= 1
    with pytest.raises(UserError) as error:
        load(tmp_path, monkeypatch, (old, new))
    assert f"{tmp_path}/papers/lovelace.yaml:" in str(error.value) and message in str(error.value)
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "lovelace/table2",
            "lovelace/table3",
            "paper: no published table 'lovelace/table3'; did you mean 'lovelace/table2'?",
        ),
        (
            "lovelace/table2",
            "lovlace/table2",
            "paper: no published table 'lovlace/table2'; did you mean 'lovelace/table2'?",
        ),
        ("lovelace/table2", "lovelace", "paper: expected paper/table, found 'lovelace'"),
        (
            "neg: bm25}}\n  all",
            "neg: hn}}\n  all",
            "rankers: lovelace/table2 has no row {system: BERT, train: 1000, neg: hn} for 'few'; the nearest is "
            "{system: BERT, train: 1000, neg: bm25}",
        ),
        (
            "[own, few, words]",
            "[own, few, words, same]",
            "rankers: 'few' and 'same' have the same published row {system: BERT, train: 1000, neg: bm25}",
        ),
        ("published: {system: BM25}", "published: {sytem: BM25}", None),
        ("{Other:", "{Othr:", "absent: lovelace/table2 has no system 'Othr'; did you mean 'Other'?"),
        ("{Other:", "{BM25:", "absent: 'BM25' is not absent, 'words' reproduces it"),
        (
            "    tolerance: 0.01\n",
            "    published_on: {marco/dve: msmarco-passage/eval}\n",
            "published_on: the table measures nothing on marco/dve",
        ),
        (
            "    paper: lovelace/table2\n    tolerance: 0.01\n    absent: {Other: it has no code}\n",
            "    published_on: {marco/dev: msmarco-passage/eval}\n",
            "`published_on` goes with `paper`",
        ),
        (
            "[MRR@10, R@1000], dpr/nq-test: [Hit@20]}\n",
            "[R@1000]}\n    published_on: {marco/dev: nq/test}\n",
            "on: lovelace/table2 has nothing on nq/test R@1000; it has msmarco-passage/dev MRR@10, msmarco-passage/dev "
            "R@1000, nq/test Hit@20",
        ),
        (
            "{marco/dev: [MRR@10, R@1000], dpr/nq-test: [Hit@20]}",
            "{marco/dev: [R@5], dpr/nq-dev: [Hit@20]}",
            "on: lovelace/table2 has nothing on msmarco-passage/dev R@5, nq/dev Hit@20; it has "
            "msmarco-passage/dev MRR@10, msmarco-passage/dev R@1000, nq/test Hit@20",
        ),
    ],
)
def test_a_mistake_in_a_study_of_a_paper(tmp_path, monkeypatch, old, new, message):
    same = ("  own: {", "  same: {kind: bm25, k1: 4, published: {system: BERT, train: 1000, neg: bm25}}\n  own: {")
    load(tmp_path, monkeypatch, same)
    with pytest.raises(UserError) as error:
        load(tmp_path, monkeypatch, same, (old, new))
    known = "rankers.words.published.sytem: unknown key; did you mean 'system'? (and 1 more)"
    place = "tables.t: " if "published_on" in (message or "") else "tables.t."
    assert str(error.value) == f"{tmp_path}/s.yaml: {f'{place}{message}' if message else known}"


def test_a_row_that_no_table_asks_for_is_not_looked_up(tmp_path, monkeypatch):
    graph = load(
        tmp_path, monkeypatch, ("published: {system: BERT, train: full, neg: bm25}", "published: {system: Who}")
    )
    assert graph.study.rankers["all"].published == Row(system="Who")


def test_a_system_that_is_run_in_part_may_be_absent_in_part(tmp_path, monkeypatch):
    graph = load(tmp_path, monkeypatch, ("{Other:", "{BERT: too dear, Other:"))
    assert json.loads(graph.table_settings("t"))["paper"]["absent"]["BERT"] == "too dear"


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("MRR@10: 0.184", "MRR@10: 0.185", {"table"}),
        ("caption: All of it", "caption: All", {"table", "report"}),
        ("note: elsewhere 0.666", "note: elsewhere", {"table"}),
        ("year: 1843", "year: 1844", {"table", "report"}),
        ("authors: [Ada Lovelace", "authors: [Ada King Lovelace", set()),
        ("tolerance: 0.01", "tolerance: 0.02", {"table", "report"}),
        ("it has no code", "no code", {"table", "report"}),
        (
            "k1: 1, published: {system: BERT, train: 1000",
            "k1: 1, published: {system: BERT, train: full",
            {"table", "report"},
        ),
        ("{marco/dev: [MRR@10, R@1000]", "{marco/dev: [R@1000, MRR@10]", {"table", "report", "evaluate"}),
    ],
)
def test_what_is_published_reaches_tables_alone(tmp_path, monkeypatch, old, new, changed):
    """The report shows the study, and so what it says of papers; nothing is ranked or measured again."""

    def settings(graph):
        names = graph.study.rankers
        found = {"table": graph.table_settings("t"), "report": graph.report_settings()}
        found["evaluate"] = [graph.evaluate_settings(*key) for key in graph.scores]
        return found | {"rank": [(graph.index_settings(one), graph.rank_settings(one, "dev")) for one in names]}

    before, after = settings(load(tmp_path, monkeypatch)), settings(load(tmp_path, monkeypatch, (old, new)))
    assert {job for job in before if before[job] != after[job]} == changed


def test_a_figure_that_is_not_measured_changes_nothing(tmp_path, monkeypatch):
    narrow = ("{marco/dev: [MRR@10, R@1000], dpr/nq-test: [Hit@20]}", "{marco/dev: [MRR@10]}")
    graphs = [load(tmp_path, monkeypatch, narrow, *change) for change in ([], [("Hit@20: 0.819", "Hit@20: 0.820")])]
    one, other = (graph.table_settings("t") for graph in graphs)
    assert one == other
