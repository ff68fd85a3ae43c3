"""Which failed jobs are tried again, and what is said last of those that are not."""

import atexit
import time

from snakemake.jobs import GroupJob, Job

from dewpoint import logs

BEGAN = time.time()
SKEW = 60  # seconds that clocks may differ by


def said(job):
    """The log of a job's attempt in this run; none where it did not come to its command."""
    fresh = [Path(log) for log in job.log if Path(log).exists() and Path(log).stat().st_mtime > BEGAN - SKEW]
    return fresh[0] if fresh else None


def tried_again(job):
    """How often, at most; asked when an attempt has failed."""
    log = said(job)
    return logs.worth(log, job.rule.restart_times) if log else job.rule.restart_times


# Snakemake knows one number for all of a rule's jobs, however they end
Job.restart_times = property(tried_again)
GroupJob.restart_times = property(lambda group: min(job.restart_times for job in group.jobs))


def say_failures():
    """One line a failed job, below all that Snakemake still has to say."""
    failed = [job for of in workflow.scheduler.failed for job in (of.jobs if of.is_group() else [of])]
    for job in sorted(failed, key=str):
        log = said(job)
        name = " ".join([job.rule.name, *job.wildcards])
        word = f"{log}: {logs.last_word(log)}" if log else f"{name}: did not start its command"
        atexit.register(print, word, file=sys.stderr)
