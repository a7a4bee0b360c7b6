-- SPDX-License-Identifier: LGPL-2.1-or-later
--
-- What dashboards ask for, under stable names. A panel adds WHERE host = ... AND ts BETWEEN ... .

BEGIN;

CREATE VIEW aiops.panel_signals AS
	SELECT h.name AS host, p.ts, s.signal, s.entity, p.sum / nullif(p.n, 0) AS mean, p.min, p.max, p.last
	FROM aiops.points p JOIN aiops.series s ON s.id = p.series_id JOIN aiops.hosts h ON h.id = p.host_id;

CREATE VIEW aiops.panel_host AS
	SELECT * FROM aiops.panel_signals WHERE signal LIKE 'host.%';

CREATE VIEW aiops.panel_services AS
	SELECT *, substr(entity, strpos(entity, ':') + 1) AS service FROM aiops.panel_signals
	WHERE signal LIKE 'unit.%' OR signal LIKE 'endpoint.%';

CREATE VIEW aiops.panel_database AS
	SELECT * FROM aiops.panel_signals
	WHERE signal LIKE 'db.%' OR signal LIKE 'database.%' OR signal LIKE 'session.%';

CREATE VIEW aiops.panel_containers AS
	SELECT *, substr(entity, strpos(entity, ':') + 1) AS container FROM aiops.panel_signals
	WHERE signal LIKE 'container.%';

CREATE VIEW aiops.panel_probe_cost AS
	SELECT * FROM aiops.panel_signals WHERE signal LIKE 'probe.%' OR signal LIKE 'aiops.%';

-- One row an incident: its newest state.
CREATE VIEW aiops.panel_incidents AS
	SELECT DISTINCT ON (r.host_id, r.incident_id) h.name AS host, r.incident_id,
		aiops.time_of((r.data #>> '{incident,opened_usec}')) AS opened, r.ts AS changed, r.state, r.severity,
		r.entity, r.data #>> '{incident,service}' AS service, r.data #>> '{incident,cause}' AS cause,
		r.data #>> '{incident,title}' AS title, r.data #>> '{incident,reason}' AS reason
	FROM aiops.records r JOIN aiops.hosts h ON h.id = r.host_id
	WHERE r.kind = 'incident' ORDER BY r.host_id, r.incident_id, r.id DESC;

CREATE VIEW aiops.panel_timeline AS
	SELECT h.name AS host, r.ts, r.incident_id, r.id, r.kind, r.state, r.entity,
		coalesce(r.data #>> '{narrative,text}', r.data #>> '{verdict,text}', r.data #>> '{diagnosis,text}',
			r.data #>> '{attempt,text}', r.data #>> '{event,text}', r.data #>> '{incident,reason}') AS text
	FROM aiops.records r JOIN aiops.hosts h ON h.id = r.host_id;

-- What was done and what was broken on purpose, as the executors' audit has it.
CREATE VIEW aiops.panel_chaos AS
	SELECT h.name AS host, a.ts, a.actor, a.what, a.action, a.phase, a.text
	FROM aiops.audit a JOIN aiops.hosts h ON h.id = a.host_id;

CREATE VIEW aiops.panel_fleet AS
	SELECT h.name AS host, h.first_seen, h.last_seen,
		(SELECT count(*) FROM aiops.panel_incidents i WHERE i.host = h.name
			AND i.state NOT IN ('resolved', 'cleared')) AS open_incidents,
		(SELECT coalesce(sum(l.points + l.records), 0) FROM aiops.losses l WHERE l.host_id = h.id)
			AS rows_lost
	FROM aiops.hosts h;

GRANT SELECT ON ALL TABLES IN SCHEMA aiops TO aiops_reader;
INSERT INTO aiops.schema_versions VALUES (2);

COMMIT;
