/* SPDX-License-Identifier: MIT
 *
 * One feed's state machine: what comes by the stream and by snapshots, good and bad.
 */
#include "follow_world.h"

static void bootstraps(void **state)
{
	WORLD;
	struct problem problem;

	assert_int_equal(follow_load(w->follow, &problem), -ENOENT);
	assert_state(w, FEED_UNENROLLED);
	begin(w);
	assert_state(w, FEED_BOOTSTRAP);
	serve_snapshot(w);
	assert_state(w, FEED_BOOTSTRAP);
	assert_null(follow_picture(w->follow)); /* no head says that it is the feed's present */
	expect("events?epoch=1&after=1");
	send_head(w, wall_now);
	assert_state(w, FEED_LIVE);
	assert_non_null(follow_picture(w->follow));
	assert_int_equal(feed_picture_records(follow_picture(w->follow)), 1);
	assert_int_equal(view(w).revision, 1);
	assert_int_equal(view(w).fresh_until, boot_now + 300 * USEC_PER_SEC);
	/* Not acknowledged before it is in force. */
	assert_null(open_request("acks"));
	follow_applied(w->follow, NULL);
	assert_string_equal(expect("acks")->body, "{\"epoch\":1,\"revision\":1,\"outcome\":\"applied\"}");
	assert_string_equal(expect("acks")->request.method, "POST");
	end_status(expect("acks"), 204);
	assert_int_equal(w->audits, 0);
}

static void deltas(void **state)
{
	WORLD;

	go_live(w);
	(void)published_put(&w->feed, "project", "prj_0000000000000001", 1, PROJECT_BODY("one", 1879048193));
	send_delta(w, 2);
	assert_int_equal(feed_picture_records(follow_picture(w->follow)), 1); /* no head yet */
	send_head(w, wall_now);
	assert_int_equal(feed_picture_records(follow_picture(w->follow)), 2);
	assert_int_equal(view(w).revision, 2);
	follow_applied(w->follow, NULL);
	assert_string_equal(expect("acks")->body, "{\"epoch\":1,\"revision\":2,\"outcome\":\"applied\"}");
	/* One that fails is tried again with the next head. */
	end_status(expect("acks"), 503);
	assert_null(open_request("acks"));
	send_head(w, wall_now + 1);
	end_status(expect("acks"), 204);
	send_head(w, wall_now + 2);
	assert_null(open_request("acks"));
	/* Those that no head covered when the stream ended are sent again. */
	(void)published_put(&w->feed, "project", "prj_0000000000000002", 1, PROJECT_BODY("two", 1879048197));
	send_delta(w, 3);
	end_fault(stream(w), HTTP_CUT);
	assert_state(w, FEED_RECONNECT);
	await_request();
	expect("events?epoch=1&after=2");
	send_delta(w, 3);
	send_head(w, wall_now);
	assert_int_equal(view(w).revision, 3);
	assert_state(w, FEED_LIVE);
}

static void refused_by_agent(void **state)
{
	WORLD;
	struct problem problem = {.text = "a name is claimed twice"};

	go_live(w);
	add_project(w, "prj_0000000000000001", PROJECT_BODY("one", 1879048193));
	follow_applied(w->follow, &problem);
	assert_string_equal(expect("acks")->body, "{\"epoch\":1,\"revision\":2,\"outcome\":\"refused\","
						  "\"error\":\"a name is claimed twice\"}");
	assert_string_equal(view(w).problem, "a name is claimed twice");
}

/* Sends a head and says which fault it was; the last good picture goes on. */
static void assert_hostile(struct world *w, const struct buffer *note, const char *fault)
{
	uint64_t revision = view(w).revision, records = feed_picture_records(follow_picture(w->follow));

	w->criticals = 0;
	send_note(w, "head", note);
	if (open_request("trust/2") || strcmp(fault, "unsigned") == 0 || strcmp(fault, "other-epoch") == 0) {
		pass(0);
		end_status(expect("trust/2"), 404);
		pass(0);
		send_note(w, "head", note);
	}
	assert_state(w, FEED_QUARANTINE);
	assert_string_equal(view(w).fault, fault);
	assert_string_equal(w->fault, fault);
	assert_int_equal(w->criticals, 1);
	assert_int_equal(view(w).revision, revision);
	assert_int_equal(feed_picture_records(follow_picture(w->follow)), records);
	/* The very head that we have does not end it; a newer one over a new connection does. */
	await_request();
	send_head(w, ++wall_now);
	assert_state(w, FEED_LIVE);
	assert_int_equal(w->criticals, 1);
	assert_string_equal(view(w).fault, "");
}

