/* SPDX-License-Identifier: MIT */
#pragma once

/* Waits for the threads of exports, whose connections are gone. Before the database is closed. */
void audit_exports_finish(void);
