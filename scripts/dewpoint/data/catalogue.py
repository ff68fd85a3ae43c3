"""What others publish: where each source's files are fetched from, how large they are, and how many rows they hold.

Sizes and MD5 sums of MS MARCO, TREC and DPR are those that ir_datasets checks on every download (its downloads.json).
The sum of msmarco-docs.tsv.gz is from Microsoft's page of TREC's Deep Learning Track 2019, which rounds sizes to disk
blocks; the judgements of documents have other sums there, for they were made anew since. Wikipedia's sums are Hugging
Face's, for the revision in the addresses. Numbers of rows are ir_datasets' and DPR's.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Download:
    """A file to fetch. What is not publicly known is None, and then not checked."""

    url: str
    bytes: int | None = None
    checksum: str | None = None  # md5:… or sha256:…


MARCO = "https://msmarco.z22.web.core.windows.net/msmarcoranking/"
NIST = "https://trec.nist.gov/data/deep/"
ROCKETQA = "https://rocketqa.bj.bcebos.com/corpus/"
DPR = "https://dl.fbaipublicfiles.com/dpr/"
REVISION = "b04c8d1ceb2f5cd4588862100d08de323dccfbaa"
WIKIPEDIA = f"https://huggingface.co/datasets/wikimedia/wikipedia/resolve/{REVISION}/20231101.en/"

LICENCES = {
    MARCO: "Microsoft's terms: research that is not commercial; no licence of the texts is given",
    NIST: "none is stated; judgements by NIST, an agency of the United States",
    ROCKETQA: "none is stated; RocketQA's code is under Apache 2.0, MS MARCO under Microsoft's terms",
    DPR: "CC BY-NC 4.0; in it Natural Questions and Wikipedia, CC BY-SA 3.0",
    WIKIPEDIA: "CC BY-SA 3.0 and GFDL",
}

FILES = {
    "collectionandqueries.tar.gz": Download(
        f"{MARCO}collectionandqueries.tar.gz", 1_057_717_952, "md5:31644046b18952c1386cd4564ba2ae69"
    ),
    "qidpidtriples.train.full.2.tsv.gz": Download(
        f"{MARCO}qidpidtriples.train.full.2.tsv.gz", 1_841_693_309, "md5:219083e80a0a751c08b968c2f31a4e0b"
    ),
    "marco.tar.gz": Download(f"{ROCKETQA}marco.tar.gz"),
    "msmarco-test2019-queries.tsv.gz": Download(
        f"{MARCO}msmarco-test2019-queries.tsv.gz", 4_276, "md5:eda71eccbe4d251af83150abe065368c"
    ),
    "2019qrels-pass.txt": Download(f"{NIST}2019qrels-pass.txt", 187_092, "md5:2f4be390198da108f6845c822e5ada14"),
    "msmarco-test2020-queries.tsv.gz": Download(
        f"{MARCO}msmarco-test2020-queries.tsv.gz", 4_131, "md5:00a406fb0d14ed3752d70d1e4eb98600"
    ),
    "2020qrels-pass.txt": Download(f"{NIST}2020qrels-pass.txt", 218_617, "md5:0355ccee7509ac0463e8278186cdd8d1"),
    "msmarco-docs.tsv.gz": Download(f"{MARCO}msmarco-docs.tsv.gz", None, "md5:103b19e21ad324d8a5f1ab562425c0b4"),
    "msmarco-doctrain-queries.tsv.gz": Download(
        f"{MARCO}msmarco-doctrain-queries.tsv.gz", 6_457_962, "md5:4086d31a9cf2d7b69c4932609058111d"
    ),
    "msmarco-doctrain-qrels.tsv.gz": Download(
        f"{MARCO}msmarco-doctrain-qrels.tsv.gz", 2_385_717, "md5:9d1609e240113b0504fd2e61cb36d924"
    ),
    "msmarco-docdev-queries.tsv.gz": Download(
        f"{MARCO}msmarco-docdev-queries.tsv.gz", 91_837, "md5:ac20593d71b9c32ab2633230f9cdf10d"
    ),
    "msmarco-docdev-qrels.tsv.gz": Download(
        f"{MARCO}msmarco-docdev-qrels.tsv.gz", 38_553, "md5:5eeafaeb4960979a62e7fed93273254e"
    ),
    "2019qrels-docs.txt": Download(f"{NIST}2019qrels-docs.txt", 339_438, "md5:d7ef53b995ef7e01676ea85d7ec01dda"),
    "2020qrels-docs.txt": Download(f"{NIST}2020qrels-docs.txt", 182_852, "md5:e10f3545583b124a4ed5e7992293e15a"),
    "psgs_w100.tsv.gz": Download(
        f"{DPR}wikipedia_split/psgs_w100.tsv.gz", 4_694_541_059, "md5:612fe66e0b6b41ee28f806140226c563"
    ),
    "biencoder-nq-train.json.gz": Download(
        f"{DPR}data/retriever/biencoder-nq-train.json.gz", 2_314_892_908, "md5:a1c927b5adae71388eb064329387709f"
    ),
    "biencoder-nq-dev.json.gz": Download(
        f"{DPR}data/retriever/biencoder-nq-dev.json.gz", 256_239_282, "md5:2640483dbe0df7ae29c6da419c551a80"
    ),
    "biencoder-nq-adv-hn-train.json.gz": Download(f"{DPR}data/retriever/biencoder-nq-adv-hn-train.json.gz"),
    "nq-test.qa.csv": Download(f"{DPR}data/retriever/nq-test.qa.csv"),
    "biencoder-trivia-train.json.gz": Download(
        f"{DPR}data/retriever/biencoder-trivia-train.json.gz", 1_848_559_940, "md5:5aa4d3577c91425cd20e239ed89a252b"
    ),
    "biencoder-trivia-dev.json.gz": Download(
        f"{DPR}data/retriever/biencoder-trivia-dev.json.gz", 207_271_749, "md5:d559dffe09acfe5a6370adea55b8abf2"
    ),
    "trivia-test.qa.csv.gz": Download(f"{DPR}data/retriever/trivia-test.qa.csv.gz"),
}
SHARDS = {
    f"wikipedia-20231101.en-{part:05d}-of-00041.parquet": f"train-{part:05d}-of-00041.parquet" for part in range(41)
}
KNOWN_SHARDS = {
    "train-00000-of-00041.parquet": (
        420_296_449,
        "sha256:382e7f6f09e488b24793a7f7cfc659879d5a22da2cf2efec6491665f0c019677",
    ),
    "train-00019-of-00041.parquet": (
        None,
        "sha256:99c23125b0dd115d68f4a921376880e307bdfcbf3bfd66ae4ed90e853e1dadac",
    ),
}
FILES |= {name: Download(WIKIPEDIA + shard, *KNOWN_SHARDS.get(shard, ())) for name, shard in SHARDS.items()}

TREC_QUERIES = ["msmarco-test2019-queries.tsv.gz", "msmarco-test2020-queries.tsv.gz"]
QUESTIONS = {
    "nq": ["biencoder-nq-train.json.gz", "biencoder-nq-dev.json.gz", "nq-test.qa.csv"],
    "triviaqa": ["biencoder-trivia-train.json.gz", "biencoder-trivia-dev.json.gz", "trivia-test.qa.csv.gz"],
}


def downloads(source: str, **options) -> dict[str, Download]:
    """The files that a dataset is made of, under the names they are kept by; none where the user brings them."""
    names: list[str] = []
    if source == "msmarco-passage":
        names = ["collectionandqueries.tar.gz", *TREC_QUERIES, "2019qrels-pass.txt", "2020qrels-pass.txt"]
        names += ["qidpidtriples.train.full.2.tsv.gz"] if options.get("triples") else []
        names += ["marco.tar.gz"] if options.get("titles") else []
    elif source == "msmarco-document":
        pairs = [f"msmarco-doc{split}-{what}.tsv.gz" for split in ("train", "dev") for what in ("queries", "qrels")]
        names = ["msmarco-docs.tsv.gz", *pairs, *TREC_QUERIES, "2019qrels-docs.txt", "2020qrels-docs.txt"]
    elif source == "dpr":
        names = ["psgs_w100.tsv.gz", *(name for questions in options["questions"] for name in QUESTIONS[questions])]
        names += ["biencoder-nq-adv-hn-train.json.gz"] if options.get("adversarial") else []
    elif source == "wikipedia":
        names = list(SHARDS)
    return {name: FILES[name] for name in names}


def licence(url: str) -> str:
    """What one may do with a file of the catalogue, in a line; nothing for any other address."""
    return next((line for beginning, line in LICENCES.items() if url.startswith(beginning)), "")


def expected(source: str, **options) -> dict[str, int | dict[str, int]]:
    """How many `passages`, `queries` and `judgements` a dataset must have, the latter two by split.

    Queries are those that judgements name, or in DPR's training sets those with a relevant passage; a judgement that is
    made twice counts once. How many passages documents are cut to is not known, and so neither are their judgements.
    """
    if source == "msmarco-passage":
        return {
            "passages": 8_841_823,
            "queries": {"train": 502_939, "dev": 6_980, "dl2019": 43, "dl2020": 54},
            # of train there are 532,761 lines, ten of them again
            "judgements": {"train": 532_751, "dev": 7_437, "dl2019": 9_260, "dl2020": 11_386},
        }
    if source == "msmarco-document":
        queries = {"train": 367_013, "dev": 5_193, "dl2019": 43, "dl2020": 45}
        judgements = {"train": 367_013, "dev": 5_193, "dl2019": 16_258, "dl2020": 9_098}
        whole = {"passages": 3_213_835, "judgements": judgements} if options.get("passages", "first") == "first" else {}
        return {"queries": queries} | whole
    if source == "dpr":
        known = {"nq": {"train": 58_880, "dev": 6_515, "test": 3_610}, "triviaqa": {"train": 60_413, "test": 11_313}}
        asked = {name: splits for name, splits in known.items() if name in options["questions"]}
        queries = {f"{name}-{split}": count for name, splits in asked.items() for split, count in splits.items()}
        return {"passages": 21_015_324, "queries": queries}
    return {}
