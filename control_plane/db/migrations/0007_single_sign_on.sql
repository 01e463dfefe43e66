-- SPDX-License-Identifier: MIT
--
-- Single sign-on: which identity providers a tenant's people may come from, who they are there, and the sign-ins that the
-- control plane itself leads as a provider (RFC 8628).

SET LOCAL search_path TO control;

CREATE TABLE identity_providers (
	id text PRIMARY KEY CHECK (id ~ '^idp_[0-9A-Za-z]{16}$'),
	tenant_id text NOT NULL REFERENCES tenants ON DELETE CASCADE,
	name text NOT NULL,
	kind text NOT NULL CHECK (kind IN ('oidc', 'google', 'microsoft', 'github', 'tenantd')),
	issuer text NOT NULL,
	client_id text NOT NULL,
	client_auth text NOT NULL DEFAULT 'none',
	sealed bytea, -- the client's secret and its private key, as a JSON object
	client_secret_set boolean NOT NULL DEFAULT false,
	client_key_set boolean NOT NULL DEFAULT false,
	scopes text[] NOT NULL DEFAULT '{}',
	acr text[] NOT NULL DEFAULT '{}',
	amr text[] NOT NULL DEFAULT '{}',
	domains text[] NOT NULL DEFAULT '{}',
	hosted_domain text NOT NULL DEFAULT '',
	token_audience text NOT NULL DEFAULT '',
	bind text NOT NULL DEFAULT 'listed',
	max_age bigint NOT NULL DEFAULT 0 CHECK (max_age >= 0),
	preferred boolean NOT NULL DEFAULT false,
	version bigint NOT NULL DEFAULT 1,
	created_at timestamptz NOT NULL DEFAULT now(),
	UNIQUE (tenant_id, name)
);
CREATE UNIQUE INDEX identity_providers_preferred ON identity_providers (tenant_id) WHERE preferred;

-- One identity is one user's.
CREATE TABLE user_identities (
	tenant_id text NOT NULL,
	issuer text NOT NULL,
	subject text NOT NULL,
	user_id text NOT NULL,
	PRIMARY KEY (tenant_id, issuer, subject),
	FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX user_identities_of_user ON user_identities (tenant_id, user_id);

-- A sign-in that waits for somebody to approve it. Codes are kept as digests, the short one under a key of the program:
-- who reads this table can neither poll for anybody nor find out what somebody is about to type.
CREATE TABLE device_grants (
	id text PRIMARY KEY CHECK (id ~ '^dgr_[0-9A-Za-z]{16}$'),
	tenant_id text NOT NULL REFERENCES tenants ON DELETE CASCADE,
	device_code bytea NOT NULL UNIQUE CHECK (length(device_code) = 32),
	user_code bytea NOT NULL UNIQUE CHECK (length(user_code) = 32),
	scope text NOT NULL,
	nonce text NOT NULL DEFAULT '',
	challenge text NOT NULL DEFAULT '', -- PKCE, S256
	source text NOT NULL,               -- who asked …
	source_block text NOT NULL,         -- … and as what it is counted
	host text NOT NULL DEFAULT '',      -- the name of an enrolled host that proved to be it
	created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
	expires_at timestamptz NOT NULL,
	interval_sec bigint NOT NULL CHECK (interval_sec >= 1),
	polled_at timestamptz,
	state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'approved', 'denied', 'used')),
	user_id text NOT NULL DEFAULT '', -- who approved: no reference, so that a user who is gone is told apart
	approved_at bigint NOT NULL DEFAULT 0,
	valid_from bigint NOT NULL DEFAULT 0 -- the user's sessions_valid_from then
);
CREATE INDEX device_grants_of_tenant ON device_grants (tenant_id, expires_at);

DO $$
DECLARE
	name text;
BEGIN
	FOREACH name IN ARRAY ARRAY['identity_providers', 'user_identities', 'device_grants'] LOOP
		EXECUTE format('ALTER TABLE control.%I ENABLE ROW LEVEL SECURITY', name);
		EXECUTE format('ALTER TABLE control.%I FORCE ROW LEVEL SECURITY', name);
		EXECUTE format('CREATE POLICY own_tenant ON control.%I TO "tenant-control"
			USING (tenant_id = (SELECT control.current_tenant()))', name);
		EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON control.%I TO "tenant-control"', name);
	END LOOP;
END
$$;

-- Who types a code has not said yet which tenant they are of.
GRANT SELECT (user_code, tenant_id) ON device_grants TO tenant_control_lookup;
CREATE POLICY lookup ON device_grants FOR SELECT TO tenant_control_lookup USING (true);
CREATE FUNCTION tenant_of_user_code(digest bytea) RETURNS text
	LANGUAGE sql STABLE SECURITY DEFINER SET search_path = control, pg_temp
	AS $$ SELECT g.tenant_id FROM device_grants g WHERE g.user_code = digest $$;
GRANT CREATE ON SCHEMA control TO tenant_control_lookup;
ALTER FUNCTION tenant_of_user_code(bytea) OWNER TO tenant_control_lookup;
REVOKE CREATE ON SCHEMA control FROM tenant_control_lookup;
REVOKE ALL ON FUNCTION tenant_of_user_code(bytea) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenant_of_user_code(bytea) TO "tenant-control";
