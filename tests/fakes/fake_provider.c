/* SPDX-License-Identifier: MIT */
#include "../fakes/fake_provider.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../unit/jws_fixture.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "json/json_write.h"

#define PATHS_MAX 12U
#define KEYS_MAX 4U
#define TLS_DEFAULT "NORMAL:-VERS-ALL:+VERS-TLS1.2:+VERS-TLS1.3"

struct path {
	char name[64];
	unsigned count;
	int times;
	unsigned status;
	char header[128];
	char *body;
	enum fake_body how;
	char last[8192];
};
struct key {
	int key;
	char kid[64];
	bool has_kid;
};

struct fake_provider {
	struct MHD_Daemon *daemon;
	const struct fake_tls *tls;
	char priority[128], issuer[64];
	uint16_t port;
	atomic_bool stopping;

	pthread_mutex_t lock; /* for all below */
	enum fake_decision decision;
	unsigned expires_in, interval;
	int ahead;
	json_t *claims;
	struct key published[KEYS_MAX], signing;
	unsigned published_count;
	struct path paths[PATHS_MAX];
};

/* ---- what an honest one says --------------------------------------------------------------------------------- */

static void say_discovery(struct fake_provider *p, struct buffer *out)
{
	struct json_writer w = json_writer(out);
	char url[128];

	json_begin(&w, NULL, '{');
	json_put_string(&w, "issuer", p->issuer);
#define URL(name, path)                                   \
	snprintf(url, sizeof(url), "%s" path, p->issuer); \
	json_put_string(&w, name, url)
	URL("authorization_endpoint", "/authorize");
	URL("device_authorization_endpoint", "/device");
	URL("token_endpoint", "/token");
	URL("jwks_uri", "/jwks");
#undef URL
	json_begin(&w, "id_token_signing_alg_values_supported", '[');
	json_put_string(&w, NULL, "RS256");
	json_put_string(&w, NULL, "ES256");
	json_end(&w, ']');
	json_begin(&w, "code_challenge_methods_supported", '[');
	json_put_string(&w, NULL, "S256");
	json_end(&w, ']');
	json_end(&w, '}');
}

static void say_keys(const struct fake_provider *p, struct buffer *out)
{
	json_t *keys[KEYS_MAX], *set;
	char *text;

	for (unsigned i = 0; i < p->published_count; i++)
		keys[i] = jwk_of(test_keys[p->published[i].key], p->published[i].has_kid ? p->published[i].kid : NULL);
	set = jwks_of(keys, p->published_count);
	text = json_dumps(set, JSON_COMPACT);
	buffer_add_text(out, text);
	free(text);
	json_decref(set);
}

static void say_device(const struct fake_provider *p, const char *path, struct buffer *out)
{
	buffer_printf(out,
		      "{\"device_code\":\"device-secret\",\"user_code\":\"WDJB-MJHT\",\"verification_uri\":"
		      "\"https://login.example.org/device\",\"verification_uri_complete\":"
		      "\"https://login.example.org/device?user_code=WDJB-MJHT\",\"expires_in\":%u,\"interval\":%u}",
		      p->expires_in, p->interval);
}

static json_t *good_claims(const struct fake_provider *p)
{
	int64_t now = clock_realtime_sec() + p->ahead;
	json_t *claims = json_pack("{s:s, s:s, s:s, s:I, s:I, s:s, s:b, s:s}", "iss", p->issuer, "aud", FAKE_CLIENT,
				   "sub", "sub-alice", "iat", (json_int_t)now, "exp", (json_int_t)now + 600, "email",
				   "alice@acme.example", "email_verified", 1, "name", "Alice");
	const char *name;
	json_t *value;

	assert_non_null(claims);
	json_object_foreach(p->claims, name, value)
	{
		if (json_is_null(value))
			json_object_del(claims, name);
		else
			json_object_set(claims, name, value);
	}
	return claims;
}

