/* SPDX-License-Identifier: MIT
 *
 * A feed as files that configuration management copied: the rules are those of a feed over the network, against going
 * back too.
 */
#include "feed/follow_internal.h"
#include "follow_world.h"

static char files[64];

static void put(const char *name, const void *data, size_t length)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", files, name);
	assert_result(file_replace(AT_FDCWD, path, data, length, 0600, NULL), 0);
}

static void drop(const char *name)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", files, name);
	(void)unlink(path);
}

/* What `tenant-control export` would write now: the snapshot as it is, deltas from revision 2 on, and the head. */
static void export(const struct world *w, int64_t issued)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT, lines = BUFFER_INIT;

	for (uint64_t i = w->snapshot.revision + 1; i <= w->feed.revision; i++) {
		assert_result(buffer_add(&lines, w->feed.deltas[i].data, w->feed.deltas[i].length), 0);
		assert_result(buffer_add_char(&lines, '\n'), 0);
	}
	published_head(&w->feed, issued, 86400, &note);
	put("trust.1", w->trust.data, w->trust.length);
	put("head", note.data, note.length);
	put("snapshot", w->snapshot_note.data, w->snapshot_note.length);
	put("snapshot.zst", w->frame.data, w->frame.length);
	put("deltas", lines.data ? lines.data : "", lines.length);
}

static struct world *offline_world(void)
{
	struct world *w = world_new();

	strcpy(files, "/tmp/tenantd-folder-XXXXXX");
	assert_non_null(mkdtemp(files));
	return w;
}

