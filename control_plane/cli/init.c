/* SPDX-License-Identifier: MIT
 *
 * tenant-control init: from an installed package and an empty PostgreSQL to a control plane that can be started. Each
 * step says what it found or did, and all of it can be run again.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "control_plane/cli/password.h"
#include "control_plane/cli/setup.h"
#include "control_plane/db/conninfo.h"
#include "control_plane/db/setup.h"
#include "control_plane/http/request.h"

#define FIRST_ID_BLOCK "1879048192" /* 0x70000000: the beginning of the managed range */

struct init {
	const char *url, *admin_dsn, *operator_email, *password_file, *certificate, *key;
	bool no_operator;
	/* What reading password_file gave. */
	char *password;
	int password_result;
	struct problem password_problem;
};

static const char help[] =
	"tenant-control init [--url URL] [OPTIONS]\n\n"
	"Sets a control plane up: configuration, PostgreSQL's roles and database, schema, the key that seals\n"
	"secrets, a certificate, and the first operator. What is there already is left as it is, so it can be run\n"
	"again at any time. To be run as root, on the machine that runs tenant-control.\n\n"
	"  --url URL               how hosts and people reach it: https://control.example.org\n"
	"  --admin-dsn DSN         libpq's connection string of the database's administrator, when PostgreSQL is on\n"
	"                          another machine; default: the unix account postgres on this one\n"
	"  --tls-certificate FILE  PEM; default: one that is signed by itself is made\n"
	"  --tls-key FILE          its key\n"
	"  --operator EMAIL        the first operator, who may do everything\n"
	"  --password-file FILE    their password, in its first line; \"-\": standard input; default: asks\n"
	"  --no-operator           none for now\n"
	"  --config FILE           another configuration than " CONTROL_CONFIG_PATH;

static int take_options(int argc, char **argv, struct init *init)
{
	static const char *const known[] = {"--url",           "--admin-dsn",       "--operator",
					    "--password-file", "--tls-certificate", "--tls-key",
					    "--no-operator",   "--config",          "--help"};
	const struct {
		const char *name;
		const char **value;
	} options[] = {
		{"--url", &init->url},
		{"--admin-dsn", &init->admin_dsn},
		{"--operator", &init->operator_email},
		{"--password-file", &init->password_file},
		{"--tls-certificate", &init->certificate},
		{"--tls-key", &init->key},
	};

	for (int i = 1; i < argc; i++) {
		int taken = 0;

		for (size_t o = 0; o < ARRAY_LEN(options) && taken == 0; o++)
			taken = setup_option("init", argv, &i, options[o].name, options[o].value);
		if (taken == CLI_USAGE)
			return CLI_USAGE;
		if (taken == 0 && strcmp(argv[i], "--no-operator") == 0)
			init->no_operator = true;
		else if (taken == 0)
			return cli_unknown("init", argv[i], known, ARRAY_LEN(known));
	}
	if (!init->certificate != !init->key) {
		fputs("tenant-control init: --tls-certificate and --tls-key belong together\n", stderr);
		return CLI_USAGE;
	}
	return 0;
}

/* ---- database ---- */
enum { DATABASE_EMPTY = CLI_OK, DATABASE_SEALED = 10 };

struct database_work {
	char *admin_dsn, *database;
};

static int make_database(void *context)
{
	const struct database_work *work = context;
	struct problem problem = {0};
	bool sealed = false;

	if (setup_database(work->admin_dsn, work->database, setup_say, &sealed, &problem) < 0)
		return cli_fail("init", &problem);
	return sealed ? DATABASE_SEALED : DATABASE_EMPTY;
}

