"""How far a study is, from its files alone: manifests of what is done, logs and journals of what is being made.

What runs is not asked of this machine's processes, so that it is seen of a cluster's jobs as well; of a job that was
killed without a word nothing tells but that its log has been silent for long, which is said.
"""

import json
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from dewpoint import logs
from dewpoint.progress import BAR, clock

SAID = re.compile(
    r"(?P<done>[\d,]+)/(?P<all>[\d,]+) (?P<what>.*?)  (?P<note>.*  )?(?P<rate>[\d,]+ \S+/s)  (?P<left>\S+) left"
)
SILENT = 600  # seconds after which a log's silence is said
FAILED = 3  # of the last failures
TAIL = 1 << 16  # bytes of a journal that are read


@dataclass(frozen=True)
class Job:
    manifest: Path
    stage: str
    name: str
    log: Path

    @property
    def done(self) -> bool:
        return self.manifest.is_file()


@dataclass(frozen=True)
class Progressed:
    """What a log's last line of progress says, brought up to date by the journal."""

    done: int
    all: int
    what: str
    note: str
    rate: str
    left: str


@dataclass(frozen=True)
class Working:
    job: Job
    progress: Progressed | None
    word: str  # the log's last line, where it tells no progress
    silent: float  # seconds


def failed(job: Job, lines: list[str]) -> bool:
    """Whether the last attempt has said why it ended."""
    return any(line.startswith(("error: ", "stopped ", "Traceback ")) for line in lines)


def look(jobs: list[Job], now: float | None = None) -> tuple[int, list[Working], list[tuple[Job, str]]]:
    """(how many are done, what is in work, what has failed with its last word, the latest last)."""
    now = time.time() if now is None else now
    done, working, wrong = 0, [], []
    for job in jobs:
        if job.done:
            done += 1
        elif job.log.is_file():
            lines, written = logs.last_attempt(job.log), job.log.stat().st_mtime
            if failed(job, lines):
                wrong.append((written, job, logs.last_word(job.log)))
            else:
                journal = journal_of(job)
                latest = max([written] + ([journal.stat().st_mtime] if journal else []))
                progress = progressed(lines, journal)
                working.append(Working(job, progress, lines[-1] if lines else "has begun", max(0.0, now - latest)))
    return done, working, [(job, word) for _, job, word in sorted(wrong, key=lambda one: one[0])]


def journal_of(job: Job) -> Path | None:
    """The newest metrics.jsonl of a training that is not finished."""
    folder = job.manifest.parent
    begins = f"{folder.name}-"
    found = [
        path
        for path in (folder.parent / ".unfinished").glob("*/metrics.jsonl")
        if path.parent.name.startswith(begins) and "-" not in path.parent.name.removeprefix(begins)
    ]
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def progressed(lines: list[str], journal: Path | None) -> Progressed | None:
    said = next((found for line in reversed(lines) if (found := SAID.fullmatch(line.strip()))), None)
    if not said:
        return None
    done, all = (int(said[key].replace(",", "")) for key in ("done", "all"))
    note = (said["note"] or "").strip()
    last = last_line(journal) if journal else None
    if last and done < last["step"] + 1 <= all:
        done, note = last["step"] + 1, f"loss {last['loss']:.3f}"
    return Progressed(done, all, said["what"], note, said["rate"], said["left"])


def last_line(journal: Path) -> dict | None:
    """The last whole line of a file that is being written."""
    with journal.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - TAIL))
        whole = file.read().rpartition(b"\n")[0]
    try:
        line = json.loads(whole.rpartition(b"\n")[2])
    except ValueError:
        return None
    return line if isinstance(line, dict) and {"step", "loss"} <= line.keys() else None


def screen(study: str, jobs: list[Job], width: int = 120, now: float | None = None) -> str:
    """What is shown of it, a line each."""
    done, working, wrong = look(jobs, now)
    lines = [f"{study}: {done:,} of {len(jobs):,} jobs done, {len(working):,} in work, {len(wrong):,} failed"]
    lines += [_line(one) for one in working]
    for job, word in wrong[-FAILED:]:
        lines += [f"failed: {job.stage} {job.name}: {word}", f"  {job.log}"]
    return "\n".join("".join(letter for letter in line if letter.isprintable())[:width] for line in lines)


def _line(one: Working) -> str:
    silent = f"  (silent for {clock(one.silent)})" if one.silent > SILENT else ""
    told = one.progress
    if not told:
        return f"  {one.job.stage} {one.job.name}: {one.word}{silent}"
    full = round(BAR * told.done / max(told.all, 1))
    counted = f"{told.done:,}/{told.all:,} {told.what}"
    words = [counted, *filter(None, [told.note]), told.rate, f"{told.left} left"]
    return f"  {one.job.stage} {one.job.name}: [{'█' * full}{'·' * (BAR - full)}] {'  '.join(words)}{silent}"
