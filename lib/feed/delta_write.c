/* SPDX-License-Identifier: MIT */
#include "feed/delta.h"
#include "json/json_write.h"

static const char *const op_words[] = {[DELTA_PUT] = "put", [DELTA_DEL] = "del", [DELTA_REVOKE] = "revoke"};

void delta_write_begin(struct buffer *out, const char *origin, uint64_t epoch, uint64_t prev, uint64_t rev)
{
	struct json_writer w = json_writer(out);

	json_begin(&w, NULL, '{');
	json_put_string(&w, "feed", origin);
	json_put_u64(&w, "epoch", epoch);
	json_put_u64(&w, "prev", prev);
	json_put_u64(&w, "rev", rev);
	json_begin(&w, "ops", '[');
}

void delta_write_add(struct buffer *out, enum delta_op op, const char *kind, const char *id, uint64_t version,
		     const char *body, size_t body_length)
{
	struct json_writer w = json_writer(out);

	/* The writer's state between calls stands in the text itself. */
	w.comma = out->length > 0 && out->data[out->length - 1] == '}';
	json_begin(&w, NULL, '{');
	json_put_string(&w, "op", op_words[op]);
	json_put_string(&w, "kind", kind);
	json_put_string(&w, "id", id);
	json_put_u64(&w, "ver", version);
	if (body)
		json_put_raw(&w, "body", body, body_length);
	json_end(&w, '}');
}

void delta_write_end(struct buffer *out)
{
	(void)buffer_add_text(out, "]}");
}
