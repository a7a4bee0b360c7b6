-- SPDX-License-Identifier: LGPL-2.1-or-later
--
-- The fleet's database: what the recorders of many hosts have measured and told. Run as the owner, once:
--   psql -v ON_ERROR_STOP=1 -f 001-schema.sql
-- Then GRANT aiops_writer to the role of aiops-shipper and aiops_reader to those who look.
-- Needs PostgreSQL 13 or later, no extension.

BEGIN;

CREATE SCHEMA aiops;

DO $$
BEGIN
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'aiops_writer') THEN
		CREATE ROLE aiops_writer NOLOGIN;
	END IF;
	IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'aiops_reader') THEN
		CREATE ROLE aiops_reader NOLOGIN;
	END IF;
END $$;

CREATE TABLE aiops.hosts (
	id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name text NOT NULL UNIQUE,
	first_seen timestamptz NOT NULL DEFAULT now(),
	last_seen timestamptz NOT NULL DEFAULT now()
);

-- All hosts share them: a thousand hosts measure much the same.
CREATE TABLE aiops.series (
	id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	signal text NOT NULL,
	entity text NOT NULL,
	UNIQUE (signal, entity)
);

-- How far each segment of a host's spool is in here; written in the transaction that takes the rows, so
-- that none is taken twice and none left out, whatever breaks when.
CREATE TABLE aiops.shipped (
	host_id integer NOT NULL REFERENCES aiops.hosts,
	lane smallint NOT NULL,
	segment bigint NOT NULL,
	bytes bigint NOT NULL,
	PRIMARY KEY (host_id, lane, segment)
);

-- Measurements of ten seconds each.
CREATE TABLE aiops.points (
	host_id integer NOT NULL,
	series_id integer NOT NULL,
	ts timestamptz NOT NULL,
	n integer NOT NULL,
	min real NOT NULL,
	max real NOT NULL,
	last real NOT NULL,
	sum double precision NOT NULL,
	PRIMARY KEY (host_id, series_id, ts) -- a batch is of one host, and so is a panel: few pages each
) PARTITION BY RANGE (ts);
CREATE TABLE aiops.points_default PARTITION OF aiops.points DEFAULT;

CREATE TABLE aiops.records (
	host_id integer NOT NULL,
	id bigint NOT NULL,
	parent_id bigint,
	incident_id bigint,
	kind text NOT NULL,
	state text,
	severity text,
	ts timestamptz NOT NULL,
	entity text NOT NULL,
	data jsonb NOT NULL,
	PRIMARY KEY (host_id, id, ts)
) PARTITION BY RANGE (ts);
CREATE INDEX records_incident ON aiops.records (host_id, incident_id, id);
CREATE INDEX records_kind ON aiops.records (kind, ts);
CREATE TABLE aiops.records_default PARTITION OF aiops.records DEFAULT;

CREATE TABLE aiops.audit (
	host_id integer NOT NULL,
	boot_id text NOT NULL,
	seq bigint NOT NULL,
	ts timestamptz NOT NULL,
	actor text NOT NULL,
	what text NOT NULL,
	action text NOT NULL,
	phase text NOT NULL,
	key text NOT NULL,
	text text NOT NULL,
	PRIMARY KEY (host_id, boot_id, seq)
);
CREATE INDEX audit_ts ON aiops.audit (ts);

-- What a spool had no room for: rows that are missing here, and known to be.
CREATE TABLE aiops.losses (
	host_id integer NOT NULL,
	ts timestamptz NOT NULL,
	points bigint NOT NULL,
	records bigint NOT NULL
);

CREATE TABLE aiops.schema_versions (
	version integer PRIMARY KEY,
	applied timestamptz NOT NULL DEFAULT now()
);
INSERT INTO aiops.schema_versions VALUES (1);

-- Microseconds since the epoch, exactly; what is out of range is the epoch.
CREATE FUNCTION aiops.time_of(us text) RETURNS timestamptz
LANGUAGE sql IMMUTABLE STRICT AS $$
	SELECT 'epoch'::timestamptz + least(us::numeric, 4102444800000000)::bigint * interval '1 microsecond'
$$;

-- Partitions of yesterday to the day after tomorrow. What lies outside goes to the default ones.
CREATE FUNCTION aiops.make_partitions() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
	parent text;
	day date;
	part text;
BEGIN
	-- One of a thousand hosts is enough.
	IF NOT pg_try_advisory_xact_lock(4702394921090187) THEN
		RETURN;
	END IF;
	FOREACH parent IN ARRAY ARRAY['points', 'records'] LOOP
		FOR i IN -1 .. 2 LOOP
			day := (now() AT TIME ZONE 'UTC')::date + i;
			part := format('%s_%s', parent, to_char(day, 'YYYYMMDD'));
			IF to_regclass('aiops.' || part) IS NULL THEN
				BEGIN
					EXECUTE format('CREATE TABLE aiops.%I PARTITION OF aiops.%I FOR VALUES FROM (%L) TO (%L)',
						part, parent, day::timestamp AT TIME ZONE 'UTC',
						(day + 1)::timestamp AT TIME ZONE 'UTC');
				EXCEPTION WHEN check_violation THEN
					NULL; -- a host whose clock is wrong has rows of that day in the default partition
				END;
			END IF;
		END LOOP;
	END LOOP;
