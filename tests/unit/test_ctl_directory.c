/* SPDX-License-Identifier: MIT
 *
 * The built tenantctl on directory files: every verb, exit codes, several at once, a full disk, and being
 * killed at any moment.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "crypto/api_key.h"
#include "directory/yaml_load.h"
#include "directory_fixture.h"

#define WORDS_MAX 24
#define KILLS 60U

static char tenantctl[PATH_MAX];
static char *folder, path[96];

/* Starts `tenantctl directory WORDS… --file path`; its stdout goes to the descriptor. */
static pid_t start(const char *words, int out)
{
	char copy[512], *argv[WORDS_MAX + 6] = {tenantctl, (char *)(uintptr_t) "directory"}, *save = NULL;
	unsigned n = 2;
	pid_t pid;

	snprintf(copy, sizeof(copy), "%s", words);
	for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
		argv[n++] = word;
	argv[n++] = (char *)(uintptr_t) "--file";
	argv[n++] = path;
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

		dup2(out >= 0 ? out : null, STDOUT_FILENO);
		dup2(null, STDERR_FILENO);
		execv(tenantctl, argv);
		_exit(127);
	}
	assert_true(pid > 0);
	return pid;
}

static int wait_for(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int run(const char *words)
{
	return wait_for(start(words, -1));
}

/* Its output, too. */
static int run_out(const char *words, char *out, size_t size)
{
	size_t length = 0;
	int fds[2], code;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = start(words, fds[1]);
	close(fds[1]);
	while (length + 1 < size && (n = read(fds[0], out + length, size - 1 - length)) > 0)
		length += (size_t)n;
	out[length] = '\0';
	close(fds[0]);
	code = wait_for(pid);
	return code;
}

static int setup(void **state)
{
	folder = make_folder();
	snprintf(path, sizeof(path), "%s/directory.yaml", folder);
	write_file(path, sample_directory);
	return 0;
}

static int teardown(void **state)
{
	remove_folder(folder);
	return 0;
}

static void assert_in_order(void)
{
	assert_int_equal(run("check"), 0);
}

static void assert_has(const char *piece)
{
	_cleanup_(freep) char *text = read_file(path);

	if (!strstr(text, piece))
		fail_msg("\"%s\" is not in\n%s", piece, text);
}

static const struct {
	const char *words;
	int code;
	const char *piece; /* in the file afterwards; NULL: the file is as it was */
} steps[] = {
	{"check", 0, NULL},
	{"show", 0, NULL},
	{"show tenants --json", 0, NULL},
	{"show keys --tenant acme", 0, NULL},
	{"show members --tenant acm", 1, NULL},
	{"show people", 2, NULL},
	{"init", 0, NULL},
	{"chek", 2, NULL},
	{"add-user", 2, NULL},
	{"add-user dora", 2, NULL},
	{"add-user dora --tenat acme", 2, NULL},
	{"add-user -dora --tenant acme", 2, NULL},
	{"add-user root --tenant acme", 2, NULL},
	{"add-user dora --tenant acm", 1, NULL},
	{"add-user alice --tenant acme", 1, NULL},
	{"add-user alice --tenant acme --if-absent", 0, NULL},
	{"add-user alice --tenant beta --if-absent", 1, NULL},
	{"add-user dora --tenant acme --name a:b", 1, NULL},
	{"add-user dora --tenant acme --email nonsense", 1, NULL},
	{"add-user dora --tenant acme --ssh-key /nonexistent", 3, NULL},
	{"add-user acme-vision --tenant acme", 1, NULL}, /* a group's name */
	{"add-user dora --tenant acme --id usr_dora --in nowhere.yaml", 1, NULL},
	{"add-user dora --tenant acme --id usr_dora", 0, "login: dora, uid: 1879048300}\n"},
	{"add-user emil --tenant acme --service", 0, "uid: 1879048301, kind: service}\n"},
	{"add-tenant Gamma", 2, NULL},
	{"add-tenant acme", 1, NULL},
	{"add-tenant acme --if-absent", 0, NULL},
	{"add-tenant gamma --allow-from 10.0.0.1/8", 2, NULL},
	{"add-tenant gamma --ids-count 9999999999", 2, NULL},
	{"add-tenant gamma --id ten_gamma --ids-count 100", 0, "first: 1879179264, count: 100, next: 1879179265"},
	{"add-project gamma", 2, NULL},
	{"add-project gamma/Web", 2, NULL},
	{"add-project gama/web", 1, NULL},
	{"add-project gamma/web --id prj_web", 0, "slug: web, gid: 1879179265}"},
	{"add-project gamma/web", 1, NULL},
	{"add-project gamma/web --if-absent", 0, NULL},
	{"add-project acme/vision-owner", 1, NULL}, /* would claim a group's name */
	{"add-member dora acme/vision editr", 1, NULL},
	{"add-member dora acme/visoin editor", 1, NULL},
	{"add-member dora beta/main editor", 1, NULL}, /* another tenant's */
	{"add-member dora acme/vision editor", 0, "{user: usr_dora, project: prj_vision, role: editor}"},
	{"add-member usr_dora prj_vision editor", 0, NULL},
	{"add-member dora acme/vision viewer", 1, NULL},
	{"add-member dora acme/vision viewer --replace", 0, "{user: usr_dora, project: prj_vision, role: viewer}"},
	{"add-member dora acme analyst", 0, "{user: usr_dora, tenant: ten_acme, role: analyst}"},
	{"remove-member dora acme", 0, "# A comment at the head."},
	{"remove-member dora acme", 0, NULL},
	{"remove-member alice acme/vision", 1, NULL}, /* a comment stands beside it */
	{"suspend-user dora --reason left", 0, "status: suspended, status_reason: left}\n"},
	{"suspend-user dora --reason left", 0, NULL},
	{"resume-user dora", 0, "status: active}\n"},
	{"resume-user dora", 0, NULL},
	{"resume-user dor", 1, NULL},
	{"add-host cpu-* gamma/web --login viewer --sudo owner", 0,
	 "- {project: prj_web, login: [viewer], sudo: [owner]}"},
	{"add-host cpu-* gamma/web --login viewer --sudo owner", 0, NULL},
	{"add-host cpu-* gamma/web --login owner", 1, NULL},
	{"add-host cpu-* gamma/web --login owner --replace", 0, "- {project: prj_web, login: [owner]}"},
	{"add-host-rule cpu-* acme/speech", 0, "- {project: prj_speech, login: [owner, editor]}"},
	{"add-host cpu*x gamma/web", 1, NULL},
	{"remove-host cpu-* acme/vision", 0, NULL},
	{"remove-host cpu-*", 0, "serves: []"}, /* that of another host */
	{"remove-host cpu-*", 0, NULL},
	{"add-host cpu-* gamma/web", 0, "- {project: prj_web, login: [owner, editor]}"},
	{"add-host cpu-* acme/speech", 0, "- {project: prj_speech, login: [owner, editor]}"},
	{"remove-host cpu-* gamma/web", 0, "    serves:\n      - {project: prj_speech, login: [owner, editor]}\n"},
	{"remove-host cpu-* gamma/web", 0, NULL},
	{"remove-host cpu-* gamma/wib", 1, NULL},
	{"remove-host nowhere acme/speech", 0, NULL},
	{"remove-host cpu-* acme/speech", 0, "  - name: \"cpu-*\"\n    serves: []\n"},
	{"remove-host cpu-* acme/speech", 0, NULL},
	{"remove-host gpu-* beta/main", 1, NULL}, /* a comment stands beside it */
	{"remove-host", 2, NULL},
	{"add-host cpu-* gamma/web2", 1, NULL},
	{"revoke-key key_0123456789abcdef --reason test", 0, "reason: test}"},
	{"revoke-key 0123456789abcdef", 0, NULL},
	{"revoke-key key_nope", 1, NULL},
	{"revoke-key tnt_pk_0123456789abcdef_x", 2, NULL},
	{"rotate-key key_0123456789abcdef", 1, NULL}, /* revoked */
	{"rotate-key key_0123456789abcdef --grace soon", 2, NULL},
	{"add-key nobody-here", 1, NULL},
	{"add-key alice --expires soon", 2, NULL},
	{"add-key alice --action dataset.wrote", 1, NULL},
	{"add-key alice --project beta/main", 1, NULL},
	{"add-key alice --from 10.0.0.0/33", 2, NULL},
	{"show providers", 0, NULL},
	{"show identities --tenant acme --json", 0, NULL},
	{"add-provider acme oidc --issuer https://i.example --client-id c --amr mfa,hwk --id idp_x", 0,
	 "  - {id: idp_x, tenant: ten_acme, kind: oidc, issuer: \"https://i.example\", client_id: c, amr: [mfa, "
	 "hwk]}\n"},
	{"add-provider acme oidc --issuer https://i.example --client-id c --id idp_x", 1, NULL},
	{"add-provider acme oidc --issuer https://i.example --client-id c --id idp_x --if-absent", 0, NULL},
	{"add-provider acme oidc --client-id c", 2, NULL},
	{"add-provider acme oidc --issuer http://i.example --client-id c", 2, NULL},
	{"add-provider acme google", 2, NULL},
	{"add-provider acme gogle --client-id c", 2, NULL},
	{"add-provider nobody google --client-id c", 1, NULL},
	{"add-provider acme google --client-id c --client-auth client_secret_post", 1, NULL},
	{"add-provider acme google --client-id c --secret-file /nowhere", 3, NULL},
	{"add-provider acme microsoft --client-id c --issuer https://login.microsoftonline.com/common/v2.0", 1, NULL},
	{"add-provider acme github --client-id c --max-age 1h", 1, NULL},
	{"add-provider acme tenantd --issuer https://c.example:8443 --id idp_c", 0, "client_id: ten_acme}\n"},
	{"set-provider idp_x --bind verified_email", 1, NULL},
	{"set-provider idp_x --bind verified_email --domains a.example --clear amr", 0,
	 "client_id: c, domains: [a.example], bind: verified_email}\n"},
	{"set-provider idp_x --bind verified_email", 0, NULL},
	{"set-provider idp_x --clear everything", 2, NULL},
	{"set-provider idp_none --clear amr", 1, NULL},
	{"set-provider idp_x --preferred --clear bind,domains", 0, "client_id: c, preferred: true}\n"},
	{"check", 0, NULL}, /* the other one is preferred no more */
	{"bind alice idp_x 77", 0, "identities: [{issuer: \"https://i.example\", subject: \"77\"}]\n"},
	{"bind alice https://i.example 77", 0, NULL},
	{"bind bob idp_x 77", 1, NULL},
	{"bind carol idp_x 77", 1, NULL}, /* another tenant's */
	{"bind alice i.example 77", 1, NULL},
	{"bind nobody idp_x 77", 1, NULL},
	{"unbind alice idp_google", 0, NULL},
	{"unbind alice idp_x 78", 0, NULL},
	{"unbind alice idp_x 77", 0, "    ssh_keys: "},
	{"unbind bob https://accounts.google.com", 0,
	 "identities: [{issuer: \"https://login.acme.example/realms/staff\", subject: a3f1}]}\n"},
	{"unbind bob", 0, "shell: /bin/sh}\n"},
	{"set-sudo acme recent --within 5min", 0, "    sudo: {proof: recent, within: 5min}\n"},
	{"set-sudo acme recent --within 5min", 0, NULL},
	{"set-sudo acme none --within 5min", 2, NULL},
	{"set-sudo acme sometimes", 2, NULL},
	{"set-sudo acme recent --within 2d", 2, NULL},
	{"set-sudo acme always", 0, "[\"mon-fri 08:00-18:00\"]}\n  - {id: ten_beta"},
	{"set-sessions acme --max-age 12h --idle 30min --end-with-key yes", 0,
	 "sessions: {max_per_user: 20, max_age: 12h, idle: 30min, end_with_key: true}"},
	{"set-sessions acme --max-age 12h", 0, NULL},
	{"set-sessions acme", 0, NULL},
	{"set-sessions acme --idle none --max-per-user none --over end-oldest --end-with-key no", 0,
	 "sessions: {max_age: 12h, over: end-oldest}"},
	{"set-sessions acme --grace 0s --warn 0s", 0, "over: end-oldest, warn: 0s, grace: 0s}"},
	{"set-sessions acme --max-per-user 0", 2, NULL},
	{"set-sessions acme --max-per-user -1", 2, NULL},
	{"set-sessions acme --max-age 0s", 2, NULL},
	{"set-sessions acme --max-age 400d", 2, NULL},
	{"set-sessions acme --idle soon", 2, NULL},
	{"set-sessions acme --warn none", 2, NULL},
	{"set-sessions acme --grace 6min", 2, NULL},
	{"set-sessions acme --over end", 2, NULL},
	{"set-sessions acme --end-with-key true", 2, NULL},
	{"set-sessions nobody --idle 1h", 1, NULL},
	{"set-sessions", 2, NULL},
	{"set-sessions acme --over deny --max-age none --grace 5s --warn 5min", 0,
	 "policy: {ssh_keys: directory, key_warning: 14d, "},
	{"add-user olga --tenant acme --operator --id usr_olga", 0, "kind: operator}\n"},
	{"add-user olaf --tenant acme --operator --service", 2, NULL},
	{"add-member olga acme/vision editor", 1, NULL},
	{"add-member olga acme admin", 1, NULL},
	{"add-member olga acme/vision viewer", 0, "role: viewer}\n"},
	{"add-grant olga --operator o@p.example --for 2h --reason ticket --id grt_x", 0,
	 "grants:\n  - id: grt_x\n    tenant: ten_acme\n    user: usr_olga\n    operator_name: o@p.example\n    "
	 "reason: ticket\n"},
	{"add-grant olga --operator o@p.example --for 2h --reason ticket", 1, NULL}, /* one an account */
	{"add-grant alice --operator o@p.example --for 2h --reason ticket", 1, NULL},
	{"add-grant nobody --operator o@p.example --for 2h --reason ticket", 1, NULL},
	{"add-grant olga --operator o@p.example --for 2h", 2, NULL},
	{"add-grant olga --for 2h --reason ticket", 2, NULL},
	{"add-grant olga --operator o@p.example --reason ticket", 2, NULL},
	{"add-grant olga --operator o@p.example --for 0s --reason ticket", 2, NULL},
	{"add-grant olga --operator o@p.example --for 400d --reason ticket", 2, NULL},
	{"add-grant olga --operator-id o@p.example --for 2h --reason ticket", 2, NULL},
	{"show grants", 0, NULL},
	{"check", 0, NULL},
	{"remove-grant grt_none", 0, NULL},
	{"remove-grant alice", 0, NULL},
	{"remove-grant olga", 0, "role: viewer}\n"},
	{"remove-grant grt_x", 0, NULL},
	{"remove-provider idp_x", 0, "providers:\n  # with a secret\n"},
	{"remove-provider idp_x", 0, NULL},
};

static void test_verbs(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		_cleanup_(freep) char *before = read_file(path), *after = NULL;
		int code = run(steps[i].words);

		if (code != steps[i].code)
			fail_msg("%s: exit %d, not %d", steps[i].words, code, steps[i].code);
		after = read_file(path);
		if (!steps[i].piece && strcmp(before, after) != 0)
			fail_msg("%s changed the file", steps[i].words);
		if (steps[i].piece && strcmp(before, after) == 0)
			fail_msg("%s did not change the file", steps[i].words);
		if (steps[i].piece)
			assert_has(steps[i].piece);
	}
	assert_in_order();
	assert_has("# Alice likes comments.\n");
	assert_has(" # and a comment beside\n");
}

