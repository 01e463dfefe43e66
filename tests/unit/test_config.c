/* SPDX-License-Identifier: MIT
 *
 * agent.yaml: what is refused, where, and with which advice; drop-ins; who is trusted to write it.
 */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "config.h"

static struct config *parse(const char *text)
{
	struct problem problem = {0};
	struct config *config = NULL;

	if (config_parse("agent.yaml", text, strlen(text), &config, &problem) < 0)
		fail_msg("%s: %s", text, problem.text);
	return config;
}

static void expect_refused(const char *text, unsigned line, unsigned column, const char *says, const char *remedy)
{
	struct problem problem = {0};
	struct config *config = NULL;
	char all[2048];

	assert_int_equal(config_parse("agent.yaml", text, strlen(text), &config, &problem), -EINVAL);
	assert_null(config);
	problem_render(&problem, all, sizeof(all));
	if (problem.line != line || problem.column != column || !strstr(all, says) || !strstr(all, remedy))
		fail_msg("%s\nwas refused with %s, not at %u:%u with \"%s\" and \"%s\"", text, all, line, column, says,
			 remedy);
}

static void nothing_gives_the_defaults(void **state)
{
	struct config *config = parse("");

	(void)state;
	assert_string_equal(config->directory_path, "/etc/tenantd/directory.yaml");
	assert_string_equal(config->map_path, "/run/tenantd/nss.map");
	assert_false(config->enumerate);
	assert_int_equal(config->log_level, LOG_INFO);
	assert_int_equal(config->service_count, 0);
	assert_true(config->sso.enabled);
	assert_null(config->sso.ca_file);
	assert_null(config->sso.proxy);
	assert_int_equal(config->sso.timeout_sec, 300);
	assert_int_equal(config->sso.max_waiting, 1000);
	assert_int_equal(config->sso.qr, QR_UTF8);
	assert_int_equal(config->code_lifetime_sec, 120);
	assert_int_equal(config->audit.durability, SPOOL_GROUP);
	assert_int_equal(config->audit.when_full, SPOOL_DROP);
	assert_int_equal(config->audit.spool_bytes, 1 << 30);
	assert_true(config->host_name[0] != '\0');
	config_free(config);
	config_free(parse("# only a comment\n"));
}

static void everything_can_be_set(void **state)
{
	struct config *config = parse(
		"host_name: gpu-7.example\n"
		"log_level: debug\n"
		"enumerate: true\n"
		"subids: true\n"
		"directory: {path: /srv/people.yaml}\n"
		"feeds: {max_records: 20000}\n"
		"sessions: {max_per_user: 3, max_per_tenant: 20, max: 100, over: end-oldest, max_age: 12h, idle: 90s,\n"
		"  hours: [mon-fri 08:00-18:00, '22:00-06:00'], end_outside_hours: true, end_with_key: true,\n"
		"  warn: 10min, grace: 0s}\n"
		"limits: {connections: 512, connections_per_user: 16}\n"
		"sso: {enabled: false, ca_file: /ca.pem, proxy: none, timeout: 30min, max_waiting: 2000, qr: off}\n"
		"codes: {lifetime: 90s}\n"
		"audit: {durability: relaxed, spool: {size: 64M, when_full: refuse}}\n"
		"services:\n"
		"  - {name: hub, uid: 990, may: [verify, ssh-keys]}\n"
		"paths: {state: /a, run: /b, map: /c, seal_key: /d, agent_socket: /e, userdb_socket: /f}\n");
	const char *name = NULL;

	(void)state;
	assert_string_equal(config->host_name, "gpu-7.example");
	assert_string_equal(config->directory_path, "/srv/people.yaml");
	assert_true(config->enumerate && config->subids);
	assert_int_equal(config->connections, 512);
	assert_int_equal(config->max_records, 20000);
	assert_int_equal(config->limits.rules.max_per_user, 3);
	assert_int_equal(config->limits.rules.max_per_tenant, 20);
	assert_int_equal(config->limits.max, 100);
	assert_int_equal(config->limits.rules.over, SESSION_OVER_END_OLDEST);
	assert_int_equal(config->limits.rules.max_age_sec, 12 * 3600);
	assert_int_equal(config->limits.rules.idle_sec, 90);
	assert_int_equal(config->limits.hours.count, 2);
	assert_string_equal(config->limits.hours.items[1], "22:00-06:00");
	assert_true(config->limits.rules.end_outside_hours && config->limits.rules.end_with_key);
	assert_int_equal(config->limits.rules.warn_sec, 600);
	assert_int_equal(config->limits.rules.grace_sec, 0);
	assert_false(config->sso.enabled);
	assert_string_equal(config->sso.ca_file, "/ca.pem");
	assert_string_equal(config->sso.proxy, "");
	assert_int_equal(config->sso.timeout_sec, 1800);
	assert_int_equal(config->sso.max_waiting, 2000);
	assert_int_equal(config->sso.qr, QR_OFF);
	assert_int_equal(config->code_lifetime_sec, 90);
	assert_int_equal(config->audit.durability, SPOOL_RELAXED);
	assert_int_equal(config->audit.when_full, SPOOL_REFUSE);
	assert_int_equal(config->audit.spool_bytes, 64 << 20);
	assert_int_equal(config_may(config, 990, &name), MAY_VERIFY | MAY_SSH_KEYS);
	assert_string_equal(name, "hub");
	assert_int_equal(config_may(config, 991, NULL), 0);
	assert_int_equal(config_may(config, 0, NULL), 0);
	assert_int_equal(config_may(config, CONFIG_UID_NONE, NULL), 0);
	config_free(config);
}

