/* SPDX-License-Identifier: MIT */
#include "server/login_reply.h"

#include "base/macros.h"
#include "server/limits.h"
#include "varlink/varlink.h"

static const char *const step_words[] = {
	[LOGIN_PROMPT] = "prompt",
	[LOGIN_ALLOWED] = "allowed",
	[LOGIN_DENIED] = "denied",
	[LOGIN_BROKEN] = "broken",
};

int login_reply_put(struct connection *c, const struct login_reply *reply, uint64_t now_usec)
{
	struct varlink_writer writer;
	struct json_writer *w = &writer.json;
	int result;

	varlink_reply_begin(&writer, &c->out);
	json_put_string(w, "step", step_words[reply->step]);
	json_put_string_if(w, "login", reply->token);
	json_put_string_if(w, "text", reply->text);
	if (reply->step == LOGIN_PROMPT)
		json_put_bool(w, "echo", reply->echo);
	else
		json_put_string(w, "reason", reason_word(reply->unknown_user ? REASON_UNKNOWN_USER : reply->reason));
	if (reply->final)
		json_put_bool(w, "final", true);
	result = varlink_end(&writer, false);
	if (result >= 0 && now_usec && reply->delay_usec) {
		c->hold = HOLD_DELAY;
		c->hold_until = now_usec + MIN_OF(reply->delay_usec, DELAY_MOST_USEC);
	}
	return result;
}

int login_reply_cannot(struct connection *c, enum reason reason)
{
	struct varlink_writer writer;

	varlink_reply_begin(&writer, &c->out);
	json_put_string(&writer.json, "step", "broken");
	json_put_string(&writer.json, "text", reason_text(reason));
	json_put_string(&writer.json, "reason", reason_word(reason));
	json_put_bool(&writer.json, "final", true);
	return varlink_end(&writer, false);
}
