# SPDX-License-Identifier: LGPL-2.1-or-later
"""A fleet of 1,000 hosts into one PostgreSQL on this machine: real recorders and shippers for as many as fit,
the rest replayed by the same client code (fleetload). In the middle of it the server is killed and stays away.
Afterwards rows in SQL are what was spooled less what was dropped, none twice."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "selftests/integration"))
from database import Database  # noqa: E402
from rig import BUILD, Case, Daemon, Peer, wait_for  # noqa: E402

HOSTS = int(os.environ.get("FLEET_HOSTS", "1000"))
REAL = int(os.environ.get("FLEET_REAL", "40"))
SERIES, WINDOWS, WORKERS = 100, 18, 4
AWAY_AFTER_S, AWAY_S = 10, 10


def apply(db):
    for path in sorted((TOP / "packaging/sql").glob("*.sql")):
        subprocess.run(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-f", str(path)], env=db.env(),
                       check=True, capture_output=True)
    db.sql("CREATE ROLE shipper LOGIN; GRANT aiops_writer TO shipper")


class Host:
    """A recorder and a shipper, as on a host of its own."""

    def __init__(self, case, name, dsn):
        self.dir = case.dir / name
        for path in ("root", "state/spool", "credentials"):
            (self.dir / path).mkdir(parents=True)
        (self.dir / "credentials/aiops_store_dsn").write_text(dsn + "\n")
        self.recorder = Daemon(case, "aiops-recorder", "--root", self.dir / "root", "--runtime-dir",
                               self.dir, "--state-dir", self.dir / "state")
        self.shipper = Daemon(case, "aiops-shipper", "--spool", self.dir / "state/spool", "--host", name,
                              env={"CREDENTIALS_DIRECTORY": str(self.dir / "credentials")})

    def tell(self, t0_us):
        peer = Peer(self.dir / "record.sock", "agent")
        for window in range(WINDOWS):
            for i in range(SERIES):
                peer.say(f"rollup host.load_signal{i}_pct real.service {t0_us + window * 10_000_000} {i}.5")
        peer.sync()
        peer.process.stdin.close()
        peer.process.wait()

    def end(self):
        for daemon in (self.recorder, self.shipper):
            daemon.process.send_signal(signal.SIGTERM)
        for daemon in (self.recorder, self.shipper):
            daemon.process.wait(20)
            daemon.reader.join()


def pss_kib(daemon):
    for line in pathlib.Path(f"/proc/{daemon.process.pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    return 0


def outage(db):
    time.sleep(AWAY_AFTER_S)
    db.stop(signal.SIGKILL)
    time.sleep(AWAY_S)
    db.start(300)


def replay(case, dsn, hosts, t0_us):
    spools = case.dir / "replayed"
    spools.mkdir(exist_ok=True)
    done = subprocess.run([BUILD / "bench/fleetload", dsn, spools, str(hosts), str(WINDOWS), str(SERIES),
                           str(WORKERS), str(t0_us)], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def run(report, _place):
    report.heading(f"fleet: {HOSTS} hosts with {SERIES} signals each into one PostgreSQL, on this machine")
    t0_us = (int(time.time()) - 3600) // 10 * 10_000_000
    with Case() as case:
        db = Database(case)
        db.settings = [f"max_connections={REAL + WORKERS + 20}", "shared_buffers=256MB"]
        fleet(report, case, db, t0_us)


def fleet(report, case, db, t0_us):
    with db:
        apply(db)
        dsn = f"host={db.sockets} port={db.port} user=shipper dbname=postgres"
        real = [Host(case, f"real{i:03}", dsn) for i in range(REAL)]
        try:
            measure(report, case, db, dsn, real, t0_us)
        finally:
            for host in real:
                host.end()


def measure(report, case, db, dsn, real, t0_us):
    rest = HOSTS - len(real)
    steady = replay(case, dsn, rest, t0_us)  # nothing breaks: the rate
    rate = steady["sent"] / steady["seconds"]
    breaker = threading.Thread(target=outage, args=(db,))
    breaker.start()
    for host in real:
        host.tell(t0_us)
    broken = replay(case, dsn, rest, t0_us + WINDOWS * 10_000_000)
    breaker.join()
    spooled = steady["spooled"] + broken["spooled"] + len(real) * WINDOWS * SERIES
    dropped = steady["dropped"] + broken["dropped"]

    def rows():
        return int(db.sql("SELECT count(*) FROM aiops.points")[0][0])
    wait_for(lambda: rows() >= spooled - dropped, "all of it came", 300)
    windows = int(db.sql("SELECT sum(n) FROM aiops.points")[0][0])
    size = int(db.sql("SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits "
                      "WHERE inhparent = 'aiops.points'::regclass")[0][0])
    per_row = size / rows()
    report.table(["what", "value"], [
        ["real recorders and shippers", len(real)], ["hosts replayed by the same code", rest],
        ["rows in SQL", rows()], ["spooled, dropped", f"{spooled}, {dropped}"],
        ["rate, all hosts at once", f"{rate:.0f} rows/s"],
        [f"what {HOSTS} hosts make of {SERIES} signals", f"{HOSTS * SERIES / 10:.0f} rows/s"],
        ["sends that found no server", broken["failures"]],
        ["bytes a row, with indexes", f"{per_row:.0f}"],
        ["growth a host and day", f"{per_row * SERIES * 8640 / 2**20:.0f} MiB"],
        ["PSS of a recorder, of a shipper", f"{pss_kib(real[0].recorder)} KiB, {pss_kib(real[0].shipper)} KiB"],
    ])
    report.claim(rows() == spooled - dropped, "rows in SQL = sent - dropped, over a killed server")
    replayed = (steady["spooled"] + broken["spooled"] - dropped) * 10
    report.claim(windows == replayed + len(real) * WINDOWS * SERIES, "no row was put together twice")
    report.claim(broken["failures"] > 0, "the server was away meanwhile")
    report.claim(rate > HOSTS * SERIES / 10, f"the rate of {HOSTS} hosts is held")
