-- SPDX-License-Identifier: MIT
--
-- Sessions on hosts, as the hosts report them. Each host speaks for itself and for the tenants that it serves: a row is
-- the host's that reported it first, and no other host can say anything about it.

SET LOCAL search_path TO control;

-- How far a host's report is: a list (a name that the host makes up, another one for each whole list) in parts, and then
-- changes to it, one after the other. There is no reference to hosts: what one that is gone said last is still shown, as
-- such, for a while.
CREATE TABLE session_reports (
	tenant_id text NOT NULL REFERENCES tenants ON DELETE CASCADE,
	host_id text NOT NULL,
	host_name text NOT NULL,
	list text NOT NULL,
	part bigint NOT NULL,
	complete boolean NOT NULL, -- all of the list has come: what was not on it is gone
	at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, host_id)
);

-- No reference to users and projects either: a session may outlive them, which is just what somebody should see.
CREATE TABLE sessions (
	tenant_id text NOT NULL,
	id text NOT NULL CHECK (id ~ '^[0-9A-Za-z]{16}$'),
	host_id text NOT NULL,
	list text NOT NULL,
	user_id text NOT NULL CHECK (user_id ~ '^usr_[0-9A-Za-z]{16}$'),
	project_id text NOT NULL DEFAULT '',
	role text NOT NULL DEFAULT '',
	service text NOT NULL DEFAULT '',
	source text NOT NULL DEFAULT '',
	terminal text NOT NULL DEFAULT '',
	credential text NOT NULL DEFAULT '',
	provider text NOT NULL DEFAULT '',
	grant_id text NOT NULL DEFAULT '',
	operator_name text NOT NULL DEFAULT '',
	opened bigint NOT NULL, -- seconds since the epoch, by the host's clock
	state text NOT NULL CHECK (state IN ('open', 'left-behind', 'ending')),
	cause text NOT NULL DEFAULT '',
	ordered bigint NOT NULL DEFAULT 0, -- the newest order to end it (its time in the feed); 0: none
	PRIMARY KEY (tenant_id, id),
	FOREIGN KEY (tenant_id, host_id) REFERENCES session_reports ON DELETE CASCADE
) WITH (fillfactor = 70); -- what changes in a session's life stands in no index
CREATE INDEX sessions_of_user ON sessions (tenant_id, user_id, id);
CREATE INDEX sessions_of_project ON sessions (tenant_id, project_id, id);
CREATE INDEX sessions_of_host ON sessions (tenant_id, host_id, id);

DO $$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY ARRAY['session_reports', 'sessions'] LOOP
		EXECUTE format('ALTER TABLE control.%I ENABLE ROW LEVEL SECURITY', name);
		EXECUTE format('ALTER TABLE control.%I FORCE ROW LEVEL SECURITY', name);
		EXECUTE format('CREATE POLICY own_tenant ON control.%I TO "tenant-control"
			USING (tenant_id = (SELECT control.current_tenant()))', name);
		EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON control.%I TO "tenant-control"', name);
	END LOOP;
END
$$;

-- The one limit of sessions that a policy had has its place among the others now.
ALTER TABLE tenants NO FORCE ROW LEVEL SECURITY;
UPDATE tenants SET policy = (policy - 'max_sessions_per_user') || CASE WHEN policy -> 'max_sessions_per_user' <> '0'
		THEN jsonb_build_object('sessions', jsonb_build_object('max_per_user', policy -> 'max_sessions_per_user'))
		ELSE '{}' END
	WHERE policy ? 'max_sessions_per_user';
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
