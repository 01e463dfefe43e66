/* SPDX-License-Identifier: MIT
 *
 * Everything that comes from a control plane, against one inside this process: enrolment, access tokens, assignments,
 * folders, being disabled, starts without a network.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../fakes/fake_control.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "crypto/api_key.h"
#include "directory/unit.h"
#include "feed/feeds.h"
#include "feed/host.h"
#include "unit.h"

#define WAIT_USEC (6 * USEC_PER_SEC)
#define ACME "ten_acme0000000000"
#define BETA "ten_beta0000000000"
#define BLOCK 0x70010000U

struct rig {
	char state_dir[64], import_dir[96];
	struct seal_key key;
	struct fake_control *control;
	sd_event *event;
	struct feeds *feeds;
	bool apply; /* says at once that units are in force */
	/* what the hooks told */
	unsigned unit_calls, enrolled_calls, audits, critical;
	uint32_t unit_count;
	int enrolled;
	uint64_t enrolled_tag;
	char host_id[64], problem[1024], disabled[256], fault[32];
	struct unit *const *units;
};

static void on_units(void *context, struct unit *const *units, uint32_t count, uint64_t tag)
{
	struct rig *rig = context;

	rig->unit_calls++;
	rig->units = units;
	rig->unit_count = count;
	if (rig->apply)
		feeds_applied(rig->feeds, tag);
}

static void on_view(void *context)
{
}

static void on_audit(void *context, bool critical, const char *tenant_id, const char *fault, const char *detail)
{
	struct rig *rig = context;

	rig->audits++;
	rig->critical += critical;
	snprintf(rig->fault, sizeof(rig->fault), "%s", fault);
}

static void on_disabled(void *context, const char *reason)
{
	struct rig *rig = context;

	snprintf(rig->disabled, sizeof(rig->disabled), "%s", reason);
}

static void on_enrolled(void *context, uint64_t tag, int result, const char *host_id, const struct problem *problem)
{
	struct rig *rig = context;

	rig->enrolled_calls++;
	rig->enrolled = result;
	rig->enrolled_tag = tag;
	snprintf(rig->host_id, sizeof(rig->host_id), "%s", host_id);
	rig->problem[0] = '\0';
	if (problem)
		problem_render(problem, rig->problem, sizeof(rig->problem));
}

static void start(struct rig *rig)
{
	const struct feeds_options options = {
		.state_dir = rig->state_dir,
		.import_dir = rig->import_dir,
		.seal_key = &rig->key,
		.host_name = "gpu-1",
		.proxy = "",
		.allow_plain_http = true,
	};
	const struct feeds_hooks hooks = {on_units, on_view, on_audit, on_disabled, on_enrolled, rig};

	assert_int_equal(feeds_create(rig->event, &options, &hooks, &rig->feeds), 0);
	feeds_units(rig->feeds, &rig->units, &rig->unit_count);
}

static void stop(struct rig *rig)
{
	feeds_destroy(TAKE_PTR(rig->feeds));
	rig->units = NULL;
	rig->unit_count = 0;
}

static int set_up(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	snprintf(rig->state_dir, sizeof(rig->state_dir), "/tmp/test-feeds-XXXXXX");
	assert_non_null(mkdtemp(rig->state_dir));
	snprintf(rig->import_dir, sizeof(rig->import_dir), "%s/import", rig->state_dir);
	memset(rig->key.bytes, 7, sizeof(rig->key.bytes));
	rig->apply = true;
	rig->control = fake_control_start();
	assert_true(sd_event_new(&rig->event) >= 0);
	start(rig);
	*state = rig;
	return 0;
}

static int tear_down(void **state)
{
	struct rig *rig = *state;
	char command[128];

	stop(rig);
	if (rig->control)
		fake_control_stop(rig->control);
	sd_event_unref(rig->event);
	snprintf(command, sizeof(command), "rm -rf %s", rig->state_dir);
	assert_int_equal(system(command), 0);
	free(rig);
	return 0;
}

/* Runs the agent's loop until it is so. */
static void run_until(struct rig *rig, bool (*is_so)(const struct rig *rig), const char *what)
{
	uint64_t end = clock_boottime_usec() + WAIT_USEC;

	while (!is_so(rig)) {
		assert_true(sd_event_run(rig->event, 100 * USEC_PER_MSEC) >= 0);
		if (clock_boottime_usec() > end)
			fail_msg("it did not come to this: %s", what);
	}
}
#define UNTIL(rig, condition) run_until(rig, condition, #condition)