static void mistakes_are_shown_with_their_place(void **state)
{
	(void)state;
	expect_refused("host_nam: x\n", 1, 1, "host_nam", "did you mean 'host_name'");
	expect_refused("limits: {conections: 100}\n", 1, 10, "conections", "did you mean 'connections'");
	expect_refused("enumerate: true\nenumerate: false\n", 2, 1, "twice", "");
	expect_refused("enumerate: yes\n", 1, 12, "true or false", "");
	expect_refused("enumerate: \"true\"\n", 1, 12, "true or false", "");
	expect_refused("enumerate:\n", 1, 11, "true or false", "");
	expect_refused("log_level: loud\n", 1, 12, "log level", "debug");
	expect_refused("host_name: a/b\n", 1, 12, "host name", "");
	expect_refused("host_name: ''\n", 1, 12, "host name", "");
	expect_refused("paths: {map: run/nss.map}\n", 1, 14, "absolute path", "");
	expect_refused("paths: {map: /run/../nss.map}\n", 1, 14, "absolute path", "");
	expect_refused("paths: /run\n", 1, 8, "mapping", "");
	expect_refused("feeds: {max_records: 999}\n", 1, 22, "out of range", "at most 5000000");
	expect_refused("feeds: {max_records: 5000001}\n", 1, 22, "out of range", "at least 1000");
	expect_refused("sessions: {max_per_user: 0}\n", 1, 26, "out of range", "");
	expect_refused("sessions: {max: 8193}\n", 1, 17, "out of range", "");
	expect_refused("sessions: {over: kill}\n", 1, 18, "too many", "deny or end-oldest");
	expect_refused("sessions: {max_age: 12}\n", 1, 21, "span", "5min");
	expect_refused("sessions: {idle: 0s}\n", 1, 18, "out of range", "");
	expect_refused("sessions: {max_age: 366d}\n", 1, 21, "out of range", "");
	expect_refused("sessions: {grace: 6min}\n", 1, 19, "out of range", "5 minutes");
	expect_refused("sessions: {hours: mon}\n", 1, 19, "list of hours", "UTC");
	expect_refused("sessions: {hours: [mon-fri]}\n", 1, 20, "not hours", "UTC");
	expect_refused("sessions: {hours: [[]]}\n", 1, 20, "not hours", "UTC");
	expect_refused("sessions: {end_with_key: maybe}\n", 1, 26, "true or false", "");
	expect_refused("sessions: {max_ages: 12h}\n", 1, 12, "max_ages", "did you mean 'max_age'");
	expect_refused("limits: {connections: -1}\n", 1, 23, "number", "");
	expect_refused("limits: {connections: 4}\n", 1, 23, "out of range", "");
	expect_refused("limits: {connections: 99999999999}\n", 1, 23, "number", "");
	expect_refused("limits: {connections: 10}\n", 0, 0, "too few", "64");
	expect_refused("control_plane: {pin: abc}\n", 1, 22, "pin", "sha256//");
	expect_refused("control_plane: {pin: 'sha256//AAAA'}\n", 1, 22, "pin", "sha256//");
	expect_refused("control_plane: {pin: 'sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;'}\n", 1, 22, "pin",
		       "");
	expect_refused("control_plane: {pin: ''}\n", 1, 22, "pin", "");
	expect_refused("control_plane: {proxy: proxy.example.org}\n", 1, 24, "proxy", "http://");
	expect_refused("control_plane: {proxy: 'http://'}\n", 1, 24, "proxy", "http://");
	expect_refused("control_plane: {proxy: 'http://a b'}\n", 1, 24, "proxy", "http://");
	expect_refused("control_plane: {ca_file: ca.pem}\n", 1, 26, "absolute path", "");
	expect_refused("control_plane: {ca_fil: /ca.pem}\n", 1, 17, "ca_fil", "did you mean 'ca_file'");
	expect_refused("feeds: {import: feeds}\n", 1, 17, "absolute path", "");
	expect_refused("sso: {timeout: 300}\n", 1, 16, "span of time", "5min");
	expect_refused("sso: {timeout: 29s}\n", 1, 16, "out of range", "at least 30 seconds, at most 30 minutes");
	expect_refused("sso: {timeout: 31min}\n", 1, 16, "out of range", "");
	expect_refused("sso: {timeout: 99999999999999999999d}\n", 1, 16, "span of time", "");
	expect_refused("sso: {timeout: [5min]}\n", 1, 16, "span of time", "");
	expect_refused("sso: {max_waiting: 0}\n", 1, 20, "out of range", "at least 1");
	expect_refused("sso: {max_waiting: 2001}\n", 1, 20, "out of range", "at most 2000");
	expect_refused("sso: {qr: big}\n", 1, 11, "QR", "ascii");
	expect_refused("sso: {enabled: maybe}\n", 1, 16, "true or false", "");
	expect_refused("sso: {proxy: 'ftp://x'}\n", 1, 14, "proxy", "http://");
	expect_refused("sso: {ca_file: ca.pem}\n", 1, 16, "absolute path", "");
	expect_refused("sso: {time_out: 5min}\n", 1, 7, "time_out", "did you mean 'timeout'");
	expect_refused("codes: {lifetime: 0}\n", 1, 19, "out of range", "");
	expect_refused("codes: {lifetime: 2h}\n", 1, 19, "out of range", "at most 1 hour");
	expect_refused("audit: {durability: always}\n", 1, 21, "durability", "group, each or relaxed");
	expect_refused("audit: {durability: [each]}\n", 1, 21, "durability", "");
	expect_refused("audit: {spool: 1G}\n", 1, 16, "mapping", "");
	expect_refused("audit: {spool: {size: 1GiB}}\n", 1, 23, "size", "256M");
	expect_refused("audit: {spool: {size: '1G'}}\n", 1, 23, "size", "256M");
	expect_refused("audit: {spool: {size: -1}}\n", 1, 23, "size", "");
	expect_refused("audit: {spool: {size: 16383K}}\n", 1, 23, "out of range", "at least 16M");
	expect_refused("audit: {spool: {size: 1025G}}\n", 1, 23, "out of range", "at most 1024G");
	expect_refused("audit: {spool: {size: 99999999999G}}\n", 1, 23, "size", "");
	expect_refused("audit: {spool: {when_full: stop}}\n", 1, 28, "full spool", "drop or refuse");
	expect_refused("audit: {spool: {when_ful: drop}}\n", 1, 17, "when_ful", "did you mean 'when_full'");
	expect_refused("audit: {durabilty: each}\n", 1, 9, "durabilty", "did you mean 'durability'");
	expect_refused("services: {}\n", 1, 11, "list", "");
	expect_refused("services:\n  - {name: hub, uid: 990}\n", 2, 5, "incomplete", "");
	expect_refused("services:\n  - {name: hub, may: [verify]}\n", 2, 5, "incomplete", "");
	expect_refused("services:\n  - {name: hub, uid: 0, may: [verify]}\n", 2, 22, "uid", "never 0");
	expect_refused("services:\n  - {name: hub, user: root, may: [verify]}\n", 2, 23, "", "root");
	expect_refused("services:\n  - {name: hub, uid: 990, user: x, may: [verify]}\n", 2, 33, "", "`user` or `uid`");
	expect_refused("services:\n  - {name: hub, uid: 990, may: [verfy]}\n", 2, 33, "verfy", "did you mean 'verify'");
	expect_refused("services:\n  - {name: hub, uid: 990, may: []}\n", 2, 32, "rights", "");
	expect_refused("services:\n  - {name: hub, uid: 990, may: [check, check]}\n", 2, 40, "twice", "");
	expect_refused("services:\n  - {name: hub, uid: 990, can: [check]}\n", 2, 27, "can", "");
	expect_refused("services:\n  - {name: hub, uid: 990, may: [check]}\n  - {name: hub, uid: 991, may: [check]}\n",
		       3, 6, "already", "");
	expect_refused("services: [hub]\n", 1, 12, "mapping", "");
}

