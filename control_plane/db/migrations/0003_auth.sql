-- SPDX-License-Identifier: MIT
--
-- Hosts prove themselves by short assertions (RFC 7523): each is taken once, by all replicas together. An enrolment is
-- remembered with its token, so a host that did not hear the answer may ask again.

SET LOCAL search_path TO control;

CREATE TABLE host_assertions (
	host_id text NOT NULL REFERENCES hosts ON DELETE CASCADE,
	jti text NOT NULL,
	until bigint NOT NULL, -- seconds since the epoch: past this the assertion has expired by itself
	PRIMARY KEY (host_id, jti)
);
CREATE INDEX host_assertions_until ON host_assertions (until);
ALTER TABLE host_assertions ENABLE ROW LEVEL SECURITY;
ALTER TABLE host_assertions FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON host_assertions TO "tenant-control" USING ((SELECT on_platform()));
GRANT SELECT, INSERT, DELETE ON host_assertions TO "tenant-control";

ALTER TABLE hosts ADD COLUMN enrolled_by text NOT NULL DEFAULT ''; -- the enrolment token's id
CREATE UNIQUE INDEX hosts_kid ON hosts (kid);

CREATE INDEX sign_in_delays_age ON sign_in_delays (forget_at);
