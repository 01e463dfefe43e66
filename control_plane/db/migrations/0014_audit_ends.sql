-- SPDX-License-Identifier: MIT
--
-- A log ends with its tenant: what is in it stays, nothing comes after its last checkpoint, and the keys that it was
-- signed by are kept beside it, since the feed that had them is gone.

SET LOCAL search_path TO control;

ALTER TABLE audit_logs ADD COLUMN ended_at timestamptz, ADD COLUMN ended_keys jsonb;

CREATE OR REPLACE FUNCTION audit_log_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.tenant_id <> OLD.tenant_id OR NEW.size < OLD.size OR NEW.checkpoint_size < OLD.checkpoint_size OR NEW.first_idx < OLD.first_idx THEN
		RAISE EXCEPTION 'the log of % can only grow', OLD.tenant_id USING ERRCODE = 'restrict_violation';
	END IF;
	IF OLD.ended_at IS NOT NULL AND (NEW.size <> OLD.size OR NEW.checkpoint <> OLD.checkpoint OR NEW.ended_at IS DISTINCT FROM OLD.ended_at
			OR NEW.ended_keys IS DISTINCT FROM OLD.ended_keys) THEN
		RAISE EXCEPTION 'the log of % has ended', OLD.tenant_id USING ERRCODE = 'restrict_violation';
	END IF;
	RETURN NEW;
END
$$;
