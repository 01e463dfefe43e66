/* SPDX-License-Identifier: MIT
 *
 * Large directories for benches and tests, as YAML text. The same size always gives the same text.
 *
 * People are spread over tenants of 50 000 at most, ten projects each; each person has one membership,
 * every tenth an API key. Logins are u0000000, u0000001 …; ids usr_0000000 …; tenants ten_0 (slug t0) …;
 * projects prj_<tenant>_<0..9> (slug p0 …). The host record "*" serves every tenant's first project.
 * The key of person i is gen_directory_key(i): its text is known, so benches can present it.
 */
#pragma once

#include <stdint.h>

#include "base/buffer.h"
#include "crypto/api_key.h"

#define GEN_TENANT_PEOPLE 50000U
#define GEN_TENANT_PROJECTS 10U

/* People [0, people). 0, -ENOMEM, -EIO. */
int gen_directory(uint32_t people, struct buffer *ret);
/* A drop-in for a directory made by gen_directory(people): one more tenant "drop" with `own` people of its
 * own (logins drop0 …); `variant` changes the e-mail address of the first one. */
int gen_directory_drop_in(uint32_t people, uint32_t own, unsigned variant, struct buffer *ret);
uint32_t gen_directory_uid(uint32_t person);
void gen_directory_key(uint32_t person, char out[API_KEY_TEXT_CHARS + 1]);
