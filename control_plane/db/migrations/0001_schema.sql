-- SPDX-License-Identifier: MIT
--
-- The control plane's schema. Run as tenant_control_owner, which nobody logs in as. The service's own role ("tenant-control")
-- owns nothing, and row-level security is forced on every table that has rows of tenants.
--
-- Two settings say what a transaction may see: control.tenant (one tenant's rows) and control.platform = 'on' (the
-- platform's own tables, and the list of tenants; never a tenant's people, keys or feed).

CREATE SCHEMA control;
GRANT USAGE ON SCHEMA control TO "tenant-control", tenant_control_lookup;
SET LOCAL search_path TO control;

-- Wrapped in (select …) in policies, so they are evaluated once a statement and not once a row.
CREATE FUNCTION current_tenant() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
	AS $$ SELECT nullif(current_setting('control.tenant', true), '') $$;
CREATE FUNCTION on_platform() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
	AS $$ SELECT coalesce(current_setting('control.platform', true), '') = 'on' $$;

CREATE TABLE platform (
	one boolean PRIMARY KEY DEFAULT true CHECK (one),
	authority text NOT NULL,
	next_id_block bigint NOT NULL CHECK (next_id_block BETWEEN 1879048192 AND 2147483392)
);

CREATE TABLE tenants (
	id text PRIMARY KEY CHECK (id ~ '^ten_[0-9A-Za-z]{16}$'),
	slug text NOT NULL UNIQUE,
	name text NOT NULL DEFAULT '',
	region text NOT NULL DEFAULT 'eu',
	gid bigint NOT NULL UNIQUE,
	id_first bigint NOT NULL,
	id_count bigint NOT NULL CHECK (id_count BETWEEN 16 AND 16777216),
	id_next bigint NOT NULL CHECK (id_next BETWEEN id_first AND id_first + id_count),
	allow_from text[] NOT NULL DEFAULT '{}',
	policy jsonb NOT NULL DEFAULT '{}',
	suspended boolean NOT NULL DEFAULT false,
	version bigint NOT NULL DEFAULT 1,
	created_at timestamptz NOT NULL DEFAULT now(),
	CHECK (id_first >= 1879048192 AND id_first + id_count <= 2147483392)
);

CREATE TABLE roles (
	tenant_id text NOT NULL REFERENCES tenants ON DELETE CASCADE,
	name text NOT NULL,
	kind text NOT NULL CHECK (kind IN ('project', 'tenant')),
	groups text NOT NULL DEFAULT 'none',
	actions text[] NOT NULL,
	version bigint NOT NULL DEFAULT 1,
	PRIMARY KEY (tenant_id, name)
);

CREATE TABLE projects (
	id text PRIMARY KEY CHECK (id ~ '^prj_[0-9A-Za-z]{16}$'),
	tenant_id text NOT NULL REFERENCES tenants ON DELETE CASCADE,
	slug text NOT NULL,
	gid bigint NOT NULL UNIQUE,
	allow_from text[] NOT NULL DEFAULT '{}',
	version bigint NOT NULL DEFAULT 1,
	created_at timestamptz NOT NULL DEFAULT now(),
	UNIQUE (tenant_id, slug),
	UNIQUE (tenant_id, id)
);

CREATE TABLE users (
	id text PRIMARY KEY CHECK (id ~ '^usr_[0-9A-Za-z]{16}$'),
	tenant_id text NOT NULL REFERENCES tenants ON DELETE CASCADE,
	login text NOT NULL,
	uid bigint NOT NULL UNIQUE,
	name text NOT NULL DEFAULT '',
	email text NOT NULL DEFAULT '',
	home text NOT NULL DEFAULT '',
	shell text NOT NULL DEFAULT '',
	kind text NOT NULL DEFAULT 'person' CHECK (kind IN ('person', 'service')),
	status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
	status_reason text NOT NULL DEFAULT '',
	ssh_keys text[] NOT NULL DEFAULT '{}',
	sessions_valid_from bigint NOT NULL DEFAULT 0, -- seconds since the epoch, as in the feed
	version bigint NOT NULL DEFAULT 1,
	created_at timestamptz NOT NULL DEFAULT now(),
	UNIQUE (tenant_id, login),
	UNIQUE (tenant_id, id)
);
CREATE UNIQUE INDEX users_email ON users (tenant_id, lower(email)) WHERE email <> '';

