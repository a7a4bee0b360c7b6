-- SPDX-License-Identifier: LGPL-2.1-or-later
REVOKE SELECT ON schema_migrations FROM aiops_target_app;
DROP TABLE lists;
