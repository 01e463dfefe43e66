/* SPDX-License-Identifier: MIT
 *
 * Everything that comes from a control plane: enrolment, the host's identity, one feed for each tenant that the host
 * serves, feeds that lie here as files. Works on a thread of its own (network, signatures, inflating, parsing never
 * delay an answer) and hands finished units to the agent's loop.
 *
 * Knows nothing of files' directories, policy, sockets of local callers: agent.c ties those together.
 */
#pragma once

#include <systemd/sd-event.h>

#include "base/problem.h"
#include "crypto/seal.h"
#include "directory/directory.h"
#include "feed/audit_view.h"

struct host_token;
struct session;
struct spool;
enum feed_state {
	FEED_UNENROLLED,
	FEED_ENROLLING,
	FEED_BOOTSTRAP,
	FEED_LIVE,
	FEED_RECONNECT,
	FEED_STALE,
	FEED_RESYNC,
	FEED_QUARANTINE,
	FEED_DISABLED,
	FEED_STATE_COUNT,
};
const char *feed_state_word(enum feed_state state);     /* "live" */
const char *feed_state_sentence(enum feed_state state); /* for tenantctl status */

#define FEEDS_MAX 192U /* assigned, imported, and folders that are not in order */
#define FEED_TENANT_ID_MAX 64U
#define FEED_PROBLEM_MAX 512U

/* One feed as the agent's thread sees it. Plain value. */
struct feed_view {
	char tenant_id[FEED_TENANT_ID_MAX], slug[64], origin[224]; /* all "": a folder that is not a feed */
	enum feed_state state;
	uint64_t epoch, revision;
	int64_t head_issued, head_expires; /* wall clock, as signed */
	uint64_t fresh_until;              /* CLOCK_BOOTTIME, microseconds: past it the tenant is stale */
	int64_t last_contact;              /* wall clock; 0: never in this process */
	bool from_file, unsaved;           /* unsaved: what is in force is not all on disk */
	char problem[FEED_PROBLEM_MAX];    /* the last error; "" */
	char fault[32];                    /* its word (feed_fault_word or "network", …); "" */
};
struct host_view {
	enum feed_state state; /* of the enrolment: UNENROLLED, ENROLLING, LIVE (enrolled), DISABLED */
	char url[512], host_id[64], problem[FEED_PROBLEM_MAX];
	struct audit_reports_view reports;
	struct witness_view witness;
};
/* What was found out about the audit log: but for the first, each is an event for the caller to write. */
enum feeds_finding {
	FEEDS_CHAIN_ENDS,   /* the control plane has another history of this chain: another one is to be begun … */
	FEEDS_CHAIN_FORKED, /* … and was: now it can be told where it is read */
	FEEDS_LOG_FORKED,   /* a log is not the one that it was */
	FEEDS_LOG_SEEN,     /* a log is in order */
	FEEDS_FINDING_COUNT,
};
struct feeds_found {
	enum feeds_finding what;
	const char *tenant_id; /* whose log; "": the platform's, or none's */
	const char *record;    /* the chain, or the log's origin */
	const char *change;    /* how a log is not the one that it was, in a word; "" */
	const char *detail;
	const char *data; /* a JSON object; "": none */
};

struct feeds_options {
	const char *state_dir;           /* /var/lib/tenantd: identity and feeds rest here, sealed */
	const char *import_dir;          /* /etc/tenantd/feeds */
	const struct seal_key *seal_key; /* NULL: nothing can be kept, so there is no enrolling */
	const char *host_name;
	const char *ca_file, *pin, *proxy; /* NULL: the system's, none, none */
	uint64_t max_records;              /* of one feed; 0: no limit but the format's */
	bool allow_plain_http;             /* tests on loopback */
	struct host_token *host_token;     /* where the access token lies for other threads; NULL: nowhere */
	struct spool *spool;               /* goes to the control plane; outlives the feeds. NULL: there is none */
	uint64_t witness_usec;             /* between two looks at one audit log; 0: the usual minute */
	uint64_t settle_usec;              /* so long an event may take into its log; 0: the usual time */
};
/* All are called on the loop's thread. */
struct feeds_hooks {
	/* Units changed: the whole set of all feeds (borrowed), to be built with those of the files. `tags`: see
	 * feeds_applied. Say what became of it with feeds_applied. */
	void (*units)(void *context, struct unit *const *units, uint32_t count, uint64_t tag);
	void (*view)(void *context); /* states, times or problems changed: look with feeds_view */
	void (*audit)(void *context, bool critical, const char *tenant_id, const char *fault, const char *detail);
	void (*found)(void *context, const struct feeds_found *found); /* NULL: nobody asks */
	void (*disabled)(void *context, const char *reason);           /* wiped already: drop every tenant's records */
	void (*enrolled)(void *context, uint64_t tag, int result, const char *host_id, const struct problem *problem);
	/* feeds_retry has looked into import_dir; what came of it was handed out before. NULL: nobody waits for it. */
	void (*looked)(void *context);
	void *context;
};
struct feeds;
/* Loads what is kept (verified again) and starts. 0 or -errno; a feed that does not verify is in QUARANTINE, no
 * failure. */
int feeds_create(sd_event *event, const struct feeds_options *options, const struct feeds_hooks *hooks,
		 struct feeds **ret);
void feeds_destroy(struct feeds *feeds); /* takes NULL; waits for its thread */
/* The units as of now, before the loop runs (start-up). Borrowed until the next hook. */
void feeds_units(struct feeds *feeds, struct unit *const **ret_units, uint32_t *ret_count);
/* The units of this tag, and so all before them, are in force: acknowledged to the control plane. feeds_refused first,
 * for each tenant of which they are not. Start-up's units have tag 0. */
void feeds_applied(struct feeds *feeds, uint64_t tag);
void feeds_refused(struct feeds *feeds, uint64_t tag, const char *tenant_id, const struct problem *problem);
/* `tag` comes back with the `enrolled` hook. Already enrolled there: succeeds and changes nothing. */
void feeds_enroll(struct feeds *feeds, const char *url, const char *token, uint64_t tag);
void feeds_forget(struct feeds *feeds); /* leaves the control plane: identity and feeds are wiped */
void feeds_retry(struct feeds *feeds);  /* tenantctl reload: try again now, look at import_dir; see `looked` */
/* A session is there, or is another way than it was; it is gone. The control plane hears of those of tenants whose
 * feeds it sends (feed/session_report.h). */
void feeds_session(struct feeds *feeds, const struct session *session);
void feeds_session_gone(struct feeds *feeds, const struct session *session);
/* As of the last hook. The feeds are borrowed until the next one. */
uint32_t feeds_view(const struct feeds *feeds, struct host_view *ret_host, const struct feed_view **ret);