static void yaml_s_surprises_are_refused(void **state)
{
	char deep[64];

	(void)state;
	expect_refused("host_name: &a gpu\n", 1, 12, "anchors", "");
	expect_refused("host_name: *a\n", 1, 12, "aliases", "");
	expect_refused("host_name: !!str gpu\n", 1, 12, "tags", "");
	expect_refused("---\nenumerate: true\n---\nenumerate: false\n", 3, 1, "second document", "");
	expect_refused("%YAML 1.1\n---\nenumerate: true\n", 1, 1, "directives", "");
	expect_refused("- enumerate\n", 1, 1, "mapping", "");
	expect_refused("enumerate\n", 1, 1, "mapping", "");
	expect_refused("? [a]\n: b\n", 1, 3, "key", "");
	expect_refused("host_name: \"a\\u0007b\"\n", 1, 12, "control", "");
	expect_refused("host_name: \"a\\0b\"\n", 1, 12, "control", "");
	expect_refused("host_name: [a\n", 2, 1, "not YAML", "");
	memset(deep, '[', sizeof(deep) - 1);
	deep[sizeof(deep) - 1] = '\0';
	expect_refused(deep, 1, 10, "deep", "");
}

static void an_account_that_does_not_exist_gets_nothing(void **state)
{
	struct config *config = parse("services: [{name: hub, user: no-such-account, may: [verify]}]\n");

	(void)state;
	assert_int_equal(config->services[0].uid, CONFIG_UID_NONE);
	config_free(config);
	/* The passwd file is read, not NSS. */
	config = parse("services: [{name: d, user: daemon2, may: [verify]}]\npaths: {passwd: /nonexistent}\n");
	assert_int_equal(config->services[0].uid, CONFIG_UID_NONE);
	config_free(config);
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path, mode), 0);
}

