# SPDX-License-Identifier: LGPL-2.1-or-later
"""service.*, on the application as units and in containers."""

import hashlib
import os
import re
import shutil
import subprocess
import threading
import time

from acting import (ENV, Row, container, container_group, docker, file_facts, freeze, group, main_pid, pids_of, read,
                    sh, sql, thaw, unit, wait_for, web)
from actions import container as containers
from actions.db import password

CONFIG = "/etc/aiops-target/.env"
SAVED = "/run/vmtest/env"
CACHE = "/var/cache/aiops-target"
GOOD = "/var/lib/aiops-good/api"
BAD = ({"service": "no-such"}, {"service": "a/b"}, {"service": "API"})
READY_S = 40


class Service(Row):
    on = ("units", "containers")
    bad = BAD
    frozen = ()
    masked = away = False

    def in_units(self):
        return self.deployment == "units"

    def run_of(self, part):
        """What changes with each start; "down"."""
        if self.in_units():
            facts = unit(f"aiops-target-{part}.service", "ActiveState", "InvocationID")
            return facts["InvocationID"] if facts["ActiveState"] == "active" else "down"
        state = container(f"aiops-target-{part}")["State"]
        return state["StartedAt"] if state["Running"] else "down"

    def pids(self, part):
        name = f"aiops-target-{part}"
        return pids_of(group(f"{name}.service") if self.in_units() else container_group(name))

    def restart(self, part):
        name = f"aiops-target-{part}"
        if self.in_units():
            sh(f"systemctl reset-failed {name}; systemctl restart {name}", check_it=False)
        else:
            docker("POST", f"/containers/{name}/restart?t=5")

    def is_ready(self):
        return web(8088, "/ready", 5)[0] == 200

    def wait_ready(self):
        for part in ("db", "upstream", "fallback", "api", "web"):
            if self.run_of(part) == "down":
                self.restart(part)
        wait_for(self.is_ready, "the application is ready", READY_S)

    def prepare(self):
        self.wait_ready()

    def params(self):
        return {"service": "api"}

    def hold(self, part):
        """It is there and does not answer."""
        def function():
            self.frozen = self.pids(part)
            freeze(self.frozen)
        return function

    def cannot_start(self):
        """The API's unit is masked; the engine has no runtime."""
        if self.in_units():
            self.masked = True
            sh("systemctl mask --runtime aiops-target-api.service")
        else:
            self.away = True
            sh(f"mv {containers.RUNC} {containers.RUNC}.away")

    def mend(self):
        thaw(self.frozen)
        self.frozen = ()
        if self.masked:
            sh("systemctl unmask --runtime aiops-target-api.service")
        if self.away:
            sh(f"mv {containers.RUNC}.away {containers.RUNC}")
        self.masked = self.away = False


class Restart(Service):
    action = "service.restart"
    repeats = "restarted"

    def params(self):
        return {"service": "db"}

    def look(self):
        up = {part: self.run_of(part) for part in ("db", "api", "web", "upstream")}
        self.runs = up
        return {"up": [part for part in up if up[part] != "down"], "ready": self.is_ready()}

    def prepare(self):
        super().prepare()
        self.look()
        self.runs_before = self.runs

    def is_applied(self, before, now):
        changed = [part for part in self.runs if self.runs[part] != self.runs_before[part]]
        return None if changed == ["db", "api", "web"] and now["ready"] else f"{changed} {now}"

    def apply_fails(self):
        """Once its dependent is down, nothing can be started."""
        def later():
            wait_for(lambda: self.run_of("api") == "down", "a stopped API", 60)
            self.cannot_start()
        self.waiter = threading.Thread(target=later, daemon=True)
        if self.in_units():
            return {"applying": self.cannot_start, "reverting": self.mend}
        return {"applying": self.waiter.start, "reverting": self.mend}

    def verify_fails(self):
        """What depends on it is there and does not answer."""
        return {"applied": self.hold("web"), "reverting": self.mend}


