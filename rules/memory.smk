"""What Snakemake remembers of finished jobs: their manifests, in place of files of its own.

A job whose output has a manifest is done when that manifest says so, whatever times, copies and triggers say.
"""

from datetime import datetime

import snakemake.workflow
from snakemake.dag import DAG
from snakemake.persistence import MetadataRecord, ParamsChange
from snakemake.persistence.file import FilePersistence

from dewpoint.artifact import read_manifest
from dewpoint.notes import hash_of
from dewpoint.study.stale import stale


def manifest(job):
    return next((Path(path) for path in job.output if path.endswith(".json")), None)


class Manifests(FilePersistence):
    """Answers from manifests where a job has one; other jobs are as ever."""

    def _stale(self, job):
        """Why what a job has made is not what it would make."""
        if not hasattr(job, "stale"):
            written, inputs = job.params.settings, map(Path, job.input)
            settings = json.loads(written if isinstance(written, str) else "".join(written))
            job.stale = stale(manifest(job), settings, job.params.code, inputs)
        return job.stale

    def has_metadata(self, job):
        return bool(manifest(job)) or super().has_metadata(job)

    def metadata(self, target):
        """What Snakemake's own report asks for: when a job ran, as its manifest says, wherever it did."""
        if not hasattr(self, "making"):
            self.making = {path: job for job in self.dag.jobs for path in job.output}
        job = self.making.get(target)
        try:
            run = read_manifest(manifest(job))["run"] if job and manifest(job) else None
        except UserError:  # not there, or damaged
            run = None
        if not run:
            return super().metadata(target)
        ended = datetime.strptime(run["finished"], "%Y-%m-%dT%H:%M:%S%z").timestamp()
        times = {"starttime": ended - run["seconds"], "endtime": ended}
        return MetadataRecord(rule=job.rule.name, job_hash=hash(job), **times)

    def has_outdated_metadata(self, job):
        return not manifest(job) and super().has_outdated_metadata(job)

    async def incomplete(self, job):
        """A manifest comes last and at once: where one is, nothing was interrupted."""
        written = manifest(job)
        return [] if written and written.exists() else await super().incomplete(job)

    def input_checksums(self, job, input_path):
        """An input that is newer still is the same, unless something is stale."""
        if not manifest(job):
            return super().input_checksums(job, input_path)
        return set() if self._stale(job) else {f"sha256:{hash_of(Path(input_path))}"}

    def params_changed(self, job, file=None):
        if not manifest(job):
            return super().params_changed(job, file)
        return ParamsChange({why}, files=set(job.output)) if (why := self._stale(job)) else ParamsChange()

    def code_changed(self, job, file=None):
        return [] if manifest(job) else super().code_changed(job, file)

    def input_changed(self, job, file=None):
        return [] if manifest(job) else super().input_changed(job, file)

    def software_stack_changed(self, job, file=None):
        return [] if manifest(job) else super().software_stack_changed(job, file)


class Jobs(DAG):
    """A manifest that is older than its inputs is none the worse: another machine's clock may have set their times."""

    async def check_output_mtime(self, job, expanded_output):
        if not manifest(job):
            await super().check_output_mtime(job, expanded_output)


snakemake.workflow.FilePersistence = Manifests
snakemake.workflow.DAG = Jobs
