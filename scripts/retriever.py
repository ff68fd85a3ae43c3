"""Train a retriever: queries against their positives and negatives."""

from dewpoint.program import run
from dewpoint.training.recipes import retriever

if __name__ == "__main__":
    run(retriever.train)
