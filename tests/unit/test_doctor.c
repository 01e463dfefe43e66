/* SPDX-License-Identifier: MIT
 *
 * What doctor makes of texts: sshd's effective configuration, PAM stacks, nsswitch.conf. Each thing that is broken is
 * found and named, and nothing is found where nothing is.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "ctl/doctor.h"
#include "directory_fixture.h"

static struct findings found;

static int tear_down(void **state)
{
	findings_finish(&found);
	return 0;
}

/* The worst of what was found, and whether a text is among it. */
static void assert_found(enum finding worst, const char *piece)
{
	bool there = piece == NULL;

	for (size_t i = 0; i < found.count; i++)
		there |= piece && found.entries[i].finding == worst && strstr(found.entries[i].text, piece);
	if (found.worst != worst || !there) {
		for (size_t i = 0; i < found.count; i++)
			print_error("%s: %s (%s)\n", finding_word(found.entries[i].finding), found.entries[i].text,
				    found.entries[i].remedy);
		fail_msg("not %s: \"%s\"", finding_word(worst), piece ? piece : "");
	}
	for (size_t i = 0; i < found.count; i++)
		if (found.entries[i].finding == FINDING_PROBLEM)
			assert_true(found.entries[i].remedy[0]);
	findings_finish(&found);
}

static const char sshd_good[] = "port 22\n"
				"usepam yes\n"
				"logingracetime 420\n"
				"kbdinteractiveauthentication yes\n"
				"authorizedkeyscommand /usr/lib/tenantd/tenantd-ssh-keys %u\n"
				"authorizedkeyscommanduser tenantd-keys\n"
				"authorizedkeysfile none\n"
				"authenticationmethods any\n"
				"maxstartups 100:30:300\n";

static void test_sshd(void **state)
{
	static const struct {
		const char *from, *to;
		enum finding worst;
		const char *piece;
	} table[] = {
		{"port 22", "port 22", FINDING_OK, "UsePAM is on"},
		{"usepam yes", "usepam no", FINDING_PROBLEM, "UsePAM is not on"},
		{"usepam yes\n", "", FINDING_PROBLEM, "UsePAM is not on"},
		{"kbdinteractiveauthentication yes", "kbdinteractiveauthentication no", FINDING_PROBLEM,
		 "KbdInteractiveAuthentication is off for alice"},
		/* Another key's value is none of this one's. */
		{"kbdinteractiveauthentication yes", "notkbdinteractiveauthentication yes", FINDING_PROBLEM,
		 "KbdInteractiveAuthentication is off"},
		{"logingracetime 420", "logingracetime 120", FINDING_PROBLEM, "sshd hangs up after 120 seconds"},
		{"logingracetime 420", "logingracetime 299", FINDING_PROBLEM, "sshd hangs up after 299 seconds"},
		{"logingracetime 420", "logingracetime 300", FINDING_OK, "LoginGraceTime is 300"},
		{"logingracetime 420", "logingracetime 0", FINDING_OK, "without end"},
		{"logingracetime 420", "logingracetime soon", FINDING_WARNING, "cannot be read"},
		{"maxstartups 100:30:300", "maxstartups 10:30:100", FINDING_WARNING, "MaxStartups"},
		{"authenticationmethods any", "authenticationmethods publickey", FINDING_WARNING,
		 "AuthenticationMethods"},
		{"authenticationmethods any", "authenticationmethods publickey,keyboard-interactive:pam", FINDING_OK,
		 NULL},
		{"/usr/lib/tenantd/tenantd-ssh-keys %u", "none", FINDING_WARNING, "AuthorizedKeysCommand is \"none\""},
		{"/usr/lib/tenantd/tenantd-ssh-keys %u", "/usr/bin/tenantctl ssh-keys %u", FINDING_OK, NULL},
		{"/usr/lib/tenantd/tenantd-ssh-keys %u", "/usr/bin/tenantctl whoami %u", FINDING_WARNING,
		 "sign nobody in"},
		{"tenantd-keys", "root", FINDING_WARNING, "runs as \"root\""},
		{"authorizedkeysfile none", "authorizedkeysfile .ssh/authorized_keys", FINDING_WARNING,
		 "from .ssh/authorized_keys"},
	};
	const struct sshd_wants wants = {.person = "alice", .sso_timeout_sec = 300}, no_sso = {.person = "alice"};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		_cleanup_(freep) char *text = replaced(sshd_good, table[i].from, table[i].to);

		doctor_judge_sshd(&found, text, &wants);
		assert_found(table[i].worst, table[i].piece);
	}
	/* Without single sign-on nobody needs five minutes. */
	{
		_cleanup_(freep) char *text = replaced(sshd_good, "logingracetime 420", "logingracetime 60");

		doctor_judge_sshd(&found, text, &no_sso);
		assert_found(FINDING_OK, NULL);
	}
	doctor_judge_sshd(&found, "", &wants);
	assert_found(FINDING_PROBLEM, "UsePAM is not on");
}