class ClearCache(Service):
    action = "service.clear_cache"
    repeats = "is empty"
    FILES = [f"{CACHE}/vmtest-{i}/x" for i in range(3)] + [f"{CACHE}/vmtest-y"]

    def prepare(self):
        super().prepare()
        for path in self.FILES:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write(path)
        sh(f"chown -R aiops-target: {CACHE}/vmtest-*")

    def look(self):
        st = os.stat(CACHE)
        return {"files": [file_facts(path) for path in self.FILES], "ready": self.is_ready(),
                "directory": f"{st.st_mode:o} {st.st_uid}:{st.st_gid} {st.st_ino}",
                "beside": sh(f"ls -A {os.path.dirname(CACHE)} {CACHE} | grep aiops- | grep -v target", False)}

    def is_applied(self, before, now):
        wanted = {**before, "files": ["No such file or directory"] * len(self.FILES)}
        return None if now == wanted else str(now)

    def apply_fails(self):
        """One of the files may not be moved, by a person's attribute."""
        return {"applying": lambda: sh(f"chattr +i {CACHE}/vmtest-y"), "reverting": self.mend}

    def verify_fails(self):
        return {"applied": self.hold("api"), "reverting": self.mend}

    def mend(self):
        super().mend()
        sh(f"chattr -i {CACHE}/vmtest-y", check_it=False)


class RegenerateEnv(Service):
    action = "service.regenerate_env"
    repeats = "renewed"

    def look(self):
        env = {**ENV, "PGPASSWORD": password()}
        code = subprocess.run(["psql", "-XAtqc", "SELECT 1", "-h", "127.0.0.1", "-p", "5442", "-U", "aiops_target_app",
                               "aiops_target"], env=env, capture_output=True).returncode
        return {"file": file_facts(CONFIG), "beside": sorted(os.listdir(os.path.dirname(CONFIG))),
                "logs in": code == 0, "ready": self.is_ready()}

    def is_applied(self, before, now):
        same = {key: now[key] == before[key] for key in ("beside", "logs in", "ready")}
        mode = now["file"].rsplit(" ", 2)[0] == before["file"].rsplit(" ", 2)[0]
        return None if all(same.values()) and mode and now["file"] != before["file"] else f"{before} {now}"

    def apply_fails(self):
        """The owner may no longer change roles."""
        return {"applying": lambda: sql("ALTER ROLE aiops_target_owner NOCREATEROLE"), "reverting": self.mend}

    def verify_fails(self):
        """The role may no longer connect, whatever its password."""
        return {"applied": lambda: sql("ALTER ROLE aiops_target_app NOLOGIN; SELECT pg_terminate_backend(pid) FROM "
                                       "pg_stat_activity WHERE usename = 'aiops_target_app'"),
                "reverting": self.mend}

    def mend(self):
        super().mend()
        sql("ALTER ROLE aiops_target_owner CREATEROLE; ALTER ROLE aiops_target_app LOGIN")


class Env(Service):
    """The file is put back to what it was at first."""

    def prepare(self):
        if not os.path.exists(SAVED):
            sh(f"cp -a {CONFIG} {SAVED}")
        if file_facts(CONFIG) != file_facts(SAVED):
            sh(f"cp -a {SAVED} {CONFIG}.new && mv {CONFIG}.new {CONFIG}")
            self.restart("api")
        self.wait_ready()


class SwitchUpstream(Env):
    action = "service.switch_upstream"
    bad = (*BAD, {"to": "elsewhere"}, {"to": ""})
    repeats = "points there"

    def params(self):
        return {"service": "api", "to": "fallback"}

    def look(self):
        return {"url": re.search(r"^RATES_URL=(.*)$", read(CONFIG), re.M)[1], "ready": self.is_ready(),
                "file": file_facts(CONFIG), "beside": sorted(os.listdir(os.path.dirname(CONFIG)))}

    def is_applied(self, before, now):
        wanted = {**before, "url": "http://127.0.0.1:8092", "file": now["file"]}
        return None if now == wanted and now["file"] != before["file"] else str(now)

    def apply_fails(self):
        return {"applying": self.cannot_start, "reverting": self.mend}

    def verify_fails(self):
        return {"applied": self.hold("api"), "reverting": self.mend}


class RollbackConfig(Env):
    action = "service.rollback_config"
    repeats = "last good files"

    def prepare(self):
        super().prepare()
        name = hashlib.sha256(CONFIG.encode()).hexdigest()[:32]
        sh(f"mkdir -p {GOOD} && cp -a {SAVED} {GOOD}/{name}@0000000000000001")
        sh(f"echo '# by a person' >>{CONFIG}")

    def look(self):
        return {"file": file_facts(CONFIG), "ready": self.is_ready(),
                "beside": sorted(os.listdir(os.path.dirname(CONFIG)))}

    def is_applied(self, before, now):
        return None if now == {**before, "file": file_facts(SAVED)} else f"{before} {now}"

    def apply_fails(self):
        """Its directory is on a file system that is read-only by now."""
        folder = os.path.dirname(CONFIG)
        return {"applying": lambda: sh(f"mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}"),
                "reverting": self.mend}

    def verify_fails(self):
        return {"applied": self.hold("api"), "reverting": self.mend}

    def mend(self):
        super().mend()
        folder = os.path.dirname(CONFIG)
        sh(f"if mountpoint -q {folder}; then umount {folder}; fi")


