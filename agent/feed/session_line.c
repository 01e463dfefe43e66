/* SPDX-License-Identifier: MIT */
#include "feed/session_line.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "json/json_write.h"

#define ID_DIGITS 16U
#define TEXT_SIZE 121U /* the control plane takes up to 128 bytes */
#define BASE62 "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/* Ids that a control plane gave: people and projects of files may be called anything. */
static bool is_given(const char *id, const char *prefix)
{
	size_t length = strlen(prefix);

	return id && text_starts(id, prefix) && strlen(id) == length + ID_DIGITS &&
	       strspn(id + length, BASE62) == ID_DIGITS;
}

static void put_text(struct json_writer *w, const char *key, const char *text)
{
	char escaped[TEXT_SIZE];

	if (text && *text)
		json_put_string(w, key, text_escape(text, strlen(text), escaped, sizeof(escaped)));
}

int session_line_write(const struct session *session, struct buffer *out)
{
	struct json_writer w = json_writer(out);

	if (!is_given(session->user_id, "usr_") || !session->tenant_id || !text_is_id(session->tenant_id))
		return 0;
	json_begin(&w, NULL, '{');
	json_put_string(&w, "id", session->id);
	json_put_string(&w, "user", session->user_id);
	if (is_given(session->project_id, "prj_"))
		json_put_string(&w, "project", session->project_id);
	put_text(&w, "role", session->role);
	put_text(&w, "service", session->service);
	put_text(&w, "source", session->source);
	put_text(&w, "terminal", session->terminal);
	put_text(&w, "credential", session->credential);
	put_text(&w, "provider", session->provider);
	put_text(&w, "grant", session->grant_id);
	put_text(&w, "operator", session->operator);
	json_put_i64(&w, "opened", session->opened < 0 ? 0 : session->opened);
	json_put_string(&w, "state", session->ending ? "ending" : session->left_behind ? "left-behind" : "open");
	if (session->ending && text_is_word(session->ending_cause))
		json_put_string(&w, "cause", session->ending_cause);
	json_end(&w, '}');
	return out->failed ? -ENOMEM : 1;
}