#define OURS "[success=2 user_unknown=ignore module_unknown=ignore default=die]"
static const char common_auth[] = "# a comment\n"
				  "auth\t" OURS "\tpam_tenant.so\n"
				  "auth\t[success=1 default=ignore]\tpam_unix.so nullok try_first_pass\n"
				  "auth\trequisite\t\t\tpam_deny.so\n"
				  "auth\trequired\t\t\tpam_permit.so\n";
static const char common_account[] =
	"account\t[success=3 user_unknown=ignore module_unknown=ignore default=die]\tpam_tenant.so\n"
	"account\t[success=die default=ignore]\tpam_succeed_if.so quiet uid >= 1879048192\n"
	"account\t[success=1 new_authtok_reqd=done default=ignore]\tpam_unix.so\n"
	"account\trequisite\t\t\tpam_deny.so\n"
	"account\trequired\t\t\tpam_permit.so\n";
static const char common_session[] =
	"session\t[default=1]\t\t\tpam_permit.so\n"
	"session\trequisite\t\t\tpam_deny.so\n"
	"session\trequired\t\t\tpam_permit.so\n"
	"session\t[success=ok user_unknown=1 module_unknown=1 default=die]\tpam_tenant.so\n"
	"session\toptional\tpam_mkhomedir.so umask=0077\n"
	"session\trequired\tpam_unix.so\n";
static const char su[] = "auth       sufficient pam_rootok.so\n"
			 "session    required   pam_env.so readenv=1 \\\n"
			 "           envfile=/etc/default/locale\n"
			 "@include common-auth\n"
			 "@include common-account\n"
			 "@include common-session\n";

static void write_stack(const char *folder, const char *name, const char *text)
{
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	write_file(path, text);
}

static void judge(const char *auth, const char *account, const char *session, const char *service)
{
	char *folder = make_folder();

	write_stack(folder, "common-auth", auth);
	write_stack(folder, "common-account", account);
	write_stack(folder, "common-session", session);
	write_stack(folder, "su", service);
	doctor_judge_pam(&found, folder, "su");
	remove_folder(folder);
}

