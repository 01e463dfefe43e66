/* SPDX-License-Identifier: MIT
 *
 * What fake_control.c (requests, streams) and fake_feed.c (what feeds hold) share.
 */
#pragma once

#include <jansson.h>
#include <pthread.h>

#include "../fakes/fake_control.h"
#include "../unit/unit.h"
#include "jose/jwt.h"
#include "json/json_write.h"

#define FAKE_FEEDS 8
#define FAKE_TEXTS 4096
#define FAKE_RECORDS 512

struct fake_text {
	char *data;
	size_t length;
};
struct fake_record {
	char *kind, *id, *body;
	uint64_t version;
};
struct fake_feed {
	struct fake_control *control;
	char tenant_id[64], slug[32], origin[FEED_ORIGIN_MAX];
	bool dropped, unserved, silent;
	uint8_t secret[ED25519_SECRET_BYTES];
	struct note_key key;
	struct feed_trust trust;
	struct fake_text trusts[16]; /* by version */
	struct feed_head head;
	struct buffer head_note;
	uint64_t head_serial; /* counts signed heads */
	struct fake_text deltas[FAKE_TEXTS];
	uint64_t first_delta; /* the oldest revision kept */
	struct buffer snapshot_note, snapshot;
	struct fake_record records[FAKE_RECORDS];
	unsigned record_count;
	struct buffer ops; /* the delta under way */
	bool ops_begun;
	int64_t lifetime;
	struct fake_text sent[64]; /* raw events */
	unsigned sent_count;
	unsigned generation; /* of streams: those of an older one end */
	unsigned streams;
};
struct fake_control {
	struct MHD_Daemon *daemon;
	pthread_mutex_t lock; /* over everything below, and feeds */
	pthread_cond_t changed;
	bool stopping, disabled;
	char url[64], token[96], host_id[32], bearer[64];
	struct jwt_public host_key;
	bool enrolled;
	unsigned tokens, tokens_forgotten;
	struct note_key authority;
	uint8_t authority_secret[ED25519_SECRET_BYTES];
	struct feed_assignment assignment; /* as it was signed last */
	enum fake_lie lie;
	int64_t expires_in;
	struct fake_feed *feeds[FAKE_FEEDS];
	unsigned feed_count;
	struct fake_text requests[FAKE_TEXTS]; /* "METHOD /path?query\nbody" */
	unsigned request_count;
	struct {
		char request[160], header[128];
		int times;
		unsigned status;
		struct fake_text body;
	} answers[64];
	unsigned answer_count;
	struct fake_audit *audit; /* fake_audit.c; NULL: nobody asked yet */
};

static inline void fake_lock(struct fake_control *control)
{
	assert_int_equal(pthread_mutex_lock(&control->lock), 0);
}

/* Whoever waits looks again: nearly everything may have changed. */
static inline void fake_unlock(struct fake_control *control)
{
	pthread_cond_broadcast(&control->changed);
	pthread_mutex_unlock(&control->lock);
}
void fake_feed_free(struct fake_feed *feed);
/* fake_audit.c; all with the lock. They give the answer's status. */
struct MHD_Connection;
unsigned fake_audit_post(struct fake_control *control, const char *body, size_t length, struct buffer *out);
unsigned fake_audit_show(struct fake_control *control, const char *tenant_id, struct MHD_Connection *connection,
			 struct buffer *out);
unsigned fake_audit_cosign(struct fake_control *control, const char *tenant_id, const char *body, size_t length);
void fake_audit_free(struct fake_audit *audit); /* takes NULL */
/* fake_assignment.c; all with the lock */
void fake_assignment_init(struct fake_control *control);
/* The members "tenants" and "assignment". */
void fake_assignment_put(struct fake_control *control, struct json_writer *w);
