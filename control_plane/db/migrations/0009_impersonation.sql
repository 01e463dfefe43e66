-- SPDX-License-Identifier: MIT
--
-- Operators who look into a tenant: a grant with a reason and an end, and an account of their own there, whose uid and
-- login name stay the operator's when the grant is over.

SET LOCAL search_path TO control;

ALTER TABLE operators ADD COLUMN ssh_keys text[] NOT NULL DEFAULT '{}';

ALTER TABLE users DROP CONSTRAINT users_kind_check;
ALTER TABLE users ADD CONSTRAINT users_kind_check CHECK (kind IN ('person', 'service', 'operator'));

ALTER TABLE operator_grants DROP CONSTRAINT operator_grants_role_check;
ALTER TABLE operator_grants ADD CONSTRAINT operator_grants_role_check
	CHECK (role IN ('admin', 'support', 'hosts', 'impersonate'));
ALTER TABLE operator_grants ADD COLUMN projects text[] NOT NULL DEFAULT '{}'; -- '{}': all that the tenant has or gets
ALTER TABLE operator_grants ADD COLUMN version bigint NOT NULL DEFAULT 1;
ALTER TABLE operator_grants ADD CONSTRAINT operator_grants_why_and_until
	CHECK (role <> 'impersonate' OR (tenant_id <> '' AND reason <> '' AND not_after > 0));

CREATE TABLE operator_accounts (
	operator_id text NOT NULL REFERENCES operators,
	tenant_id text NOT NULL REFERENCES tenants ON DELETE CASCADE,
	user_id text NOT NULL,
	login text NOT NULL,
	operator_name text NOT NULL,
	PRIMARY KEY (operator_id, tenant_id),
	FOREIGN KEY (tenant_id, user_id) REFERENCES users (tenant_id, id) ON DELETE CASCADE
);
CREATE INDEX operator_accounts_of_tenant ON operator_accounts (tenant_id, user_id);

-- The platform writes; a tenant reads who looks in there.
ALTER TABLE operator_accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE operator_accounts FORCE ROW LEVEL SECURITY;
CREATE POLICY platform ON operator_accounts TO "tenant-control" USING ((SELECT on_platform()));
CREATE POLICY own_tenant ON operator_accounts FOR SELECT TO "tenant-control"
	USING (tenant_id = (SELECT current_tenant()));
GRANT SELECT, INSERT, UPDATE, DELETE ON operator_accounts TO "tenant-control";
CREATE POLICY own_tenant ON operator_grants FOR SELECT TO "tenant-control"
	USING (role = 'impersonate' AND tenant_id = (SELECT current_tenant()));
