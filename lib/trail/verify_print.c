/* SPDX-License-Identifier: MIT
 *
 * What was found, for people and for programs.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/macros.h"
#include "base/text.h"
#include "trail/verify.h"
#include "json/json_write.h"

#define NAME_SHOWN 256U
#define PROBLEM_SHOWN 1400U

static const char *shown(const char *file, char out[NAME_SHOWN])
{
	return text_escape(file, strlen(file), out, NAME_SHOWN);
}

static void print_export(const struct export_summary *s, struct buffer *out)
{
	(void)buffer_printf(out, "%s: %" PRIu64 " entries of %" PRIu64 " to %" PRIu64 " in the log of %" PRIu64 "; ",
			    s->checkpoint.origin, s->entries, s->from, s->to, s->checkpoint.size);
	if (!s->complete)
		(void)buffer_add_text(out, "each is in the log, others may be left out");
	else if (s->to == s->checkpoint.size)
		(void)buffer_add_text(out, "none is missing, and they make up the root");
	else
		(void)buffer_add_text(out, "none is missing");
	if (s->erased > 0)
		(void)buffer_printf(out, "; personal data erased: %" PRIu64, s->erased);
	if (s->compared > 0)
		(void)buffer_printf(out, "; kept checkpoints that agree: %" PRIu32, s->compared);
	if (s->kept > s->compared)
		(void)buffer_printf(out, "; of sizes that it says nothing of: %" PRIu32, s->kept - s->compared);
}

int verify_print(const struct verify_report *report, struct buffer *out, struct buffer *err)
{
	char name[NAME_SHOWN], why[PROBLEM_SHOWN];
	bool own_keys = false;

	for (size_t i = 0; i < report->count; i++) {
		const struct verify_item *item = &report->items[i];
		const struct export_summary *s = &item->summary;

		(void)buffer_printf(item->result < 0 ? err : out, "%s: ", shown(item->file, name));
		if (item->result < 0) {
			(void)buffer_printf(err, "%s%s\n",
					    item->result == -EBADMSG ? "does not hold: " : "not checked: ",
					    problem_render(&item->problem, why, sizeof(why)));
			continue;
		}
		if (item->export)
			print_export(s, out);
		else
			(void)buffer_printf(out, "%s: a checkpoint at %" PRIu64, s->checkpoint.origin,
					    s->checkpoint.size);
		(void)buffer_add_char(out, '\n');
		own_keys = own_keys || s->own_keys;
	}
	if (own_keys)
		(void)buffer_add_text(
			err, "by the keys that the exports themselves name: with --key by those that you know\n");
	return out->failed || err->failed ? -ENOMEM : 0;
}

static void put_checkpoint(struct json_writer *w, const struct checkpoint *checkpoint)
{
	char root[2 * SHA256_BYTES + 1];

	text_to_hex(checkpoint->root.bytes, SHA256_BYTES, root);
	json_put_string(w, "origin", checkpoint->origin);
	json_put_u64(w, "size", checkpoint->size);
	json_put_string(w, "root", root);
}

static void put_problem(struct json_writer *w, const struct problem *problem)
{
	json_begin(w, "problem", '{');
	if (problem->line > 0)
		json_put_u64(w, "line", problem->line);
	json_put_string(w, "text", problem->text);
	json_put_string_if(w, "remedy", problem->remedy);
	json_end(w, '}');
}

int verify_print_json(const struct verify_report *report, struct buffer *out)
{
	static const char *const verdicts[] = {
		[VERIFY_HOLDS] = "holds", [VERIFY_FALSE] = "does-not-hold", [VERIFY_UNREADABLE] = "not-checked"};
	struct json_writer w = json_writer(out);

	json_begin(&w, NULL, '{');
	json_put_string(&w, "verdict", verdicts[report->verdict]);
	json_begin(&w, "files", '[');
	for (size_t i = 0; i < report->count; i++) {
		const struct verify_item *item = &report->items[i];
		const struct export_summary *s = &item->summary;

		json_begin(&w, NULL, '{');
		json_put_string(&w, "file", item->file);
		json_put_string(&w, "kind", item->export ? "export" : "checkpoint");
		json_put_string(&w, "verdict",
				verdicts[item->result == 0          ? VERIFY_HOLDS
					 : item->result == -EBADMSG ? VERIFY_FALSE
								    : VERIFY_UNREADABLE]);
		if (item->result < 0) {
			put_problem(&w, &item->problem);
		} else {
			put_checkpoint(&w, &s->checkpoint);
			json_put_bool(&w, "own_keys", s->own_keys);
		}
		if (item->export && item->result == 0) {
			json_put_u64(&w, "from", s->from);
			json_put_u64(&w, "to", s->to);
			json_put_u64(&w, "entries", s->entries);
			json_put_u64(&w, "erased", s->erased);
			json_put_bool(&w, "complete", s->complete);
			json_put_u64(&w, "kept", s->kept);
			json_put_u64(&w, "compared", s->compared);
		}
		json_end(&w, '}');
	}
	json_end(&w, ']');
	json_end(&w, '}');
	return out->failed ? -ENOMEM : 0;
}
