/* SPDX-License-Identifier: MIT
 *
 * Keys of access tokens, and revocations: of tokens, hosts and sessions.
 */
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "jose/base64url.h"
#include "records/record_readers.h"

struct token_key_body {
	const char *issuer, *x, *y;
	int64_t not_after;
};
static const struct json_field token_key_fields[] = {
	FIELD(token_key_body, issuer, STRING, NEEDED),
	FIELD(token_key_body, x, STRING, NEEDED),
	FIELD(token_key_body, y, STRING, NEEDED),
	FIELD(token_key_body, not_after, I64, 0),
};

static int get_coordinate(const struct reading *in, const char *field, const char *text,
			  uint8_t ret[P256_COORDINATE_BYTES])
{
	size_t length;

	if (base64url_decode(text, strlen(text), ret, P256_COORDINATE_BYTES, &length) < 0 ||
	    length != P256_COORDINATE_BYTES)
		return body_wrong(in, field, "not a coordinate of P-256", "32 bytes in base64url, without padding");
	return 0;
}

int record_read_token_key(const struct reading *in, void *record)
{
	struct token_key_record *key = record;
	struct token_key_body body = {.not_after = TIME_LEFT_OUT};
	int r = body_fields(in, in->body, token_key_fields, ARRAY_LEN(token_key_fields), &body);

	if (r == 0 && !*body.issuer)
		r = body_wrong(in, "issuer", "empty", "it is the URL of the control plane");
	if (r == 0)
		r = body_keep(in, in->id, &key->id);
	if (r == 0)
		r = body_keep(in, in->tenant_id, &key->tenant_id);
	if (r == 0)
		r = body_text(in, "issuer", VALUE_TEXT, body.issuer, &key->issuer);
	if (r == 0)
		r = get_coordinate(in, "x", body.x, key->x);
	if (r == 0)
		r = get_coordinate(in, "y", body.y, key->y);
	return r < 0 ? r : body_time(in, "not_after", body.not_after, &key->not_after);
}

struct revocation_body {
	const char *of, *reason, *user, *project, *host;
	int64_t at, until;
};
static const struct json_field revocation_fields[] = {
	FIELD(revocation_body, of, STRING, NEEDED), FIELD(revocation_body, at, I64, NEEDED),
	FIELD(revocation_body, until, I64, 0),      FIELD(revocation_body, reason, STRING, 0),
	FIELD(revocation_body, user, STRING, 0),    FIELD(revocation_body, project, STRING, 0),
	FIELD(revocation_body, host, STRING, 0),
};

/* Whose sessions. What they name may be gone by now, and the order stands all the same. */
static int read_selectors(const struct reading *in, const struct revocation_body *body,
			  struct revocation_record *revocation)
{
	int r = 0;

	if (revocation->of != REVOCATION_SESSIONS && (body->user || body->project || body->host))
		r = body_wrong(in, body->user ? "user" : (body->project ? "project" : "host"), "not asked for here",
			       "only a revocation of sessions says whose");
	if (r == 0)
		r = body_text(in, "user", VALUE_REFERENCE, body->user, &revocation->user_id);
	if (r == 0)
		r = body_text(in, "project", VALUE_REFERENCE, body->project, &revocation->project_id);
	return r < 0 ? r : body_text(in, "host", VALUE_REFERENCE, body->host, &revocation->host_id);
}

int record_read_revocation(const struct reading *in, void *record)
{
	static const char *const of_words[] = {"token", "host", "session", "sessions", NULL};
	struct revocation_record *revocation = record;
	struct revocation_body body = {.until = TIME_LEFT_OUT};
	uint32_t of = REVOCATION_TOKEN;
	int r = body_fields(in, in->body, revocation_fields, ARRAY_LEN(revocation_fields), &body);

	if (r == 0)
		r = body_keep(in, in->id, &revocation->id);
	if (r == 0)
		r = body_keep(in, in->tenant_id, &revocation->tenant_id);
	if (r == 0)
		r = body_choice(in, "of", of_words, body.of, &of);
	if (r == 0 && of == REVOCATION_HOST && !text_is_id(in->id))
		r = body_wrong(in, "id", "not that of a host", "a letter, then letters, digits and '_', 40 in all");
	if (r == 0)
		r = body_time(in, "at", body.at, &revocation->at);
	if (r == 0)
		r = body_time(in, "until", body.until, &revocation->until);
	revocation->of = (enum revocation_of)of;
	if (r == 0)
		r = body_text(in, "reason", VALUE_TEXT, body.reason, &revocation->reason);
	return r < 0 ? r : read_selectors(in, &body, revocation);
}
