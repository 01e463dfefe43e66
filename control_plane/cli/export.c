/* SPDX-License-Identifier: MIT
 *
 * tenant-control export: a tenant's feed as files (docs/feed.md, "A feed as files").
 *
 * The account that may ask the database need not be one that may write where the files shall be. So a child becomes the
 * service's account and hands the files over a pipe; its parent, who is still who called it, writes them.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/parse.h"
#include "base/text.h"
#include "control_plane/cli/cli.h"
#include "control_plane/feed/at_rest.h"
#include "control_plane/feed/internal.h"
#include "control_plane/feed/snapshots.h"
#include "control_plane/http/request.h"
#include "json/json_read.h"

#define VALID_DAYS 7U
#define VALID_DAYS_MAX 3650U
#define SEC_PER_DAY 86400U
#define FILE_NAME_SIZE 32U
#define FILE_BYTES_MAX (4ULL * 1024 * 1024 * 1024)
#define HANDED_OVER "end" /* the last one's name: nothing is missing */

static const char help[] =
	"tenant-control export TENANT FOLDER [--valid-for DAYS]\n\n"
	"Writes trust documents, snapshot and head for /etc/tenantd/feeds/<name>/ of hosts that are never online.\n"
	"They believe it for DAYS (7): whoever is suspended later is let in until then, or until the next export.\n";

/* ---- the child: from the database into the pipe ---------------------------------------------------- */

struct handed {
	char name[FILE_NAME_SIZE];
	uint64_t length;
};

static int hand_over(int fd, const char *name, const void *data, size_t length)
{
	struct handed handed = {.length = length};
	int r;

	(void)snprintf(handed.name, sizeof(handed.name), "%s", name);
	r = fd_write_all(fd, &handed, sizeof(handed));
	return r < 0 ? r : fd_write_all(fd, data, length);
}

static int export_trust(int fd, struct db_tx *tx, const char *tenant_id)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(tx, &rows, "SELECT version, note FROM feed_trust WHERE tenant_id = $1 ORDER BY version",
		       tenant_id);

	for (uint32_t i = 0; r == 0 && i < db_row_count(rows); i++) {
		char name[FILE_NAME_SIZE];

		(void)snprintf(name, sizeof(name), "trust.%" PRId64, db_i64(rows, i, 0));
		r = hand_over(fd, name, db_text(rows, i, 1), strlen(db_text(rows, i, 1)));
	}
	return r;
}

static int export_snapshot(int fd, struct app *app, struct db_tx *tx, const char *tenant_id)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct blob *blob = NULL;
	int r = db_run(tx, &rows,
		       "SELECT s.sha256, s.note FROM feed_snapshots s JOIN feeds f USING (tenant_id, epoch) "
		       "WHERE s.tenant_id = $1 ORDER BY s.revision DESC LIMIT 1",
		       tenant_id);

	if (r == 0 && db_row_count(rows) == 0)
		r = -ENOENT;
	if (r == 0)
		r = blob_get(&app->seal_key, tx, tenant_id, db_text(rows, 0, 0), &blob);
	if (r < 0 || !blob)
		return r < 0 ? r : -EIO;
	r = hand_over(fd, "snapshot.zst", blob->bytes, blob->length);
	blob_put(blob);
	return r < 0 ? r : hand_over(fd, "snapshot", db_text(rows, 0, 1), strlen(db_text(rows, 0, 1)));
}

