"""Train a retriever: queries against their positives and negatives."""

from dewpoint.program import run
from dewpoint.training.devices import launch
from dewpoint.training.recipes import retriever

if __name__ == "__main__":
    launch()
    run(retriever.train)