static bool was_enrolled(const struct rig *rig)
{
	return rig->enrolled_calls > 0;
}

static struct host_view host_of(const struct rig *rig)
{
	const struct feed_view *feeds;
	struct host_view host;

	(void)feeds_view(rig->feeds, &host, &feeds);
	return host;
}

static const struct feed_view *feed_of(const struct rig *rig, const char *tenant_id)
{
	const struct feed_view *feeds;
	struct host_view host;
	uint32_t count = feeds_view(rig->feeds, &host, &feeds);

	for (uint32_t i = 0; i < count; i++)
		if (text_equal(feeds[i].tenant_id, tenant_id))
			return &feeds[i];
	return NULL;
}

static bool is_live(const struct rig *rig, const char *tenant_id, uint64_t revision)
{
	const struct feed_view *view = feed_of(rig, tenant_id);

	return view && view->state == FEED_LIVE && view->revision >= revision;
}

static bool acme_is_live(const struct rig *rig)
{
	return is_live(rig, ACME, 1);
}

static bool acme_is_at_2(const struct rig *rig)
{
	return is_live(rig, ACME, 2);
}

static bool acme_is_at_3(const struct rig *rig)
{
	return is_live(rig, ACME, 3);
}

static bool both_are_live(const struct rig *rig)
{
	return acme_is_live(rig) && is_live(rig, BETA, 1);
}

static bool beta_is_gone(const struct rig *rig)
{
	return !feed_of(rig, BETA);
}

static bool beta_is_live(const struct rig *rig)
{
	return is_live(rig, BETA, 1);
}

static bool nothing_is_left(const struct rig *rig)
{
	return !feed_of(rig, ACME) && rig->unit_count == 0;
}

/* Records of a kind that the units bring. */
static unsigned records(const struct rig *rig, enum record_kind kind)
{
	unsigned count = 0;

	for (uint32_t i = 0; i < rig->unit_count; i++)
		count += records_count(unit_records(rig->units[i]), kind);
	return count;
}

static bool revision_2_is_acknowledged(const struct rig *rig)
{
	char body[256];

	fake_control_body(rig->control, "POST /v1/feeds/" ACME "/acks", body, sizeof(body));
	return strstr(body, "\"revision\":2") && strstr(body, "\"applied\"");
}

static bool one_tenant_is_left(const struct rig *rig)
{
	return records(rig, RECORD_TENANT) == 1;
}

static int enroll(struct rig *rig, const char *url, const char *token)
{
	rig->enrolled_calls = 0;
	feeds_enroll(rig->feeds, url, token, 17);
	UNTIL(rig, was_enrolled);
	assert_int_equal(rig->enrolled_tag, 17);
	return rig->enrolled;
}

static struct fake_feed *enroll_acme(struct rig *rig)
{
	struct fake_feed *feed = fake_control_add_feed(rig->control, ACME, "acme", BLOCK);

	assert_int_equal(enroll(rig, fake_control_url(rig->control), fake_control_token(rig->control)), 0);
	assert_string_equal(rig->host_id, fake_control_host_id(rig->control));
	UNTIL(rig, acme_is_live);
	return feed;
}

static void put_user(struct fake_feed *feed)
{
	fake_feed_put(feed, "user", "usr_alice00000000000", 1, "{\"login\":\"alice\",\"uid\":1879113729}");
	fake_feed_commit(feed);
}

static bool exists(const struct rig *rig, const char *name)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", rig->state_dir, name);
	return access(path, F_OK) == 0;
}

/* ---- enrolment --------------------------------------------------------------------------------------------- */

static void test_enrolment(void **state)
{
	struct rig *rig = *state;
	struct fake_feed *feed;
	char body[4096];

	assert_int_equal(host_of(rig).state, FEED_UNENROLLED);
	feed = enroll_acme(rig);
	assert_int_equal(host_of(rig).state, FEED_LIVE);
	assert_string_equal(host_of(rig).url, fake_control_url(rig->control));
	assert_int_equal(records(rig, RECORD_TENANT), 1);
	fake_control_body(rig->control, "POST /v1/enrol", body, sizeof(body));
	assert_non_null(strstr(body, "\"name\":\"gpu-1\""));
	assert_non_null(strstr(body, "\"crv\":\"P-256\""));
	assert_null(strstr(body, "\"d\"")); /* the secret half never leaves */

	put_user(feed);
	UNTIL(rig, acme_is_at_2);
	assert_int_equal(records(rig, RECORD_USER), 1);
	UNTIL(rig, revision_2_is_acknowledged);
	fake_control_wait(rig->control, "PUT /v1/hosts/self/status", 1);
}