END $$;

-- Removes whole days, which costs nothing: to be called daily, by pg_cron or a timer.
CREATE FUNCTION aiops.drop_old(points_days integer, records_days integer) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
	old record;
	n integer := 0;
BEGIN
	FOR old IN
		SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent IN ('aiops.points'::regclass, 'aiops.records'::regclass)
		AND c.relname ~ '_[0-9]{8}$'
		AND to_date(right(c.relname, 8), 'YYYYMMDD') < current_date -
			CASE WHEN c.relname LIKE 'points%' THEN points_days ELSE records_days END
	LOOP
		EXECUTE format('DROP TABLE aiops.%I', old.relname);
		n := n + 1;
	END LOOP;
	RETURN n;
END $$;

-- Takes the rows of pg_temp.stage (k, c1 to c9), as COPY has brought them from one host's spool.
CREATE FUNCTION aiops.take(host integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
	told record;
BEGIN
	INSERT INTO aiops.series (signal, entity)
		SELECT DISTINCT s.c2, s.c3 FROM pg_temp.stage s
		WHERE s.k = 'p' AND NOT EXISTS
			(SELECT FROM aiops.series x WHERE x.signal = s.c2 AND x.entity = s.c3)
		ORDER BY 1, 2
		ON CONFLICT DO NOTHING;
	-- Of the same ten seconds, after a restart: put together.
	INSERT INTO aiops.points AS p (host_id, series_id, ts, n, min, max, sum, last)
		SELECT host, x.id, aiops.time_of(s.c1), sum(s.c4::integer), min(s.c5::real), max(s.c6::real),
			sum(s.c7::double precision), max(s.c8::real)
		FROM pg_temp.stage s JOIN aiops.series x ON x.signal = s.c2 AND x.entity = s.c3
		WHERE s.k = 'p' GROUP BY x.id, s.c1
		ON CONFLICT (host_id, series_id, ts) DO UPDATE SET n = p.n + excluded.n,
			min = least(p.min, excluded.min), max = greatest(p.max, excluded.max),
			sum = p.sum + excluded.sum, last = excluded.last;
	-- Those who listen hear of an incident as it comes; of a long backlog only the first hundred.
	FOR told IN
		WITH added AS (
			INSERT INTO aiops.records
				SELECT host, s.c1::bigint, s.c2::bigint, s.c3::bigint, s.c4, s.c5, s.c9,
					aiops.time_of(s.c6), s.c7, s.c8::jsonb
				FROM pg_temp.stage s WHERE s.k = 'r'
				ON CONFLICT DO NOTHING
				RETURNING id, incident_id, kind, state, severity, entity)
		SELECT json_build_object('host', h.name, 'incident', a.incident_id::text, 'state', a.state,
			'severity', a.severity, 'entity', a.entity)::text AS payload
		FROM added a, aiops.hosts h WHERE a.kind = 'incident' AND h.id = host
		ORDER BY a.id LIMIT 100
	LOOP
		PERFORM pg_notify('aiops_incident', told.payload);
	END LOOP;
	INSERT INTO aiops.audit
		SELECT host, s.c1, s.c2::bigint, aiops.time_of(s.c3), s.c4, s.c5, s.c6, s.c7, s.c8, s.c9
		FROM pg_temp.stage s WHERE s.k = 'a'
		ON CONFLICT DO NOTHING;
	INSERT INTO aiops.losses
		SELECT host, aiops.time_of(s.c1), s.c2::bigint, s.c3::bigint
		FROM pg_temp.stage s WHERE s.k = 'd';
	UPDATE aiops.hosts SET last_seen = now() WHERE id = host;
END $$;

-- The number of a host by its name.
CREATE FUNCTION aiops.host_of(host text) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
	found_id integer;
BEGIN
	SELECT id INTO found_id FROM aiops.hosts WHERE name = host;
	IF found_id IS NULL THEN
		INSERT INTO aiops.hosts (name) VALUES (host) ON CONFLICT (name) DO NOTHING;
		SELECT id INTO STRICT found_id FROM aiops.hosts WHERE name = host;
	END IF;
	RETURN found_id;
END $$;

GRANT USAGE ON SCHEMA aiops TO aiops_writer, aiops_reader;
GRANT SELECT ON ALL TABLES IN SCHEMA aiops TO aiops_writer, aiops_reader;
GRANT INSERT ON aiops.hosts, aiops.series, aiops.points, aiops.records, aiops.audit, aiops.losses,
	aiops.shipped TO aiops_writer;
GRANT UPDATE ON aiops.hosts, aiops.points, aiops.shipped TO aiops_writer;
GRANT DELETE ON aiops.shipped TO aiops_writer;
REVOKE EXECUTE ON FUNCTION aiops.make_partitions(), aiops.take(integer), aiops.host_of(text),
	aiops.drop_old(integer, integer) FROM public;
GRANT EXECUTE ON FUNCTION aiops.make_partitions(), aiops.take(integer), aiops.host_of(text)
	TO aiops_writer;

COMMIT;
