-- SPDX-License-Identifier: MIT
--
-- Tenants that share a host share its space of names: what two of them claim is served there by neither. So a name that a
-- tenant takes must be free in the tenants beside it, and tenants that come together must not have one in common.
--
-- Row-level security hides those tenants from each other. These functions look across, and say no more than one name and
-- who has it.
--
-- Races. Who takes a name holds its tenant's row exclusively, and then an advisory lock for each name, in their order.
-- Who brings tenants together holds the rows of all of them FOR SHARE before it looks. Both look after they have waited.

SET LOCAL search_path TO control;

-- Does the host serve others, too? It stays set when they go: then it only costs a look.
ALTER TABLE host_tenants ADD COLUMN shared boolean NOT NULL DEFAULT false;
ALTER TABLE host_tenants NO FORCE ROW LEVEL SECURITY;
UPDATE host_tenants t SET shared = true
	WHERE EXISTS (SELECT FROM host_tenants o WHERE o.host_id = t.host_id AND o.tenant_id <> t.tenant_id);
ALTER TABLE host_tenants FORCE ROW LEVEL SECURITY;
CREATE INDEX host_tenants_shared ON host_tenants (tenant_id, host_id) WHERE shared;

CREATE FUNCTION mark_shared() RETURNS trigger LANGUAGE plpgsql SET search_path = control, pg_temp AS $$
BEGIN
	UPDATE host_tenants t SET shared = true
		WHERE t.host_id IN (SELECT a.host_id FROM added a) AND NOT t.shared
		AND EXISTS (SELECT FROM host_tenants o WHERE o.host_id = t.host_id AND o.tenant_id <> t.tenant_id);
	RETURN NULL;
END $$;
CREATE TRIGGER mark_shared AFTER INSERT ON host_tenants REFERENCING NEW TABLE AS added
	FOR EACH STATEMENT EXECUTE FUNCTION mark_shared();

GRANT SELECT (host_id, tenant_id, shared) ON host_tenants TO tenant_control_lookup;
GRANT SELECT (tenant_id, login) ON users TO tenant_control_lookup;
GRANT SELECT (tenant_id, slug) ON projects TO tenant_control_lookup;
CREATE POLICY lookup ON host_tenants FOR SELECT TO tenant_control_lookup USING (true);
CREATE POLICY lookup ON users FOR SELECT TO tenant_control_lookup USING (true);
CREATE POLICY lookup ON projects FOR SELECT TO tenant_control_lookup USING (true);

-- Which of these names has a tenant beside the one of this transaction? VOLATILE, so that each statement sees what was
-- committed while the ones before it waited.
CREATE FUNCTION names_elsewhere(wanted text[]) RETURNS TABLE (name text, slug text)
	LANGUAGE plpgsql VOLATILE ROWS 1 SECURITY DEFINER SET search_path = control, pg_temp AS $$
DECLARE
	me CONSTANT text := current_tenant();
	number integer;
BEGIN
	IF NOT EXISTS (SELECT FROM host_tenants h WHERE h.tenant_id = me AND h.shared) THEN
		RETURN;
	END IF;
	FOR number IN SELECT DISTINCT hashtext(w) FROM unnest(wanted) w ORDER BY 1 LOOP
		PERFORM pg_advisory_xact_lock(1852796257, number);
	END LOOP;
	RETURN QUERY
		WITH beside AS MATERIALIZED (
			SELECT DISTINCT o.tenant_id FROM host_tenants h JOIN host_tenants o ON o.host_id = h.host_id
			WHERE h.tenant_id = me AND h.shared AND o.tenant_id <> me)
		SELECT t.slug, t.slug FROM beside b JOIN tenants t ON t.id = b.tenant_id WHERE t.slug = ANY (wanted)
		UNION ALL
		SELECT u.login, t.slug FROM beside b JOIN users u ON u.tenant_id = b.tenant_id AND u.login = ANY (wanted)
			JOIN tenants t ON t.id = b.tenant_id
		UNION ALL -- of what stands behind the tenant's slug, the project's may be all or all but the level
		SELECT w, t.slug FROM beside b JOIN tenants t ON t.id = b.tenant_id
			JOIN unnest(wanted) w ON starts_with(w, t.slug || '-')
			JOIN projects p ON p.tenant_id = b.tenant_id AND p.slug = ANY (ARRAY[substr(w, length(t.slug) + 2),
				regexp_replace(substr(w, length(t.slug) + 2), '-(viewer|editor|owner)$', '')])
		LIMIT 1;
END $$;

-- A name that two of these tenants have, who are to be together on the host (''; one that is not there yet). Where they
-- are together already on another host, it was looked at then.
CREATE FUNCTION names_twice(together text[], host text) RETURNS TABLE (name text, slug text, other_slug text)
	LANGUAGE plpgsql VOLATILE ROWS 1 SECURITY DEFINER SET search_path = control, pg_temp AS $$
BEGIN
	IF NOT on_platform() OR cardinality(together) < 2 OR EXISTS (
		SELECT FROM host_tenants h WHERE h.tenant_id = together[1] AND h.shared AND h.host_id <> host AND NOT EXISTS (
			SELECT FROM unnest(together) t WHERE NOT EXISTS (
				SELECT FROM host_tenants o WHERE o.host_id = h.host_id AND o.tenant_id = t))) THEN
		RETURN;
	END IF;
	RETURN QUERY
		WITH claims AS (
			SELECT t.slug AS claim, t.slug AS tenant FROM tenants t WHERE t.id = ANY (together)
			UNION ALL
			SELECT u.login, t.slug FROM unnest(together) i JOIN tenants t ON t.id = i JOIN users u ON u.tenant_id = i
			UNION ALL
			SELECT t.slug || '-' || p.slug || level, t.slug FROM unnest(together) i JOIN tenants t ON t.id = i
				JOIN projects p ON p.tenant_id = i, unnest(ARRAY['', '-viewer', '-editor', '-owner']) level)
		SELECT c.claim, min(c.tenant), max(c.tenant) FROM claims c GROUP BY c.claim
			HAVING min(c.tenant) <> max(c.tenant) ORDER BY 1 LIMIT 1;
END $$;

GRANT CREATE ON SCHEMA control TO tenant_control_lookup;
ALTER FUNCTION names_elsewhere(text[]) OWNER TO tenant_control_lookup;
ALTER FUNCTION names_twice(text[], text) OWNER TO tenant_control_lookup;
REVOKE CREATE ON SCHEMA control FROM tenant_control_lookup;
REVOKE ALL ON FUNCTION names_elsewhere(text[]), names_twice(text[], text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION names_elsewhere(text[]), names_twice(text[], text) TO "tenant-control";