class KeepConfig(Service):
    action = "service.keep_config"
    on = ("containers",)
    bad = (*BAD, {"service": "web"})
    repeats = "kept 0 new"

    def prepare(self):
        super().prepare()
        shutil.rmtree(GOOD, ignore_errors=True)
        # It must have run well for ten minutes, by its container's time of start.
        if not getattr(self, "is_later", False):
            self.is_later = True
            sh(f"date -s @{time.time() + 660:.0f}")

    def look(self):
        return {"copies": [file_facts(f"{GOOD}/{name}") for name in sorted(os.listdir(GOOD))] if os.path.isdir(GOOD)
                else [], "file": file_facts(CONFIG)}

    def is_applied(self, before, now):
        content = now["file"].split()[-1]
        return None if [one.split()[-1] for one in now["copies"]] == [content] else str(now)


OWNER = "PGPASSFILE=/run/vmtest/pgpass PGHOST=/run/aiops-target/db PGPORT=5442 PGUSER=aiops_target_owner " \
        "PGDATABASE=aiops_target"


class RunMigrations(Service):
    action = "service.run_migrations"
    bad = (*BAD, {"service": "web"}, {"to_version": "1"}, {"to_version": "999"}, {"to_version": "-1"},
           {"to_version": "99999999999999999999"})
    repeats = "is at version"

    def prepare(self):
        sh("umask 077; printf '*:*:*:aiops_target_owner:%s\\n' \"$(cat /etc/aiops/credentials/target-owner)\" "
           ">/run/vmtest/pgpass")
        if sql("SELECT max(version) FROM schema_migrations")[0][0] != "2":
            sh(f"{OWNER} /usr/libexec/aiops-target/aiops-target-migrate --to 2 /usr/share/aiops-target/migrations")

    def params(self):
        return {"service": "db"}

    def look(self):
        return {"version": sql("SELECT max(version) FROM schema_migrations")[0][0],
                "price": sql("SELECT count(*) FROM information_schema.columns WHERE table_name = 'items' "
                             "AND column_name LIKE 'price%'")[0][0]}

    def is_applied(self, before, now):
        return None if int(now["version"]) >= 4 and now["price"] != "0" else str(now)

    def apply_fails(self):
        """The owner's grant on the table of versions is gone."""
        return {"applying": lambda: sql("ALTER TABLE schema_migrations OWNER TO postgres; "
                                        "GRANT SELECT ON schema_migrations TO aiops_target_owner")}

    def verify_fails(self):
        return {"applied": self.hold("db"), "reverting": self.mend}

    def mend(self):
        super().mend()
        sql("ALTER TABLE schema_migrations OWNER TO aiops_target_owner")


class RestoreDb(Service):
    """What was made after the snapshot tells which of the two databases it is."""
    action = "service.restore_db"
    bad = (*BAD, {"service": "web"}, {"snapshot": "none"}, {"snapshot": "../aiops_target"})
    repeats = "restored"
    ASIDE = "SELECT datname FROM pg_database WHERE datname LIKE 'aiops_target_aiops_%'"

    def prepare(self):
        super().prepare()
        for name, in sql(self.ASIDE, "postgres"):
            sql(f'DROP DATABASE "{name}" WITH (FORCE)', "postgres")
        sql("CREATE TABLE IF NOT EXISTS vmtest_since ()")

    def params(self):
        return {"service": "db"}

    def look(self):
        return {"since": sql("SELECT count(*) FROM pg_class WHERE relname = 'vmtest_since'")[0][0],
                "lists": sql("SELECT count(*) FROM lists")[0][0], "ready": self.is_ready()}

    def is_applied(self, before, now):
        return None if now == {**before, "since": "0"} else f"{before} {now}"

    def apply_fails(self):
        """The owner may no longer make databases."""
        return {"applying": lambda: sql("ALTER ROLE aiops_target_owner NOCREATEDB"), "reverting": self.mend}

    def verify_fails(self):
        """Who depends on it is there and does not answer."""
        return {"applied": self.hold("api"), "reverting": self.mend}

    def mend(self):
        super().mend()
        sql("ALTER ROLE aiops_target_owner CREATEDB")


ROWS = [Restart, ClearCache, RegenerateEnv, SwitchUpstream, RollbackConfig, KeepConfig, RunMigrations, RestoreDb]
