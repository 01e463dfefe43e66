/* SPDX-License-Identifier: MIT */
#include "control_plane/app.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/secret.h"
#include "base/secret_file.h"
#include "control_plane/api/audit_export.h"
#include "control_plane/audit/audit.h"
#include "control_plane/audit/sinks.h"
#include "control_plane/auth/token_keys.h"
#include "control_plane/feed/publisher.h"
#include "control_plane/http/limiter.h"
#include "control_plane/http/metrics.h"
#include "control_plane/provider/counts.h"
#include "control_plane/sweeper.h"

#define CREDENTIAL_SEAL_KEY "tenant-control.seal-key"
#define CREDENTIAL_INTERNAL "tenant-control.internal-secret"
#define SECRET_LEAST 32U
#define SECRET_MOST 512U
#define DB_WAIT_MS 2000U
#define DB_STATEMENT_MS 15000U

static int read_secret(const char *credential, const char *path, size_t most, struct buffer *ret,
		       struct problem *problem)
{
	const struct secret_place place = {getenv("CREDENTIALS_DIRECTORY"), credential, path, "tenant-control"};
	int result = secret_read(&place, most, ret, problem);

	if (result == -ENOENT && path) {
		problem_at(problem, path, 0, 0);
		return problem_set(problem, ENOENT, "%s", strerror(ENOENT));
	}
	return result;
}

static int read_internal_secret(const struct config *config, struct app *app, struct problem *problem)
{
	_cleanup_(buffer_finish) struct buffer text = {.wipe = true};
	int result = read_secret(CREDENTIAL_INTERNAL, config->internal_secret_path, SECRET_MOST, &text, problem);

	if (result == -ENOENT && !config->internal_secret_path)
		return 0;
	if (result < 0)
		return result;
	while (text.length > 0 && (text.data[text.length - 1] == '\n' || text.data[text.length - 1] == '\r'))
		text.length--;
	if (text.length < SECRET_LEAST) {
		problem_at(problem, config->internal_secret_path ? config->internal_secret_path : CREDENTIAL_INTERNAL,
			   0, 0);
		problem_remedy(problem, "openssl rand -hex 32");
		return problem_set(problem, EINVAL, "a shared secret has at least %u characters", SECRET_LEAST);
	}
	app->has_internal_secret = true;
	return sha256(text.data, text.length, app->internal_secret_hash);
}

int app_read_keys(const struct config *config, struct app *app, struct problem *problem)
{
	_cleanup_(buffer_finish) struct buffer text = {.wipe = true};
	int result = read_secret(CREDENTIAL_SEAL_KEY, config->seal_key_path, SEAL_KEY_BYTES, &text, problem);

	if (result == 0 && text.length != SEAL_KEY_BYTES)
		result = problem_set(problem, EINVAL, "not a sealing key");
	if (result < 0) {
		problem_remedy(problem, "it holds %d random bytes; tenant-control init makes it", SEAL_KEY_BYTES);
		return result;
	}
	memcpy(app->seal_key.bytes, text.data, SEAL_KEY_BYTES);
	return read_internal_secret(config, app, problem);
}

static int open_parts(struct app *app, bool serving, struct problem *problem)
{
	const struct config *config = app->config;
	const struct db_options options = {
		.dsn = config->database,
		.connections = serving ? config->database_connections : 2,
		.wait_ms = DB_WAIT_MS,
		.statement_ms = DB_STATEMENT_MS,
	};
	int result = metrics_create(&app->metrics);

	if (result == 0)
		result = limiter_create(config->rate_per_source, config->rate_per_principal, &app->limiter);
	if (result == 0)
		result = db_create(&options, &app->db);
	if (result < 0)
		return problem_set(problem, -result, "%s", strerror(-result));
	result = publisher_create(app, serving, &app->publisher, problem);
	if (result == 0)
		result = token_keys_create(app, serving, &app->token_keys, problem);
	if (result == 0)
		result = audit_log_create(app, serving, &app->audit_log, problem);
	if (result == 0)
		result = provider_metrics(app->metrics);
	if (result == 0 && serving)
		result = sinks_start(app, &app->sinks, problem);
	if (result == 0 && serving)
		result = sweeper_start(app, &app->sweeper);
	return result;
}

int app_open(const struct config *config, bool serving, struct app *app, struct problem *problem)
{
	int result;

	app->config = config;
	result = open_parts(app, serving, problem);
	if (result < 0)
		app_close(app);
	return result;
}

void app_close(struct app *app)
{
	audit_exports_finish();
	sweeper_stop(TAKE_PTR(app->sweeper));
	sinks_stop(TAKE_PTR(app->sinks));
	audit_log_destroy(app->audit_log); /* its thread looks there */
	app->audit_log = NULL;
	token_keys_destroy(TAKE_PTR(app->token_keys));
	publisher_destroy(TAKE_PTR(app->publisher));
	db_destroy(TAKE_PTR(app->db));
	limiter_destroy(TAKE_PTR(app->limiter));
	metrics_destroy(TAKE_PTR(app->metrics));
	secret_wipe(&app->seal_key, sizeof(app->seal_key));
}
