/* SPDX-License-Identifier: MIT
 *
 * What the control plane for tests says about the tenants of its host: signed, or not as it should be.
 */
#include <stdio.h>
#include <string.h>

#include "../fakes/fake_control_internal.h"
#include "base/clock.h"

#define AUTHORITY "control.example.org"

void fake_assignment_init(struct fake_control *control)
{
	uint8_t public[ED25519_PUBLIC_BYTES];

	assert_int_equal(ed25519_make(control->authority_secret, public), 0);
	assert_int_equal(note_key_init(&control->authority, AUTHORITY, public), 0);
}

void fake_control_lie(struct fake_control *control, enum fake_lie lie)
{
	fake_lock(control);
	control->lie = lie;
	fake_unlock(control);
}

void fake_control_set_served(struct fake_feed *feed, bool served)
{
	fake_lock(feed->control);
	feed->unserved = !served;
	fake_unlock(feed->control);
}

static const struct fake_text *newest(const struct fake_feed *feed)
{
	return &feed->trusts[feed->trust.version];
}

/* A new version with each change, as the real one. */
static void renew(struct fake_control *control)
{
	struct feed_assignment next = {.version = control->assignment.version + 1, .issued = clock_realtime_sec()};

	snprintf(next.authority, sizeof(next.authority), "%s", AUTHORITY);
	snprintf(next.host_id, sizeof(next.host_id), "%s", control->host_id);
	for (unsigned i = 0; i < control->feed_count; i++) {
		const struct fake_feed *feed = control->feeds[i];
		uint32_t at = next.tenant_count;

		if (feed->dropped || feed->unserved)
			continue;
		for (; at > 0 && strcmp(next.tenants[at - 1].tenant_id, feed->tenant_id) > 0; at--)
			next.tenants[at] = next.tenants[at - 1];
		snprintf(next.tenants[at].tenant_id, sizeof(next.tenants[at].tenant_id), "%s", feed->tenant_id);
		assert_int_equal(sha256(newest(feed)->data, newest(feed)->length, next.tenants[at].trust), 0);
		next.tenant_count++;
	}
	if (control->assignment.version == 0 || next.tenant_count != control->assignment.tenant_count ||
	    memcmp(next.tenants, control->assignment.tenants, next.tenant_count * sizeof(next.tenants[0])) != 0)
		control->assignment = next;
}

static void put_tenant(struct json_writer *w, const char *id, const char *slug, const char *origin, const char *trust)
{
	json_begin(w, NULL, '{');
	json_put_string(w, "id", id);
	json_put_string(w, "slug", slug);
	json_put_string(w, "origin", origin);
	json_put_string(w, "trust", trust);
	json_end(w, '}');
}

/* A tenant of somebody's own: what a balancer could make. */
static void put_forged(struct json_writer *w, const char *id, const char *slug, const char *origin)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	struct feed_trust trust = {.version = 1, .epoch = 1, .issued = clock_realtime_sec(), .key_count = 1};
	uint8_t secret[ED25519_SECRET_BYTES], public[ED25519_PUBLIC_BYTES];

	assert_int_equal(ed25519_make(secret, public), 0);
	assert_int_equal(note_key_init(&trust.keys[0], origin, public), 0);
	snprintf(trust.origin, sizeof(trust.origin), "%s", origin);
	assert_int_equal(feed_trust_write(&trust, &note), 0);
	assert_int_equal(note_sign(&note, &trust.keys[0], secret), 0);
	put_tenant(w, id, slug, origin, buffer_text(&note));
}

static void put_tenants(struct fake_control *control, struct json_writer *w)
{
	json_begin(w, "tenants", '[');
	for (unsigned i = 0; i < control->feed_count; i++) {
		const struct fake_feed *feed = control->feeds[i];

		if (feed->dropped || feed->unserved || control->lie == FAKE_NO_TENANTS)
			continue;
		if (control->lie == FAKE_OTHER_TRUST)
			put_forged(w, feed->tenant_id, feed->slug, feed->origin);
		else
			put_tenant(w, feed->tenant_id, feed->slug, feed->origin, newest(feed)->data);
	}
	if (control->lie == FAKE_MORE)
		put_forged(w, "ten_evil0000000000", "evil", "control.example.org/feed/ten_evil0000000000");
	json_end(w, ']');
}

void fake_assignment_put(struct fake_control *control, struct json_writer *w)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	struct feed_assignment said;
	struct note_key key = control->authority;
	uint8_t secret[ED25519_SECRET_BYTES];

	put_tenants(control, w);
	renew(control);
	if (control->lie == FAKE_UNSIGNED)
		return;
	said = control->assignment;
	memcpy(secret, control->authority_secret, sizeof(secret));
	if (control->lie == FAKE_STRANGER) {
		uint8_t public[ED25519_PUBLIC_BYTES];

		assert_int_equal(ed25519_make(secret, public), 0);
		assert_int_equal(note_key_init(&key, AUTHORITY, public), 0);
	} else if (control->lie == FAKE_OTHER_HOST) {
		snprintf(said.host_id, sizeof(said.host_id), "hst_0000000000000000");
	} else if (control->lie == FAKE_OLDER) {
		said.version--;
	} else if (control->lie == FAKE_SAME_VERSION) {
		said.issued++;
	} else if (control->lie == FAKE_TORN) {
		memset(secret, 1, sizeof(secret));
	}
	assert_int_equal(feed_assignment_write(&said, &note), 0);
	assert_int_equal(note_sign(&note, &key, secret), 0);
	json_put_string(w, "assignment", buffer_text(&note));
}

void fake_control_disable(struct fake_control *control, enum fake_lie lie)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT, body = BUFFER_INIT;
	struct json_writer w = json_writer(&body);
	struct feed_disabled said = {.issued = 1790000000};
	struct note_key key = control->authority;
	uint8_t secret[ED25519_SECRET_BYTES], public[ED25519_PUBLIC_BYTES];
	struct jwt_private before;

	snprintf(said.authority, sizeof(said.authority), "%s", AUTHORITY);
	snprintf(said.host_id, sizeof(said.host_id), "%s",
		 lie == FAKE_OTHER_HOST ? "hst_0000000000000000" : control->host_id);
	snprintf(said.key, sizeof(said.key), "%s", control->host_key.kid);
	memcpy(secret, control->authority_secret, sizeof(secret));
	if (lie == FAKE_OLDER) {
		assert_int_equal(jwt_key_make(&before), 0);
		snprintf(said.key, sizeof(said.key), "%s", before.public.kid);
	} else if (lie == FAKE_STRANGER) {
		assert_int_equal(ed25519_make(secret, public), 0);
		assert_int_equal(note_key_init(&key, AUTHORITY, public), 0);
	} else if (lie == FAKE_TORN) {
		memset(secret, 1, sizeof(secret));
	}
	assert_int_equal(feed_disabled_write(&said, &note), 0);
	if (lie != FAKE_UNSIGNED)
		assert_int_equal(note_sign(&note, &key, secret), 0);
	json_begin(&w, NULL, '{');
	json_put_string(&w, "detail", "this host is disabled");
	if (lie != FAKE_NO_TENANTS)
		json_put_string(&w, "note", buffer_text(&note));
	json_end(&w, '}');
	fake_control_answer(control, "POST /v1/hosts/token", -1, 403, NULL, body.data, body.length);
}
