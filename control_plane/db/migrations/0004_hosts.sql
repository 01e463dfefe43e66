-- SPDX-License-Identifier: MIT
--
-- What a host's access token is good for ends when the host is disabled, and does not come back with the host. Hosts
-- compare the names of host rules without regard to case: so does the database.

SET LOCAL search_path TO control;

ALTER TABLE hosts ADD COLUMN sessions_valid_from bigint NOT NULL DEFAULT 0; -- seconds since the epoch

CREATE UNIQUE INDEX host_rules_name ON host_rules (tenant_id, lower(name));
