-- SPDX-License-Identifier: MIT
--
-- How long the audit log is kept. The windows are the owner's to set; the service asks for what is past them to go, and
-- nothing that is within them goes, whatever the service asks for.

SET LOCAL search_path TO control;

CREATE POLICY owner ON audit_retention TO tenant_control_owner USING (true) WITH CHECK (true);

-- The months of a table that end before its window does. A month goes as a whole, so what is past the window may stay
-- for a month more, and nothing goes early.
CREATE FUNCTION audit_old_months(parent regclass, days integer) RETURNS TABLE (part regclass, ends timestamptz)
	LANGUAGE sql STABLE SET search_path = control, pg_temp AS $$
	SELECT m.part, m.ends FROM (SELECT i.inhrelid::regclass AS part, (regexp_match(pg_get_expr(c.relpartbound, c.oid),
		'TO \(''([^'']+)''\)'))[1]::timestamptz AS ends FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
		WHERE i.inhparent = parent AND c.relispartition) AS m
	WHERE days IS NOT NULL AND m.ends <= now() - make_interval(days => days) ORDER BY m.ends
$$;

-- Where in each log what is before a moment ends: the tree of that size has to be recorded before it goes.
GRANT SELECT (tenant_id, idx, at) ON audit_entries TO tenant_control_lookup;
CREATE POLICY lookup ON audit_entries FOR SELECT TO tenant_control_lookup USING (true);
GRANT SELECT (tenant_id, size) ON audit_frontiers TO tenant_control_lookup;
CREATE POLICY lookup ON audit_frontiers FOR SELECT TO tenant_control_lookup USING (true);
CREATE FUNCTION audit_ends_before(moment timestamptz) RETURNS TABLE (tenant_id text, size bigint)
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, pg_temp AS $$
	SELECT e.tenant_id, max(e.idx) + 1 FROM audit_entries e WHERE e.at < moment GROUP BY e.tenant_id ORDER BY e.tenant_id
$$;
CREATE FUNCTION audit_unrecorded_before(moment timestamptz) RETURNS bigint
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, pg_temp AS $$
	SELECT count(*) FROM audit_ends_before(moment) AS b WHERE NOT EXISTS
		(SELECT FROM audit_frontiers f WHERE f.tenant_id = b.tenant_id AND f.size = b.size)
$$;
GRANT CREATE ON SCHEMA control TO tenant_control_lookup;
ALTER FUNCTION audit_ends_before(timestamptz) OWNER TO tenant_control_lookup;
ALTER FUNCTION audit_unrecorded_before(timestamptz) OWNER TO tenant_control_lookup;
REVOKE CREATE ON SCHEMA control FROM tenant_control_lookup;

-- Up to when entries are past their window; NULL: none are.
CREATE FUNCTION audit_entries_end() RETURNS timestamptz
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, pg_temp AS $$
	SELECT max(m.ends) FROM audit_retention r, audit_old_months('control.audit_entries', r.entries_days) AS m
$$;

-- Drops what is past its window; how many months went. Entries only where the trees before them are recorded, and their
-- personal data with them.
CREATE FUNCTION audit_drop_old() RETURNS TABLE (entries_months integer, personal_months integer)
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, pg_temp AS $$
DECLARE
	windows audit_retention%ROWTYPE;
	old record;
	entries_end timestamptz := audit_entries_end();
BEGIN
	entries_months := 0;
	personal_months := 0;
	PERFORM pg_advisory_xact_lock(7166353312);
	-- Readers and writers wait for who waits for them: not for long.
	SET LOCAL lock_timeout = '2s';
	SELECT * INTO windows FROM audit_retention;
	IF entries_end IS NOT NULL AND audit_unrecorded_before(entries_end) > 0 THEN
		RAISE EXCEPTION 'the trees before these entries are not recorded' USING ERRCODE = 'check_violation';
	END IF;
	FOR old IN SELECT * FROM audit_old_months('control.audit_personal', windows.personal_days)
			UNION SELECT * FROM audit_old_months('control.audit_personal', windows.entries_days) LOOP
		EXECUTE format('DROP TABLE %s', old.part);
		personal_months := personal_months + 1;
	END LOOP;
	FOR old IN SELECT * FROM audit_old_months('control.audit_entries', windows.entries_days) LOOP
		EXECUTE format('DROP TABLE %s', old.part);
		entries_months := entries_months + 1;
	END LOOP;
	RETURN NEXT;
END
$$;
REVOKE ALL ON FUNCTION audit_old_months(regclass, integer), audit_ends_before(timestamptz), audit_unrecorded_before(timestamptz),
	audit_entries_end(), audit_drop_old() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_unrecorded_before(timestamptz) TO tenant_control_owner;
GRANT EXECUTE ON FUNCTION audit_ends_before(timestamptz), audit_entries_end(), audit_drop_old() TO "tenant-control";
