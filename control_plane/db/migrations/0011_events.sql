-- SPDX-License-Identifier: MIT
--
-- What happened is in the audit log now.

SET LOCAL search_path TO control;

DROP TABLE events;
