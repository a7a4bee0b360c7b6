# SPDX-License-Identifier: LGPL-2.1-or-later
"""db.*, on sessions of the application's own role, and on its tables."""

import re
import subprocess

from acting import ENV, Row, read, sql, wait_for

SESSIONS = "SELECT pid, state, (extract(epoch FROM backend_start) * 1000000)::bigint FROM pg_stat_activity " \
           "WHERE application_name = 'vmtest'"
BAD = ({"service": "no-such"}, {"service": "web"}, {"session": "1"}, {"session": "x:y"}, {"session": "-1:1"})


def password():
    return re.search(r'^DB_PASSWORD="?([^"\n]*)', read("/etc/aiops-target/.env"), re.M)[1]


class Session(Row):
    """Of a client of our own, with the application's role and password."""
    on = ("units", "containers")
    bad = BAD
    sections = ("mount", "file")
    client = None

    def prepare(self):
        if self.client:
            self.client.kill()
            self.client.wait()
        sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'vmtest'")
        wait_for(lambda: not sql(SESSIONS), "no session")
        env = {**ENV, "PGPASSWORD": password(), "PGAPPNAME": "vmtest"}
        self.client = subprocess.Popen(["psql", "-XAtq", "-h", "127.0.0.1", "-p", "5442", "-U", "aiops_target_app",
                                        "aiops_target"], env=env, stdin=subprocess.PIPE, text=True,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.client.stdin.write("SELECT pg_sleep(600);\n")
        self.client.stdin.flush()
        wait_for(lambda: [one for one in sql(SESSIONS) if one[1] == "active"], "a session that works")

    def params(self):
        pid, _, began = sql(SESSIONS)[0]
        return {"service": "db", "session": f"{pid}:{began}"}

    def look(self):
        return {"sessions": [one[1] for one in sql(SESSIONS)]}


class Cancel(Session):
    action = "db.cancel_query"
    repeats = "runs no query"

    def is_applied(self, before, now):
        return None if now == {"sessions": ["idle"]} else str(now)


class Terminate(Session):
    action = "db.terminate_session"
    repeats = "is no more"

    def is_applied(self, before, now):
        return None if now == {"sessions": []} else str(now)


class Vacuum(Row):
    action = "db.vacuum"
    on = ("units", "containers")
    sections = ("mount", "file")
    bad = ({"service": "web"}, {"table": "nothing"}, {"table": "pg_class"}, {"table": "items; DROP TABLE items"})
    repeats = "vacuumed"

    def params(self):
        return {"service": "db", "table": "items"}

    def look(self):
        return {"vacuums": int(sql("SELECT vacuum_count FROM pg_stat_user_tables WHERE relname = 'items'")[0][0])}

    def is_applied(self, before, now):
        return None if now["vacuums"] > before["vacuums"] else f"{before} {now}"


ROWS = [Cancel, Terminate, Vacuum]