static void test_keys(void **state)
{
	char out[1024], words[160], first_id[32];
	struct api_key_parts parts;
	_cleanup_(freep) char *text = NULL, *again = NULL;

	assert_int_equal(run_out("add-key alice --label new --project acme/vision --action dataset.write --expires 90d",
				 out, sizeof(out)),
			 0);
	assert_int_equal(strlen(out), API_KEY_TEXT_CHARS + 1); /* the key and nothing else */
	assert_result(api_key_parse(out, API_KEY_TEXT_CHARS, &parts), 0);
	assert_int_equal(parts.kind, API_KEY_PERSON);
	snprintf(first_id, sizeof(first_id), "key_%s", parts.id);
	assert_has(first_id);
	assert_has("scopes: {projects: [prj_vision], actions: [dataset.write]}");
	text = read_file(path);
	out[strcspn(out, "\n")] = '\0';
	assert_null(strstr(text, out + 24)); /* the secret part is nowhere */

	/* rotation: once; the repetition of a request is known; another request is refused */
	snprintf(words, sizeof(words), "rotate-key %s --grace 1h --request-id r1", first_id);
	assert_int_equal(run_out(words, out, sizeof(out)), 0);
	assert_result(api_key_parse(out, API_KEY_TEXT_CHARS, &parts), 0);
	snprintf(words, sizeof(words), "successor: key_%s", parts.id);
	assert_has(words);
	free(TAKE_PTR(text));
	text = read_file(path);
	snprintf(words, sizeof(words), "rotate-key %s --grace 1h --request-id r1", first_id);
	assert_int_equal(run_out(words, out, sizeof(out)), 0);
	assert_string_equal(out, "");
	snprintf(words, sizeof(words), "rotate-key %s --request-id r2", first_id);
	assert_int_equal(run_out(words, out, sizeof(out)), 1);
	snprintf(words, sizeof(words), "rotate-key %s", first_id);
	assert_int_equal(run_out(words, out, sizeof(out)), 1);
	again = read_file(path);
	assert_string_equal(text, again);
	snprintf(words, sizeof(words), "rotate-key %s --force --json", first_id);
	assert_int_equal(run_out(words, out, sizeof(out)), 0);
	assert_non_null(strstr(out, "\"key\":\"tnt_pk_"));

	assert_int_equal(run_out("add-key acme-ci", out, sizeof(out)), 0);
	assert_int_equal(strncmp(out, "tnt_sk_", 7), 0);
	assert_in_order();
}

