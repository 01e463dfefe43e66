/* SPDX-License-Identifier: MIT */
#include "conversation.h"

#include <security/pam_appl.h>
#include <stdlib.h>
#include <string.h>

/* The agent's text goes to a terminal: no control characters but newline, of C0 (escape sequences), DEL,
 * or C1 (which is U+0080..9F, in UTF-8 0xC2 0x80..0x9F). Cut between characters. */
static void copy_printable(const char *from, char *out, size_t size)
{
	size_t length = 0;

	for (; *from && length + 1 < size; from++) {
		unsigned char c = (unsigned char)*from, next = (unsigned char)from[1];

		if ((c < 0x20 && c != '\n') || c == 0x7f)
			continue;
		if (c == 0xc2 && next >= 0x80 && next <= 0x9f) {
			from++;
			continue;
		}
		out[length++] = (char)c;
	}
	if (*from)
		while (length > 0 && ((unsigned char)*from & 0xc0) == 0x80) {
			from--;
			length--;
		}
	out[length] = '\0';
}

static int converse(pam_handle_t *pamh, int style, const char *text, struct pam_response **ret)
{
	/* Programs may count on PAM_MAX_MSG_SIZE. None known does at a visible prompt, and who has one with a picture
	 * has asked for it. */
	size_t size = style == PAM_PROMPT_ECHO_ON ? CONVERSATION_PICTURE_MAX : PAM_MAX_MSG_SIZE;
	char *shown = malloc(size);
	struct pam_message message = {.msg_style = style, .msg = shown};
	const struct pam_message *messages = &message;
	const struct pam_conv *conversation = NULL;
	int r;

	if (!shown)
		return PAM_BUF_ERR;
	copy_printable(text, shown, size);
	r = pam_get_item(pamh, PAM_CONV, (const void **)&conversation);
	if (r == PAM_SUCCESS && conversation && conversation->conv)
		r = conversation->conv(1, &messages, ret, conversation->appdata_ptr);
	else
		r = PAM_CONV_ERR;
	free(shown);
	return r;
}

void conversation_wipe(char *answer)
{
	if (!answer)
		return;
	explicit_bzero(answer, strlen(answer));
	free(answer);
}

int conversation_ask(pam_handle_t *pamh, const char *text, bool echo, char **ret)
{
	struct pam_response *response = NULL;
	char *answer = NULL;
	int r;

	r = converse(pamh, echo ? PAM_PROMPT_ECHO_ON : PAM_PROMPT_ECHO_OFF, text, &response);
	if (response) {
		answer = response->resp;
		free(response);
	}
	if (r != PAM_SUCCESS || !answer) {
		conversation_wipe(answer);
		return r == PAM_BUF_ERR ? PAM_BUF_ERR : PAM_CONV_ERR;
	}
	*ret = answer;
	return PAM_SUCCESS;
}

void conversation_tell(pam_handle_t *pamh, int style, const char *text)
{
	struct pam_response *response = NULL;

	if (!text || !text[0])
		return;
	(void)converse(pamh, style, text, &response);
	if (response) {
		conversation_wipe(response->resp);
		free(response);
	}
}
