-- SPDX-License-Identifier: MIT
--
-- The audit log (docs/audit-log.md). A log is a tenant's, or with the empty id the platform's. What is in a log is never
-- changed and never deleted by the service: it has no right to, and a trigger says so to everybody else. Old partitions
-- leave as a whole, and only by the functions at the end.

SET LOCAL search_path TO control;

-- ---- hosts' chains ---------------------------------------------------------------------------------------------------
CREATE TABLE audit_chains (
	host_id text NOT NULL, -- no reference: what a host wrote outlives it
	chain text NOT NULL CHECK (chain ~ '^[0-9A-Za-z]{16}$'),
	host_name text NOT NULL,
	vkey text NOT NULL,
	next bigint NOT NULL DEFAULT 1 CHECK (next > 0), -- the first that has not come
	head bytea NOT NULL,                             -- hash of the one before it
	announced bigint NOT NULL DEFAULT 0,             -- how far the host said that it is …
	announced_head bytea,                            -- … and the hash that it must have there
	state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'forked')),
	began_at timestamptz NOT NULL DEFAULT now(),
	last_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (host_id, chain),
	UNIQUE (chain) -- events are known by chain and number: two hosts that came from one image do not share one
);

-- ---- what was accepted and has no place yet ----------------------------------------------------------------------------
-- `records`: lines as in a group's body, with the personal data sealed under their persons' keys.
CREATE TABLE audit_inbox (
	tenant_id text NOT NULL,
	id bigint GENERATED ALWAYS AS IDENTITY,
	at timestamptz NOT NULL DEFAULT clock_timestamp(),
	host_id text NOT NULL DEFAULT '',
	host_name text NOT NULL DEFAULT '',
	count integer NOT NULL,
	records bytea NOT NULL,
	PRIMARY KEY (tenant_id, id)
);
ALTER TABLE audit_inbox ALTER COLUMN records SET COMPRESSION lz4;
-- A queue: what was in it must not make the next look slow.
ALTER TABLE audit_inbox SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_cost_delay = 0,
	toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 4000, toast.autovacuum_vacuum_cost_delay = 0);

-- ---- the log -----------------------------------------------------------------------------------------------------------
CREATE TABLE audit_entries (
	tenant_id text NOT NULL,
	idx bigint NOT NULL,
	at timestamptz NOT NULL, -- when it got its place
	event_id text NOT NULL,
	hash bytea NOT NULL,     -- of the leaf
	time timestamptz NOT NULL, -- as the event says
	kind text NOT NULL,
	class_uid integer NOT NULL,
	activity_id integer NOT NULL,
	severity_id smallint NOT NULL,
	outcome smallint NOT NULL, -- 0 unknown, 1 success, 2 failure
	actor text NOT NULL,
	project_id text NOT NULL,
	host_id text NOT NULL,
	host_name text NOT NULL,
	leaf text NOT NULL,
	PRIMARY KEY (tenant_id, idx, at)
) PARTITION BY RANGE (at);
CREATE INDEX audit_entries_event ON audit_entries (tenant_id, event_id);
CREATE INDEX audit_entries_actor ON audit_entries (tenant_id, actor, idx);
CREATE INDEX audit_entries_kind ON audit_entries (tenant_id, kind, idx);
CREATE INDEX audit_entries_host ON audit_entries (tenant_id, host_id, idx);

CREATE TABLE audit_personal (
	tenant_id text NOT NULL,
	idx bigint NOT NULL,
	part smallint NOT NULL, -- as in the leaf
	at timestamptz NOT NULL,
	person text NOT NULL,
	sealed bytea NOT NULL,
	PRIMARY KEY (tenant_id, idx, part, at)
) PARTITION BY RANGE (at);

-- Hashes of leaves that left with their partition while the tile that they belong to was not whole.
CREATE TABLE audit_edges (
	tenant_id text NOT NULL,
	idx bigint NOT NULL,
	hash bytea NOT NULL,
	PRIMARY KEY (tenant_id, idx)
);

-- The key of one person in one log. Deleting it is what erases.
CREATE TABLE audit_person_keys (
	tenant_id text NOT NULL,
	person text NOT NULL,
	key_id bigint GENERATED ALWAYS AS IDENTITY, -- another one after an erasure
	sealed bytea NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, person)
);

-- Whole tiles of the tree; what is partial is worked out from what is below.
CREATE TABLE audit_tiles (
	tenant_id text NOT NULL,
	level smallint NOT NULL,
	n bigint NOT NULL,
	root bytea NOT NULL,
	hashes bytea NOT NULL, -- 256 of 32 bytes
	PRIMARY KEY (tenant_id, level, n)
);
ALTER TABLE audit_tiles ALTER COLUMN hashes SET STORAGE EXTERNAL;

