"""All sources by name. Each has `write`, which reads its files, and where these are files `rehearse`, which makes tiny
ones of the same formats."""

from dewpoint.data.sources import (
    beir,
    dpr,
    msmarco_document,
    msmarco_passage,
    pydocs,
    table,
    tevatron,
    text,
    wikipedia,
)

OWN = {"beir": beir, "pydocs": pydocs, "table": table, "tevatron": tevatron, "text": text}  # know where their files are
FETCHED = {  # are given theirs by name
    "dpr": dpr,
    "msmarco-document": msmarco_document,
    "msmarco-passage": msmarco_passage,
    "wikipedia": wikipedia,
}
