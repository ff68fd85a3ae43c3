"""Progress of long work: a bar where someone is looking, a line now and then where a log is written."""

import sys
import time

SECONDS = 10
BAR = 24


class Progress:
    """Counts `total` units of work; says how far it is, how fast, and how long it will take."""

    def __init__(self, total: int, what: str, done: int = 0, rate: str = "tokens", quiet: bool = False):
        self.total, self.what, self.first, self.done, self.rate, self.quiet = total, what, done, done, rate, quiet
        self.live, self.made = sys.stderr.isatty(), 0
        self.began = self.said = time.monotonic()

    def add(self, units: int, made: int | None = None, note: str = "") -> None:
        """`units` more are done; `made` is how many tokens (or what `rate` names) came of them; as many if left out."""
        self.done += units
        self.made += units if made is None else made
        now = time.monotonic()
        if self.quiet or (self.done < self.total and now - self.said < (0.2 if self.live else SECONDS)):
            return
        self.said = now
        seconds = max(now - self.began, 1e-9)
        left = seconds / max(self.done - self.first, 1) * (self.total - self.done)
        rate = f"{self.made / seconds:,.0f} {self.rate}/s"
        line = f"{self.done:,}/{self.total:,} {self.what}  {note}{rate}  {clock(left)} left"
        if self.live:
            full = round(BAR * self.done / max(self.total, 1))
            end = "\n" if self.done >= self.total else ""
            print(f"\r\x1b[K[{'█' * full}{'·' * (BAR - full)}] {line}", end=end, file=sys.stderr, flush=True)
        else:
            print(line, file=sys.stderr, flush=True)


def clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
