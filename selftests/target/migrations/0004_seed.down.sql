-- SPDX-License-Identifier: LGPL-2.1-or-later
DELETE FROM lists WHERE name IN ('Workshop', 'Pantry', 'Office');