/* What was published since the snapshot was made, a moment ago. */
static int export_deltas(int fd, struct app *app, struct db_tx *tx, const char *tenant_id)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	_cleanup_(buffer_finish) struct buffer lines = {.wipe = true};
	int r = db_run(tx, &rows,
		       "SELECT d.bytes FROM feed_deltas d JOIN feeds f USING (tenant_id, epoch) WHERE d.tenant_id = $1 "
		       "AND d.revision > (SELECT max(s.revision) FROM feed_snapshots s WHERE s.tenant_id = $1 "
		       "AND s.epoch = f.epoch) ORDER BY d.revision",
		       tenant_id);

	if (r < 0)
		return r;
	for (uint32_t i = 0; i < db_row_count(rows); i++) {
		_cleanup_(buffer_finish) struct buffer room = BUFFER_INIT;
		const char *delta = at_rest_open_text(&app->seal_key, tenant_id, db_text(rows, i, 0), &room, NULL);

		if (!delta)
			return -EBADMSG;
		(void)buffer_add_text(&lines, delta);
		(void)buffer_add_char(&lines, '\n');
	}
	return lines.failed ? -ENOMEM : hand_over(fd, "deltas", lines.data, lines.length);
}

static int export_head(int fd, struct app *app, struct db_tx *tx, const char *tenant_id, uint32_t days)
{
	_cleanup_(buffer_finish) struct buffer head = BUFFER_INIT;
	struct keyring *keyring = app->publisher->keyring;
	struct feed_signers signers;
	struct feed_row row;
	int r = feed_row_get(tx, tenant_id, &row);

	if (r == 0)
		r = keyring_get(keyring, tx, tenant_id, row.trust_version, &signers);
	if (r == 0)
		r = feed_row_sign_head(keyring, &signers, &row, clock_realtime_sec(), days * SEC_PER_DAY, &head);
	return r < 0 ? r : hand_over(fd, "head", head.data, head.length);
}

static int export_all(int fd, struct app *app, const char *tenant_id, uint32_t days)
{
	const struct db_scope scope = {.tenant_id = tenant_id, .one_snapshot = true, .read_only = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	int r = snapshot_make(app->publisher, tenant_id);

	/* -EBUSY: somebody makes one just now, and an older one with the deltas after it is as good. */
	if (r < 0 && r != -EBUSY)
		return r;
	r = db_begin(app->db, &scope, &tx);
	if (r == 0)
		r = export_trust(fd, tx, tenant_id);
	if (r == 0)
		r = export_snapshot(fd, app, tx, tenant_id);
	if (r == 0)
		r = export_deltas(fd, app, tx, tenant_id);
	if (r == 0)
		r = export_head(fd, app, tx, tenant_id, days);
	return r < 0 ? r : hand_over(fd, HANDED_OVER, "", 0);
}

/* By the same way as all requests, so that a slug will do. */
static int find_tenant(struct cli *cli, const char *name, char *out, size_t size)
{
	_cleanup_(json_decrefp) json_t *object = NULL;
	struct request request = {0};
	struct problem problem = {0};
	char target[256];
	const char *id = NULL;
	int r;

	(void)snprintf(target, sizeof(target), "/v1/tenants/%s", name);
	r = cli_request(cli, "GET", target, NULL, &request);
	if (r == 0 && request.response.status == 200 &&
	    json_read(request.response.body.data, request.response.body.length, &object, &problem) == 0)
		id = json_string_value(json_object_get(object, "id"));
	r = id ? snprintf(out, size, "%s", id) < (int)size ? 0 : -EINVAL : r < 0 ? r : -ENOENT;
	request_finish(&request);
	return r;
}

static int child(int fd, const struct cli_options *options, const char *tenant, uint32_t days)
{
	struct cli cli;
	char tenant_id[64];
	int status = cli_open(options, false, &cli), r;

	if (status != CLI_OK)
		return status;
	r = find_tenant(&cli, tenant, tenant_id, sizeof(tenant_id));
	if (r == 0)
		r = export_all(fd, &cli.app, tenant_id, days);
	if (r == -ENOENT)
		fprintf(stderr, "tenant-control export: there is no tenant '%s'\n", tenant);
	else if (r < 0)
		fprintf(stderr, "tenant-control export: %s\n", strerror(-r));
	cli_close(&cli);
	return r < 0 ? CLI_FAILED : CLI_OK;
}

/* ---- the parent: from the pipe into the folder ------------------------------------------------------- */

static int read_all(int fd, void *data, size_t length)
{
	for (size_t done = 0; done < length;) {
		ssize_t part = read(fd, (char *)data + done, length - done);

		if (part < 0 && errno == EINTR)
			continue;
		if (part <= 0)
			return part < 0 ? -errno : -ENODATA;
		done += (size_t)part;
	}
	return 0;
}

/* The child has fewer rights than we: it does not choose where to write. */
static bool is_file_name(const char *name)
{
	static const char *const names[] = {"snapshot", "snapshot.zst", "deltas", "head"};
	uint64_t version;

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return text_starts(name, "trust.") && parse_u64(name + strlen("trust."), &version) == 0;
}

/* 0: one file; 1: that was all. The head comes last, so a folder is never newer by its head than by what it holds. */
static int take_one(int fd, int folder)
{
	_cleanup_(freep) char *data = NULL;
	struct handed handed;
	int r = read_all(fd, &handed, sizeof(handed));

	if (r < 0)
		return r;
	handed.name[FILE_NAME_SIZE - 1] = '\0';
	if (strcmp(handed.name, HANDED_OVER) == 0)
		return 1;
	if (!is_file_name(handed.name) || handed.length > FILE_BYTES_MAX)
		return -EBADMSG;
	data = malloc(handed.length + 1);
	if (!data)
		return -ENOMEM;
	r = read_all(fd, data, handed.length);
	if (r == 0 && handed.length == 0) /* no deltas: those of the export before are not of this snapshot */
		return unlinkat(folder, handed.name, 0) < 0 && errno != ENOENT ? -errno : 0;
	return r < 0 ? r : file_replace(folder, handed.name, data, handed.length, 0600, NULL);
}

static int take_files(int fd, const char *path)
{
	_cleanup_(closep) int folder = -1;
	int r = 0;

	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		return -errno;
	while (r == 0)
		r = take_one(fd, folder);
	return r < 0 ? r : 0;
}

static int run_export(const struct cli_options *options, const char *tenant, const char *path, uint32_t days)
{
	int fds[2], status, r;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		(void)close(fds[0]);
		status = child(fds[1], options, tenant, days);
		(void)fflush(NULL);
		_exit(status);
	}
	(void)close(fds[1]);
	r = take_files(fds[0], path);
	(void)close(fds[0]); /* a child that still writes ends by it */
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	/* It has said why. */
	if (WIFEXITED(status) && WEXITSTATUS(status) != CLI_OK && r == -ENODATA)
		return WEXITSTATUS(status);
	return r;
}