/* A secret comes from a file or standard input, goes into the file, and to no other place. */
static void test_provider_secrets(void **state)
{
	char out[4096], words[256], secret_path[128];

	snprintf(secret_path, sizeof(secret_path), "%s/secret", folder);
	write_file(secret_path, "hunter2 and more\n");
	snprintf(words, sizeof(words), "add-provider acme google --client-id c --id idp_x --json --secret-file %s",
		 secret_path);
	assert_int_equal(run_out(words, out, sizeof(out)), 0);
	assert_null(strstr(out, "hunter2"));
	assert_has("client_auth: client_secret_post, client_secret: hunter2 and more}\n");
	for (unsigned json = 0; json < 2; json++) {
		assert_int_equal(run_out(json ? "show providers --json" : "show providers", out, sizeof(out)), 0);
		assert_non_null(strstr(out, "idp_x"));
		assert_null(strstr(out, "hunter2"));
		assert_null(strstr(out, "GOCSPX"));
	}
	write_file(secret_path, "hunter3\nhunter4");
	snprintf(words, sizeof(words), "set-provider idp_x --json --secret-file %s", secret_path);
	assert_int_equal(run_out(words, out, sizeof(out)), 2);
	assert_null(strstr(out, "hunter"));
	snprintf(words, sizeof(words), "set-provider idp_x --json --key-file %s", secret_path);
	assert_int_equal(run_out(words, out, sizeof(out)), 2);
	assert_null(strstr(out, "hunter"));
	assert_has("client_secret: hunter2 and more}\n");
	assert_int_equal(run("set-provider idp_x --clear secret"), 0);
	assert_has("client_id: c}\n");
	assert_in_order();
}

