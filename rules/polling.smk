"""How often a cluster is asked which jobs have ended."""

from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

LONGEST = 20  # seconds between two questions
asked_again = RemoteExecutor.next_seconds_between_status_checks


def sooner(executor, seconds):
    """SLURM's plugin adds ten seconds each time that nothing has ended, up to three minutes, anew at each level."""
    before = asked_again.fget(executor) or seconds
    asked_again.fset(executor, min(seconds, 1.3 * before, LONGEST))


RemoteExecutor.next_seconds_between_status_checks = property(asked_again.fget, sooner)