static void drop_ins_come_in_the_order_of_their_names(void **state)
{
	char folder[] = "/tmp/tenantd-config-XXXXXX", path[64], drop[64], a[80], b[80], hidden[80], passwd[80],
	     main_text[256];
	struct problem problem = {0};
	struct config *config = NULL;
	uint64_t fingerprint;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/agent.yaml", folder);
	snprintf(drop, sizeof(drop), "%s/agent.yaml.d", folder);
	snprintf(a, sizeof(a), "%s/10-a.yaml", drop);
	snprintf(b, sizeof(b), "%s/20-b.yaml", drop);
	snprintf(hidden, sizeof(hidden), "%s/.30.yaml", drop);
	snprintf(passwd, sizeof(passwd), "%s/passwd", folder);
	/* Absent is fine, unless it was named. */
	assert_int_equal(config_load(path, true, &config, &problem), -ENOENT);
	assert_int_equal(config_load(path, false, &config, &problem), 0);
	config_free(config);

	assert_int_equal(mkdir(drop, 0755), 0);
	write_file(passwd, "root:x:0:0::/:/bin/sh\njupyter:x:990:990::/:/bin/sh\n", 0644);
	snprintf(main_text, sizeof(main_text),
		 "host_name: one\nlog_level: error\npaths: {passwd: %s}\n"
		 "services: [{name: hub, uid: 7, may: [verify]}, {name: other, uid: 8, may: [check]}]\n",
		 passwd);
	write_file(path, main_text, 0640);
	write_file(b, "host_name: three\nservices: [{name: hub, user: jupyter, may: [emit]}]\n", 0644);
	write_file(a, "host_name: two\nenumerate: true\n", 0644);
	write_file(hidden, "nonsense\n", 0644);
	assert_int_equal(config_load(path, true, &config, &problem), 0);
	assert_string_equal(config->host_name, "three");
	assert_int_equal(config->log_level, LOG_ERR);
	assert_true(config->enumerate);
	assert_int_equal(config->service_count, 2);
	assert_int_equal(config_may(config, 990, NULL), MAY_EMIT);
	assert_int_equal(config_may(config, 7, NULL), 0);
	fingerprint = config->fingerprint;
	config_free(config);
	assert_int_equal(config_load(path, true, &config, &problem), 0);
	assert_true(config->fingerprint == fingerprint);
	config_free(config);

	/* A mistake names the file it is in. */
	write_file(a, "host_nam: two\n", 0644);
	assert_int_equal(config_load(path, true, &config, &problem), -EINVAL);
	assert_string_equal(problem.file, a);
	/* What others may write is not believed. */
	write_file(a, "host_name: two\n", 0666);
	assert_int_equal(config_load(path, true, &config, &problem), -EPERM);
	unlink(a);
	unlink(b);
	unlink(hidden);
	rmdir(drop);
	unlink(path);
	unlink(passwd);
	rmdir(folder);
}

