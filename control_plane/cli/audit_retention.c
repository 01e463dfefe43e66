/* SPDX-License-Identifier: MIT
 *
 * tenant-control audit retention: how long what is kept. The service reads the windows and cannot set them: that takes
 * the database's owner.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "control_plane/audit/audit.h"
#include "control_plane/audit/event.h"
#include "control_plane/audit/retention.h"
#include "control_plane/cli/audit.h"
#include "control_plane/cli/setup.h"
#include "control_plane/db/retention.h"

#define DAYS_MAX 36500U

static const char help[] =
	"tenant-control audit retention [--personal DAYS|forever] [--entries DAYS|forever] [--now] [--admin-dsn "
	"DSN]\n\n"
	"Without options: what holds now. Months go as a whole, once their last day is past the window; personal data\n"
	"first, entries (with their personal data) by the second window. What is left can be verified all the same.\n"
	"The service does it twice a day; --now: at once. Needs to be run as root, or as who --admin-dsn names.\n";

struct wanted {
	struct cli_options options;
	const char *personal, *entries, *admin_dsn; /* personal, entries: "": for ever; NULL: as it is */
	bool now;
};

/* What the child does that becomes the database's administrator. */
struct setting {
	const char *dsn;
	const struct wanted *wanted;
};

static int set_windows(void *context)
{
	const struct setting *setting = context;
	struct problem problem = {0};

	if (retention_set(setting->dsn, setting->wanted->personal, setting->wanted->entries, &problem) < 0)
		return cli_fail("audit retention", &problem);
	return CLI_OK;
}

static int change(const struct config *config, const struct wanted *wanted)
{
	_cleanup_(freep) char *dsn = NULL;
	struct problem problem = {0};
	struct setting setting = {.wanted = wanted};
	int r = setup_owner_dsn(config, wanted->admin_dsn, &dsn, &problem);

	if (r < 0)
		return cli_fail("audit retention", &problem);
	setting.dsn = dsn;
	if (wanted->admin_dsn)
		return set_windows(&setting);
	r = setup_as_postgres(set_windows, &setting, &problem);
	return r < 0 ? cli_fail("audit retention", &problem) : r;
}

/* ---- as the service -------------------------------------------------------------------------------------------------
 */

static json_t *days_json(const struct db_rows *rows, unsigned column)
{
	return db_is_null(rows, 0, column) ? json_null() : json_integer(db_i64(rows, 0, column));
}

static int read_windows(struct db_tx *tx, json_t **ret)
{
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	int r = db_run(tx, &rows, "SELECT personal_days, entries_days FROM control.audit_retention");

	if (r == 0 && db_row_count(rows) != 1)
		r = -EIO;
	if (r < 0)
		return r;
	*ret = json_pack("{s:o, s:o}", "personal_days", days_json(rows, 0), "entries_days", days_json(rows, 1));
	return *ret ? 0 : -ENOMEM;
}

/* That the windows are others now, and which. */
static int tell(struct app *app, struct db_tx *tx, const json_t *windows)
{
	const struct control_event event = {
		.log_id = "", .kind = "audit.retention", .actor = "local", .credential = "local", .data = windows};

	return control_event_put(app, tx, &event);
}

static int look(struct app *app, bool changed, json_t **ret)
{
	const struct db_scope scope = {.platform = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	int r = db_begin(app->db, &scope, &tx);

	if (r == 0)
		r = read_windows(tx, ret);
	if (r == 0 && changed)
		r = tell(app, tx, *ret);
	return r < 0 ? r : db_commit(TAKE_PTR(tx));
}

static void print_window(const char *what, const json_t *days)
{
	if (json_is_integer(days))
		printf("%s: %lld days\n", what, (long long)json_integer_value(days));
	else
		printf("%s: for ever\n", what);
}

static void print(const struct wanted *wanted, json_t *windows, const struct retired *retired)
{
	if (wanted->options.json) {
		if (wanted->now) {
			(void)json_object_set_new(windows, "entries_months", json_integer(retired->entries_months));
			(void)json_object_set_new(windows, "personal_months", json_integer(retired->personal_months));
		}
		(void)json_dumpf(windows, stdout, JSON_COMPACT);
		(void)putchar('\n');
		return;
	}
	print_window("personal data", json_object_get(windows, "personal_days"));
	print_window("entries", json_object_get(windows, "entries_days"));
	if (wanted->now)
		printf("%u months of entries and %u of personal data are gone\n", retired->entries_months,
		       retired->personal_months);
}

static int as_service(const struct wanted *wanted)
{
	_cleanup_(json_decrefp) json_t *windows = NULL;
	bool changed = wanted->personal || wanted->entries;
	struct problem problem = {0};
	struct retired retired = {0};
	struct cli cli;
	int r, status = cli_open(&wanted->options, false, &cli);

	if (status != CLI_OK)
		return status;
	r = look(&cli.app, changed, &windows);
	if (r == 0 && wanted->now)
		r = audit_retire(&cli.app, &retired);
	if (r < 0) {
		(void)problem_set(&problem, -r, "%s", strerror(-r));
		status = cli_fail(changed ? "audit retention: the windows are set, and what follows from it failed"
					  : "audit retention",
				  &problem);
	} else {
		print(wanted, windows, &retired);
	}
	cli_close(&cli);
	return fflush(stdout) == 0 ? status : CLI_FAILED;
}

/* ---- what is wanted -------------------------------------------------------------------------------------------------
 */

static int check_days(const char *name, const char **days)
{
	uint32_t number;

	if (!*days)
		return 0;
	if (strcmp(*days, "forever") == 0) {
		*days = "";
		return 0;
	}
	if (parse_u32(*days, &number) == 0 && number > 0 && number <= DAYS_MAX)
		return 0;
	fprintf(stderr, "tenant-control audit retention: %s: a number of days, or forever\n", name);
	return CLI_USAGE;
}

static int read_words(int argc, char **argv, struct wanted *ret)
{
	static const char *const known[] = {"--personal", "--entries", "--now", "--admin-dsn", "--json", "--config"};
	int status = cli_options(&argc, argv, &ret->options);

	for (int i = 1; i < argc && status == 0; i++) {
		int taken = setup_option("audit retention", argv, &i, "--personal", &ret->personal);

		if (taken == 0)
			taken = setup_option("audit retention", argv, &i, "--entries", &ret->entries);
		if (taken == 0)
			taken = setup_option("audit retention", argv, &i, "--admin-dsn", &ret->admin_dsn);
		if (taken == CLI_USAGE)
			return CLI_USAGE;
		if (taken == 0 && strcmp(argv[i], "--now") == 0)
			ret->now = true;
		else if (taken == 0)
			status = cli_unknown("audit retention", argv[i], known, ARRAY_LEN(known));
	}
	if (status == 0)
		status = check_days("--personal", &ret->personal);
	return status == 0 ? check_days("--entries", &ret->entries) : status;
}

int audit_verb_retention(int argc, char **argv)
{
	_cleanup_(config_freep) struct config *config = NULL;
	struct wanted wanted = {0};
	struct problem problem = {0};
	const char *path;
	int status = read_words(argc, argv, &wanted);

	if (status != 0)
		return status;
	if (wanted.options.help) {
		fputs(help, stdout);
		return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
	}
	path = wanted.options.config_path ? wanted.options.config_path : CONTROL_CONFIG_PATH;
	if (config_load(path, wanted.options.config_path != NULL, &config, &problem) < 0)
		return cli_fail("configuration", &problem);
	if (wanted.personal || wanted.entries)
		status = change(config, &wanted);
	return status == CLI_OK ? as_service(&wanted) : status;
}