static int step_database(const struct init *init, const struct config *config, struct problem *problem)
{
	struct database_work work = {0};
	int result = 0;

	if (init->admin_dsn) {
		work.admin_dsn = strdup(init->admin_dsn);
		result = work.admin_dsn ? 0 : -ENOMEM;
	} else {
		result = setup_admin_dsn(config, &work.admin_dsn, problem);
	}
	if (result == 0)
		result = conninfo_get(config->database, "dbname", &work.database);
	if (result == 0 && !work.database)
		result = problem_set(problem, EINVAL,
				     "the configuration's database.connection names no database (dbname)");
	if (result == 0)
		result = init->admin_dsn ? make_database(&work) : setup_as_postgres(make_database, &work, problem);
	secret_free_heap(work.admin_dsn);
	free(work.database);
	return result;
}

/* ---- what the service itself says, as its own role ---- */
static int step_platform(struct cli *cli, struct problem *problem)
{
	static const struct db_scope scope = {.platform = true};
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct db_tx *tx = NULL;
	const char *authority = cli->config->authority;
	int result = db_begin(cli->app.db, &scope, &tx);

	if (result == 0)
		result = db_later(
			tx, "INSERT INTO platform (authority, next_id_block) VALUES ($1, $2) ON CONFLICT DO NOTHING",
			authority, FIRST_ID_BLOCK);
	if (result == 0)
		result = db_run(tx, &rows, "SELECT authority FROM platform");
	if (result < 0) {
		db_rollback(tx);
		return problem_set(problem, -result, "the database does not answer the service's own role: %s",
				   strerror(-result));
	}
	result = db_commit(tx);
	if (result < 0)
		return problem_set(problem, -result, "the database does not keep what it is given: %s",
				   strerror(-result));
	if (strcmp(db_text(rows, 0, 0), authority) != 0) {
		problem_remedy(problem, "hosts know the feeds by it: set `authority: %s`", db_text(rows, 0, 0));
		return problem_set(problem, EINVAL,
				   "the feeds' authority was %s before, and is %s in the configuration",
				   db_text(rows, 0, 0), authority);
	}
	return 0;
}

/* One request of the API. The body of its answer (null where it has none), or NULL with the problem. */
static json_t *call(struct cli *cli, const char *method, const char *target, json_t *body, struct problem *problem)
{
	struct request request;
	json_t *answer = NULL;
	int result = cli_request(cli, method, target, body, &request);
	const struct response *response = &request.response;

	if (result < 0) {
		(void)problem_set(problem, -result, "%s", strerror(-result));
	} else {
		answer = response->body.length == 0
				 ? json_null()
				 : json_loadb(response->body.data, response->body.length, JSON_REJECT_DUPLICATES, NULL);
		if (response->status >= 300) {
			const char *detail = json_string_value(json_object_get(answer, "detail"));
			const char *title = json_string_value(json_object_get(answer, "title"));

			(void)problem_set(problem, EINVAL, "%s (%u)",
					  detail  ? detail
					  : title ? title
						  : "refused",
					  response->status);
			json_decref(answer);
			answer = NULL;
		} else if (!answer) {
			(void)problem_set(problem, EIO, "an answer that cannot be read");
		}
	}
	request_finish(&request);
	return answer;
}

static bool call_for_nothing(struct cli *cli, const char *method, const char *target, json_t *body,
			     struct problem *problem)
{
	json_t *answer = call(cli, method, target, body, problem);

	json_decref(answer);
	return answer != NULL;
}

static int make_operator(struct cli *cli, const char *email, char *password, struct problem *problem)
{
	json_t *made = call(cli, "POST", "/v1/operators", json_pack("{s:s}", "email", email), problem);
	char target[128];
	bool done;

	if (!made)
		return -EINVAL;
	(void)snprintf(target, sizeof(target), "/v1/operators/%s/grants",
		       json_string_value(json_object_get(made, "id")));
	done = call_for_nothing(cli, "POST", target,
				json_pack("{s:s, s:s}", "role", "admin", "reason", "first operator"), problem);
	(void)snprintf(target, sizeof(target), "/v1/operators/%s/password",
		       json_string_value(json_object_get(made, "id")));
	done = done && call_for_nothing(cli, "PUT", target, json_pack("{s:s}", "password", password), problem);
	if (!done) {
		/* Without a password they could not sign in, and the next init would find an operator. */
		struct problem other = {0};

		(void)snprintf(target, sizeof(target), "/v1/operators/%s",
			       json_string_value(json_object_get(made, "id")));
		(void)call_for_nothing(cli, "DELETE", target, NULL, &other);
	}
	json_decref(made);
	return done ? 0 : -EINVAL;
}