int verb_export(int argc, char **argv);
int verb_export(int argc, char **argv)
{
	static const char *const known[] = {"--valid-for", "--config", "--help"};
	const char *arguments[2];
	struct cli_options options;
	uint32_t days = VALID_DAYS, count = 0;
	int r;

	if (cli_options(&argc, argv, &options) != 0)
		return CLI_USAGE;
	if (options.help) {
		fputs(help, stdout);
		return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
	}
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--valid-for") == 0 && i + 1 < argc) {
			if (parse_u32(argv[++i], &days) < 0 || days == 0 || days > VALID_DAYS_MAX) {
				fprintf(stderr, "tenant-control export: --valid-for takes 1 to %u days\n",
					VALID_DAYS_MAX);
				return CLI_USAGE;
			}
		} else if (argv[i][0] == '-') {
			return cli_unknown("export", argv[i], known, ARRAY_LEN(known));
		} else if (count < ARRAY_LEN(arguments)) {
			arguments[count++] = argv[i];
		} else {
			return cli_unknown("export", argv[i], NULL, 0);
		}
	}
	if (count != ARRAY_LEN(arguments) || strchr(arguments[0], '/') || strchr(arguments[0], '?')) {
		fputs(help, stderr);
		return CLI_USAGE;
	}
	r = run_export(&options, arguments[0], arguments[1], days);
	if (r < 0)
		fprintf(stderr, "tenant-control export: %s: %s\n", arguments[1], strerror(-r));
	return r < 0 ? CLI_FAILED : r;
}
