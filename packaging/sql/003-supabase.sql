-- SPDX-License-Identifier: LGPL-2.1-or-later
--
-- On Supabase, and wherever its roles are: who is signed in reads, row by row as the policies say; nobody
-- writes but aiops_writer. Incidents and the audit go out in realtime (wal_level = logical).

BEGIN;

DO $$
DECLARE
	t text;
	r text;
BEGIN
	FOREACH t IN ARRAY ARRAY['hosts', 'series', 'shipped', 'points', 'records', 'audit', 'losses'] LOOP
		EXECUTE format('ALTER TABLE aiops.%I ENABLE ROW LEVEL SECURITY', t);
		EXECUTE format('CREATE POLICY writer ON aiops.%I TO aiops_writer USING (true) WITH CHECK (true)', t);
		EXECUTE format('CREATE POLICY reader ON aiops.%I FOR SELECT TO aiops_reader USING (true)', t);
	END LOOP;
	FOREACH r IN ARRAY ARRAY['authenticated', 'service_role'] LOOP
		IF EXISTS (SELECT FROM pg_roles WHERE rolname = r) THEN
			EXECUTE format('GRANT aiops_reader TO %I', r);
		END IF;
	END LOOP;
END $$;

-- A view asks with its owner's rights unless it is told to ask with the caller's (PostgreSQL 15).
ALTER VIEW aiops.panel_signals SET (security_invoker = true);
ALTER VIEW aiops.panel_host SET (security_invoker = true);
ALTER VIEW aiops.panel_services SET (security_invoker = true);
ALTER VIEW aiops.panel_database SET (security_invoker = true);
ALTER VIEW aiops.panel_containers SET (security_invoker = true);
ALTER VIEW aiops.panel_probe_cost SET (security_invoker = true);
ALTER VIEW aiops.panel_incidents SET (security_invoker = true);
ALTER VIEW aiops.panel_timeline SET (security_invoker = true);
ALTER VIEW aiops.panel_chaos SET (security_invoker = true);
ALTER VIEW aiops.panel_fleet SET (security_invoker = true);

DO $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_publication WHERE pubname = 'supabase_realtime') THEN
		CREATE PUBLICATION supabase_realtime;
	END IF;
END $$;
-- By the parent's name, so that a new day's partition needs nothing.
ALTER PUBLICATION supabase_realtime SET (publish_via_partition_root = true);
ALTER PUBLICATION supabase_realtime ADD TABLE aiops.records, aiops.audit;
INSERT INTO aiops.schema_versions VALUES (3);

COMMIT;