static void say_token(const struct fake_provider *p, struct buffer *out)
{
	unsigned algorithm = p->signing.key == RSA_A || p->signing.key == RSA_B ? JWS_RS256 : JWS_ES256;
	char *token = calloc(1, JWS_TEXT_SIZE), *text, header[128];
	json_t *claims = good_claims(p);

	assert_non_null(token);
	text = json_dumps(claims, JSON_COMPACT);
	if (p->signing.has_kid)
		snprintf(header, sizeof(header), "{\"alg\":\"%s\",\"kid\":\"%s\"}",
			 algorithm == JWS_RS256 ? "RS256" : "ES256", p->signing.kid);
	else
		snprintf(header, sizeof(header), "{\"alg\":\"%s\"}", algorithm == JWS_RS256 ? "RS256" : "ES256");
	make_token(token, test_keys[p->signing.key], algorithm, header, text);
	buffer_printf(out,
		      "{\"access_token\":\"access-secret\",\"token_type\":\"Bearer\",\"expires_in\":600,"
		      "\"id_token\":\"%s\"}",
		      token);
	json_decref(claims);
	free(text);
	free(token);
}

static unsigned say_decision(const struct fake_provider *p, bool github, struct buffer *out)
{
	static const char *const words[] = {
		[FAKE_PENDING] = "authorization_pending",
		[FAKE_DENIED] = "access_denied",
		[FAKE_EXPIRED_TOKEN] = "expired_token",
		[FAKE_SLOW_DOWN] = "slow_down",
	};

	if (p->decision == FAKE_APPROVED && github) {
		buffer_add_text(out, "{\"access_token\":\"gho_secret\",\"token_type\":\"bearer\",\"scope\":\"\"}");
		return 200;
	}
	if (p->decision == FAKE_APPROVED) {
		say_token(p, out);
		return 200;
	}
	buffer_printf(out, "{\"error\":\"%s\"}", words[p->decision]);
	return github ? 200 : 400;
}

static unsigned say(struct fake_provider *p, const char *path, struct buffer *out)
{
	if (strcmp(path, "/.well-known/openid-configuration") == 0)
		say_discovery(p, out);
	else if (strcmp(path, "/jwks") == 0)
		say_keys(p, out);
	else if (strcmp(path, "/device") == 0 || strcmp(path, "/login/device/code") == 0)
		say_device(p, path, out);
	else if (strcmp(path, "/token") == 0)
		return say_decision(p, false, out);
	else if (strcmp(path, "/login/oauth/access_token") == 0)
		return say_decision(p, true, out);
	else if (strcmp(path, "/api/v3/user") == 0)
		buffer_add_text(
			out, "{\"login\":\"alice\",\"id\":4711,\"type\":\"User\",\"name\":\"Alice\",\"email\":null}");
	else if (strcmp(path, "/api/v3/user/emails") == 0)
		buffer_add_text(out, "[{\"email\":\"alice@acme.example\",\"primary\":true,\"verified\":true}]");
	else
		return 404;
	return 200;
}

/* ---- how it says it -------------------------------------------------------------------------------------------- */

struct saying {
	struct fake_provider *provider;
	enum fake_body how;
	char *body;
	size_t length;
};

static ssize_t next_bytes(void *context, uint64_t at, char *out, size_t room)
{
	const struct saying *saying = context;
	size_t end = saying->how == FAKE_BODY_DRIP ? saying->length : saying->length / 2;

	if (saying->how == FAKE_BODY_ENDLESS) {
		memset(out, ' ', room);
		return saying->provider->stopping ? MHD_CONTENT_READER_END_WITH_ERROR : (ssize_t)room;
	}
	if (at < end && saying->how == FAKE_BODY_DRIP) {
		usleep(100000);
		*out = saying->body[at];
		return saying->provider->stopping ? MHD_CONTENT_READER_END_WITH_ERROR : 1;
	}
	if (at < end) {
		size_t length = MIN_OF(end - (size_t)at, room);

		memcpy(out, saying->body + at, length);
		return (ssize_t)length;
	}
	while (saying->how == FAKE_BODY_STALL && !saying->provider->stopping)
		usleep(10000);
	return saying->how == FAKE_BODY_DRIP ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
}

