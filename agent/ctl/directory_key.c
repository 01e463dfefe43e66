/* SPDX-License-Identifier: MIT
 *
 * tenantctl directory add-key, rotate-key, revoke-key. A key's text exists here only between its making
 * and its printing; the file gets the verifier.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/secret.h"
#include "base/text.h"
#include "crypto/api_key.h"
#include "ctl/directory.h"
#include "json/json_write.h"

#define KEY_ID_SIZE (4 + API_KEY_ID_CHARS + 1)
#define GRACE_DEFAULT "7d"
#define EXPIRES_MAX_SECONDS (100ULL * 366 * 86400)

struct new_key {
	char text[API_KEY_TEXT_CHARS + 1]; /* secret */
	char id[KEY_ID_SIZE];
	struct key_record record;
};

static void new_key_wipe(struct new_key *key)
{
	secret_wipe(key->text, sizeof(key->text));
}

/* `digits`: the id's, or NULL for random ones. */
static int make_key(const struct ctl *ctl, const struct user_record *user, const char *digits, struct new_key *ret)
{
	enum api_key_kind kind = user->kind == USER_SERVICE ? API_KEY_SERVICE : API_KEY_PERSON;
	char id[API_KEY_ID_CHARS + 1];
	int r;

	if (digits)
		snprintf(id, sizeof(id), "%s", digits);
	r = digits ? api_key_make_with_id(kind, id, ret->text) : api_key_make(kind, ret->text, id);
	if (r == 0)
		r = api_key_verifier(ret->text, API_KEY_TEXT_CHARS, ret->record.verifier);
	if (r < 0)
		return ctl_fail(ctl, CTL_BROKEN, "cannot make a key: %s", strerrordesc_np(-r));
	snprintf(ret->id, sizeof(ret->id), "key_%s", id);
	ret->record.id = ret->id;
	ret->record.user_id = user->id;
	ret->record.created = clock_realtime_sec();
	return 0;
}

/* The key goes to stdout alone, so that a script can take it; what is to be said about it to stderr. */
static int print_key(const struct dir *dir, const struct new_key *key, const struct user_record *user,
		     const struct key_record *old)
{
	_cleanup_(buffer_finish) struct buffer buffer = {.wipe = true};
	struct json_writer w = json_writer(&buffer);
	char time[TIME_TEXT_SIZE];

	if (!dir->ctl->json) {
		bool printed = puts(key->text) != EOF && fflush(stdout) == 0;

		if (!printed)
			return ctl_fail(dir->ctl, CTL_BROKEN, "the key could not be printed and is lost: revoke %s",
					key->id);
		ctl_warn(dir->ctl, "%s of %s. It is shown this once; only its verifier is kept.%s", key->id,
			 user->login, isatty(STDOUT_FILENO) ? " Clear your screen when it is stored." : "");
		if (old && old->not_after)
			ctl_warn(dir->ctl, "%s works until %s.", old->id, format_time(old->not_after, time));
		return CTL_OK;
	}
	json_begin(&w, NULL, '{');
	json_put_bool(&w, "changed", true);
	json_put_string(&w, "id", key->id);
	json_put_string(&w, "key", key->text);
	json_put_string(&w, "user", user->id);
	if (key->record.not_after)
		json_put_string(&w, "not_after", format_time(key->record.not_after, time));
	if (old) {
		json_put_string(&w, "replaces", old->id);
		json_put_string(&w, "replaced_until", format_time(old->not_after, time));
	}
	json_end(&w, '}');
	return ctl_print_json(&buffer);
}

/* A span from now ("90d") or a time. */
static int parse_when(const struct ctl *ctl, const char *option, const char *text, int64_t *ret)
{
	uint64_t seconds;
	int64_t when;

	if (parse_duration(text, &seconds) == 0 && seconds <= EXPIRES_MAX_SECONDS) {
		*ret = clock_realtime_sec() + (int64_t)seconds;
		return 0;
	}
	/* 0 would mean "never" in the record. */
	if (parse_time(text, &when) == 0 && when > 0) {
		*ret = when;
		return 0;
	}
	return ctl_fail(ctl, CTL_USAGE, "--%s \"%s\": write a span like 90d, or a time like 2027-01-31T00:00:00Z",
			option, text);
}

