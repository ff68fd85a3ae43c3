"""Pre-train a coCondenser: Condenser and a contrast between spans."""

from dewpoint.program import run
from dewpoint.training.devices import launch
from dewpoint.training.recipes import cocondenser

if __name__ == "__main__":
    launch()
    run(cocondenser.train)
