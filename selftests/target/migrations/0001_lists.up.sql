-- SPDX-License-Identifier: LGPL-2.1-or-later
CREATE TABLE lists (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name text NOT NULL UNIQUE CHECK (char_length(name) BETWEEN 1 AND 80),
	note text NOT NULL DEFAULT '' CHECK (char_length(note) <= 500),
	created_at timestamptz NOT NULL DEFAULT now()
);

GRANT SELECT, INSERT, UPDATE, DELETE ON lists TO aiops_target_app;
GRANT SELECT ON schema_migrations TO aiops_target_app;
