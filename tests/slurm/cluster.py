"""A SLURM cluster on localhost, from Debian's packages: two nodes with three GPUs each, which are copies of /dev/null.

    python tests/slurm/cluster.py up [--no-accounting]
    python tests/slurm/cluster.py down
    python tests/slurm/cluster.py packages

It needs root, and the packages of PACKAGES. The configuration lies in /etc/slurm, for job steps find no other; where
one lies there already, nothing is done. No systemd and no cgroups are needed, so it runs in a container, too.
"""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "munge", "slurmdbd", "mariadb-server")
PROGRAMS = ("slurmctld", "slurmd", "slurmdbd", "sbatch", "munged", "mariadbd", "runuser")
ETC = Path("/etc/slurm")
ROOT = Path("/tmp/dewpoint-slurm")
STARTED = ROOT / "started.json"  # process ids, in the order of their start
OURS = "# written by tests/slurm/cluster.py\n"
NODES = {"node1": 17001, "node2": 17002}  # and the port of each one's slurmd
GPUS = 3  # of a node
PARTITION, SHORT, ACCOUNT = "main", "short", "people"  # SHORT: for jobs of a minute
SQL_PORT = 33306

SLURM = """\
ClusterName=localhost
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=cred_expire=10
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0,sched_min_interval=0
SlurmdParameters=config_overrides
GresTypes=gpu
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
JobRequeue=1
MinJobAge=300
KillWait=20
OverTimeLimit=0
ReturnToService=2
StateSaveLocation={root}/state
SlurmdSpoolDir={root}/spool-%n
SlurmctldPidFile={root}/slurmctld.pid
SlurmdPidFile={root}/%n.pid
SlurmctldLogFile={root}/slurmctld.log
SlurmdLogFile={root}/%n.log
{accounting}
{nodes}
PartitionName={partition} Nodes=ALL Default=YES MaxTime=7-0 State=UP
PartitionName={short} Nodes=ALL MaxTime=1 State=UP
"""

DATABASE = """\
AuthType=auth/munge
DbdHost=localhost
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={port}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm
PidFile={root}/slurmdbd.pid
LogFile={root}/slurmdbd.log
"""


def missing() -> str | None:
    """Why there can be no cluster here, in one line."""
    if os.geteuid() != 0:
        return "a cluster on localhost needs root"
    absent = [program for program in PROGRAMS if shutil.which(program) is None]
    if absent:
        return f"a cluster on localhost needs {', '.join(absent)}: apt-get install {' '.join(PACKAGES)}"
    configured = ETC / "slurm.conf"
    if configured.exists() and not configured.read_text().startswith(OURS):
        return f"{configured} is another cluster's"
    return None


def up(accounting: bool = True) -> None:
    """Start everything, and wait until the nodes are idle."""
    down()
    shutil.rmtree(ROOT, ignore_errors=True)
    for folder in ("state", "database", "devices", *(f"spool-{node}" for node in NODES)):
        (ROOT / folder).mkdir(parents=True)
    _configure(accounting)
    _start_munge()
    if accounting:
        _start_accounting()
    _start("slurmctld", "slurmctld", "-D", "-c")
    _wait("slurmctld", lambda: _told("scontrol", "ping").count("UP"))
    for node in NODES:
        _start(node, "slurmd", "-D", "-N", node)
    _wait("the nodes", lambda: _told("sinfo", "--noheader", "-N", "-p", PARTITION, "-o", "%T").split() == ["idle"] * 2)


def down() -> None:
    """Stop what `up` started, and remove its configuration."""
    started = json.loads(STARTED.read_text()) if STARTED.exists() else []
    for pid in reversed(started):
        _end(pid)
    STARTED.unlink(missing_ok=True)
    for name in ("slurm.conf", "gres.conf", "cgroup.conf", "slurmdbd.conf"):
        path = ETC / name
        if path.exists() and path.read_text().startswith(OURS):
            path.unlink()


