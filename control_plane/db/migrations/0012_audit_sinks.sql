-- SPDX-License-Identifier: MIT
--
-- Sinks of the audit log (docs/audit-log.md, "Shipping"): which logs have something for one, and which replica is at it.

SET LOCAL search_path TO control;

-- Who has a sink's log just now, and until when it is theirs: a replica that dies gives it back by that.
ALTER TABLE audit_cursors ADD COLUMN holder text NOT NULL DEFAULT '', ADD COLUMN held_until timestamptz NOT NULL DEFAULT '-infinity';

-- Logs in which there is something that this sink does not have, and that no other replica holds; those that were tried
-- last come last. All tenants' names, so not by the service's own right.
GRANT SELECT (tenant_id, size, checkpoint_size) ON audit_logs TO tenant_control_lookup;
GRANT SELECT (sink, tenant_id, next, checkpoint_size, holder, held_until, at) ON audit_cursors TO tenant_control_lookup;
CREATE POLICY lookup_sinks ON audit_logs FOR SELECT TO tenant_control_lookup USING (true);
CREATE POLICY lookup_sinks ON audit_cursors FOR SELECT TO tenant_control_lookup USING (true);
CREATE FUNCTION audit_unsent(sink_name text, own_holder text, events boolean, checkpoints boolean, most integer) RETURNS SETOF text
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, pg_temp AS $$
	SELECT l.tenant_id FROM audit_logs l LEFT JOIN audit_cursors c ON c.sink = sink_name AND c.tenant_id = l.tenant_id
		WHERE ((events AND l.size > coalesce(c.next, 0)) OR (checkpoints AND l.checkpoint_size > coalesce(c.checkpoint_size, 0)))
			AND (c.sink IS NULL OR c.holder = own_holder OR c.held_until < clock_timestamp())
		ORDER BY c.at NULLS FIRST, l.tenant_id LIMIT most
$$;
GRANT CREATE ON SCHEMA control TO tenant_control_lookup;
ALTER FUNCTION audit_unsent(text, text, boolean, boolean, integer) OWNER TO tenant_control_lookup;
REVOKE CREATE ON SCHEMA control FROM tenant_control_lookup;
REVOKE ALL ON FUNCTION audit_unsent(text, text, boolean, boolean, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_unsent(text, text, boolean, boolean, integer) TO "tenant-control";