CREATE TABLE passwords (
	tenant_id text NOT NULL,
	user_id text PRIMARY KEY,
	hash text NOT NULL, -- yescrypt
	changed_at timestamptz NOT NULL DEFAULT now(),
	FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);

CREATE TABLE members (
	tenant_id text NOT NULL,
	user_id text NOT NULL,
	project_id text NOT NULL DEFAULT '', -- '': in the tenant
	role text NOT NULL,
	version bigint NOT NULL DEFAULT 1,
	PRIMARY KEY (tenant_id, user_id, project_id),
	FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX members_of_project ON members (tenant_id, project_id, user_id);

CREATE TABLE api_keys (
	id text PRIMARY KEY CHECK (id ~ '^key_[0-9A-Za-z]{16}$'),
	tenant_id text NOT NULL,
	user_id text NOT NULL,
	label text NOT NULL DEFAULT '',
	verifier bytea NOT NULL CHECK (length(verifier) = 32),
	projects text[] NOT NULL DEFAULT '{}',
	actions text[] NOT NULL DEFAULT '{}',
	services text[] NOT NULL DEFAULT '{}',
	allow_from text[] NOT NULL DEFAULT '{}',
	created bigint NOT NULL, -- times as in the feed: seconds since the epoch, 0: unset
	not_before bigint NOT NULL DEFAULT 0,
	not_after bigint NOT NULL DEFAULT 0,
	successor text NOT NULL DEFAULT '',
	revoked_at bigint NOT NULL DEFAULT 0,
	revoked_reason text NOT NULL DEFAULT '',
	version bigint NOT NULL DEFAULT 1,
	FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX api_keys_of_user ON api_keys (tenant_id, user_id, id);

CREATE TABLE host_rules (
	id text PRIMARY KEY CHECK (id ~ '^hrl_[0-9A-Za-z]{16}$'),
	tenant_id text NOT NULL REFERENCES tenants ON DELETE CASCADE,
	name text NOT NULL,
	serves jsonb NOT NULL,
	version bigint NOT NULL DEFAULT 1,
	UNIQUE (tenant_id, name)
);

-- Credentials of third parties: what is secret is sealed by the program (AES-256-GCM) and never comes back out.
CREATE TABLE connectors (
	id text PRIMARY KEY CHECK (id ~ '^con_[0-9A-Za-z]{16}$'),
	tenant_id text NOT NULL REFERENCES tenants ON DELETE CASCADE,
	name text NOT NULL,
	kind text NOT NULL,
	config jsonb NOT NULL DEFAULT '{}',
	secret_names text[] NOT NULL DEFAULT '{}',
	sealed bytea,
	version bigint NOT NULL DEFAULT 1,
	UNIQUE (tenant_id, name)
);

-- ---- hosts -------------------------------------------------------------------------------------------------------
CREATE TABLE hosts (
	id text PRIMARY KEY CHECK (id ~ '^hst_[0-9A-Za-z]{16}$'),
	name text NOT NULL UNIQUE,
	jwk jsonb NOT NULL,
	kid text NOT NULL,
	disabled_at bigint NOT NULL DEFAULT 0,
	disabled_reason text NOT NULL DEFAULT '',
	last_seen timestamptz,
	status jsonb NOT NULL DEFAULT '{}',
	version bigint NOT NULL DEFAULT 1,
	enrolled_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE host_tenants (
	host_id text NOT NULL REFERENCES hosts ON DELETE CASCADE,
	tenant_id text NOT NULL REFERENCES tenants ON DELETE CASCADE,
	PRIMARY KEY (host_id, tenant_id)
);
CREATE INDEX host_tenants_of_tenant ON host_tenants (tenant_id, host_id);
CREATE TABLE enrolment_tokens (
	id text PRIMARY KEY, -- 16 base62 digits, as in the token's text
	verifier bytea NOT NULL CHECK (length(verifier) = 32),
	host_name text NOT NULL DEFAULT '', -- a pattern as in host rules; '': any
	tenants text[] NOT NULL,
	uses_left integer NOT NULL DEFAULT 1 CHECK (uses_left >= 0),
	expires_at bigint NOT NULL,
	created_by text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now()
);

-- ---- operators ----------------------------------------------------------------------------------------------------
CREATE TABLE operators (
	id text PRIMARY KEY CHECK (id ~ '^opr_[0-9A-Za-z]{16}$'),
	email text NOT NULL,
	name text NOT NULL DEFAULT '',
	status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
	hash text NOT NULL DEFAULT '', -- yescrypt; '': cannot sign in yet
	sessions_valid_from bigint NOT NULL DEFAULT 0,
	version bigint NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX operators_email ON operators (lower(email));
-- What an operator may do: 'admin' (everything), 'support' (reads), 'hosts' (hosts and enrolment); in one tenant or ('') all.
CREATE TABLE operator_grants (
	id text PRIMARY KEY CHECK (id ~ '^grt_[0-9A-Za-z]{16}$'),
	operator_id text NOT NULL REFERENCES operators ON DELETE CASCADE,
	tenant_id text NOT NULL DEFAULT '',
	role text NOT NULL CHECK (role IN ('admin', 'support', 'hosts')),
	reason text NOT NULL DEFAULT '',
	not_after bigint NOT NULL DEFAULT 0,
	created_at timestamptz NOT NULL DEFAULT now(),
	UNIQUE (operator_id, tenant_id, role)
);

-- ---- tokens and sign-in ---------------------------------------------------------------------------------------------
CREATE TABLE token_keys (
	kid text PRIMARY KEY,
	jwk jsonb NOT NULL, -- the public half
	sealed bytea NOT NULL,
	signs_from bigint NOT NULL,
	signs_until bigint NOT NULL,
	verifies_until bigint NOT NULL
);
CREATE TABLE token_revocations (
	tenant_id text NOT NULL DEFAULT '', -- '': an operator's or host's
	jti text NOT NULL,
	at bigint NOT NULL,
	until bigint NOT NULL,
	reason text NOT NULL DEFAULT '',
	PRIMARY KEY (tenant_id, jti)
);
-- Who failed how often. The subject is a hash, so the table says nothing about who exists.
CREATE TABLE sign_in_delays (
	subject bytea PRIMARY KEY,
	failures integer NOT NULL,
	not_before timestamptz NOT NULL,
	forget_at timestamptz NOT NULL
);

-- ---- feeds ----------------------------------------------------------------------------------------------------------
CREATE TABLE feeds (
	tenant_id text PRIMARY KEY REFERENCES tenants ON DELETE CASCADE,
	origin text NOT NULL UNIQUE,
	epoch bigint NOT NULL,
	revision bigint NOT NULL,
	chain bytea NOT NULL CHECK (length(chain) = 32),
	head text NOT NULL,
	head_issued bigint NOT NULL,
	trust_version bigint NOT NULL
);
CREATE TABLE feed_trust (
	tenant_id text NOT NULL REFERENCES feeds ON DELETE CASCADE,
	version bigint NOT NULL,
	note text NOT NULL,
	PRIMARY KEY (tenant_id, version)
);
CREATE TABLE feed_keys (
	tenant_id text NOT NULL REFERENCES feeds ON DELETE CASCADE,
	vkey text NOT NULL,
	sealed bytea NOT NULL, -- the seed
	signs boolean NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, vkey)
);
CREATE TABLE feed_deltas (
	tenant_id text NOT NULL REFERENCES feeds ON DELETE CASCADE,
	epoch bigint NOT NULL,
	revision bigint NOT NULL,
	bytes text NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, epoch, revision)
);
-- What the feed says of each record as of its revision: a snapshot is this table, written out.
CREATE TABLE feed_records (
	tenant_id text NOT NULL REFERENCES feeds ON DELETE CASCADE,
	kind smallint NOT NULL, -- enum record_kind
	id text NOT NULL COLLATE "C",
	version bigint NOT NULL,
	body text NOT NULL,
	PRIMARY KEY (tenant_id, kind, id)
);
CREATE TABLE feed_snapshots (
	tenant_id text NOT NULL REFERENCES feeds ON DELETE CASCADE,
	sha256 text NOT NULL,
	epoch bigint NOT NULL,
	revision bigint NOT NULL,
	note text NOT NULL,
	bytes bytea NOT NULL,
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, sha256)
);
ALTER TABLE feed_snapshots ALTER COLUMN bytes SET STORAGE EXTERNAL; -- compressed already
CREATE TABLE feed_acks (
	tenant_id text NOT NULL REFERENCES feeds ON DELETE CASCADE,
	host_id text NOT NULL REFERENCES hosts ON DELETE CASCADE,
	epoch bigint NOT NULL,
	revision bigint NOT NULL,
	refused_revision bigint NOT NULL DEFAULT 0,
	error text NOT NULL DEFAULT '',
	at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, host_id)
);