static void test_errors_in_json(void **state)
{
	char out[1024];

	assert_int_equal(run_out("add-user dora --tenant acm --json", out, sizeof(out)), 1);
	assert_non_null(strstr(out, "{\"error\":{\"text\":\"there is no tenant"));
	write_file(path, "version: 1\nuser: []\n");
	assert_int_equal(run_out("check --json", out, sizeof(out)), 1);
	assert_non_null(strstr(out, "\"line\":2,\"column\":1"));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(run("check"), 3);
	assert_int_equal(run("init"), 0);
	assert_in_order();
}

/* New records go where their tenant or user stands; references cross files. */
static void test_drop_ins(void **state)
{
	char drop_in[128];
	_cleanup_(freep) char *text = NULL, *before = read_file(path), *after = NULL;

	snprintf(drop_in, sizeof(drop_in), "%s.d", path);
	assert_int_equal(mkdir(drop_in, 0755), 0);
	snprintf(drop_in, sizeof(drop_in), "%s.d/10-delta.yaml", path);
	write_file(
		drop_in,
		"version: 1\n# all of delta\ntenants:\n  - {id: ten_delta, slug: delta, gid: 1879200000, ids: {first: "
		"1879200000, count: 100, next: 1879200001}}\n");
	assert_int_equal(run("add-project delta/web"), 0);
	assert_int_equal(run("add-user dan --tenant delta"), 0);
	assert_int_equal(run("add-member dan delta/web owner"), 0);
	assert_int_equal(run("add-key dan"), 0);
	assert_int_equal(run("suspend-user dan"), 0);
	text = read_file(drop_in);
	assert_non_null(strstr(text, "login: dan"));
	assert_non_null(strstr(text, "next: 1879200006"));
	assert_non_null(strstr(text, "role: owner"));
	after = read_file(path);
	assert_string_equal(before, after);
	assert_int_equal(run("add-user eva --tenant delta --in directory.yaml"), 0);
	assert_has("login: eva");
	assert_in_order();
}