static void test_control_plane(void **state)
{
	static const char text[] = "control_plane:\n  ca_file: /ca.pem\n"
				   "  pin: sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;"
				   "sha256//47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
				   "  proxy: http://proxy.example.org:3128\nfeeds:\n  import: /srv/feeds\n";
	struct problem problem = {0};
	struct config *config;

	assert_int_equal(config_parse("agent.yaml", "", 0, &config, &problem), 0);
	assert_null(config->ca_file);
	assert_null(config->pin);
	assert_null(config->proxy);
	assert_string_equal(config->import_dir, "/etc/tenantd/feeds");
	assert_int_equal(config->max_records, 4000000);
	config_free(config);
	assert_int_equal(config_parse("agent.yaml", text, sizeof(text) - 1, &config, &problem), 0);
	assert_string_equal(config->ca_file, "/ca.pem");
	assert_non_null(strchr(config->pin, ';'));
	assert_string_equal(config->proxy, "http://proxy.example.org:3128");
	assert_string_equal(config->import_dir, "/srv/feeds");
	config_free(config);
	assert_int_equal(config_parse("agent.yaml", "control_plane: {proxy: none}\n", 29, &config, &problem), 0);
	assert_string_equal(config->proxy, "");
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_control_plane),
		cmocka_unit_test(nothing_gives_the_defaults),
		cmocka_unit_test(everything_can_be_set),
		cmocka_unit_test(mistakes_are_shown_with_their_place),
		cmocka_unit_test(yaml_s_surprises_are_refused),
		cmocka_unit_test(an_account_that_does_not_exist_gets_nothing),
		cmocka_unit_test(drop_ins_come_in_the_order_of_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