-- ---- what happened -----------------------------------------------------------------------------------------------------
CREATE TABLE events (
	tenant_id text NOT NULL DEFAULT '', -- '': the platform's own
	id bigint GENERATED ALWAYS AS IDENTITY,
	at timestamptz NOT NULL DEFAULT clock_timestamp(),
	kind text NOT NULL,
	outcome text NOT NULL CHECK (outcome IN ('success', 'failure')),
	actor text NOT NULL DEFAULT '',
	credential text NOT NULL DEFAULT '',
	source text NOT NULL DEFAULT '',
	request_id text NOT NULL DEFAULT '',
	target text NOT NULL DEFAULT '',
	data jsonb NOT NULL DEFAULT '{}',
	PRIMARY KEY (tenant_id, id)
);
CREATE TABLE idempotency (
	tenant_id text NOT NULL DEFAULT '',
	principal text NOT NULL,
	key text NOT NULL,
	fingerprint bytea NOT NULL, -- of method, path and body
	status integer NOT NULL,
	content_type text NOT NULL,
	sealed bytea NOT NULL, -- the answer may hold a secret that is shown once
	created_at timestamptz NOT NULL DEFAULT now(),
	PRIMARY KEY (tenant_id, principal, key)
);
CREATE INDEX idempotency_age ON idempotency (created_at);

