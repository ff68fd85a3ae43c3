"""What rehearsals' tiny files are made of: their sizes, and words that look like text."""

import random

PASSAGES = 400
TRAIN, DEV, TEST = 96, 32, 24  # queries of a split
LISTED = 6  # passages of a query's list
ARTICLE = 4  # passages of one article or document
PASSAGE_WORDS = 40

VOCABULARY = """
    river valley empire battle museum theory planet engine bridge castle harbour island mountain forest desert village
    cathedral parliament treaty emperor composer painter physicist novelist architect sailor merchant bishop general
    symphony portrait telescope railway aqueduct lighthouse volcano glacier comet molecule enzyme membrane lattice
    ancient northern southern eastern western famous early late great small wooden marble iron golden royal civil
    built founded discovered painted wrote conquered ruled signed measured named crossed explored destroyed restored
    near under across between before after during against toward within century decade summer winter spring autumn
    1066 1492 1789 1815 1905 1969 first second third hundred thousand million percent degrees miles metres
    Vienna Lisbon Cairo Kyoto Lima Oslo Prague Dublin Naples Quito Darwin Kepler Curie Euler Gauss Noether Ramanujan
""".split()
LINKS = "the of and in a to was by with for on from".split()
ASKED = ("who", "what", "when", "where", "which", "how many")

QUOTED = 'It is called "the Great" by some, "" by none.'
SPACED = "a tab\tand  two spaces"  # where the format can hold a tab
FOREIGN = "Zürich, São Paulo, Ελλάδος, Москва, 東京, قاهرة, e\u0301tude, 50\u00a0%, \U0001d11e"
ODD = (QUOTED, FOREIGN, "apostrophes' and \\backslashes\\", "<b>tags</b> &amp; entities", "- 5,000.5 (U.S.)")


class Words:
    """Text as a seed draws it, always the same for the same seed and calls."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)

    def passage(self, count: int = PASSAGE_WORDS) -> str:
        """Two sentences, `count` words together, every third a link."""
        drawn = [self.random.choice(VOCABULARY if place % 3 else LINKS) for place in range(count)]
        halves = [half for half in (drawn[: count // 2], drawn[count // 2 :]) if half]
        return " ".join(f"{half[0].capitalize()} {' '.join(half[1:])}".strip() + "." for half in halves)

    def title(self) -> str:
        return " ".join(self.random.sample(VOCABULARY, 2)).title()

    def question(self, passage: str) -> str:
        """A question with five words of the passage, in their order."""
        words = passage.split()
        places = sorted(self.random.sample(range(len(words)), min(5, len(words))))
        return f"{self.random.choice(ASKED)} {' '.join(words[place].strip('.').lower() for place in places)}?"

    def answer(self, passage: str) -> str:
        """One to three words of the passage in a row."""
        words = passage.split()
        first = self.random.randrange(len(words))
        return " ".join(words[first : first + self.random.randint(1, 3)]).strip(".")
