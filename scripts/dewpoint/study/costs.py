"""What a study will cost: its jobs' costs, each as its kind reckons them, in hours of a GPU and a core, and on disk."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from dewpoint.study.graph import Graph
from dewpoint.study.sizes import EMBEDDED, HOUR, QUERY_TOKENS, Cost, Sizes, tokenised

SUSTAINED = {"h100": 350, "a100": 125, "4090": 70, "v100": 45, "2080ti": 18}  # TFLOP/s in training; assumed
GIGA, TERA = 1e9, 1e12


@dataclass(frozen=True)
class Costs:
    """The costs of a study's jobs, each known by its output."""

    graph: Graph

    @cached_property
    def sizes(self) -> Sizes:
        return Sizes(self.graph)

    def of(self, output: str) -> Cost:
        """One job's."""
        if output.startswith(f"{self.graph.results}/"):
            folder, *names = Path(output).relative_to(self.graph.results).parts
            known = {
                "models": self._model,
                "embeddings": self._encode,
                "derived": self._derive,
                "indexes": self._index,
                "runs": self._rank,
                "analyses": self._analysis,
            }
            return known[folder](*names) if folder in known else Cost()
        folder, *names = Path(output).relative_to(self.graph.data).parts
        if folder == "downloads":
            return Cost(bytes=self.graph.downloads[names[0].removesuffix(".json")].bytes or 0)
        if folder in self.graph.study.datasets:
            source, texts = self.graph.study.datasets[folder], self.sizes.texts(folder)
            return tokenised(texts, source.passage_words()) if names[0] == "tokens" else source.cost(texts)
        return Cost()

    def unknown(self) -> list[str]:
        """Datasets of the user's that are not prepared yet: what they cost is not counted."""
        rows = {name: self.sizes.rows(name) for name in self.graph.needed.datasets}
        return [name for name, of in rows.items() if not of["passages"] and not of.get("examples")]

    def unweighed(self) -> int:
        """Files whose size nobody says."""
        return sum(file.bytes is None for file in self.graph.downloads.values())

    def _model(self, name: str, _: str) -> Cost:
        model = self.graph.study.models[name]
        _, width = self.sizes.shape(name)
        kept = 4 * model.encoders * (self.sizes.weights(name) + EMBEDDED * width)
        return Cost(model.operations(self.sizes, name), bytes=kept)

    def _encode(self, model: str, dataset: str, file: str) -> Cost:
        part, shards = file.split("-")[0], int(file.split("of")[1][:-5])
        if part == "corpus":
            rows = self.sizes.passages(dataset) / shards
            tokens = self.sizes.passage_tokens(dataset, self.graph.study.models[model].passage_length)
        else:
            rows, tokens = self.sizes.queries(dataset, part.removeprefix("queries.")), QUERY_TOKENS
        size = 2 if self.graph.config.vectors == "float16" else 4
        return Cost(rows * self.sizes.forward(model, tokens), bytes=rows * self.sizes.shape(model)[1] * size)

    def _derive(self, derived: str, dataset: str, file: str) -> Cost:
        whole, shards = self.graph.deriving(derived).derive_cost(self.sizes, dataset), int(file.split("of")[1][:-5])
        return Cost(whole.operations / shards, whole.core_hours / shards, whole.bytes / shards)

    def _index(self, ranker: str, dataset: str, _: str) -> Cost:
        return self.graph.study.rankers[ranker].index_cost(self.sizes, dataset)

    def _rank(self, ranker: str, file: str) -> Cost:
        return self.graph.study.rankers[ranker].rank_cost(self.sizes, *file.removesuffix(".json").split("."))

    def _analysis(self, name: str, _: str) -> Cost:
        return self.graph.study.analyses[name].cost(self.sizes)


def summary(costs: Costs, jobs: Iterable[tuple[str, str]], teraflops: float) -> str:
    """A line a rule: jobs, hours on a GPU, hours of a core, disk; and what the figures rest on."""
    counts, sums = Counter(), {}
    for rule, output in jobs:
        counts[rule] += 1
        sums[rule] = sums.get(rule, Cost()) + costs.of(output)
    rows = [(rule, counts[rule], cost) for rule, cost in sums.items()]
    rows.append(("all", counts.total(), sum(sums.values(), Cost())))
    lines = [f"{'rule':<16}{'jobs':>6}{'GPU hours':>12}{'core hours':>12}{'disk, GB':>12}"]
    for rule, jobs_of, cost in rows:
        hours = cost.operations / (teraflops * TERA) / HOUR
        lines.append(f"{rule:<16}{jobs_of:>6,}{hours:>12,.1f}{cost.core_hours:>12,.1f}{cost.bytes / GIGA:>12,.1f}")
    lines.append(
        f"\nGPUs are assumed to sustain {teraflops:g} TFLOP/s. What a core does was measured where it is named so"
    )
    lines[-1] += " in docs/benchmarks.md, and is reckoned from it elsewhere."
    if unweighed := costs.unweighed():
        lines.append(f"Not counted: {unweighed} of the files to fetch, whose size is not known.")
    if unknown := costs.unknown():
        lines.append(f"Not counted: {', '.join(unknown)}, whose size is not known before they are prepared.")
    return "\n".join(lines)