static void test_enrolling_again_changes_nothing(void **state)
{
	struct rig *rig = *state;
	char url[128];

	enroll_acme(rig);
	snprintf(url, sizeof(url), "%s///", fake_control_url(rig->control));
	/* Not even the token is looked at. */
	assert_int_equal(enroll(rig, url, "whatever"), 0);
	assert_string_equal(rig->host_id, fake_control_host_id(rig->control));
	assert_int_equal(fake_control_count(rig->control, "POST /v1/enrol"), 1);
	assert_true(acme_is_live(rig));
}

static void test_enrolment_is_refused(void **state)
{
	struct rig *rig = *state;
	const char *url = fake_control_url(rig->control), *token = fake_control_token(rig->control);
	char other[API_KEY_TEXT_CHARS + 1], id[API_KEY_ID_CHARS + 1], cut[128];

	fake_control_add_feed(rig->control, ACME, "acme", BLOCK);
	assert_int_equal(enroll(rig, "http://control.example.org", token), -EINVAL);
	assert_int_equal(enroll(rig, "ftp://control.example.org", token), -EINVAL);
	assert_int_equal(enroll(rig, "nonsense", token), -EINVAL);
	assert_int_equal(enroll(rig, "https://control.example.org/?x=1", token), -EINVAL);
	assert_int_equal(enroll(rig, url, "nonsense"), -EINVAL);
	snprintf(cut, sizeof(cut), "%.*s", (int)strlen(token) - 1, token);
	assert_int_equal(enroll(rig, url, cut), -EINVAL);
	assert_int_equal(api_key_make(API_KEY_PERSON, other, id), 0);
	assert_int_equal(enroll(rig, url, other), -EINVAL);
	assert_int_equal(fake_control_count(rig->control, "POST"), 0);

	assert_int_equal(api_key_make(API_KEY_ENROLMENT, other, id), 0);
	assert_int_equal(enroll(rig, url, other), -EACCES);
	assert_null(strstr(rig->problem, other));
	assert_int_equal(enroll(rig, "http://127.0.0.1:1", token), -EHOSTUNREACH);
	fake_control_answer(rig->control, "POST /v1/enrol", 2, 0, NULL, "", 0); /* a reused connection is tried again */
	assert_int_equal(enroll(rig, url, token), -EHOSTUNREACH);
	fake_control_answer(rig->control, "POST /v1/enrol", 1, 503, NULL, "busy", 4);
	assert_int_equal(enroll(rig, url, token), -EACCES);
	fake_control_answer(rig->control, "POST /v1/enrol", 1, 201, NULL, "no JSON", 7);
	assert_int_equal(enroll(rig, url, token), -EBADMSG);
	fake_control_answer(rig->control, "POST /v1/enrol", 1, 201, NULL, "{\"host\":\"hst_1\"}", 16);
	assert_int_equal(enroll(rig, url, token), -EBADMSG);
	assert_int_equal(host_of(rig).state, FEED_UNENROLLED);
	assert_false(exists(rig, "host.identity"));
	/* None of this stands in the way of the right one. */
	assert_int_equal(enroll(rig, url, token), 0);
}

