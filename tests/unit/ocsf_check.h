/* SPDX-License-Identifier: MIT
 *
 * Is it an event of OCSF 1.3? Held against tests/unit/data/ocsf.json: what must be there, what may, of what type, which
 * numbers mean something, in the event and in the objects within it.
 */
#pragma once

#include <jansson.h>
#include <stddef.h>

json_t *ocsf_schema(void); /* a new reference; fails the test where the file cannot be read */
/* NULL: it is. Else what is wrong, in `out`. */
const char *ocsf_fault(const json_t *schema, const json_t *event, char *out, size_t size);
