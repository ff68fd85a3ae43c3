"""Pre-train a Condenser."""

from dewpoint.program import run
from dewpoint.training.devices import launch
from dewpoint.training.recipes import condenser

if __name__ == "__main__":
    launch()
    run(condenser.train)
