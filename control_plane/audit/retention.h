/* SPDX-License-Identifier: MIT
 *
 * What is past its window goes (docs/audit-log.md, "Personal data and erasure"). The database has the windows and holds
 * to them; here the tree before what goes is recorded, so that what stays can be verified.
 */
#pragma once

#include <stdint.h>

struct app;
struct retired {
	uint32_t logs, entries_months, personal_months;
};
/* `ret` NULL: not wanted. Each replica may; what another one did is not done again. 0 or -errno. */
int audit_retire(struct app *app, struct retired *ret);