static void hostile_heads(void **state)
{
	WORLD;
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT, before = BUFFER_INIT;
	struct published other = w->feed;
	char *revision;

	published_head(&w->feed, wall_now, 100000, &before);
	go_live(w);
	add_project(w, "prj_0000000000000001", PROJECT_BODY("one", 1879048193));
	assert_int_equal(view(w).revision, 2);
	/* An older one, replayed. */
	assert_hostile(w, &before, "rollback");
	/* Changed on the way. */
	published_head(&w->feed, wall_now, 300, &note);
	revision = strstr(note.data, "revision 2");
	revision[9] = '3';
	assert_hostile(w, &note, "bad-signature");
	/* By a stranger, and stripped. */
	other = w->feed;
	other.signer = w->stranger;
	published_head(&other, wall_now, 300, &note);
	assert_hostile(w, &note, "unsigned");
	published_head(&w->feed, wall_now, 300, &note);
	note.length = (size_t)(strstr(note.data, "\n\n") - note.data) + 1;
	assert_hostile(w, &note, "unsigned");
	/* Another history of the same revision, by the right key. */
	other = w->feed;
	other.chain[0] ^= 1;
	published_head(&other, wall_now, 300, &note);
	assert_hostile(w, &note, "fork");
	other = w->feed;
	strcpy(other.origin, "control.example.org/feed/ten_other");
	published_head(&other, wall_now, 300, &note);
	assert_hostile(w, &note, "other-origin");
	other = w->feed;
	other.epoch = 2;
	published_head(&other, wall_now, 300, &note);
	assert_hostile(w, &note, "other-epoch");
}

static void same_head_after_quarantine(void **state)
{
	WORLD;
	_cleanup_(buffer_finish) struct buffer good = BUFFER_INIT, bad = BUFFER_INIT;
	struct published other;

	go_live(w);
	published_head(&w->feed, wall_now, 300, &good);
	other = w->feed;
	other.chain[0] ^= 1;
	published_head(&other, wall_now, 300, &bad);
	send_note(w, "head", &bad);
	assert_state(w, FEED_QUARANTINE);
	await_request();
	send_note(w, "head", &good); /* the one from before */
	assert_state(w, FEED_QUARANTINE);
	send_head(w, wall_now + 1);
	assert_state(w, FEED_LIVE);
}

static void bad_times(void **state)
{
	WORLD;

	go_live(w);
	send_head(w, wall_now - 300);
	assert_state(w, FEED_RECONNECT);
	assert_string_equal(view(w).fault, "expired");
	await_request();
	send_head(w, wall_now + 301);
	assert_state(w, FEED_RECONNECT);
	assert_string_equal(view(w).fault, "future");
	assert_int_equal(w->criticals, 0);
	await_request();
	send_head(w, wall_now);
	assert_state(w, FEED_LIVE);
}

/* What cannot go on: everything anew, while the old picture serves. */
static void resyncs(void **state)
{
	WORLD;

	go_live(w);
	/* A gap: the second delta without the first. */
	(void)published_put(&w->feed, "project", "prj_0000000000000001", 1, PROJECT_BODY("one", 1879048193));
	(void)published_put(&w->feed, "project", "prj_0000000000000002", 1, PROJECT_BODY("two", 1879048197));
	send_delta(w, 3);
	send_head(w, wall_now);
	assert_state(w, FEED_RESYNC);
	assert_string_equal(view(w).fault, "gap");
	assert_int_equal(view(w).revision, 1);
	assert_int_equal(feed_picture_records(follow_picture(w->follow)), 1);
	await_request();
	/* The snapshot is still that of revision 1: what came after is sent again. */
	serve_snapshot(w);
	expect("events?epoch=1&after=1");
	assert_state(w, FEED_RESYNC);
	send_delta(w, 2);
	send_delta(w, 3);
	send_head(w, wall_now);
	assert_state(w, FEED_LIVE);
	assert_int_equal(view(w).revision, 3);
	assert_int_equal(feed_picture_records(follow_picture(w->follow)), 3);
	/* Reordered. */
	(void)published_put(&w->feed, "project", "prj_0000000000000003", 1, PROJECT_BODY("three", 1879048201));
	(void)published_put(&w->feed, "project", "prj_0000000000000004", 1, PROJECT_BODY("four", 1879048205));
	send_delta(w, 5);
	send_delta(w, 4);
	send_head(w, wall_now);
	assert_state(w, FEED_RESYNC);
	assert_string_equal(view(w).fault, "other-chain");
	assert_int_equal(view(w).revision, 3);
	assert_int_equal(w->criticals, 0);
}