def _configure(accounting: bool) -> None:
    node = "NodeName={} NodeHostname={} NodeAddr=127.0.0.1 Port={} CPUs=16 RealMemory=200000 Gres=gpu:{} State=UNKNOWN"
    values = {
        "host": socket.gethostname().split(".")[0],
        "root": ROOT,
        "partition": PARTITION,
        "short": SHORT,
        "accounting": "AccountingStorageType=accounting_storage/slurmdbd\nAccountingStorageHost=127.0.0.1"
        if accounting
        else "AccountingStorageType=accounting_storage/none",
    }
    values["nodes"] = "\n".join(node.format(name, values["host"], port, GPUS) for name, port in NODES.items())
    devices = []
    for number in range(GPUS):  # slurmd wants character devices
        devices.append(ROOT / "devices" / f"gpu{number}")
        os.mknod(devices[-1], 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    gres = "\n".join(f"NodeName={name} Name=gpu File={device}" for name in NODES for device in devices)
    ETC.mkdir(exist_ok=True)
    (ETC / "slurm.conf").write_text(OURS + SLURM.format(**values))
    (ETC / "gres.conf").write_text(f"{OURS}{gres}\n")
    (ETC / "cgroup.conf").write_text(f"{OURS}CgroupAutomount=no\n")
    database = ETC / "slurmdbd.conf"
    database.touch(0o600)
    database.write_text(OURS + DATABASE.format(root=ROOT, port=SQL_PORT))


def _start_munge() -> None:
    if subprocess.run("munge -n | unmunge", shell=True, capture_output=True).returncode == 0:
        return  # the machine's own
    key = Path("/etc/munge/munge.key")
    if not key.exists():
        key.write_bytes(os.urandom(1024))
    key.chmod(0o400)
    for folder in (key.parent, Path("/run/munge"), Path("/var/log/munge"), Path("/var/lib/munge")):
        folder.mkdir(exist_ok=True)
        shutil.chown(folder, "munge", "munge")
    shutil.chown(key, "munge", "munge")
    _start("munge", "runuser", "-u", "munge", "--", "munged", "--foreground", "--force")
    _wait("munge", lambda: subprocess.run("munge -n | unmunge", shell=True, capture_output=True).returncode == 0)


def _start_accounting() -> None:
    folder, sock = ROOT / "database", ROOT / "database.sock"
    shutil.chown(folder, "mysql", "mysql")
    ROOT.chmod(0o777)
    made = ["mariadb-install-db", "--user=mysql", f"--datadir={folder}", "--auth-root-authentication-method=socket"]
    subprocess.run(made, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    small = ("--innodb-buffer-pool-size=32M", "--innodb-log-file-size=16M", "--innodb-use-native-aio=0")
    where = (f"--datadir={folder}", f"--socket={sock}", f"--port={SQL_PORT}", "--bind-address=127.0.0.1")
    _start("mariadb", "mariadbd", "--no-defaults", "--user=mysql", *where, *small)
    asking = ("mariadb", f"--socket={sock}", "-e")
    _wait("mariadb", lambda: "1" in _told(*asking, "select 1"))
    user = "'slurm'@'localhost'"
    orders = f"create user {user} identified by 'slurm'; grant all on slurm.* to {user}; create database slurm"
    subprocess.run([*asking, orders], check=True)
    _start("slurmdbd", "slurmdbd", "-D")
    _wait("slurmdbd", lambda: "Cluster" in _told("sacctmgr", "show", "cluster"))
    for words in (("cluster", "localhost"), ("account", ACCOUNT), ("user", "root", f"account={ACCOUNT}")):
        subprocess.run(["sacctmgr", "--immediate", "add", *words], check=True, stdout=subprocess.DEVNULL)


def _start(name: str, *command: str) -> None:
    """A daemon in the foreground of a session of its own."""
    log = open(ROOT / f"{name}.out", "ab")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")}
    null = subprocess.DEVNULL
    daemon = subprocess.Popen(command, stdin=null, stdout=log, stderr=log, start_new_session=True, env=environment)
    started = json.loads(STARTED.read_text()) if STARTED.exists() else []
    STARTED.write_text(json.dumps([*started, daemon.pid]))


def _end(pid: int) -> None:
    """End a daemon's session, gently at first."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for _ in range(50):
            try:
                os.killpg(pid, number)
                os.waitpid(pid, os.WNOHANG)  # where it is this process's own
            except ProcessLookupError:
                return
            except ChildProcessError:
                pass
            time.sleep(0.2)


def _told(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout


def _wait(what: str, ready: Callable[[], object], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > until:
            sys.exit(f"{what}: not up after {seconds:.0f} seconds; see {ROOT}")
        time.sleep(0.2)


if __name__ == "__main__":
    if sys.argv[1:] == ["packages"]:
        print(*PACKAGES)
        sys.exit()
    if why := missing():
        sys.exit(why)
    if sys.argv[1:] == ["down"]:
        down()
    elif sys.argv[1:2] == ["up"] and sys.argv[2:] in ([], ["--no-accounting"]):
        up(accounting=len(sys.argv) == 2)
        print(_told("sinfo", "-o", "%P %D %T %c %m %G %l"), end="")
    else:
        sys.exit("cluster.py up [--no-accounting] | down | packages")
