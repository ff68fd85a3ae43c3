"""What both MS MARCO sources share: where their files are, how papers call their splits.

Sizes and MD5 sums of MS MARCO and TREC are those that ir_datasets checks on every download (its downloads.json). The
sum of msmarco-docs.tsv.gz is from Microsoft's page of TREC's Deep Learning Track 2019, which rounds sizes to disk
blocks; the judgements of documents have other sums there, for they were made anew since. Numbers of rows are
ir_datasets'.
"""

from dewpoint.data import tiny_marco
from dewpoint.data.catalogue import Download, licensed
from dewpoint.study.bases import Source

MARCO = "https://msmarco.z22.web.core.windows.net/msmarcoranking/"
NIST = "https://trec.nist.gov/data/deep/"
ROCKETQA = "https://rocketqa.bj.bcebos.com/corpus/"
LICENCES = {
    MARCO: "Microsoft's terms: research that is not commercial; no licence of the texts is given",
    NIST: "none is stated; judgements by NIST, an agency of the United States",
    ROCKETQA: "none is stated; RocketQA's code is under Apache 2.0, MS MARCO under Microsoft's terms",
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
}
TREC_QUERIES = ["msmarco-test2019-queries.tsv.gz", "msmarco-test2020-queries.tsv.gz"]


class Msmarco(Source):
    @property
    def judged(self) -> list[str]:
        return ["train", "dev", "dl2019", "dl2020"]

    def in_papers(self, name: str, split: str) -> tuple[str, str]:
        return self.source, split

    def downloads(self) -> dict[str, Download]:
        return licensed({name: FILES[name] for name in self.needed}, LICENCES)

    def expected_small(self) -> dict[str, int | dict[str, int]]:
        return tiny_marco.tiny_expected(**self.model_dump(include={"passages", "words", "stride"}))
