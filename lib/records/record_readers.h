/* SPDX-License-Identifier: MIT
 *
 * Inside records: readers that have a file of their own, for record_json.c.
 */
#pragma once

#include "records/record_body.h"

int record_read_token_key(const struct reading *in, void *record);
int record_read_revocation(const struct reading *in, void *record);
int record_read_idp(const struct reading *in, void *record);
int record_read_grant(const struct reading *in, void *record);
/* `array` NULL: none. */
int record_read_identities(const struct reading *in, json_t *array, struct user_record *user);
/* `object` NULL: what leaving it out means. */
int record_read_sudo(const struct reading *in, json_t *object, struct tenant_record *tenant);
int record_read_sessions(const struct reading *in, json_t *object, struct session_rules *ret);