-- ---- row-level security --------------------------------------------------------------------------------------------------
DO $$
DECLARE
	name text;
BEGIN
	-- Rows of tenants: one tenant at a time.
	FOREACH name IN ARRAY ARRAY['roles', 'projects', 'users', 'passwords', 'members', 'api_keys', 'host_rules', 'connectors',
		'feeds', 'feed_trust', 'feed_keys', 'feed_deltas', 'feed_records', 'feed_snapshots', 'feed_acks'] LOOP
		EXECUTE format('ALTER TABLE control.%I ENABLE ROW LEVEL SECURITY', name);
		EXECUTE format('ALTER TABLE control.%I FORCE ROW LEVEL SECURITY', name);
		EXECUTE format('CREATE POLICY own_tenant ON control.%I TO "tenant-control"
			USING (tenant_id = (SELECT control.current_tenant()))', name);
		EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON control.%I TO "tenant-control"', name);
	END LOOP;
	-- Rows of tenants, and others ('') that are the platform's.
	FOREACH name IN ARRAY ARRAY['token_revocations', 'events', 'idempotency'] LOOP
		EXECUTE format('ALTER TABLE control.%I ENABLE ROW LEVEL SECURITY', name);
		EXECUTE format('ALTER TABLE control.%I FORCE ROW LEVEL SECURITY', name);
		EXECUTE format('CREATE POLICY own_tenant ON control.%I TO "tenant-control"
			USING (tenant_id = (SELECT control.current_tenant()) OR (tenant_id = '''' AND (SELECT control.on_platform())))', name);
	END LOOP;
	-- The platform's own.
	FOREACH name IN ARRAY ARRAY['platform', 'enrolment_tokens', 'operators', 'operator_grants', 'token_keys',
		'sign_in_delays'] LOOP
		EXECUTE format('ALTER TABLE control.%I ENABLE ROW LEVEL SECURITY', name);
		EXECUTE format('ALTER TABLE control.%I FORCE ROW LEVEL SECURITY', name);
		EXECUTE format('CREATE POLICY platform ON control.%I TO "tenant-control"
			USING ((SELECT control.on_platform()))', name);
		EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON control.%I TO "tenant-control"', name);
	END LOOP;
END
$$;
GRANT SELECT, INSERT, DELETE ON token_revocations, idempotency TO "tenant-control";
GRANT SELECT, INSERT ON events TO "tenant-control"; -- never changed, never deleted by the service

ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
CREATE POLICY own_tenant ON tenants TO "tenant-control"
	USING (id = (SELECT current_tenant()) OR (SELECT on_platform()));
GRANT SELECT, INSERT, UPDATE, DELETE ON tenants TO "tenant-control";

-- A tenant sees which hosts serve it; only the platform changes them.
ALTER TABLE hosts ENABLE ROW LEVEL SECURITY;
ALTER TABLE hosts FORCE ROW LEVEL SECURITY;
ALTER TABLE host_tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE host_tenants FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON host_tenants TO "tenant-control" USING ((SELECT on_platform()));
CREATE POLICY own_tenant ON host_tenants FOR SELECT TO "tenant-control"
	USING (tenant_id = (SELECT current_tenant()));
CREATE POLICY platform ON hosts TO "tenant-control" USING ((SELECT on_platform()));
CREATE POLICY own_tenant ON hosts FOR SELECT TO "tenant-control"
	USING (EXISTS (SELECT FROM host_tenants t WHERE t.host_id = hosts.id AND t.tenant_id = (SELECT current_tenant())));
GRANT SELECT, INSERT, UPDATE, DELETE ON hosts, host_tenants TO "tenant-control";

-- ---- look-ups across tenants -------------------------------------------------------------------------------------------
-- Before it is known who asks there is no tenant yet. These functions are the only way from an id to its tenant. Their owner
-- may read these columns and nothing else, and cannot log in.
GRANT SELECT (id, tenant_id) ON api_keys TO tenant_control_lookup;
GRANT SELECT (id, slug) ON tenants TO tenant_control_lookup;
GRANT SELECT (tenant_id, revision, epoch, trust_version, head_issued) ON feeds TO tenant_control_lookup;
CREATE POLICY lookup ON api_keys FOR SELECT TO tenant_control_lookup USING (true);
CREATE POLICY lookup ON tenants FOR SELECT TO tenant_control_lookup USING (true);
CREATE POLICY lookup ON feeds FOR SELECT TO tenant_control_lookup USING (true);

-- In plpgsql, which keeps the plan: this one is asked with every key that is shown.
CREATE FUNCTION tenant_of_key(key_id text) RETURNS text
	LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = control, pg_temp
	AS $$ BEGIN RETURN (SELECT k.tenant_id FROM api_keys k WHERE k.id = key_id); END $$;
CREATE FUNCTION tenant_of_slug(tenant_slug text) RETURNS text
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, pg_temp
	AS $$ SELECT id FROM tenants WHERE slug = tenant_slug $$;
-- The poll behind NOTIFY: which of these feeds have moved on?
CREATE FUNCTION feed_revisions(tenants text[])
	RETURNS TABLE (tenant_id text, epoch bigint, revision bigint, trust_version bigint, head_issued bigint)
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, pg_temp
	AS $$ SELECT f.tenant_id, f.epoch, f.revision, f.trust_version, f.head_issued FROM feeds f WHERE f.tenant_id = ANY (tenants) $$;
GRANT CREATE ON SCHEMA control TO tenant_control_lookup;
ALTER FUNCTION tenant_of_key(text) OWNER TO tenant_control_lookup;
ALTER FUNCTION tenant_of_slug(text) OWNER TO tenant_control_lookup;
ALTER FUNCTION feed_revisions(text[]) OWNER TO tenant_control_lookup;
REVOKE CREATE ON SCHEMA control FROM tenant_control_lookup;
REVOKE ALL ON FUNCTION tenant_of_key(text), tenant_of_slug(text), feed_revisions(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenant_of_key(text), tenant_of_slug(text), feed_revisions(text[]) TO "tenant-control";

CREATE TABLE migrations (
	name text PRIMARY KEY,
	sha256 text NOT NULL,
	applied_at timestamptz NOT NULL DEFAULT now()
);
GRANT SELECT ON migrations TO "tenant-control";
