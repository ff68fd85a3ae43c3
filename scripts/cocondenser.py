"""Pre-train a coCondenser: Condenser and a contrast between spans."""

from dewpoint.program import run
from dewpoint.training.recipes import cocondenser

if __name__ == "__main__":
    run(cocondenser.train)
