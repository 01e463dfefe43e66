/* SPDX-License-Identifier: MIT
 *
 * One feed's state machine: time, silence, tokens, other keys, other epochs, revoked hosts and restarts.
 */
#include "follow_world.h"

static void freshness(void **state)
{
	WORLD;
	uint64_t until;

	go_live(w);
	until = view(w).fresh_until;
	/* A renewal. */
	pass(15 * USEC_PER_SEC);
	send_head(w, wall_now);
	assert_int_equal(view(w).fresh_until, until + 15 * USEC_PER_SEC);
	until = view(w).fresh_until;
	/* An older one again: nothing. */
	send_head(w, wall_now - 5);
	assert_state(w, FEED_LIVE);
	assert_int_equal(view(w).fresh_until, until);
	/* The clock is set back: what is there lasts no longer, and the next head only as long as it says. */
	wall_now -= 200;
	send_head(w, wall_now + 201);
	assert_int_equal(view(w).fresh_until, boot_now + 300 * USEC_PER_SEC);
	until = view(w).fresh_until;
	wall_now += 200;
	/* Nobody renews: stale, and then back. */
	end_fault(stream(w), HTTP_NO_ROUTE);
	assert_state(w, FEED_RECONNECT);
	while (boot_now < until)
		for (pass(5 * USEC_PER_SEC); requests > 0; requests--)
			for (size_t i = 0; i < ARRAY_LEN(transfers); i++)
				if (transfers[i].open)
					end_fault(&transfers[i], HTTP_NO_ROUTE);
	assert_state(w, FEED_STALE);
	assert_string_equal(view(w).fault, "no-route");
	await_request();
	send_head(w, wall_now);
	assert_state(w, FEED_LIVE);
}

static void silence(void **state)
{
	WORLD;

	go_live(w);
	pass(44 * USEC_PER_SEC);
	(void)push(stream(w), ":\n", 2); /* a byte is enough */
	pass(44 * USEC_PER_SEC);
	assert_state(w, FEED_LIVE);
	pass(USEC_PER_SEC);
	assert_string_equal(view(w).fault, "timeout");
	await_request();
	send_head(w, wall_now);
	assert_state(w, FEED_LIVE);
	/* A machine that slept for an hour: the first thing it does is to connect anew. */
	boot_now += 3600 * USEC_PER_SEC;
	wall_now += 3600;
	pass(0);
	assert_state(w, FEED_STALE);
}

static void waits_as_asked(void **state)
{
	WORLD;
	struct http_answer busy = {.status = 503, .retry_after = 120, .body = "", .error = ""};

	begin(w);
	end_with(expect("snapshot"), &busy);
	pass(119 * USEC_PER_SEC);
	assert_null(open_request("snapshot"));
	pass(3 * USEC_PER_SEC);
	expect("snapshot");
	/* Without that: between nothing and a bound that doubles up to five minutes. */
	for (unsigned i = 0; i < 20; i++) {
		end_fault(expect("snapshot"), HTTP_NO_NAME);
		assert_string_equal(view(w).fault, "no-name");
		await_request();
	}
	assert_state(w, FEED_BOOTSTRAP);
}

static void polling(void **state)
{
	WORLD;

	go_live(w);
	end_fault(stream(w), HTTP_CUT);
	/* A proxy that keeps back what should come: three streams without a head. */
	for (unsigned i = 0; i < 3; i++) {
		await_request();
		expect("events?epoch=1&after=1");
		end_status(stream(w), 200);
	}
	await_request();
	expect("events?epoch=1&after=1&once=1"); /* a head is wanted: nobody can say how fresh it all is */
	send_head(w, wall_now);
	assert_state(w, FEED_LIVE);
	add_project(w, "prj_0000000000000001", PROJECT_BODY("one", 1879048193));
	end_status(stream(w), 200);
	assert_state(w, FEED_LIVE);
	pass(0);
	expect("events?epoch=1&after=2&once=25");
	/* Answers that come at once and bring nothing are not asked for in a circle. */
	end_status(stream(w), 200);
	requests = 0;
	pass(0);
	assert_true(requests <= 1);
	/* After some of them a stream is tried again. */
	for (unsigned i = 0; i < 60 && !open_request("events?epoch=1&after=2"); i++) {
		pass(25 * USEC_PER_SEC);
		if (open_request("events?epoch=1&after=2&once=25")) {
			send_head(w, wall_now);
			end_status(stream(w), 200);
			pass(0);
		}
	}
	expect("events?epoch=1&after=2");
}

