/* SPDX-License-Identifier: MIT
 *
 * One request on its way through a handler, and the answer that the handler makes. Handlers run on worker threads and
 * may block on the database. Nothing here knows libmicrohttpd: command line verbs and tests make requests, too.
 */
#pragma once

#include <jansson.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "control_plane/auth/principal.h"
#include "control_plane/db/db.h"

struct app;
struct route;
struct gate_standing;
struct change;
struct json_field;
struct stream;

enum http_method { HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE, HTTP_METHOD_COUNT };

#define REQUEST_PARAMS_MAX 4U
#define REQUEST_HEADERS_MAX 16U
#define REQUEST_LOGS_MAX 4U

struct response {
	unsigned status;
	const char *content_type;
	struct buffer body;
	struct {
		const char *name; /* literal */
		const char *value;
	} headers[REQUEST_HEADERS_MAX];
	uint32_t header_count;
	bool secret;           /* wipe the body, and never keep it for Idempotency-Key in the clear */
	bool no_fault;         /* an error status that is an answer like any other: nobody is held back for it */
	struct stream *stream; /* takes over (http/stream.h): no body */
};

struct request {
	struct app *app;
	struct arena arena; /* lives as long as the request */
	char id[33];        /* X-Request-Id, in logs and events */
	enum http_method method;
	const char *path;
	const struct route *route;
	const char *params[REQUEST_PARAMS_MAX]; /* in the order of the pattern's {…}; percent-decoded, checked by
						   http/router.c */
	json_t *query;                          /* object of strings; duplicates were refused */
	json_t *body;                           /* object; NULL where the route takes none */
	const char *raw;                        /* the body's bytes; NUL-terminated */
	size_t raw_length;
	struct in6_addr source; /* of the client, behind trusted proxies by X-Forwarded-For; v4-mapped where IPv4 */
	char source_text[46];
	int64_t now;
	struct principal principal;
	/* Set by the gate for routes of a tenant or project. */
	const char *tenant_id, *project_id;
	const struct gate_standing *standing; /* the caller's roles there (auth/gate.h); NULL: no tenant's route */
	struct db_tx *tx;      /* open in every handler except those of ROUTE_NO_TX; scope set; the frame commits it */
	struct change *change; /* what this request changes in feeds (feed/change.h); the frame publishes and commits */
	/* Audit logs into whose inbox it has written: the frame wakes their sequencer after the commit. */
	const char *logs[REQUEST_LOGS_MAX];
	uint32_t log_count;
	bool rerun; /* an attempt before this one was lost, and what it held may be held for a moment still */
	struct response response;
	/* What a handler leaves that must wait for something after its commit (?wait=) instead of sleeping on a worker:
	 * called `again_ms` after the commit, without a transaction, and again until it returns 0 with the response
	 * set.
	 */
	int (*again)(struct request *request);
	uint32_t again_ms;
	void *again_context;
	const char *(*header)(const struct request *request, const char *name); /* NULL: not there */
	void *transport;
};

/* ---- its life --------------------------------------------------------------------------------- */
/* An empty request with a fresh id; `request_finish` wipes and frees all that hangs on it. */
int request_init(struct request *request, struct app *app);
void request_finish(struct request *request);
/* Takes the request target apart ("/v1/users?limit=5"): path and query. 1: a problem was set (http/target.c). */
int request_target(struct request *request, const char *target);
/* The body by what the route takes: JSON, form, raw, none. 1: a problem was set (http/body.c). */
int request_parse_body(struct request *request);
/* A header, by its name in any case; NULL. */
const char *request_header(const struct request *request, const char *name);

/* ---- texts that live as long as the request --------------------------------------------------- */
const char *request_text(struct request *request, const char *format, ...) _printf_(2, 3);
const char *request_copy(struct request *request, const char *text);
/* Something is in this log's inbox with the commit ("": the platform's). Those beyond a few are found by the
 * sequencer's own look. */
