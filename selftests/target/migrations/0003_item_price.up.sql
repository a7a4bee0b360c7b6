-- SPDX-License-Identifier: LGPL-2.1-or-later
ALTER TABLE items
	ADD COLUMN price_cents bigint NOT NULL DEFAULT 0
	CHECK (price_cents BETWEEN 0 AND 100000000);