/* A control plane that was away, however long: streams are as good as before. */
static void away(void **state)
{
	static const enum http_fault faults[] = {HTTP_NO_NAME, HTTP_NO_ROUTE, HTTP_NO_PROXY, HTTP_BAD_PEER,
						 HTTP_TIMED_OUT};

	for (size_t i = 0; i < ARRAY_LEN(faults); i++) {
		WORLD;

		go_live(w);
		end_fault(stream(w), HTTP_CUT);
		for (unsigned k = 0; k <= 10; k++) {
			for (unsigned waited = 0; !open_request("events?epoch=1&after=1"); waited++) {
				assert_true(waited <= 300);
				pass(USEC_PER_SEC);
			}
			if (k < 10)
				end_fault(stream(w), faults[i]);
		}
		send_head(w, wall_now);
		assert_state(w, FEED_LIVE);
	}
}

static void drains(void **state)
{
	WORLD;

	go_live(w);
	send_event(w, "drain", "5000", 4);
	assert_state(w, FEED_RECONNECT);
	pass(4999 * USEC_PER_MSEC);
	assert_null(open_request("events?epoch=1&after=1"));
	pass(1001 * USEC_PER_MSEC);
	expect("events?epoch=1&after=1");
	send_event(w, "drain", "soon", 4); /* no number: only a stream that ended */
	assert_state(w, FEED_RECONNECT);
}

static void tokens(void **state)
{
	WORLD;

	go_live(w);
	end_status(stream(w), 401);
	assert_int_equal(w->rejected, 1);
	w->token = NULL;
	pass(3600 * USEC_PER_SEC);
	assert_int_equal(feed_picture_records(follow_picture(w->follow)), 1);
	w->token = "token";
	follow_wake(w->follow);
	pass(0);
	/* Nothing that is not signed wipes anything. */
	end_status(stream(w), 403);
	assert_state(w, FEED_STALE);
	assert_int_equal(w->disabled, 0);
	assert_int_equal(feed_picture_records(follow_picture(w->follow)), 1);
}

static void make_trust(struct world *w, uint64_t version, uint64_t epoch, struct buffer *ret)
{
	struct feed_trust trust = feed_trust_of(version, epoch, &w->second, NULL);

	assert_result(feed_trust_write(&trust, ret), 0);
	feed_sign(ret, &w->second, version == 2 ? &w->signer : NULL);
}

static void rotation(void **state)
{
	WORLD;
	_cleanup_(buffer_finish) struct buffer second = BUFFER_INIT, third = BUFFER_INIT;

	make_trust(w, 2, 1, &second);
	make_trust(w, 3, 1, &third);
	go_live(w);
	/* A head by a key that we do not know yet. */
	w->feed.signer = w->second;
	send_head(w, wall_now);
	pass(0);
	answer("trust/2", &second);
	pass(0);
	answer("trust/3", &third);
	pass(0);
	end_status(expect("trust/4"), 404);
	pass(0);
	expect("events?epoch=1&after=1");
	send_head(w, wall_now);
	assert_state(w, FEED_LIVE);
	assert_int_equal(w->audits, 0);
	/* The key before is nobody's any more, after a restart too. */
	restart(w);
	assert_result(follow_load(w->follow, NULL), 0);
	follow_start(w->follow);
	pass(0);
	w->feed.signer = w->signer;
	send_head(w, wall_now);
	pass(0);
	end_status(expect("trust/4"), 404);
	pass(0);
	send_head(w, wall_now);
	assert_state(w, FEED_QUARANTINE);
}