/* Projects as slugs or ids → ids. Items are the picture's, the array is the caller's. */
static int resolve_projects(struct dir *dir, const struct ctl_list *list, struct string_list *ret)
{
	ret->items = calloc(list->count + 1, sizeof(*ret->items));
	if (!ret->items)
		return ctl_fail(dir->ctl, CTL_BROKEN, "out of memory");
	for (size_t i = 0; i < list->count; i++) {
		const struct project_record *project = dir_project(dir, list->items[i]);

		if (!project)
			return CTL_NO;
		ret->items[ret->count++] = project->id;
	}
	return 0;
}

int directory_add_key_verb(struct ctl *ctl, int argc, char **argv)
{
	static const char text[] =
		"Makes an API key for a user and prints it, once. The directory keeps only its verifier: a lost key\n"
		"cannot be shown again, but revoked and replaced. Scopes narrow what the user's roles allow.\n"
		"\nExamples:\n"
		"  tenantctl directory add-key alice --label laptop\n"
		"  tenantctl directory add-key acme-ci --project acme/vision --action dataset.write --expires 90d "
		"--json\n"
		"  tenantctl directory add-key alice --service sshd --from 10.0.0.0/8 > key.txt\n";
	const char *label = "", *expires = NULL, *not_before = NULL, *in = NULL;
	_cleanup_(ctl_list_finish) struct ctl_list projects = {0}, actions = {0}, services = {0}, from = {0};
	const struct ctl_option options[] = {
		{"label", "TEXT", "what people call it", .value = &label},
		{"expires", "WHEN", "its end: a span (90d) or a time", .value = &expires},
		{"not-before", "WHEN", "its beginning", .value = &not_before},
		{"project", "PROJECTS", "only for these (repeat, or separate by commas)", .list = &projects},
		{"action", "ACTIONS", "only for these, such as dataset.write", .list = &actions},
		{"service", "NAMES", "only by these PAM or local services", .list = &services},
		{"from", "CIDR", "only from there", .list = &from},
		{"in", "FILE", "which of the directory's files it goes to (default: the user's)", .value = &in},
	};
	const struct ctl_command command = {.name = "directory add-key",
					    .usage = "USER [OPTIONS]",
					    .text = text,
					    .uses = CTL_USES_FILE,
					    .options = options,
					    .option_count = ARRAY_LEN(options),
					    .min = 1,
					    .max = 1};
	_cleanup_(dir_close) struct dir dir = {.lock = -1};
	_cleanup_(new_key_wipe) struct new_key key = {
		.record = {.label = label, .successor = "", .revoked_reason = ""}};
	const struct user_record *user;
	int count, code = ctl_parse(ctl, &command, argc, argv, &count);

	if (code < 0)
		code = dir_open(ctl, true, &dir);
	if (code >= 0)
		return code;
	user = dir_user(&dir, argv[0]);
	if (!user)
		return CTL_NO;
	key.record.label = label;
	key.record.actions = dir_strings(&actions);
	key.record.services = dir_strings(&services);
	code = expires ? parse_when(ctl, "expires", expires, &key.record.not_after) : 0;
	if (code == 0 && not_before)
		code = parse_when(ctl, "not-before", not_before, &key.record.not_before);
	if (code == 0)
		code = resolve_projects(&dir, &projects, &key.record.projects);
	if (code == 0)
		code = dir_cidrs(ctl, &from, &key.record.from);
	if (code == 0)
		code = make_key(ctl, user, NULL, &key);
	if (code == 0)
		code = dir_append(&dir, RECORD_KEY, &key.record, RECORD_USER, user, in);
	if (code < 0)
		code = dir_commit(&dir);
	if (code < 0)
		code = print_key(&dir, &key, user, NULL);
	free(key.record.projects.items);
	free(key.record.from.items);
	return code;
}