static void test_failed_enrolment_destroys_nothing(void **state)
{
	struct rig *rig = *state;
	struct fake_control *other = fake_control_start();
	static const char bad_trust[] = "{\"host\":\"hst_1\",\"name\":\"x\",\"tenants\":[{\"id\":\"" BETA
					"\",\"slug\":\"beta\",\"origin\":\"o/feed/" BETA "\",\"trust\":\"no note\"}]}";
	struct fake_feed *feed = enroll_acme(rig);

	fake_control_answer(other, "POST /v1/enrol", 1, 201, NULL, bad_trust, sizeof(bad_trust) - 1);
	assert_int_equal(enroll(rig, fake_control_url(other), fake_control_token(other)), -EBADMSG);
	fake_control_answer(other, "POST /v1/enrol", 1, 403, NULL, "{\"title\":\"used up\"}", 19);
	assert_int_equal(enroll(rig, fake_control_url(other), fake_control_token(other)), -EACCES);
	assert_non_null(strstr(rig->problem, "used up"));
	put_user(feed);
	UNTIL(rig, acme_is_at_2);
	assert_string_equal(host_of(rig).url, fake_control_url(rig->control));
	assert_int_equal(records(rig, RECORD_USER), 1);

	/* Success replaces it, with all that came from there. */
	fake_control_add_feed(other, BETA, "beta", BLOCK + 0x10000);
	assert_int_equal(enroll(rig, fake_control_url(other), fake_control_token(other)), 0);
	assert_string_equal(rig->host_id, fake_control_host_id(other));
	UNTIL(rig, beta_is_live);
	assert_null(feed_of(rig, ACME));
	assert_int_equal(records(rig, RECORD_USER), 0);
	assert_false(exists(rig, "feeds/" ACME));
	stop(rig);
	fake_control_stop(other);
	start(rig);
	assert_non_null(feed_of(rig, BETA));
}

static void test_leaving(void **state)
{
	struct rig *rig = *state;

	enroll_acme(rig);
	feeds_forget(rig->feeds);
	UNTIL(rig, nothing_is_left);
	assert_int_equal(host_of(rig).state, FEED_UNENROLLED);
	assert_false(exists(rig, "host.identity"));
	assert_false(exists(rig, "feeds/" ACME));
	assert_int_equal(enroll(rig, fake_control_url(rig->control), fake_control_token(rig->control)), 0);
	UNTIL(rig, acme_is_live);
}

static void test_no_sealing_key_no_enrolment(void **state)
{
	struct rig *rig = *state;
	const struct feeds_options options = {
		.state_dir = rig->state_dir, .host_name = "gpu-1", .proxy = "", .allow_plain_http = true};
	const struct feeds_hooks hooks = {on_units, on_view, on_audit, on_disabled, on_enrolled, rig};

	stop(rig);
	assert_int_equal(feeds_create(rig->event, &options, &hooks, &rig->feeds), 0);
	assert_int_equal(enroll(rig, fake_control_url(rig->control), fake_control_token(rig->control)), -ENOKEY);
	assert_int_equal(fake_control_count(rig->control, "POST"), 0);
}

/* ---- access tokens -------------------------------------------------------------------------------------------- */

static void test_tokens_are_renewed(void **state)
{
	struct rig *rig = *state;

	fake_control_set_expires_in(rig->control, 1);
	enroll_acme(rig);
	fake_control_wait(rig->control, "POST /v1/hosts/token", 3);
	UNTIL(rig, acme_is_live);
}

static void test_refused_tokens_are_replaced(void **state)
{
	struct rig *rig = *state;
	struct fake_feed *feed = enroll_acme(rig);

	fake_control_forget_tokens(rig->control);
	fake_feed_end_streams(feed);
	put_user(feed);
	UNTIL(rig, acme_is_at_2);
	assert_true(fake_control_count(rig->control, "POST /v1/hosts/token") >= 2);
}

static bool has_host_problem(const struct rig *rig)
{
	return host_of(rig).problem[0] != '\0';
}

static void test_bare_refusals_wipe_nothing(void **state)
{
	struct rig *rig = *state;
	struct fake_feed *feed = enroll_acme(rig);

	fake_control_answer(rig->control, "POST /v1/hosts/token", 1, 401, NULL, "{\"title\":\"who?\"}", 16);
	fake_control_answer(rig->control, "GET /v1/feeds", 1, 403, NULL, "", 0);
	fake_control_forget_tokens(rig->control);
	fake_feed_end_streams(feed);
	UNTIL(rig, has_host_problem);
	assert_int_equal(host_of(rig).state, FEED_LIVE);
	assert_int_equal(records(rig, RECORD_TENANT), 1);
	put_user(feed);
	UNTIL(rig, acme_is_at_2);
	assert_int_equal(rig->critical, 0);
	assert_false(rig->disabled[0]);
}

/* ---- assignments ------------------------------------------------------------------------------------------------ */

