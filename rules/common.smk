"""The study's graph, and what all rules share."""

import json
import re
import shlex

from dewpoint.errors import UserError
from dewpoint.study.fingerprint import fingerprint
from dewpoint.study.graph import PASSAGES, QUERIES, Graph

try:
    graph = Graph.load(config)
except UserError as error:
    raise WorkflowError(str(error)) from None

DATA, RESULTS = graph.data, graph.results
STUDY = shlex.quote(graph.config.study)
ENVIRONMENT = "../envs/dewpoint.yaml"

# small models share a machine better two at a time than one on all cores
HALF = max(1, (workflow.resource_settings.cores or 16) // 2)

# what training holds in memory and how often it saves itself: no part of its settings, for neither changes a result
MEMORY = f"--chunk {graph.config.chunk} --checkpoint {graph.config.checkpoint_steps}"

# ways to the files that others publish: no part of settings either, for all lead to the same file
MIRRORS, OFFLINE = json.dumps(graph.config.mirrors), graph.config.offline or ""

NAME, LABEL = "[A-Za-z0-9][A-Za-z0-9_-]*", "[A-Za-z0-9][A-Za-z0-9._-]*"


wildcard_constraints:
    dataset=NAME,
    model=LABEL,
    ranker=LABEL,
    split=NAME,
    table=LABEL,
    part=r"corpus|queries\.[A-Za-z0-9_-]+",
    shard=r"\d+",
    shards=r"\d+",


def one_of(names):
    """A wildcard constraint: any of these names, and nothing when there are none."""
    return "|".join(map(re.escape, names)) or "(?!)"


def parent(wildcards, side=PASSAGES):
    """The manifest of the model that a model starts from; none for a new or a fetched one."""
    name = graph.parent(wildcards.model, side)
    return [graph.model(name)] if name else []


def trained_on(wildcards):
    """A model's dataset, with its tokens and their tokenizer."""
    data = graph.study.models[wildcards.model].data
    return {
        "dataset": graph.dataset(data),
        "tokens": graph.tokens(wildcards.model, data),
        "tokenizer": graph.tokenizer(wildcards.model),
        "stand_ins": graph.stand_ins(wildcards.model),
    }


def of_queries(wildcards):
    """What a retriever's queries need: tokens and tokenizer, and where an encoder of their own starts from."""
    model = graph.study.models[wildcards.model]
    return {
        "query_tokens": graph.tokens(wildcards.model, model.data, QUERIES),
        "query_tokenizer": graph.tokenizer(wildcards.model, QUERIES),
        "query_parent": parent(wildcards, QUERIES),
    }
