/* SPDX-License-Identifier: MIT */
#include "control_plane/app.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/secret.h"
#include "control_plane/auth/token_keys.h"
#include "control_plane/feed/publisher.h"
#include "control_plane/http/limiter.h"
#include "control_plane/http/metrics.h"
#include "control_plane/sweeper.h"

#define CREDENTIAL_SEAL_KEY "tenant-control.seal-key"
#define CREDENTIAL_INTERNAL "tenant-control.internal-secret"
#define SECRET_LEAST 32U
#define SECRET_MOST 512U
#define DB_WAIT_MS 2000U
#define DB_STATEMENT_MS 15000U

/* A systemd credential where there is one, else a file that only its owner and group can read. -ENOENT: neither. */
static int read_secret(const char *credential, const char *path, size_t most, struct buffer *ret,
		       struct problem *problem)
{
	const char *folder = getenv("CREDENTIALS_DIRECTORY");
	enum file_trust trust = FILE_TRUST_ANY;
	char name[4096];
	struct stat st;
	int result = -ENOENT;

	if (folder && (size_t)snprintf(name, sizeof(name), "%s/%s", folder, credential) < sizeof(name))
		result = file_read(AT_FDCWD, name, most, trust, geteuid(), ret, &st);
	if (result == -ENOENT && path) {
		trust = FILE_TRUST_OWNER;
		snprintf(name, sizeof(name), "%s", path);
		result = file_read(AT_FDCWD, name, most, trust, geteuid(), ret, &st);
	}
	if (result >= 0 && trust == FILE_TRUST_OWNER && (st.st_mode & S_IRWXO))
		result = -EPERM;
	if (result >= 0)
		return 0;
	problem_at(problem, name, 0, 0);
	if (result == -EPERM) {
		problem_remedy(problem, "chown root:tenant-control and chmod 0640");
		return problem_set(problem, EPERM, "others can read or change this secret");
	}
	return problem_set(problem, -result, "%s",
			   result == -EFBIG ? "longer than such a secret is" : strerror(-result));
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
	sweeper_stop(TAKE_PTR(app->sweeper));
	token_keys_destroy(TAKE_PTR(app->token_keys));
	publisher_destroy(TAKE_PTR(app->publisher));
	db_destroy(TAKE_PTR(app->db));
	limiter_destroy(TAKE_PTR(app->limiter));
	metrics_destroy(TAKE_PTR(app->metrics));
	secret_wipe(&app->seal_key, sizeof(app->seal_key));
}