static void test_tenants_come_and_go(void **state)
{
	struct rig *rig = *state;
	struct fake_feed *acme = enroll_acme(rig), *beta;

	beta = fake_control_add_feed(rig->control, BETA, "beta", BLOCK + 0x10000);
	feeds_retry(rig->feeds);
	UNTIL(rig, both_are_live);
	assert_int_equal(records(rig, RECORD_TENANT), 2);

	fake_control_drop_feed(beta); /* its stream ends: the host asks what it serves */
	UNTIL(rig, beta_is_gone);
	UNTIL(rig, one_tenant_is_left);
	assert_false(exists(rig, "feeds/" BETA));
	put_user(acme);
	UNTIL(rig, acme_is_at_2);
}

static void test_an_answer_about_another_host_changes_nothing(void **state)
{
	struct rig *rig = *state;
	static const char other[] = "{\"id\":\"hst_other\",\"name\":\"x\",\"disabled\":false,\"tenants\":[]}";

	enroll_acme(rig);
	fake_control_answer(rig->control, "GET /v1/hosts/self", 1, 200, NULL, other, sizeof(other) - 1);
	feeds_retry(rig->feeds);
	UNTIL(rig, has_host_problem);
	assert_non_null(strstr(host_of(rig).problem, "another host"));
	assert_non_null(feed_of(rig, ACME));
}

/* ---- starts ---------------------------------------------------------------------------------------------------------
 */

static void test_start_without_a_network(void **state)
{
	struct rig *rig = *state;
	struct fake_feed *feed = enroll_acme(rig);

	put_user(feed);
	UNTIL(rig, acme_is_at_2);
	UNTIL(rig, revision_2_is_acknowledged);
	stop(rig);
	fake_control_stop(TAKE_PTR(rig->control));
	start(rig);
	/* At once, before anything was asked. */
	assert_int_equal(records(rig, RECORD_TENANT), 1);
	assert_int_equal(records(rig, RECORD_USER), 1);
	assert_int_equal(host_of(rig).state, FEED_LIVE);
	assert_int_equal(feed_of(rig, ACME)->revision, 2);
	UNTIL(rig, has_host_problem);
	assert_int_equal(records(rig, RECORD_USER), 1);
}

static void test_identity_of_another_key_is_not_used(void **state)
{
	struct rig *rig = *state;

	enroll_acme(rig);
	stop(rig);
	memset(rig->key.bytes, 8, sizeof(rig->key.bytes));
	start(rig);
	assert_int_equal(rig->unit_count, 0);
	assert_int_equal(host_of(rig).state, FEED_UNENROLLED);
	assert_true(has_host_problem(rig));
}

/* ---- out of service
 * --------------------------------------------------------------------------------------------------- */

static bool was_disabled(const struct rig *rig)
{
	return rig->disabled[0] && rig->unit_count == 0 && host_of(rig).state == FEED_DISABLED;
}

static void test_disabled(void **state)
{
	struct rig *rig = *state;
	struct fake_feed *feed = enroll_acme(rig);
	struct host_identity identity = {0};

	put_user(feed);
	UNTIL(rig, acme_is_at_2);
	fake_feed_put(feed, "revocation", fake_control_host_id(rig->control), 1,
		      "{\"of\":\"host\",\"at\":1790000000,\"reason\":\"stolen\"}");
	fake_feed_commit(feed);
	UNTIL(rig, was_disabled);
	assert_non_null(strstr(rig->disabled, "stolen"));
	assert_null(feed_of(rig, ACME));
	assert_false(exists(rig, "feeds/" ACME));
	/* Of the identity only the reason is left. */
	assert_int_equal(host_identity_load(rig->state_dir, &rig->key, &identity), 0);
	for (size_t i = 0; i < sizeof(identity.key.d); i++)
		assert_int_equal(identity.key.d[i], 0);
	stop(rig);
	start(rig);
	assert_int_equal(host_of(rig).state, FEED_DISABLED);
	assert_int_equal(rig->unit_count, 0);
}

static void test_another_host_is_disabled(void **state)
{
	struct rig *rig = *state;
	struct fake_feed *feed = enroll_acme(rig);

	fake_feed_put(feed, "revocation", "hst_0000000000000000", 1, "{\"of\":\"host\",\"at\":1790000000}");
	fake_feed_commit(feed);
	UNTIL(rig, acme_is_at_2);
	put_user(feed);
	UNTIL(rig, acme_is_at_3);
	assert_false(rig->disabled[0]);
}

/* ---- folders
 * ------------------------------------------------------------------------------------------------------------ */

