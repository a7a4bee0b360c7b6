-- SPDX-License-Identifier: LGPL-2.1-or-later
CREATE TABLE items (
	id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	list_id bigint NOT NULL REFERENCES lists ON DELETE CASCADE,
	title text NOT NULL CHECK (char_length(title) BETWEEN 1 AND 120),
	quantity integer NOT NULL DEFAULT 1 CHECK (quantity BETWEEN 1 AND 9999),
	is_done boolean NOT NULL DEFAULT false,
	created_at timestamptz NOT NULL DEFAULT now(),
	changed_at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX items_of_list ON items (list_id, id);

GRANT SELECT, INSERT, UPDATE, DELETE ON items TO aiops_target_app;
