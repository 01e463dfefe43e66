/* SPDX-License-Identifier: MIT
 *
 * One feed against a balancer that cannot sign and wants to harm all the same: heads kept back, heads meant for
 * folders, circles of requests, downloads that never end well, a folder that comes while something is under way.
 */
#include "follow_world.h"

#include <dirent.h>

static unsigned count_files(const struct world *w, const char *prefix)
{
	DIR *entries = opendir(w->directory);
	unsigned count = 0;

	assert_non_null(entries);
	for (const struct dirent *entry; (entry = readdir(entries));)
		count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
	(void)closedir(entries);
	return count;
}

/* An exported head lasts for a week; whoever finds one must not make the online hosts believe it that long. */
static void head_for_a_folder(void **state)
{
	WORLD;
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	uint64_t until;

	go_live(w);
	until = view(w).fresh_until;
	pass(10 * USEC_PER_SEC);
	published_head(&w->feed, wall_now, 7 * 86400, &note);
	send_note(w, "head", &note);
	assert_string_equal(view(w).fault, "future");
	assert_int_equal(view(w).fresh_until, until);
	await_request();
	send_head(w, wall_now);
	assert_state(w, FEED_LIVE);
}

/* Heads of one revision, kept back and handed over one by one while the clock is set back each time. */
static void heads_kept_back(void **state)
{
	WORLD;
	int64_t start;

	go_live(w);
	start = wall_now;
	for (int64_t i = 1; i <= 3; i++) {
		for (unsigned k = 0; k < 7; k++) {
			pass(40 * USEC_PER_SEC);
			(void)push(stream(w), ":\n", 2);
		}
		wall_now = start + 15 * i; /* whoever answers NTP is the same */
		send_head(w, wall_now);
	}
	/* The third was issued at 45 and came at 840. */
	assert_string_equal(view(w).fault, "expired");
	assert_true(view(w).fresh_until <= BOOT_START + 645 * USEC_PER_SEC);
	assert_state(w, FEED_STALE);
}

/* Each snapshot is cut before its end. What was written of it makes room for the next. */
static void snapshots_that_are_cut(void **state)
{
	WORLD;
	char path[128] = "blobs/";

	text_to_hex(w->snapshot.sha256, SHA256_BYTES, path + 6);
	begin(w);
	for (unsigned i = 0; i < 20; i++) {
		answer("snapshot", &w->snapshot_note);
		(void)push(expect(path), w->frame.data, w->frame.length - 10);
		end_fault(expect(path), HTTP_CUT);
		await_request();
	}
	assert_true(count_files(w, "snapshot.") <= 1);
	assert_true(count_files(w, "deltas.") <= 1);
	serve_snapshot(w);
	send_head(w, wall_now);
	assert_state(w, FEED_LIVE);
	restart(w);
	assert_result(follow_load(w->follow, NULL), 0);
	assert_int_equal(view(w).revision, 1);
}

/* It speaks of trust documents far ahead, and has none. */
static void trusts_that_are_not_there(void **state)
{
	WORLD;
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	struct feed_trust trust = feed_trust_of(9, 1, &w->stranger, NULL);

	assert_result(feed_trust_write(&trust, &note), 0);
	feed_sign(&note, &w->stranger, NULL);
	go_live(w);
	requests = 0;
	for (unsigned i = 0; i < 50; i++) {
		send_note(w, "trust", &note);
		pass(0);
		if (!open_request("trust/2"))
			break;
		end_status(expect("trust/2"), 404);
		pass(0);
		if (!open_request("events?epoch=1&after=1"))
			break;
	}
	assert_true(requests < 10);
	await_request();
	send_head(w, wall_now + 1);
	assert_state(w, FEED_LIVE);
}

/* Polls answered at once, each with a head, and always the same. */
static void polls_without_news(void **state)
{
	WORLD;
	int64_t issued;

	go_live(w);
	for (unsigned i = 0; i < 3; i++) {
		end_status(stream(w), 200);
		await_request();
	}
	end_status(stream(w), 200);
	await_request();
	expect("events?epoch=1&after=1&once=1");
	issued = wall_now;
	send_head(w, issued);
	end_status(stream(w), 200);
	pass(0);
	requests = 0;
	for (unsigned i = 0; i < 20 && open_request("events?epoch=1&after=1&once=25"); i++) {
		send_head(w, issued);
		end_status(stream(w), 200);
		pass(0);
	}
	assert_true(requests < 10);
}

/* tenantctl reload while the same tenant's snapshot is on its way. */
static void folder_meanwhile(void **state)
{
	WORLD;
	_cleanup_(buffer_finish) struct buffer head = BUFFER_INIT;
	const struct {
		const char *name;
		const struct buffer *data;
	} files[] = {
		{"trust.1", &w->trust}, {"head", &head}, {"snapshot", &w->snapshot_note}, {"snapshot.zst", &w->frame}};
	char folder[] = "/tmp/tenantd-meanwhile-XXXXXX", path[128] = "blobs/", file[160];

	assert_non_null(mkdtemp(folder));
	published_head(&w->feed, wall_now, 86400, &head);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		(void)snprintf(file, sizeof(file), "%s/%s", folder, files[i].name);
		assert_result(file_replace(AT_FDCWD, file, files[i].data->data, files[i].data->length, 0600, NULL), 0);
	}
	text_to_hex(w->snapshot.sha256, SHA256_BYTES, path + 6);
	begin(w);
	answer("snapshot", &w->snapshot_note);
	(void)push(expect(path), w->frame.data, 20);
	assert_int_equal(follow_import(w->follow, folder, NULL), FEED_FINE);
	assert_state(w, FEED_LIVE);
	/* What was on its way is not waited for; where nobody cancelled it, the rest would come now. */
	if (open_request(path))
		(void)push(expect(path), w->frame.data + 20, w->frame.length - 20);
	assert_null(open_request(path));
	pass(0);
	expect("events?epoch=1&after=1");
	send_head(w, wall_now + 1);
	assert_state(w, FEED_LIVE);
	assert_int_equal(feed_picture_records(follow_picture(w->follow)), 1);
	for (size_t i = 0; i < ARRAY_LEN(files); i++) {
		(void)snprintf(file, sizeof(file), "%s/%s", folder, files[i].name);
		(void)unlink(file);
	}
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(head_for_a_folder),         cmocka_unit_test(heads_kept_back),
		cmocka_unit_test(snapshots_that_are_cut),    cmocka_unit_test(folder_meanwhile),
		cmocka_unit_test(trusts_that_are_not_there), cmocka_unit_test(polls_without_news),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
