/* SPDX-License-Identifier: MIT */
#include "single_sign_on.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/secret.h"
#include "feed/host_token.h"
#include "login/sso.h"
#include "proxy.h"
#include "sso/bindings.h"
#include "sso/sso.h"

#define BINDINGS_NAME "sso-bindings"
#define PATH_SIZE 512

struct single_sign_on {
	struct parts *parts;
	struct server *server;
	struct sso *sso; /* NULL: turned off */
	struct bindings *bindings;
	struct login_sso hooks;
	char problem[PARTS_PROBLEM_MAX];
};

/* ---- what sign-ins ask for --------------------------------------------------------------------------------------- */

static int start(void *context, uint64_t flow, const struct idp_record *idp)
{
	const struct single_sign_on *sso = context;

	return sso_start(sso->sso, flow, idp);
}

static void cancel(void *context, uint64_t flow)
{
	const struct single_sign_on *sso = context;

	sso_cancel(sso->sso, flow);
}

static const char *remembered(void *context, const char *user_id, const char *issuer)
{
	const struct single_sign_on *sso = context;

	return bindings_subject(sso->bindings, user_id, issuer);
}

static const char *owner(void *context, const char *tenant_id, const char *issuer, const char *subject)
{
	const struct single_sign_on *sso = context;

	return bindings_user(sso->bindings, tenant_id, issuer, subject);
}

static int remember(void *context, const char *tenant_id, const char *user_id, const char *issuer, const char *subject)
{
	struct single_sign_on *sso = context;
	const struct binding_entry entry = {tenant_id, user_id, issuer, subject, clock_realtime_sec()};
	int r = bindings_add(sso->bindings, &entry);

	if (r < 0)
		log_error("an identity could not be bound to %s: %s", user_id,
			  r == -EROFS
				  ? "nothing can be kept (is there a sealing key, and is the file of those that are "
				    "bound in order?)"
				  : strerrordesc_np(-r));
	return r;
}

static const struct jwks *keys(void *context, const struct idp_record *idp, const char *unknown_kid,
			       unsigned *ret_algorithms, bool *ret_fresh)
{
	const struct single_sign_on *sso = context;

	return sso_keys(sso->sso, idp, unknown_kid, ret_algorithms, ret_fresh);
}

/* ---- what comes of it ---------------------------------------------------------------------------------------------
 */

static void answer(const struct single_sign_on *sso, uint64_t connection, struct login_reply *reply)
{
	server_login_reply(sso->server, connection, reply);
	secret_wipe(reply, sizeof(*reply));
}

static void on_prompt(void *context, uint64_t flow, const struct device_answer *device)
{
	const struct single_sign_on *sso = context;
	struct login_reply reply = {0};
	uint64_t connection = 0;

	if (sso->parts->directory && login_flow_prompt(sso->parts->logins, sso->parts->directory, flow, device,
						       clock_boottime_usec(), &reply, &connection))
		answer(sso, connection, &reply);
}

static void on_done(void *context, uint64_t flow, const struct flow_result *result)
{
	const struct single_sign_on *sso = context;
	struct login_reply reply = {0};
	uint64_t connection = 0;

	if (sso->parts->directory && login_flow_done(sso->parts->logins, sso->parts->directory, flow, result,
						     clock_boottime_usec(), clock_realtime_sec(), &reply, &connection))
		answer(sso, connection, &reply);
}

void single_sign_on_tick(struct single_sign_on *sso, uint64_t now_usec)
{
	struct login_reply reply = {0};
	uint64_t connection = 0;

	if (!sso->parts->directory)
		return;
	while (login_flow_tick(sso->parts->logins, sso->parts->directory, now_usec, &reply, &connection))
		answer(sso, connection, &reply);
}

/* ---- what changes -------------------------------------------------------------------------------------------------
 */

void single_sign_on_configure(struct single_sign_on *sso, const struct config *config)
{
	static const enum qr_form forms[] = {
		[QR_UTF8] = QR_FORM_UTF8, [QR_ASCII] = QR_FORM_ASCII, [QR_OFF] = QR_FORM_OFF};

	sso->hooks.timeout_sec = config->sso.timeout_sec;
	sso->hooks.max_waiting = config->sso.max_waiting;
	sso->hooks.qr = forms[config->sso.qr];
}