/* The id of the successor that this request makes of this key: the same each time it is asked, so a
 * repeated request is known as such without anything kept about it. */
static int request_digits(const char *request, const char *key_id, char out[API_KEY_ID_CHARS + 1])
{
	static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	uint8_t hash[SHA256_BYTES];
	int r;

	buffer_printf(&text, "rotate-key %s %s", key_id, request);
	r = text.failed ? -ENOMEM : sha256(text.data, text.length, hash);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < API_KEY_ID_CHARS; i++)
		out[i] = digits[hash[i] % 62];
	out[API_KEY_ID_CHARS] = '\0';
	return 0;
}

/* May it be rotated? -1: yes. A key that has a successor is not rotated again: whoever asks twice would end
 * up with two new keys and not know which one is in use. */
static int check_rotation(struct dir *dir, const struct key_record *old, const char *request_digits_text, bool force,
			  int64_t now)
{
	char time[TIME_TEXT_SIZE];

	if (request_digits_text &&
	    text_equal(old->successor + MIN_OF(strlen(old->successor), (size_t)4), request_digits_text)) {
		/* Not on stdout: a script takes what comes there for the key. */
		ctl_warn(dir->ctl,
			 "this request was done already: the successor of %s is %s. A key is never shown twice.",
			 old->id, old->successor);
		return dir->ctl->json ? dir_done(dir, false, "id", old->successor, dir_file_of(dir, RECORD_KEY, old),
						 "this request was done already; a key is never shown twice")
				      : CTL_OK;
	}
	if (old->revoked_at || (old->not_after && old->not_after <= now))
		return ctl_fail(dir->ctl, CTL_NO, "%s is in force no more; make a new key with add-key", old->id);
	if (*old->successor && !force)
		return ctl_fail(dir->ctl, CTL_NO,
				"%s was rotated already: its successor is %s, and it ends %s. Where that one was lost, "
				"revoke it and "
				"rotate again with --force",
				old->id, old->successor, old->not_after ? format_time(old->not_after, time) : "never");
	return -1;
}