static void saying_free(void *context)
{
	struct saying *saying = context;

	free(saying->body);
	free(saying);
}

static struct MHD_Response *respond(struct fake_provider *p, const char *body, size_t length, enum fake_body how)
{
	struct saying *saying;

	if (how == FAKE_BODY_WHOLE)
		return MHD_create_response_from_buffer(length, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);
	saying = calloc(1, sizeof(*saying));
	assert_non_null(saying);
	*saying = (struct saying){p, how, malloc(length + 1), length};
	assert_non_null(saying->body);
	memcpy(saying->body, body, length);
	return MHD_create_response_from_callback(how == FAKE_BODY_ENDLESS ? MHD_SIZE_UNKNOWN : length, 512, next_bytes,
						 saying, saying_free);
}

static struct path *path_of(struct fake_provider *p, const char *name)
{
	for (unsigned i = 0; i < PATHS_MAX; i++) {
		if (!p->paths[i].name[0])
			snprintf(p->paths[i].name, sizeof(p->paths[i].name), "%s", name);
		if (strcmp(p->paths[i].name, name) == 0)
			return &p->paths[i];
	}
	fail_msg("too many paths");
	return NULL;
}

static enum MHD_Result answer(void *context, struct MHD_Connection *connection, const char *url, const char *method,
			      const char *version, const char *data, size_t *length, void **state)
{
	_cleanup_(buffer_finish) struct buffer out = BUFFER_INIT;
	struct fake_provider *p = context;
	enum fake_body how = FAKE_BODY_WHOLE;
	struct buffer *request = *state;
	struct MHD_Response *response;
	enum MHD_Result result;
	struct path *path;
	unsigned status;
	char header[128] = "";

	if (!request) {
		const char *value = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization");

		*state = request = calloc(1, sizeof(*request));
		assert_non_null(request);
		buffer_printf(request, "%s\n", value ? value : "");
		return MHD_YES;
	}
	if (*length) {
		buffer_add(request, data, *length);
		*length = 0;
		return MHD_YES;
	}
	pthread_mutex_lock(&p->lock);
	path = path_of(p, url);
	path->count++;
	snprintf(path->last, sizeof(path->last), "%s", buffer_text(request));
	if (path->times != 0) {
		path->times -= path->times > 0;
		status = path->status;
		how = path->how;
		memcpy(header, path->header, sizeof(header));
		if (path->body)
			buffer_add_text(&out, path->body);
		else
			(void)say(p, url, &out);
	} else {
		status = say(p, url, &out);
	}
	pthread_mutex_unlock(&p->lock);
	response = respond(p, out.data ? out.data : "", out.length, how);
	MHD_add_response_header(response, "Content-Type", "application/json");
	if (header[0]) {
		char *colon = strstr(header, ": ");

		*colon = '\0';
		MHD_add_response_header(response, header, colon + 2);
	}
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static void completed(void *context, struct MHD_Connection *connection, void **state,
		      enum MHD_RequestTerminationCode code)
{
	struct buffer *request = *state;

	if (request)
		buffer_finish(request);
	free(request);
}

/* ---- life ------------------------------------------------------------------------------------------------------ */

void fake_provider_revive(struct fake_provider *p)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(p->port)};
	unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION;

	p->stopping = false;
	if (p->tls)
		p->daemon =
			MHD_start_daemon(flags | MHD_USE_TLS, 0, NULL, NULL, answer, p, MHD_OPTION_SOCK_ADDR, &at,
					 MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U, MHD_OPTION_NOTIFY_COMPLETED, completed,
					 NULL, MHD_OPTION_HTTPS_MEM_KEY, p->tls->key, MHD_OPTION_HTTPS_MEM_CERT,
					 p->tls->certificate, MHD_OPTION_HTTPS_PRIORITIES, p->priority, MHD_OPTION_END);
	else
		p->daemon = MHD_start_daemon(flags, 0, NULL, NULL, answer, p, MHD_OPTION_SOCK_ADDR, &at,
					     MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U, MHD_OPTION_NOTIFY_COMPLETED,
					     completed, NULL, MHD_OPTION_END);
	assert_non_null(p->daemon);
	p->port = MHD_get_daemon_info(p->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
}