/* What was read from --password-file while this was root still. */
static int take_password(struct init *init, char **ret, struct problem *problem)
{
	if (init->password_result < 0) {
		*problem = init->password_problem;
		return init->password_result;
	}
	*ret = TAKE_PTR(init->password);
	return 0;
}

static int step_operator(struct init *init, struct cli *cli, struct problem *problem)
{
	json_t *operators = call(cli, "GET", "/v1/operators?limit=1", NULL, problem);
	char *password = NULL;
	bool none;
	int result;

	if (!operators)
		return -EINVAL;
	none = json_array_size(json_object_get(operators, "items")) == 0;
	json_decref(operators);
	if (!none || init->no_operator || !init->operator_email) {
		setup_say(!none ? "operators: found"
				: "operators: none yet; `tenant-control init --operator EMAIL` makes one");
		return 0;
	}
	result = init->password_file ? take_password(init, &password, problem)
				     : password_read(NULL, init->operator_email, &password, problem);
	if (result < 0)
		return result;
	result = make_operator(cli, init->operator_email, password, problem);
	secret_free(password);
	if (result == 0)
		printf("operator %s: made, may do everything\n", init->operator_email);
	return result;
}

static void say_next(const struct config *config)
{
	printf("\nDone. Now:\n"
	       "  systemctl enable --now tenant-control\n"
	       "  tenant-control doctor\n"
	       "and keep a copy of %s where the database's backups are not.\n",
	       config->seal_key_path);
}

int verb_init(int argc, char **argv)
{
	_cleanup_(config_freep) struct config *config = NULL;
	struct problem problem = {0};
	struct cli_options options;
	struct init init = {0};
	struct cli cli;
	const char *path;
	int result = cli_options(&argc, argv, &options), database;

	if (result == 0)
		result = take_options(argc, argv, &init);
	if (result != 0)
		return result;
	if (options.help) {
		puts(help);
		return CLI_OK;
	}
	path = options.config_path ? options.config_path : CONTROL_CONFIG_PATH;
	if (init.url && setup_write_config(path, init.url, init.certificate, init.key, &problem) < 0)
		return cli_fail("init", &problem);
	if (config_load(path, options.config_path != NULL, &config, &problem) < 0)
		return cli_fail("init", &problem);
	if (init.url && strcmp(config->url, init.url) != 0) {
		fprintf(stderr, "tenant-control: init: the configuration says url: %s\n", config->url);
		return CLI_FAILED;
	}
	database = step_database(&init, config, &problem);
	if (database < 0)
		return cli_fail("init", &problem);
	if (database != DATABASE_EMPTY && database != DATABASE_SEALED)
		return database;
	if (setup_seal_key(config, database == DATABASE_SEALED, &problem) < 0 ||
	    setup_certificate(config, &problem) < 0)
		return cli_fail("init", &problem);
	/* From cli_open on this is the service's account, which need not be able to read the file. Whether the password
	 * is needed at all is known later. */
	if (init.operator_email && init.password_file)
		init.password_result =
			password_read(init.password_file, init.operator_email, &init.password, &init.password_problem);
	result = cli_open(&options, false, &cli);
	if (result != 0) {
		secret_free(init.password);
		return result;
	}
	result = step_platform(&cli, &problem);
	if (result == 0)
		result = step_operator(&init, &cli, &problem);
	secret_free(init.password);
	if (result < 0) {
		cli_close(&cli);
		return cli_fail("init", &problem);
	}
	cli_close(&cli);
	say_next(config);
	return fflush(stdout) == 0 ? CLI_OK : CLI_FAILED;
}