static void test_pam(void **state)
{
	static const struct {
		int file; /* 0: auth, 1: account, 2: session, 3: the service's own */
		const char *from, *to;
		enum finding worst;
		const char *piece;
	} table[] = {
		{0, "# a comment", "# another", FINDING_OK, "su asks pam_tenant.so, whose refusal is the last word"},
		/* not there */
		{0, "pam_tenant.so", "pam_none.so", FINDING_PROBLEM, "su: pam_tenant.so is not in its auth stack"},
		{0, "auth\t" OURS, "#auth\t" OURS, FINDING_PROBLEM, "not in its auth stack"},
		{1, "pam_tenant.so", "pam_none.so", FINDING_PROBLEM, "not in its account stack"},
		{2, "pam_tenant.so", "pam_none.so", FINDING_PROBLEM,
		 "not in its session stack: sessions are not counted"},
		{3, "@include common-account\n", "", FINDING_PROBLEM, "not in its account stack"},
		{3, "@include common-account", "@include common-gone", FINDING_PROBLEM, "of which a file is missing"},
		/* others come first */
		{0, "# a comment", "auth sufficient pam_krb5.so", FINDING_PROBLEM,
		 "pam_krb5.so lets people in before pam_tenant.so is asked (common-auth, line 1, auth)"},
		{0, "# a comment", "auth [success=done default=ignore] /lib/security/pam_krb5.so", FINDING_PROBLEM,
		 "pam_krb5.so lets people in before"},
		{0, "# a comment", "auth [success=3 default=ignore] pam_krb5.so", FINDING_PROBLEM,
		 "lets people in before"},
		{0, "# a comment", "auth [success=ok default=bad] pam_faillock.so", FINDING_OK, NULL},
		{0, "# a comment", "auth required pam_faillock.so", FINDING_OK, NULL},
		{0, "# a comment", "auth [default=ignore] pam_unix.so", FINDING_PROBLEM, "pam_unix.so stands before"},
		{1, "account\t[success=3", "account sufficient pam_localuser.so\naccount\t[success=3", FINDING_PROBLEM,
		 "pam_localuser.so lets people in before pam_tenant.so is asked (common-account, line 1, account)"},
		{3, "pam_rootok.so", "pam_wheel.so trust", FINDING_PROBLEM, "pam_wheel.so lets people in before"},
		/* a refusal that is undone */
		{1, "default=die", "default=ignore", FINDING_PROBLEM,
		 "a refusal by pam_tenant.so is not the last word"},
		{1, "default=die", "default=bad", FINDING_PROBLEM, "is not the last word"},
		{0, OURS, "sufficient", FINDING_PROBLEM,
		 "is not the last word (\"sufficient\", common-auth, line 2, auth)"},
		{0, OURS, "required", FINDING_PROBLEM, "is not the last word"},
		{2, "default=die", "default=ignore", FINDING_PROBLEM, "is not the last word"},
		/* that shuts others out */
		{0, "user_unknown=ignore ", "", FINDING_PROBLEM, "would refuse local accounts and root"},
		{0, OURS, "requisite", FINDING_PROBLEM, "would refuse local accounts and root"},
		{1, "account\t[success=die default=ignore]\tpam_succeed_if.so", "#", FINDING_WARNING,
		 "keeps its people out when the module cannot be loaded"},
	};
	const char *const files[] = {common_auth, common_account, common_session, su};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		_cleanup_(freep) char *text = replaced(files[table[i].file], table[i].from, table[i].to);
		const char *use[4];

		memcpy(use, files, sizeof(use));
		use[table[i].file] = text;
		judge(use[0], use[1], use[2], use[3]);
		assert_found(table[i].worst, table[i].piece);
	}
	/* By Linux-PAM's own words for it, and through a file that includes itself. */
	judge(common_auth, common_account, common_session,
	      "auth include common-auth\n-account substack common-account\nsession INCLUDE common-session\n");
	assert_found(FINDING_OK, "su asks");
	judge(common_auth, common_account, common_session, "@include su\n");
	assert_found(FINDING_WARNING, "cannot be read");
}

/* A service that is not installed is no finding. */
static void test_pam_of_no_service(void **state)
{
	char *folder = make_folder();

	doctor_judge_pam(&found, folder, "sshd");
	remove_folder(folder);
	assert_int_equal(found.count, 0);
}