void fake_provider_die(struct fake_provider *p)
{
	p->stopping = true;
	MHD_stop_daemon(p->daemon);
	p->daemon = NULL;
}

struct fake_provider *fake_provider_start(const struct fake_tls *tls, const char *priority)
{
	struct fake_provider *p = calloc(1, sizeof(*p));
	const int key = EC_A;
	const char *const kid = "k1";

	assert_non_null(p);
	pthread_mutex_init(&p->lock, NULL);
	p->tls = tls;
	snprintf(p->priority, sizeof(p->priority), "%s", priority ? priority : TLS_DEFAULT);
	p->expires_in = 300;
	p->interval = 5;
	p->claims = json_object();
	fake_provider_publish(p, &key, &kid, 1);
	fake_provider_sign_with(p, key, kid);
	fake_provider_revive(p);
	snprintf(p->issuer, sizeof(p->issuer), "http%s://127.0.0.1:%u", tls ? "s" : "", p->port);
	return p;
}

void fake_provider_stop(struct fake_provider *p)
{
	if (!p)
		return;
	if (p->daemon)
		fake_provider_die(p);
	for (unsigned i = 0; i < PATHS_MAX; i++)
		free(p->paths[i].body);
	json_decref(p->claims);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

const char *fake_provider_issuer(const struct fake_provider *p)
{
	return p->issuer;
}

/* ---- what a test sets ------------------------------------------------------------------------------------------ */

#define LOCKED(statement)                       \
	do {                                    \
		pthread_mutex_lock(&p->lock);   \
		statement;                      \
		pthread_mutex_unlock(&p->lock); \
	} while (0)

void fake_provider_decide(struct fake_provider *p, enum fake_decision decision)
{
	LOCKED(p->decision = decision);
}

void fake_provider_set_code(struct fake_provider *p, unsigned expires_in, unsigned interval)
{
	LOCKED(p->expires_in = expires_in; p->interval = interval);
}

void fake_provider_set_clock(struct fake_provider *p, int ahead)
{
	LOCKED(p->ahead = ahead);
}

void fake_provider_set_claims(struct fake_provider *p, const char *claims)
{
	json_t *new = json_loads(claims, 0, NULL);

	assert_non_null(new);
	LOCKED(json_decref(p->claims); p->claims = new);
}

static struct key key_of(int key, const char *kid)
{
	struct key ret = {.key = key, .has_kid = kid != NULL};

	snprintf(ret.kid, sizeof(ret.kid), "%s", kid ? kid : "");
	return ret;
}

void fake_provider_publish(struct fake_provider *p, const int *keys, const char *const *kids, unsigned count)
{
	assert_true(count <= KEYS_MAX);
	pthread_mutex_lock(&p->lock);
	for (unsigned i = 0; i < count; i++)
		p->published[i] = key_of(keys[i], kids[i]);
	p->published_count = count;
	pthread_mutex_unlock(&p->lock);
}

void fake_provider_sign_with(struct fake_provider *p, int key, const char *kid)
{
	LOCKED(p->signing = key_of(key, kid));
}

void fake_provider_answer(struct fake_provider *p, const char *path, int times, unsigned status, const char *header,
			  const char *body, enum fake_body how)
{
	struct path *found;

	pthread_mutex_lock(&p->lock);
	found = path_of(p, path);
	free(found->body);
	found->times = times;
	found->status = status;
	snprintf(found->header, sizeof(found->header), "%s", header ? header : "");
	found->body = body ? strdup(body) : NULL;
	found->how = how;
	pthread_mutex_unlock(&p->lock);
}

unsigned fake_provider_count(struct fake_provider *p, const char *path)
{
	unsigned count;

	LOCKED(count = path_of(p, path)->count);
	return count;
}

void fake_provider_last(struct fake_provider *p, const char *path, char *out, size_t size)
{
	LOCKED(snprintf(out, size, "%s", path_of(p, path)->last));
}