static void offline_world_free(struct world *w)
{
	static const char *const names[] = {"trust.1", "trust.2", "head", "snapshot", "snapshot.zst", "deltas"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		drop(names[i]);
	assert_int_equal(rmdir(files), 0);
	world_free(w);
}
DEFINE_CLEANUP(struct world, offline_world_free)

static void assert_import(struct world *w, enum feed_fault expected)
{
	struct problem problem = {0};
	enum feed_fault got = follow_import(w->follow, files, &problem);

	if (got != expected)
		fail_msg("%s instead of %s: %s", feed_fault_word(got), feed_fault_word(expected), problem.text);
	assert_int_equal(problem.text[0] != '\0', expected != FEED_FINE);
}

static void goes_forward_only(void **state)
{
	_cleanup_(offline_world_freep) struct world *w = offline_world();

	export(w, wall_now);
	assert_import(w, FEED_FINE);
	assert_state(w, FEED_LIVE);
	assert_int_equal(view(w).revision, 1);
	assert_int_equal(view(w).fresh_until, boot_now + 86400 * USEC_PER_SEC);
	assert_import(w, FEED_FINE); /* the very same again */
	(void)published_put(&w->feed, "project", "prj_0000000000000001", 1, PROJECT_BODY("one", 1879048193));
	export(w, wall_now + 1);
	assert_import(w, FEED_FINE);
	assert_int_equal(feed_picture_records(follow_picture(w->follow)), 2);
	/* It is kept, and a start without the folder finds it. */
	restart(w);
	assert_result(follow_load(w->follow, NULL), 0);
	assert_int_equal(view(w).revision, 2);
}

/* The folder of revision 2 while the feed is at 3 already. */
static void overtake(struct world *w)
{
	uint8_t chain[SHA256_BYTES];

	(void)published_put(&w->feed, "project", "prj_0000000000000001", 1, PROJECT_BODY("one", 1879048193));
	memcpy(chain, w->feed.chain, SHA256_BYTES);
	(void)published_put(&w->feed, "project", "prj_0000000000000002", 1, PROJECT_BODY("two", 1879048197));
	export(w, wall_now);
	assert_import(w, FEED_FINE);
	assert_int_equal(view(w).revision, 3);
	memcpy(w->feed.chain, chain, SHA256_BYTES);
	w->feed.revision = 2;
	export(w, wall_now + 1);
}

static void assert_untouched(const struct world *w, enum feed_state state)
{
	assert_state(w, state);
	assert_int_equal(view(w).revision, 3);
	assert_int_equal(feed_picture_records(follow_picture(w->follow)), 3);
}

/* Somebody left it there, and each start and reload finds it: no alarm, and nothing changes. */
static void older_beside_the_network(void **state)
{
	_cleanup_(offline_world_freep) struct world *w = offline_world();

	overtake(w);
	assert_import(w, FEED_FINE);
	assert_untouched(w, FEED_LIVE);
	/* It may have expired meanwhile, too. */
	export(w, wall_now - 2 * 86400);
	assert_import(w, FEED_FINE);
	restart(w);
	assert_result(follow_load(w->follow, NULL), 0);
	assert_import(w, FEED_FINE);
	assert_untouched(w, FEED_RECONNECT);
	assert_int_equal(w->audits, 0);
	assert_string_equal(view(w).problem, "");
}

static void older_and_forged(void **state)
{
	_cleanup_(offline_world_freep) struct world *w = offline_world();
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	struct feed_trust trust = feed_trust_of(1, 1, &w->stranger, NULL);

	overtake(w);
	drop("deltas"); /* the head is ours, what comes with it does not lead there */
	assert_import(w, FEED_ROLLBACK);
	assert_untouched(w, FEED_QUARANTINE);
	assert_int_equal(w->criticals, 1);
	/* A chain of trust that vouches for itself. */
	assert_result(feed_trust_write(&trust, &note), 0);
	feed_sign(&note, &w->stranger, NULL);
	w->feed.signer = w->stranger;
	make_snapshot(w, tenant_line, 1);
	export(w, wall_now);
	put("trust.1", note.data, note.length);
	assert_int_not_equal(follow_import(w->follow, files, NULL), FEED_FINE);
	assert_untouched(w, FEED_QUARANTINE);
}

/* Where files are all there is it is refused; the good one goes on. */
static void older_by_files_alone(void **state)
{
	_cleanup_(offline_world_freep) struct world *w = offline_world();

	follow_free(w->follow);
	assert_result(follow_create(&(struct follow_options){.tenant_id = TENANT,
							     .directory = w->directory,
							     .seal_key = &w->key,
							     .hooks = &w->hooks},
				    &w->follow),
		      0);
	overtake(w);
	assert_import(w, FEED_ROLLBACK);
	assert_untouched(w, FEED_LIVE);
	assert_int_equal(w->audits, 1);
	assert_int_equal(w->criticals, 0);
	assert_string_equal(w->fault, "rollback");
	drop("deltas");
	assert_import(w, FEED_ROLLBACK);
	assert_untouched(w, FEED_QUARANTINE);
	assert_int_equal(w->criticals, 1);
}

/* From before the keys changed: by the document of that time, which is kept. */
static void older_by_older_keys(void **state)
{
	_cleanup_(offline_world_freep) struct world *w = offline_world();
	_cleanup_(buffer_finish) struct buffer second = BUFFER_INIT;
	struct feed_trust trust = feed_trust_of(2, 1, &w->second, NULL);
	struct problem problem = {0};

	overtake(w);
	assert_result(feed_trust_write(&trust, &second), 0);
	feed_sign(&second, &w->signer, &w->second);
	assert_int_equal(follow_take_trust(w->follow, second.data, second.length, &problem), FEED_FINE);
	assert_import(w, FEED_FINE);
	assert_untouched(w, FEED_LIVE);
	assert_int_equal(w->audits, 0);
}

static void refused_folders(void **state)
{
	_cleanup_(offline_world_freep) struct world *w = offline_world();
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	struct published other;

	(void)published_put(&w->feed, "project", "prj_0000000000000001", 1, PROJECT_BODY("one", 1879048193));
	assert_import(w, FEED_MALFORMED); /* an empty one */
	export(w, wall_now);
	drop("snapshot.zst");
	assert_import(w, FEED_MALFORMED);
	export(w, wall_now);
	drop("deltas");
	assert_import(w, FEED_GAP);
	export(w, wall_now);
	put("deltas", w->feed.deltas[2].data, w->feed.deltas[2].length); /* no line end */
	assert_import(w, FEED_MALFORMED);
	export(w, wall_now);
	put("snapshot.zst", w->frame.data, w->frame.length - 1);
	assert_import(w, FEED_MALFORMED);
	other = w->feed;
	other.signer = w->stranger;
	published_head(&other, wall_now, 86400, &note);
	export(w, wall_now);
	put("head", note.data, note.length);
	assert_import(w, FEED_UNSIGNED);
	export(w, wall_now - 86400);
	assert_import(w, FEED_EXPIRED);
	export(w, wall_now + 301);
	assert_import(w, FEED_FUTURE);
	assert_null(follow_picture(w->follow));
	export(w, wall_now);
	assert_import(w, FEED_FINE);
	assert_state(w, FEED_LIVE);
}

static void rotates(void **state)
{
	_cleanup_(offline_world_freep) struct world *w = offline_world();
	_cleanup_(buffer_finish) struct buffer second = BUFFER_INIT;
	struct feed_trust trust = feed_trust_of(2, 1, &w->second, NULL);

	export(w, wall_now);
	assert_import(w, FEED_FINE);
	/* Signed by a key that no known one vouches for, then by one that is vouched for. */
	assert_result(feed_trust_write(&trust, &second), 0);
	feed_sign(&second, &w->second, NULL);
	put("trust.2", second.data, second.length);
	assert_import(w, FEED_UNSIGNED);
	buffer_clear(&second);
	assert_result(feed_trust_write(&trust, &second), 0);
	feed_sign(&second, &w->second, &w->signer);
	w->feed.signer = w->second;
	make_snapshot(w, tenant_line, 1);
	export(w, wall_now + 1);
	put("trust.2", second.data, second.length);
	assert_import(w, FEED_FINE);
	/* The trust document before is not enough any more. */
	w->feed.signer = w->signer;
	make_snapshot(w, tenant_line, 1);
	export(w, wall_now + 2);
	drop("trust.2");
	assert_import(w, FEED_UNSIGNED);
}

/* One tenant's feed takes no more room than this host gives it; what it was before goes on. */
static void more_than_this_host_takes(void **state)
{
	_cleanup_(offline_world_freep) struct world *w = offline_world();

	w->follow->max_records = 2;
	go_live(w);
	add_project(w, "prj_0000000000000001", PROJECT_BODY("one", 1879048193));
	assert_state(w, FEED_LIVE);
	assert_int_equal(view(w).revision, 2);
	add_project(w, "prj_0000000000000002", PROJECT_BODY("two", 1879048197));
	assert_state(w, FEED_RECONNECT);
	assert_string_equal(view(w).fault, "too-large");
	assert_non_null(strstr(view(w).problem, "feeds.max_records"));
	assert_int_equal(view(w).revision, 2);
	assert_int_equal(feed_picture_records(follow_picture(w->follow)), 2);
	assert_int_equal(w->criticals, 0);
	/* As a folder. */
	export(w, wall_now);
	assert_import(w, FEED_TOO_LARGE);
	assert_int_equal(feed_picture_records(follow_picture(w->follow)), 2);
	/* As a snapshot: before a byte of it is fetched. */
	w->follow->max_records = 1;
	w->follow->resync = true;
	{
		const struct line_of lines[] = {
			tenant_line[0], {"project", "prj_0000000000000001", 1, PROJECT_BODY("one", 1879048193)}};

		make_snapshot(w, lines, ARRAY_LEN(lines));
	}
	await_request();
	answer("snapshot", &w->snapshot_note);
	assert_string_equal(view(w).fault, "too-large");
	export(w, wall_now + 1);
	assert_import(w, FEED_TOO_LARGE);
	assert_int_equal(feed_picture_records(follow_picture(w->follow)), 2);
	/* With room for it all is well again. */
	w->follow->max_records = 3;
	assert_import(w, FEED_FINE);
	assert_state(w, FEED_LIVE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_forward_only),
		cmocka_unit_test(older_beside_the_network),
		cmocka_unit_test(older_and_forged),
		cmocka_unit_test(older_by_files_alone),
		cmocka_unit_test(older_by_older_keys),
		cmocka_unit_test(refused_folders),
		cmocka_unit_test(rotates),
		cmocka_unit_test(more_than_this_host_takes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