static bool acme_is_there(const struct rig *rig)
{
	const struct feed_view *view = feed_of(rig, ACME);

	return view && view->revision >= 1 && rig->unit_count > 0;
}

static bool has_no_feeds(const struct rig *rig)
{
	return !feed_of(rig, ACME) && rig->unit_count == 0;
}

static bool acme_has_a_problem(const struct rig *rig)
{
	const struct feed_view *view = feed_of(rig, ACME);

	return view && view->problem[0];
}

static bool folder_has_a_problem(const struct rig *rig)
{
	const struct feed_view *view = feed_of(rig, "");

	return view && view->problem[0];
}

static void test_folder(void **state)
{
	struct rig *rig = *state;
	struct fake_feed *feed = fake_control_add_feed(rig->control, ACME, "acme", BLOCK);
	char folder[160], older[160], command[512];

	assert_int_equal(mkdir(rig->import_dir, 0755), 0);
	snprintf(folder, sizeof(folder), "%s/acme", rig->import_dir);
	snprintf(older, sizeof(older), "%s/older", rig->state_dir);
	fake_feed_export(feed, older);
	put_user(feed);
	fake_feed_export(feed, folder);
	feeds_retry(rig->feeds);
	UNTIL(rig, acme_is_there);
	assert_int_equal(records(rig, RECORD_USER), 1);
	assert_true(feed_of(rig, ACME)->from_file);
	assert_int_equal(host_of(rig).state, FEED_UNENROLLED);

	/* An older one in its place is refused; what there was stays. */
	snprintf(command, sizeof(command), "rm -rf %s && cp -r %s %s", folder, older, folder);
	assert_int_equal(system(command), 0);
	feeds_retry(rig->feeds);
	UNTIL(rig, acme_has_a_problem);
	assert_int_equal(records(rig, RECORD_USER), 1);

	/* Taken away, it is gone; but never comes back older. */
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
	feeds_retry(rig->feeds);
	UNTIL(rig, has_no_feeds);
	snprintf(command, sizeof(command), "cp -r %s %s", older, folder);
	assert_int_equal(system(command), 0);
	feeds_retry(rig->feeds);
	UNTIL(rig, acme_has_a_problem);
}

static void test_folders_that_are_not_trusted(void **state)
{
	struct rig *rig = *state;
	struct fake_feed *feed = fake_control_add_feed(rig->control, ACME, "acme", BLOCK);
	char folder[160], path[200];

	assert_int_equal(mkdir(rig->import_dir, 0755), 0);
	snprintf(folder, sizeof(folder), "%s/acme", rig->import_dir);
	fake_feed_export(feed, folder);
	assert_int_equal(chmod(folder, 0775), 0);
	feeds_retry(rig->feeds);
	UNTIL(rig, folder_has_a_problem);
	assert_null(feed_of(rig, ACME));

	assert_int_equal(chmod(folder, 0755), 0);
	snprintf(path, sizeof(path), "%s/head", folder);
	assert_int_equal(chmod(path, 0666), 0);
	stop(rig);
	start(rig);
	assert_true(folder_has_a_problem(rig));
	assert_null(feed_of(rig, ACME));

	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(chmod(rig->import_dir, 0777), 0);
	stop(rig);
	start(rig);
	assert_true(folder_has_a_problem(rig));
	assert_null(feed_of(rig, ACME));

	assert_int_equal(chmod(rig->import_dir, 0755), 0);
	stop(rig);
	start(rig);
	assert_false(folder_has_a_problem(rig));
	assert_non_null(feed_of(rig, ACME));
	assert_int_equal(records(rig, RECORD_TENANT), 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_enrolment),
		TEST(test_enrolling_again_changes_nothing),
		TEST(test_enrolment_is_refused),
		TEST(test_failed_enrolment_destroys_nothing),
		TEST(test_leaving),
		TEST(test_no_sealing_key_no_enrolment),
		TEST(test_tokens_are_renewed),
		TEST(test_refused_tokens_are_replaced),
		TEST(test_bare_refusals_wipe_nothing),
		TEST(test_tenants_come_and_go),
		TEST(test_an_answer_about_another_host_changes_nothing),
		TEST(test_start_without_a_network),
		TEST(test_identity_of_another_key_is_not_used),
		TEST(test_disabled),
		TEST(test_another_host_is_disabled),
		TEST(test_folder),
		TEST(test_folders_that_are_not_trusted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
