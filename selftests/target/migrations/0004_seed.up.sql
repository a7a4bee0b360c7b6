-- SPDX-License-Identifier: LGPL-2.1-or-later
INSERT INTO lists (name, note) VALUES
	('Workshop', 'What the bench still lacks'),
	('Pantry', 'Before the weekend'),
	('Office', '');

INSERT INTO items (list_id, title, quantity, price_cents)
SELECT l.id, v.title, v.quantity, v.price_cents
FROM (VALUES
	('Workshop', 'Clamps', 4, 1290),
	('Workshop', 'Wood glue', 1, 745),
	('Workshop', 'Sandpaper, grit 120', 10, 89),
	('Pantry', 'Flour', 2, 119),
	('Pantry', 'Olive oil', 1, 899),
	('Pantry', 'Coffee beans', 1, 1450),
	('Office', 'Whiteboard markers', 6, 210),
	('Office', 'Printer paper', 3, 559)
) AS v (list, title, quantity, price_cents)
JOIN lists l ON l.name = v.list
ORDER BY l.id, v.title;