void request_wrote_log(struct request *request, const char *log_id);
/* A member of the query, or NULL. */
const char *request_query(const struct request *request, const char *name);

/* ---- answers. All return 0, for `return`; the body's reference is taken. ----------------------- */
int respond_json(struct request *request, unsigned status, json_t *body);
int respond_empty(struct request *request);                                        /* 204 */
void respond_header(struct request *request, const char *name, const char *value); /* value is copied */
/* A single record, with its ETag ("<version>"); If-None-Match gives 304. */
int respond_record(struct request *request, unsigned status, uint64_t version, json_t *body);

/* Problems (RFC 9457): one const table in http/problems.c says type, title and status of each. */
enum problem_type {
	PROBLEM_BAD_REQUEST,
	PROBLEM_INVALID_FIELD, /* with `field` */
	PROBLEM_UNAUTHENTICATED,
	PROBLEM_FORBIDDEN,
	PROBLEM_NOT_FOUND, /* also what is another tenant's */
	PROBLEM_METHOD_NOT_ALLOWED,
	PROBLEM_CONFLICT,
	PROBLEM_FEED_GAP,
	PROBLEM_PRECONDITION_FAILED,   /* If-Match */
	PROBLEM_PRECONDITION_REQUIRED, /* no If-Match where one is needed */
	PROBLEM_TOO_LARGE,
	PROBLEM_URI_TOO_LONG,
	PROBLEM_HEADERS_TOO_LARGE,
	PROBLEM_UNSUPPORTED_MEDIA,
	PROBLEM_IDEMPOTENCY_MISMATCH, /* the key was used for another request */
	PROBLEM_TOO_MANY,             /* with Retry-After */
	PROBLEM_BROKEN,               /* 500: ours */
	PROBLEM_UNAVAILABLE,          /* 503: database away, draining; with Retry-After */
	PROBLEM_HTTP_VERSION,
	PROBLEM_TYPE_COUNT,
};
struct problem_kind {
	const char *name; /* the last part of "type": urn:tenantd:problem:<name> */
	const char *title;
	unsigned status;
};
const struct problem_kind *problem_kind(enum problem_type type);
/* Writes a problem in another form (routes of OAuth, of pages): sets content type and body, may add headers and change
 * the status. `detail`: NULL or one sentence; `seconds`: of Retry-After, which is set already, or 0. */
typedef void problem_writer(struct request *request, const struct problem_kind *kind, const char *detail,
			    uint32_t seconds);
/* `detail` NULL: none. A handler that responds with a problem has its transaction rolled back. */
int respond_problem(struct request *request, enum problem_type type, const char *format, ...) _printf_(3, 4);
/* With one member more, which its reader knows. */
int respond_problem_with(struct request *request, enum problem_type type, const char *name, const char *value,
			 const char *format, ...) _printf_(5, 6);
int respond_invalid(struct request *request, const char *field, const char *format, ...) _printf_(3, 4);
int respond_retry(struct request *request, enum problem_type type, uint32_t seconds, const char *format, ...)
	_printf_(4, 5);
/* What a negative db result means for the client; -EAGAIN is handed up unchanged (the frame runs the request again). */
int respond_db(struct request *request, int result, const char *what);

/* If-Match: 0 to go on; 1: a problem was set (return 0 from the handler then). PUT and PATCH need one ("*" for any);
 * the command line does not. */
int request_if_match(struct request *request, uint64_t version);
/* Fills fields like json_fields; 1: respond_invalid was called. */
int request_fields(struct request *request, const struct json_field *fields, size_t count, void *out);
/* limit (1 … 1000, default 100) and cursor (what `next` said before; "" at the beginning). 1: a problem was set. */
struct page {
	uint32_t limit;
	const char *after; /* the last id of the page before; "" */
};
int request_page(struct request *request, struct page *ret);
/* {"items": […], "next": …}: `last_id` NULL when there is no more. Takes the reference of items. */
int respond_page(struct request *request, json_t *items, const char *last_id);