/* Eight at once: each edit is there in the end, and no id was given twice. */
static void test_concurrent(void **state)
{
	char words[64];
	pid_t pids[8];

	for (unsigned i = 0; i < ARRAY_LEN(pids); i++) {
		snprintf(words, sizeof(words), "add-user many%u --tenant acme", i);
		pids[i] = start(words, -1);
	}
	for (unsigned i = 0; i < ARRAY_LEN(pids); i++)
		assert_int_equal(wait_for(pids[i]), 0);
	for (unsigned i = 0; i < ARRAY_LEN(pids); i++) {
		snprintf(words, sizeof(words), "login: many%u,", i);
		assert_has(words);
	}
	assert_has("next: 1879048308}");
	assert_in_order();
}

/* Killed after ever longer times: the file is the old or the new one, whole, and the lock is gone. */
static void test_killed(void **state)
{
	unsigned done = 0;

	for (unsigned i = 0; i < KILLS; i++) {
		char words[64];
		pid_t pid;
		int status;

		snprintf(words, sizeof(words), "add-user killed%u --tenant acme", i);
		pid = start(words, -1);
		usleep(i * 750);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		done += WIFEXITED(status) && WEXITSTATUS(status) == 0;
		assert_in_order();
		assert_has("# Alice likes comments.\n");
	}
	print_message("%u of %u were through before they were killed\n", done, KILLS);
}

