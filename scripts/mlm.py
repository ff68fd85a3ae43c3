"""Pre-train a BERT: masked language modelling."""

from dewpoint.program import run
from dewpoint.training.devices import launch
from dewpoint.training.recipes import mlm

if __name__ == "__main__":
    launch()
    run(mlm.train)
