-- SPDX-License-Identifier: LGPL-2.1-or-later
ALTER TABLE items DROP COLUMN price_cents;