int directory_rotate_key_verb(struct ctl *ctl, int argc, char **argv)
{
	static const char text[] =
		"Makes a successor with the same owner, label and scopes and prints it, once. The old key works on "
		"for\n"
		"the grace time; its owner is told at each login. A key that has a successor is not rotated again, so "
		"a\n"
		"repeated call harms nothing; with --request-id a repetition is known and succeeds.\n"
		"\nExamples:\n"
		"  tenantctl directory rotate-key key_3fK0aZ81bQ7dLm2X\n"
		"  tenantctl directory rotate-key key_3fK0aZ81bQ7dLm2X --grace 24h --request-id deploy-1742 --json\n";
	const char *grace = GRACE_DEFAULT, *request = NULL, *expires = NULL;
	bool force = false;
	const struct ctl_option options[] = {
		{"grace", "SPAN", "how long the old key works on (default " GRACE_DEFAULT "; 0: not at all)",
		 .value = &grace},
		{"expires", "WHEN", "the successor's end (default: as long a life as the old one's)",
		 .value = &expires},
		{"request-id", "TEXT", "a name for this request: repeating it changes nothing", .value = &request},
		{"force", NULL, "even though the key has a successor", .flag = &force},
	};
	const struct ctl_command command = {.name = "directory rotate-key",
					    .usage = "KEY-ID [OPTIONS]",
					    .text = text,
					    .uses = CTL_USES_FILE,
					    .options = options,
					    .option_count = ARRAY_LEN(options),
					    .min = 1,
					    .max = 1};
	_cleanup_(dir_close) struct dir dir = {.lock = -1};
	_cleanup_(new_key_wipe) struct new_key key = {0};
	const struct key_record *old;
	const struct user_record *user;
	struct key_record ending;
	char digits[API_KEY_ID_CHARS + 1];
	int64_t now = clock_realtime_sec();
	uint64_t grace_seconds;
	int count, code = ctl_parse(ctl, &command, argc, argv, &count);

	if (code >= 0)
		return code;
	if (parse_duration(grace, &grace_seconds) < 0 || grace_seconds > EXPIRES_MAX_SECONDS)
		return ctl_fail(ctl, CTL_USAGE, "--grace \"%s\": write a span like 7d or 12h", grace);
	code = dir_refuse_secret(ctl, argv[0]);
	if (code < 0)
		code = dir_open(ctl, true, &dir);
	if (code >= 0)
		return code;
	old = dir_key(&dir, argv[0]);
	if (!old)
		return CTL_NO;
	user = directory_user(dir.d, old->user_id);
	if (request && request_digits(request, old->id, digits) < 0)
		return ctl_fail(ctl, CTL_BROKEN, "cannot hash");
	code = check_rotation(&dir, old, request ? digits : NULL, force, now);
	if (code >= 0)
		return code;
	key.record = *old;
	key.record.successor = "";
	key.record.not_before = 0;
	key.record.not_after = old->not_after ? now + (old->not_after - (old->created ? old->created : now)) : 0;
	code = expires ? parse_when(ctl, "expires", expires, &key.record.not_after) : 0;
	if (code == 0)
		code = make_key(ctl, user, request ? digits : NULL, &key);
	if (code > 0)
		return code;
	ending = *old;
	ending.successor = key.id;
	ending.not_after = now + (int64_t)grace_seconds;
	if (old->not_after && old->not_after < ending.not_after)
		ending.not_after = old->not_after; /* grace never lengthens a life */
	if (ending.not_after <= ending.not_before)
		ending.not_before = 0;
	code = dir_update(&dir, RECORD_KEY, old, &ending);
	if (code < 0)
		code = dir_append(&dir, RECORD_KEY, &key.record, RECORD_KEY, old, NULL);
	if (code < 0)
		code = dir_commit(&dir);
	return code < 0 ? print_key(&dir, &key, user, &ending) : code;
}

int directory_revoke_key_verb(struct ctl *ctl, int argc, char **argv)
{
	static const char text[] =
		"Ends a key now: it signs nobody in any more, and the sessions that it opened end.\n"
		"Nothing happens when it is revoked already.\n"
		"\nExample:\n  tenantctl directory revoke-key key_3fK0aZ81bQ7dLm2X --reason 'laptop lost'\n";
	const char *reason = "";
	const struct ctl_option options[] = {{"reason", "TEXT", "why", .value = &reason}};
	const struct ctl_command command = {.name = "directory revoke-key",
					    .usage = "KEY-ID [--reason TEXT]",
					    .text = text,
					    .uses = CTL_USES_FILE,
					    .options = options,
					    .option_count = ARRAY_LEN(options),
					    .min = 1,
					    .max = 1};
	_cleanup_(dir_close) struct dir dir = {.lock = -1};
	const struct key_record *old;
	struct key_record revoked;
	char time[TIME_TEXT_SIZE];
	int count, code = ctl_parse(ctl, &command, argc, argv, &count);

	if (code < 0)
		code = dir_refuse_secret(ctl, argv[0]);
	if (code < 0)
		code = dir_open(ctl, true, &dir);
	if (code >= 0)
		return code;
	old = dir_key(&dir, argv[0]);
	if (!old)
		return CTL_NO;
	if (old->revoked_at)
		return dir_done(&dir, false, "id", old->id, dir_file_of(&dir, RECORD_KEY, old),
				"%s was revoked already, %s", old->id, format_time(old->revoked_at, time));
	revoked = *old;
	revoked.revoked_at = clock_realtime_sec();
	revoked.revoked_reason = reason;
	code = dir_update(&dir, RECORD_KEY, old, &revoked);
	if (code < 0)
		code = dir_commit(&dir);
	if (code >= 0)
		return code;
	return dir_done(&dir, true, "id", old->id, dir_file_of(&dir, RECORD_KEY, old), "%s is revoked", old->id);
}