-- Where the sequencer is. The one row of a log that changes; it only grows.
CREATE TABLE audit_logs (
	tenant_id text PRIMARY KEY,
	size bigint NOT NULL DEFAULT 0,
	hashes bytea NOT NULL DEFAULT '', -- the frontier
	checkpoint_size bigint NOT NULL DEFAULT 0,
	checkpoint text NOT NULL DEFAULT '',
	first_idx bigint NOT NULL DEFAULT 0, -- entries before it are gone with their partition
	sequenced_at timestamptz NOT NULL DEFAULT '-infinity' -- of the newest entry: `at` never goes back
) WITH (fillfactor = 50);
CREATE TABLE audit_checkpoints (
	tenant_id text NOT NULL,
	size bigint NOT NULL,
	issued timestamptz NOT NULL DEFAULT clock_timestamp(),
	note text NOT NULL,
	PRIMARY KEY (tenant_id, size, issued)
);
-- The tree where old entries ended: from here on all can be verified without them.
CREATE TABLE audit_frontiers (
	tenant_id text NOT NULL,
	size bigint NOT NULL,
	hashes bytea NOT NULL,
	root bytea NOT NULL,
	at timestamptz NOT NULL DEFAULT clock_timestamp(),
	PRIMARY KEY (tenant_id, size)
);

-- ---- around the log ------------------------------------------------------------------------------------------------------
-- What each host has cosigned last.
CREATE TABLE audit_witnesses (
	tenant_id text NOT NULL,
	host_id text NOT NULL,
	vkey text NOT NULL,
	size bigint NOT NULL,
	line text NOT NULL,
	at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, host_id)
);
-- How far each sink has come.
CREATE TABLE audit_cursors (
	sink text NOT NULL,
	tenant_id text NOT NULL,
	next bigint NOT NULL DEFAULT 0,
	checkpoint_size bigint NOT NULL DEFAULT 0,
	sent bigint NOT NULL DEFAULT 0,
	dead bigint NOT NULL DEFAULT 0,
	error text NOT NULL DEFAULT '',
	at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (sink, tenant_id)
);
-- The windows, in days; NULL: for ever. Only the owner writes them (tenant-control audit retention).
CREATE TABLE audit_retention (
	one boolean PRIMARY KEY DEFAULT true CHECK (one),
	personal_days integer CHECK (personal_days > 0),
	entries_days integer CHECK (entries_days > 0)
);
INSERT INTO audit_retention DEFAULT VALUES;

-- ---- rights ----------------------------------------------------------------------------------------------------------------
CREATE FUNCTION audit_is_for_ever() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	RAISE EXCEPTION 'rows of control.% are never changed or deleted', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END
$$;
CREATE FUNCTION audit_log_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.tenant_id <> OLD.tenant_id OR NEW.size < OLD.size OR NEW.checkpoint_size < OLD.checkpoint_size OR NEW.first_idx < OLD.first_idx THEN
		RAISE EXCEPTION 'the log of % can only grow', OLD.tenant_id USING ERRCODE = 'restrict_violation';
	END IF;
	RETURN NEW;
END
$$;
CREATE TRIGGER grows BEFORE UPDATE ON audit_logs FOR EACH ROW EXECUTE FUNCTION audit_log_grows();
CREATE TRIGGER for_ever BEFORE DELETE ON audit_logs FOR EACH ROW EXECUTE FUNCTION audit_is_for_ever();