static void test_full_disk(void **state)
{
	_cleanup_(freep) char *before = NULL, *after = NULL;
	char file[128];
	int fd;

	if (mount("tmpfs", folder, "tmpfs", 0, "size=64k") < 0) {
		print_message("no tmpfs can be mounted here (%s)\n", strerror(errno));
		skip();
	}
	write_file(path, sample_directory);
	before = read_file(path);
	snprintf(file, sizeof(file), "%s/filler", folder);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	while (write(fd, sample_directory, 512) > 0)
		;
	close(fd);
	assert_int_equal(run("add-user dora --tenant acme"), 3);
	after = read_file(path);
	assert_string_equal(before, after);
	assert_int_equal(unlink(file), 0);
	assert_int_equal(run("add-user dora --tenant acme"), 0);
	assert_in_order();
	assert_int_equal(umount2(folder, MNT_DETACH), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_verbs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(test_provider_secrets, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors_in_json, setup, teardown),
		cmocka_unit_test_setup_teardown(test_drop_ins, setup, teardown),
		cmocka_unit_test_setup_teardown(test_concurrent, setup, teardown),
		cmocka_unit_test_setup_teardown(test_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_disk, setup, teardown),
	};
	char self[PATH_MAX] = {0};

	/* The program of this build: <build>/tests/unit/this → <build>/tenantctl. */
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0)
		return 1;
	snprintf(tenantctl, sizeof(tenantctl), "%.4000s/../../tenantctl", dirname(self));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