static void gap_by_status(void **state)
{
	WORLD;

	go_live(w);
	end_status(stream(w), 410);
	assert_state(w, FEED_RESYNC);
	assert_int_equal(feed_picture_records(follow_picture(w->follow)), 1);
	pass(0);
	end_status(expect("trust/2"), 404); /* another epoch would be there */
	pass(0);
	serve_snapshot(w);
	send_head(w, wall_now + 1);
	assert_state(w, FEED_LIVE);
}

static void bad_snapshots(void **state)
{
	WORLD;
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	char path[128] = "blobs/";

	begin(w);
	text_to_hex(w->snapshot.sha256, SHA256_BYTES, path + 6);
	/* Other bytes than the note says. */
	answer("snapshot", &w->snapshot_note);
	w->frame.data[w->frame.length - 10] ^= 1;
	answer(path, &w->frame);
	w->frame.data[w->frame.length - 10] ^= 1;
	assert_state(w, FEED_BOOTSTRAP);
	assert_string_equal(view(w).fault, "malformed");
	/* Cut. */
	await_request();
	answer("snapshot", &w->snapshot_note);
	w->frame.length -= 10;
	answer(path, &w->frame);
	w->frame.length += 10;
	assert_string_equal(view(w).fault, "malformed");
	await_request();
	answer("snapshot", &w->snapshot_note);
	end_fault(expect(path), HTTP_CUT);
	assert_string_equal(view(w).fault, "cut");
	/* A note by a stranger: perhaps of a newer trust document, but there is none. */
	await_request();
	assert_result(feed_snapshot_write(&w->snapshot, &note), 0);
	feed_sign(&note, &w->stranger, NULL);
	answer("snapshot", &note);
	pass(0);
	end_status(expect("trust/2"), 404);
	pass(0);
	answer("snapshot", &note);
	assert_state(w, FEED_QUARANTINE);
	assert_string_equal(view(w).fault, "unsigned");
	assert_null(follow_picture(w->follow));
	await_request();
	serve_snapshot(w);
	send_head(w, wall_now);
	assert_state(w, FEED_LIVE);
}

/* Signed, and yet a record that no host may take. */
static void bad_record(void **state)
{
	WORLD;

	go_live(w);
	add_project(w, "prj_0000000000000001", "{\"slug\":\"Not A Slug\",\"gid\":1879048193}");
	assert_state(w, FEED_RESYNC);
	assert_string_equal(view(w).fault, "bad-record");
	assert_int_equal(view(w).revision, 1);
	assert_int_equal(feed_picture_records(follow_picture(w->follow)), 1);
	assert_non_null(
		strstr(expect("acks")->body, "{\"epoch\":1,\"revision\":2,\"outcome\":\"refused\",\"error\":\""));
	end_status(expect("acks"), 204);
	/* The control plane mends it and makes a snapshot. */
	(void)published_put(&w->feed, "project", "prj_0000000000000001", 2, PROJECT_BODY("one", 1879048193));
	{
		struct line_of lines[] = {tenant_line[0],
					  {"project", "prj_0000000000000001", 2, PROJECT_BODY("one", 1879048193)}};

		make_snapshot(w, lines, 2);
	}
	await_request();
	serve_snapshot(w);
	expect("events?epoch=1&after=3");
	send_head(w, wall_now);
	assert_state(w, FEED_LIVE);
	assert_int_equal(feed_picture_records(follow_picture(w->follow)), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bootstraps),
		cmocka_unit_test(deltas),
		cmocka_unit_test(refused_by_agent),
		cmocka_unit_test(hostile_heads),
		cmocka_unit_test(same_head_after_quarantine),
		cmocka_unit_test(bad_times),
		cmocka_unit_test(resyncs),
		cmocka_unit_test(gap_by_status),
		cmocka_unit_test(bad_snapshots),
		cmocka_unit_test(bad_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