DO $$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY ARRAY['audit_inbox', 'audit_entries', 'audit_personal', 'audit_person_keys', 'audit_tiles', 'audit_edges', 'audit_logs',
		'audit_checkpoints', 'audit_frontiers', 'audit_witnesses', 'audit_cursors'] LOOP
		EXECUTE format('ALTER TABLE control.%I ENABLE ROW LEVEL SECURITY', name);
		EXECUTE format('ALTER TABLE control.%I FORCE ROW LEVEL SECURITY', name);
		EXECUTE format('CREATE POLICY own_tenant ON control.%I TO "tenant-control"
			USING (tenant_id = (SELECT control.current_tenant()) OR (tenant_id = '''' AND (SELECT control.on_platform())))', name);
		EXECUTE format('GRANT SELECT, INSERT ON control.%I TO "tenant-control"', name);
	END LOOP;
	FOREACH name IN ARRAY ARRAY['audit_entries', 'audit_personal', 'audit_tiles', 'audit_edges', 'audit_checkpoints', 'audit_frontiers'] LOOP
		EXECUTE format('CREATE TRIGGER for_ever BEFORE UPDATE OR DELETE OR TRUNCATE ON control.%I
			FOR EACH STATEMENT EXECUTE FUNCTION control.audit_is_for_ever()', name);
	END LOOP;
	FOREACH name IN ARRAY ARRAY['audit_chains', 'audit_retention'] LOOP
		EXECUTE format('ALTER TABLE control.%I ENABLE ROW LEVEL SECURITY', name);
		EXECUTE format('ALTER TABLE control.%I FORCE ROW LEVEL SECURITY', name);
		EXECUTE format('CREATE POLICY platform ON control.%I TO "tenant-control" USING ((SELECT control.on_platform()))', name);
		EXECUTE format('GRANT SELECT ON control.%I TO "tenant-control"', name);
	END LOOP;
END
$$;
GRANT DELETE ON audit_inbox, audit_person_keys TO "tenant-control";
GRANT UPDATE ON audit_logs, audit_witnesses, audit_cursors TO "tenant-control";
GRANT INSERT, UPDATE ON audit_chains TO "tenant-control";

-- ---- which logs have something waiting -----------------------------------------------------------------------------------
-- For sequencers, which do not know it from their own: a loose scan of the key, whatever there is of each.
GRANT SELECT (tenant_id) ON audit_inbox TO tenant_control_lookup;
CREATE POLICY lookup ON audit_inbox FOR SELECT TO tenant_control_lookup USING (true);
CREATE FUNCTION audit_waiting() RETURNS SETOF text
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, pg_temp AS $$
	WITH RECURSIVE logs (tenant_id) AS (
		(SELECT i.tenant_id FROM audit_inbox i ORDER BY i.tenant_id LIMIT 1)
		UNION ALL
		SELECT (SELECT i.tenant_id FROM audit_inbox i WHERE i.tenant_id > l.tenant_id ORDER BY i.tenant_id LIMIT 1)
			FROM logs l WHERE l.tenant_id IS NOT NULL)
	SELECT tenant_id FROM logs WHERE tenant_id IS NOT NULL
$$;
GRANT CREATE ON SCHEMA control TO tenant_control_lookup;
ALTER FUNCTION audit_waiting() OWNER TO tenant_control_lookup;
REVOKE CREATE ON SCHEMA control FROM tenant_control_lookup;
REVOKE ALL ON FUNCTION audit_waiting() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_waiting() TO "tenant-control";

-- ---- partitions -----------------------------------------------------------------------------------------------------------
-- Of this month and the next three, where they are not there yet. The service calls it daily; what the owner may do to
-- partitions it may not, and nobody reaches one but through its table. Attached and not made in place: that waits for no
-- reader.
CREATE FUNCTION audit_make_partitions() RETURNS integer
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, pg_temp AS $$
DECLARE
	parent text;
	part text;
	first timestamp;
	made integer := 0;
BEGIN
	-- One at a time.
	PERFORM pg_advisory_xact_lock(7166353312);
	FOR ahead IN 0..3 LOOP
		first := date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC') + make_interval(months => ahead);
		FOREACH parent IN ARRAY ARRAY['audit_entries', 'audit_personal'] LOOP
			part := parent || to_char(first, '_YYYY_MM');
			CONTINUE WHEN to_regclass('control.' || part) IS NOT NULL;
			EXECUTE format('CREATE TABLE control.%I (LIKE control.%I INCLUDING DEFAULTS INCLUDING STORAGE INCLUDING COMPRESSION)', part, parent);
			EXECUTE format('ALTER TABLE control.%I ENABLE ROW LEVEL SECURITY', part);
			EXECUTE format('ALTER TABLE control.%I FORCE ROW LEVEL SECURITY', part);
			EXECUTE format('CREATE TRIGGER for_ever BEFORE UPDATE OR DELETE OR TRUNCATE ON control.%I
				FOR EACH STATEMENT EXECUTE FUNCTION control.audit_is_for_ever()', part);
			EXECUTE format('ALTER TABLE control.%I ATTACH PARTITION control.%I FOR VALUES FROM (%L) TO (%L)', parent, part,
				to_char(first, 'YYYY-MM-DD') || ' 00:00:00+00', to_char(first + interval '1 month', 'YYYY-MM-DD') || ' 00:00:00+00');
			made := made + 1;
		END LOOP;
	END LOOP;
	RETURN made;
END
$$;
REVOKE ALL ON FUNCTION audit_make_partitions() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_make_partitions() TO "tenant-control";
SELECT audit_make_partitions();
