/* SPDX-License-Identifier: MIT
 *
 * Talking to the person: through the application's conversation function and in no other way.
 */
#pragma once

#include <security/pam_modules.h>
#include <stdbool.h>

#define CONVERSATION_PICTURE_MAX 16384U /* bytes of a visible prompt; others have PAM_MAX_MSG_SIZE */

/* One question, one line of answer. PAM_SUCCESS and the answer, for conversation_wipe; PAM_CONV_ERR, PAM_BUF_ERR. */
int conversation_ask(pam_handle_t *pamh, const char *text, bool echo, char **ret);
/* Wipes and frees an answer; takes NULL. */
void conversation_wipe(char *answer);
/* A message, best effort: a program that shows none must not fail for it. NULL and "" say nothing. */
void conversation_tell(pam_handle_t *pamh, int style, const char *text);
