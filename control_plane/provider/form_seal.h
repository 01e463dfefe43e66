/* SPDX-License-Identifier: MIT
 *
 * What stands hidden in the page's forms: sealed by the program, so a form that comes back is one that a page of ours
 * showed a short while ago, for the step and the code that it says. There are no cookies: whoever has a form has
 * nothing that acts for anybody until a password is typed into it.
 */
#pragma once

#include <stdint.h>

#include "base/arena.h"
#include "control_plane/provider/user_code.h"
#include "crypto/seal.h"

#define FORM_SECONDS 600

enum form_step { FORM_CODE, FORM_DECISION };
/* In the arena; NULL: out of memory, no random bytes. `code` NULL: FORM_CODE, which has none yet. */
const char *form_seal(const struct seal_key *key, struct arena *arena, enum form_step step, const char *code,
		      int64_t now);
/* 0, with the code of a FORM_DECISION in `ret_code`; -EBADMSG: not ours, or of another step; -ESTALE: shown too long
 * ago. */
int form_open(const struct seal_key *key, enum form_step step, const char *text, int64_t now,
	      char ret_code[USER_CODE_SIZE]);