static int set_clients(struct single_sign_on *sso, const struct directory *picture)
{
	_cleanup_(freep) const struct idp_record **idps = NULL;
	const struct idp_record *idp;
	uint32_t cursor = 0, count = 0, room = 0;

	while ((idp = directory_next_idp(picture, &cursor))) {
		if (count == room) {
			const struct idp_record **more;

			room = room ? room * 2 : 16;
			more = reallocarray(idps, room, sizeof(*idps));
			if (!more)
				return -ENOMEM;
			idps = more;
		}
		/* One that a conflict leaves out is not there. */
		if (directory_idp(picture, idp->id) == idp)
			idps[count++] = idp;
	}
	return sso_set_clients(sso->sso, idps, count);
}

void single_sign_on_take_picture(struct single_sign_on *sso, const struct directory *picture)
{
	int r = sso->sso ? set_clients(sso, picture) : 0;

	if (r < 0) /* the account stage looks at the directory itself */
		log_error("out of memory: changed identity providers are seen with the next change");
	r = bindings_sweep(sso->bindings, picture);
	if (r < 0)
		log_error("bound identities of people who are gone could not be taken away: %s", strerrordesc_np(-r));
}

const char *single_sign_on_problem(const struct single_sign_on *sso)
{
	return sso->problem;
}

/* On the thread of sign-ins. */
static bool proof(void *context, const char *issuer, struct buffer *ret)
{
	return host_token_get(context, issuer, ret);
}

/* ---- life ----------------------------------------------------------------------------------------------------------
 */

static int open_bindings(struct single_sign_on *sso, const struct config *config, const struct seal_key *seal_key)
{
	char path[PATH_SIZE];
	struct problem problem = {0};
	int r;

	if ((size_t)snprintf(path, sizeof(path), "%s/" BINDINGS_NAME, config->state_dir) >= sizeof(path))
		return -ENAMETOOLONG;
	r = bindings_open(path, seal_key, &sso->bindings, &problem);
	if (r != BINDINGS_UNREADABLE)
		return r;
	problem_render(&problem, sso->problem, sizeof(sso->problem));
	log_problem(LOG_ERR, "nobody can be bound to an identity at a first sign-in", &problem);
	return 0;
}

int single_sign_on_create(sd_event *event, const struct config *config, const struct seal_key *seal_key,
			  struct parts *parts, struct server *server, struct single_sign_on **ret)
{
	const struct sso_options options = {
		.ca_file = config->sso.ca_file,
		.proxy = config->sso.proxy ? config->sso.proxy : proxy_of_environment(),
		.control_plane = {.ca_file = config->ca_file,
				  .pin = config->pin,
				  .proxy = config->proxy ? config->proxy : proxy_of_environment(),
				  .proof = parts->host_token ? proof : NULL,
				  .context = parts->host_token},
	};
	struct single_sign_on *sso = calloc(1, sizeof(*sso));
	const struct sso_hooks hooks = {on_prompt, on_done, sso};
	int r;

	if (!sso)
		return -ENOMEM;
	sso->parts = parts;
	sso->server = server;
	sso->hooks = (struct login_sso){.start = start,
					.cancel = cancel,
					.remembered = remembered,
					.owner = owner,
					.remember = remember,
					.keys = keys,
					.context = sso};
	single_sign_on_configure(sso, config);
	r = open_bindings(sso, config, seal_key);
	if (r >= 0 && config->sso.enabled)
		r = sso_create(event, &options, &hooks, &sso->sso);
	if (r < 0) {
		single_sign_on_destroy(sso);
		return r;
	}
	parts->bindings = sso->bindings;
	parts->sso = sso->sso;
	if (sso->sso)
		login_book_set_sso(parts->logins, &sso->hooks);
	*ret = sso;
	return 0;
}

void single_sign_on_destroy(struct single_sign_on *sso)
{
	if (!sso)
		return;
	login_book_set_sso(sso->parts->logins, NULL);
	sso->parts->bindings = NULL;
	sso->parts->sso = NULL;
	sso_destroy(sso->sso);
	bindings_close(sso->bindings);
	free(sso);
}