static void rotation_by_event(void **state)
{
	WORLD;
	_cleanup_(buffer_finish) struct buffer second = BUFFER_INIT, third = BUFFER_INIT;

	make_trust(w, 2, 1, &second);
	make_trust(w, 3, 1, &third);
	go_live(w);
	send_note(w, "trust", &w->trust); /* the one we have */
	assert_state(w, FEED_LIVE);
	send_note(w, "trust", &second);
	w->feed.signer = w->second;
	send_head(w, wall_now + 1);
	assert_state(w, FEED_LIVE);
	send_note(w, "trust", &third);
	send_head(w, wall_now + 2);
	assert_state(w, FEED_LIVE);
	send_note(w, "trust", &second); /* back */
	assert_state(w, FEED_QUARANTINE);
	assert_string_equal(view(w).fault, "rollback");
}

static void new_epoch(void **state)
{
	WORLD;
	_cleanup_(buffer_finish) struct buffer second = BUFFER_INIT, old = BUFFER_INIT;

	make_trust(w, 2, 2, &second);
	go_live(w);
	add_project(w, "prj_0000000000000001", PROJECT_BODY("one", 1879048193));
	published_head(&w->feed, wall_now + 50, 300, &old);
	send_note(w, "trust", &second);
	assert_state(w, FEED_RESYNC);
	assert_int_equal(feed_picture_records(follow_picture(w->follow)), 2);
	pass(0);
	/* The feed's next life begins with fewer revisions. */
	published_finish(&w->feed);
	published_init(&w->feed, FEED_ORIGIN, 2, &w->second);
	make_snapshot(w, tenant_line, 1);
	serve_snapshot(w);
	expect("events?epoch=2&after=0");
	send_head(w, wall_now);
	assert_state(w, FEED_LIVE);
	assert_int_equal(view(w).epoch, 2);
	assert_int_equal(view(w).revision, 0);
	assert_int_equal(feed_picture_records(follow_picture(w->follow)), 1);
	/* What was signed in the life before is nothing now. */
	send_note(w, "head", &old);
	pass(0);
	end_status(expect("trust/3"), 404);
	pass(0);
	send_note(w, "head", &old);
	assert_state(w, FEED_QUARANTINE);
}

static void host_revoked(void **state)
{
	WORLD;
	_cleanup_(buffer_finish) struct buffer delta = BUFFER_INIT;
	static const char body[] = "{\"at\":1790000000,\"reason\":\"stolen\"}";
	struct stat st;

	go_live(w);
	for (unsigned i = 1; i <= 2; i++) {
		buffer_clear(&delta);
		delta_write_begin(&delta, FEED_ORIGIN, 1, w->feed.revision, w->feed.revision + 1);
		delta_write_add(&delta, DELTA_REVOKE, "host", i == 1 ? "hst_0000000000000002" : HOST, 1, body,
				strlen(body));
		delta_write_end(&delta);
		(void)published_add(&w->feed, &delta);
		send_delta(w, w->feed.revision);
		send_head(w, wall_now);
		assert_int_equal(w->disabled, i - 1); /* another host's is none of ours */
	}
	assert_state(w, FEED_DISABLED);
	assert_int_equal(w->criticals, 1);
	assert_null(follow_picture(w->follow));
	assert_int_equal(stat(w->directory, &st), -1);
	requests = 0;
	pass(3600 * USEC_PER_SEC);
	assert_int_equal(requests, 0);
}