static void test_nsswitch(void **state)
{
	static const char good[] =
		"# a comment: tenant\npasswd:         files tenant systemd\ngroup: files tenant [SUCCESS=merge] "
		"systemd # more\nshadow:\tfiles tenant\nhosts: files dns\n";
	static const struct {
		const char *from, *to;
		enum finding worst;
		const char *piece;
	} table[] = {
		{"hosts", "hosts", FINDING_OK, "passwd names tenant, behind files"},
		{"passwd:         files tenant systemd", "passwd: files", FINDING_PROBLEM,
		 "passwd does not name tenant"},
		{"passwd: ", "password: ", FINDING_PROBLEM, "passwd does not name tenant"},
		{"passwd:         files tenant systemd", "passwd: files systemd", FINDING_WARNING,
		 "names systemd and not"},
		{"passwd:         files tenant", "passwd: files tenant tenant", FINDING_WARNING,
		 "names tenant 2 times"},
		{"passwd:         files tenant", "passwd: tenant files", FINDING_WARNING, "before the local files"},
		{"passwd:         files tenant", "passwd: files [NOTFOUND=return] tenant", FINDING_PROBLEM,
		 "passwd ends the search before tenant is asked"},
		{"passwd:         files tenant", "passwd: files [!NOTFOUND=return] tenant", FINDING_OK, NULL},
		{"passwd:         files tenant", "passwd: files [!SUCCESS=return] tenant", FINDING_PROBLEM,
		 "passwd ends the search before tenant is asked"},
		{"passwd:         files tenant", "passwd: files [SUCCESS=return UNAVAIL=continue] tenant", FINDING_OK,
		 NULL},
		{"passwd:         files tenant", "passwd: files [UNAVAIL=continue NOTFOUND=return] tenant",
		 FINDING_PROBLEM, "passwd ends the search before tenant is asked"},
		{"passwd:         files tenant", "passwd: files tenant [NOTFOUND=return]", FINDING_OK, NULL},
		{"passwd:         files tenant", "passwd: files # tenant", FINDING_PROBLEM, "does not name tenant"},
		{"files tenant [SUCCESS=merge]", "files", FINDING_WARNING, "group names systemd and not tenant"},
		{"shadow:\tfiles tenant", "shadow: files", FINDING_WARNING, "shadow does not name tenant"},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		_cleanup_(freep) char *text = replaced(good, table[i].from, table[i].to);

		doctor_judge_nsswitch(&found, text);
		assert_found(table[i].worst, table[i].piece);
	}
	doctor_judge_nsswitch(&found, "");
	assert_found(FINDING_PROBLEM, "group does not name tenant");
}

/* What a program says reaches the terminal escaped. */
static void test_escaped(void **state)
{
	findings_add(&found, FINDING_PROBLEM, "x", "\033[2J", "a\nb%s", "\033]0;x\007");
	assert_string_equal(found.entries[0].text, "a\\x0ab\\x1b]0;x\\x07");
	assert_string_equal(found.entries[0].remedy, "\\x1b[2J");
}

static void test_program(void **state)
{
	static const char *const say[] = {"/bin/sh", "-c", "echo out; echo $HOME$SECRET err >&2; exit 3", NULL};
	static const char *const hang[] = {"/bin/sleep", "60", NULL};
	_cleanup_(buffer_finish) struct buffer out = BUFFER_INIT, err = BUFFER_INIT;
	int status;

	setenv("SECRET", "planted", 1);
	assert_result(run_program(say[0], say, 10, &out, &err, &status), 0);
	assert_int_equal(status, 3);
	assert_string_equal(out.data, "out\n");
	assert_null(strstr(err.data, "planted"));
	assert_non_null(strstr(err.data, "err\n"));
	assert_result(run_program(hang[0], hang, 1, &out, &err, &status), -ETIMEDOUT);
	assert_result(run_program("/nowhere", say, 1, &out, &err, &status), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_sshd, tear_down),
		cmocka_unit_test_teardown(test_pam, tear_down),
		cmocka_unit_test_teardown(test_pam_of_no_service, tear_down),
		cmocka_unit_test_teardown(test_nsswitch, tear_down),
		cmocka_unit_test_teardown(test_escaped, tear_down),
		cmocka_unit_test_teardown(test_program, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
