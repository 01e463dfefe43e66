-- SPDX-License-Identifier: MIT
--
-- What is past its window goes from logs of any size, and personal data whatever becomes of the entries.

SET LOCAL search_path TO control;

-- By each log's last entry before it, found by its key: to count all entries of a month took longer than a statement may.
CREATE OR REPLACE FUNCTION audit_ends_before(moment timestamptz) RETURNS TABLE (tenant_id text, size bigint)
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, pg_temp AS $$
	SELECT l.tenant_id, n.idx + 1 FROM audit_logs l, LATERAL (SELECT e.idx FROM audit_entries e WHERE e.tenant_id = l.tenant_id
		AND e.at < moment ORDER BY e.idx DESC LIMIT 1) AS n ORDER BY l.tenant_id
$$;

-- Personal data need no tree to be recorded: a log whose entries cannot go keeps nobody's name longer than the window says.
CREATE FUNCTION audit_drop_personal() RETURNS integer
	LANGUAGE plpgsql SECURITY DEFINER SET search_path = control, pg_temp AS $$
DECLARE
	old record;
	months integer := 0;
BEGIN
	PERFORM pg_advisory_xact_lock(7166353312);
	SET LOCAL lock_timeout = '2s';
	FOR old IN SELECT m.* FROM audit_retention r, audit_old_months('control.audit_personal', r.personal_days) AS m LOOP
		EXECUTE format('DROP TABLE %s', old.part);
		months := months + 1;
	END LOOP;
	RETURN months;
END
$$;
REVOKE ALL ON FUNCTION audit_drop_personal() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_drop_personal() TO "tenant-control";