static void restarts(void **state)
{
	WORLD;
	_cleanup_(buffer_finish) struct buffer old = BUFFER_INIT;

	published_head(&w->feed, wall_now, 100000, &old);
	go_live(w);
	add_project(w, "prj_0000000000000001", PROJECT_BODY("one", 1879048193));
	add_project(w, "prj_0000000000000002", PROJECT_BODY("two", 1879048197));
	restart(w);
	assert_result(follow_load(w->follow, NULL), 0);
	assert_state(w, FEED_RECONNECT);
	assert_int_equal(view(w).revision, 3);
	assert_int_equal(feed_picture_records(follow_picture(w->follow)), 3);
	assert_string_equal(view(w).slug, "acme");
	/* Setting the clock back and starting again makes nothing fresher. */
	wall_now -= 250;
	boot_now += 100 * USEC_PER_SEC;
	restart(w);
	assert_result(follow_load(w->follow, NULL), 0);
	assert_int_equal(view(w).fresh_until, BOOT_START + 300 * USEC_PER_SEC);
	wall_now += 350;
	/* No snapshot where a resume will do, and no way back. */
	follow_start(w->follow);
	pass(0);
	expect("events?epoch=1&after=3");
	send_note(w, "head", &old);
	assert_state(w, FEED_QUARANTINE);
	assert_string_equal(view(w).fault, "rollback");
	await_request();
	add_project(w, "prj_0000000000000003", PROJECT_BODY("three", 1879048201));
	assert_state(w, FEED_LIVE);
	restart(w);
	assert_result(follow_load(w->follow, NULL), 0);
	assert_int_equal(view(w).revision, 4);
	/* Longer ago than a head lasts. */
	wall_now += 301;
	boot_now += 301 * USEC_PER_SEC;
	restart(w);
	assert_result(follow_load(w->follow, NULL), 0);
	assert_state(w, FEED_STALE);
	assert_int_equal(feed_picture_records(follow_picture(w->follow)), 4);
}

static void change_file(const struct world *w, const char *name, bool remove)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/%s", w->directory, name);
	if (remove) {
		assert_int_equal(unlink(path), 0);
		return;
	}
	assert_result(file_read(AT_FDCWD, path, 1 << 20, FILE_TRUST_ANY, 0, &text, NULL), 0);
	text.data[text.length / 2] ^= 1;
	assert_result(file_replace(AT_FDCWD, path, text.data, text.length, 0600, NULL), 0);
}

/* What is damaged is not used; the bound holds where it can still be read. */
static void damaged_files(void **state)
{
	static const char *const names[] = {"state", "snapshot.1", "deltas.1"};

	for (unsigned i = 0; i < 2 * ARRAY_LEN(names); i++) {
		WORLD;
		bool removed = i >= ARRAY_LEN(names), bound = strcmp(names[i % 3], "state") != 0;

		go_live(w);
		add_project(w, "prj_0000000000000001", PROJECT_BODY("one", 1879048193));
		change_file(w, names[i % 3], removed);
		restart(w);
		if (removed && !bound) {
			assert_int_equal(follow_load(w->follow, NULL), -ENOENT);
			continue;
		}
		assert_int_equal(follow_load(w->follow, NULL), -EBADMSG);
		assert_state(w, FEED_QUARANTINE);
		assert_null(follow_picture(w->follow));
		/* Where nothing mends itself it is said what does. */
		assert_int_equal(strstr(view(w).problem, "tenantctl unenroll") != NULL, !bound);
		if (!bound)
			continue;
		follow_start(w->follow);
		pass(0);
		serve_snapshot(w);
		w->feed.revision--; /* a control plane that went back */
		{
			_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
			struct published old = w->feed;

			memcpy(old.chain, w->snapshot.chain, SHA256_BYTES);
			published_head(&old, wall_now + 1, 300, &note);
			send_note(w, "head", &note);
		}
		w->feed.revision++;
		assert_state(w, FEED_QUARANTINE);
		assert_string_equal(view(w).fault, "rollback");
		assert_null(follow_picture(w->follow));
		await_request();
		serve_snapshot(w);
		send_delta(w, 2);
		send_head(w, wall_now + 2);
		assert_state(w, FEED_LIVE);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(freshness),     cmocka_unit_test(silence),      cmocka_unit_test(waits_as_asked),
		cmocka_unit_test(polling),       cmocka_unit_test(drains),       cmocka_unit_test(tokens),
		cmocka_unit_test(away),          cmocka_unit_test(rotation),     cmocka_unit_test(rotation_by_event),
		cmocka_unit_test(new_epoch),     cmocka_unit_test(host_revoked), cmocka_unit_test(restarts),
		cmocka_unit_test(damaged_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
