-- SPDX-License-Identifier: MIT
--
-- What a host serves is told to it under the platform's own key. The note is kept, so that every replica gives out the
-- same bytes, and its version rises with each change.

SET LOCAL search_path TO control;

ALTER TABLE platform ADD COLUMN authority_key text NOT NULL DEFAULT ''; -- vkey; made when it is first needed
ALTER TABLE platform ADD COLUMN authority_sealed bytea NOT NULL DEFAULT '';

ALTER TABLE hosts ADD COLUMN assignment_version bigint NOT NULL DEFAULT 0;
ALTER TABLE hosts ADD COLUMN assignment text NOT NULL DEFAULT '';
