/* SPDX-License-Identifier: MIT
 *
 * The account stage: what changed since the proof, public keys, and what each service asks.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "base/text.h"
#include "login_fixture.h"

/* What becomes of a login whose ground is taken away between auth, account and session. */
static void revoked_in_between(void **state)
{
	struct login_origin alice = from_ssh("alice");
	char token[LOGIN_TOKEN_CHARS + 1], yaml[2048];
	struct fixture_key other = fixture_key(API_KEY_PERSON, "usr_alice", "other", "");

	sign_in("alice", alices.text, token);
	assert_int_equal(authorize(&alice, token, "").reason, REASON_ALLOWED);

	snprintf(yaml, sizeof(yaml), "%s    revoked: {at: 2027-01-15T08:00:00Z, reason: stolen}\n", alices.yaml);
	directory_unref(d);
	d = load(yaml);
	assert_int_equal(authorize(&alice, token, "").reason, REASON_KEY_REVOKED);
	assert_int_equal(heard.reason, REASON_KEY_REVOKED);
	assert_true(text_starts(heard.credential, "api-key:"));

	directory_unref(d);
	d = load(""); /* gone altogether */
	assert_int_equal(authorize(&alice, token, "").reason, REASON_KEY_REVOKED);

	/* Another secret under its id. */
	snprintf(yaml, sizeof(yaml),
		 "  - id: %s\n    user: usr_alice\n    label: z\n    verifier: \"%.71s\"\n    created: "
		 "2026-11-21T08:00:00Z\n",
		 alices.id, strstr(other.yaml, "sha256:"));
	directory_unref(d);
	d = load(yaml);
	assert_int_equal(authorize(&alice, token, "").reason, REASON_KEY_REVOKED);

	/* Another owner of it. */
	snprintf(yaml, sizeof(yaml),
		 "  - id: %s\n    user: usr_edith\n    label: z\n    verifier: \"%.71s\"\n    created: "
		 "2026-11-21T08:00:00Z\n",
		 alices.id, strstr(alices.yaml, "sha256:"));
	directory_unref(d);
	d = load(yaml);
	assert_int_not_equal(authorize(&alice, token, "").reason, REASON_ALLOWED);

	/* Expired while the person read the message of the day. */
	snprintf(yaml, sizeof(yaml), "%s    not_after: 2027-01-15T08:00:10Z\n", alices.yaml);
	directory_unref(d);
	d = load(yaml);
	assert_int_equal(authorize(&alice, token, "").reason, REASON_ALLOWED);
	today += 10;
	assert_int_equal(authorize(&alice, token, "").reason, REASON_KEY_EXPIRED);
}

/* The sign-ins of moved, who has this key and a public one, were ended then. */
static void cut_at(const char *when, const struct fixture_key *key)
{
	static const char line[] = "sessions_valid_from: 2027-01-15T08:00:30Z}";
	const char *at = strstr(fixture_yaml, line);
	char yaml[8192];

	assert_non_null(at);
	snprintf(yaml, sizeof(yaml), "%.*ssessions_valid_from: %s, ssh_keys: [" SSH_KEY "]}%skeys:\n%s",
		 (int)(at - fixture_yaml), fixture_yaml, when, at + strlen(line), key->yaml);
	directory_unref(d);
	d = fixture_load("gpu-1", yaml);
}

static void sessions_cut_in_between(void **state)
{
	struct fixture_key key = fixture_key(API_KEY_PERSON, "usr_moved", "laptop", "");
	struct login_origin moved = from_ssh("moved");
	char token[LOGIN_TOKEN_CHARS + 1];

	cut_at("2027-01-15T08:00:00Z", &key);
	sign_in("moved", key.text, token);
	assert_int_equal(authorize(&moved, token, "").reason, REASON_ALLOWED);
	cut_at("2027-01-15T08:00:30Z", &key);
	assert_int_equal(authorize(&moved, token, "").reason, REASON_CREDENTIAL_STALE);
	assert_int_equal(heard.reason, REASON_CREDENTIAL_STALE);
	today += 60; /* what was ended stays so */
	assert_int_equal(authorize(&moved, token, "").reason, REASON_CREDENTIAL_STALE);
	sign_in("moved", key.text, token);
	assert_int_equal(authorize(&moved, token, "").reason, REASON_ALLOWED);
	/* By a clock of ours that leads the control plane's all this lies before the sign-in. */
	cut_at("2027-01-15T08:00:31Z", &key);
	assert_int_equal(authorize(&moved, token, "").reason, REASON_CREDENTIAL_STALE);
}

/* Who signs in after the cut is let in at once: it is the control plane's second, rounded up, and the clock of this
 * host may lag far behind it. */
static void a_sign_in_right_after_the_cut(void **state)
{
	static const char *const cuts[] = {"2027-01-15T08:00:01Z", "2027-01-15T08:00:30Z", "2027-01-15T09:00:00Z"};
	struct fixture_key key = fixture_key(API_KEY_PERSON, "usr_moved", "laptop", "");
	struct login_authorize session = {
		.origin = from_ssh("moved"), .token = "", .ssh_auth_info = "publickey " SSH_KEY, .again = true};
	struct login_origin moved = from_ssh("moved");
	struct login_verdict verdict;
	char token[LOGIN_TOKEN_CHARS + 1];

	for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
		cut_at(cuts[i], &key);
		sign_in("moved", key.text, token);
		assert_int_equal(authorize(&moved, token, "").reason, REASON_ALLOWED);
		session.token = token;
		login_authorize(book, d, &session, now, today, &verdict);
		assert_int_equal(verdict.reason, REASON_ALLOWED);
		/* By a public key, at both stages. */
		assert_int_equal(authorize(&moved, "", "").reason, REASON_ALLOWED);
		assert_int_equal(authorize(&moved, "", "publickey " SSH_KEY).reason, REASON_ALLOWED);
		session.token = "";
		login_authorize(book, d, &session, now, today, &verdict);
		assert_int_equal(verdict.reason, REASON_ALLOWED);
	}
}

static void the_reason_is_told_after_the_proof(void **state)
{
	struct fixture_key victors = fixture_key(API_KEY_PERSON, "usr_victor", "laptop", "");
	struct fixture_key gones = fixture_key(API_KEY_PERSON, "usr_gone", "laptop", "");
	struct fixture_key limited = fixture_key(API_KEY_PERSON, "usr_alice", "limited",
						 "scopes: {services: [mlflow]}\nnot_after: 2027-01-18");
	struct login_origin origin;
	struct login_verdict verdict;
	char token[LOGIN_TOKEN_CHARS + 1];

	directory_unref(d);
	d = fixture_join("gpu-1", fixture_yaml, "keys:\n", victors.yaml, gones.yaml, limited.yaml, NULL);
	sign_in("victor", victors.text, token);
	origin = from_ssh("victor");
	verdict = authorize(&origin, token, "");
	assert_int_equal(verdict.reason, REASON_ROLE_TOO_LOW);
	assert_string_equal(verdict.message,
			    "your role (viewer) in the project acme/vision does not allow signing in on this "
			    "host; ask a project owner");
	assert_int_equal(heard.kind, AUDIT_LOGIN_DENIED);
	sign_in("gone", gones.text, token);
	origin = from_ssh("gone");
	verdict = authorize(&origin, token, "");
	assert_int_equal(verdict.reason, REASON_USER_SUSPENDED);
	assert_non_null(strstr(verdict.message, "suspended"));
	sign_in("alice", limited.text, token);
	origin = from_ssh("alice");
	verdict = authorize(&origin, token, "");
	assert_int_equal(verdict.reason, REASON_KEY_SCOPE_SERVICE);
	assert_string_equal(verdict.warning, ""); /* a denial has no warning */
}

static void keys_that_end_soon(void **state)
{
	struct fixture_key ending =
		fixture_key(API_KEY_PERSON, "usr_alice", "ending", "not_after: 2027-01-18T08:00:00Z");
	struct login_origin origin = from_ssh("alice");
	struct login_verdict verdict;
	char token[LOGIN_TOKEN_CHARS + 1];

	directory_unref(d);
	d = fixture_join("gpu-1", fixture_yaml, "keys:\n", ending.yaml, NULL);
	sign_in("alice", ending.text, token);
	verdict = authorize(&origin, token, "");
	assert_int_equal(verdict.reason, REASON_ALLOWED);
	assert_true(text_starts(verdict.warning, "this key ends in 3 days"));
}

static void ssh_keys(void **state)
{
	static const struct {
		const char *user, *info;
		enum reason reason;
	} table[] = {
		{"alice", "publickey " SSH_KEY, REASON_ALLOWED},
		{"alice", "publickey " SSH_KEY "\n", REASON_ALLOWED},
		{"alice", "publickey " SSH_KEY "\nkeyboard-interactive/pam\n", REASON_ALLOWED},
		{"alice", "publickey " SSH_KEY "\npublickey ssh-rsa AAAAB3NzaC1yc2E=\n", REASON_SSH_KEY_NOT_REGISTERED},
		{"alice", "publickey ssh-rsa AAAAB3NzaC1yc2E=\npublickey " SSH_KEY, REASON_SSH_KEY_NOT_REGISTERED},
		{"alice", "publickey ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIGFuIGV4YW1wbGUga2V5LCBvZiBubyB1c2UgYXQgYWxs",
		 REASON_SSH_KEY_NOT_REGISTERED},
		{"alice", "publickey ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFuIGV4YW1wbGUga2V5LCBvZiBubyB1c2UgYXQgYW",
		 REASON_SSH_KEY_NOT_REGISTERED},
		{"alice", "publickey ssh-ed25519", REASON_SSH_KEY_NOT_REGISTERED},
		{"alice", "publickey", REASON_SSH_KEY_NOT_REGISTERED},
		{"alice", "hostbased " SSH_KEY, REASON_CREDENTIAL_UNSUPPORTED},
		{"alice", "gssapi-with-mic alice@EXAMPLE", REASON_CREDENTIAL_UNSUPPORTED},
		{"alice", "password", REASON_CREDENTIAL_UNSUPPORTED},
		{"alice", "", REASON_CREDENTIAL_UNSUPPORTED}, /* sshd, and no proof at all */
		{"alice", "publickeys " SSH_KEY, REASON_CREDENTIAL_UNSUPPORTED},
		{"edith", "publickey " SSH_KEY, REASON_SSH_KEY_NOT_REGISTERED}, /* alice's */
		{"bert", "publickey " SSH_KEY, REASON_SSH_KEY_NOT_REGISTERED},
		{"mallory", "publickey " SSH_KEY, REASON_SSH_KEY_NOT_REGISTERED},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct login_authorize request = {
			.origin = from_ssh(table[i].user), .token = "", .ssh_auth_info = table[i].info, .again = true};
		struct login_verdict verdict;

		login_authorize(book, d, &request, now, today, &verdict);
		if (verdict.reason != table[i].reason)
			fail_msg("%s, \"%s\": %s", table[i].user, table[i].info, reason_word(verdict.reason));
		assert_int_equal(heard.reason, table[i].reason);
		/* Earlier stages say the same of what they are told. */
		if (*table[i].info)
			assert_int_equal(authorize(&request.origin, "", table[i].info).reason, table[i].reason);
	}
}

/* sshd's account stage comes before it says how the person signed in: all else is decided there. */
static void the_proof_comes_later(void **state)
{
	struct login_origin origin = from_ssh("alice");
	struct login_authorize session = {
		.origin = origin, .token = "", .ssh_auth_info = "publickey " SSH_KEY, .again = true};
	struct login_verdict verdict;

	assert_int_equal(authorize(&origin, "", "").reason, REASON_ALLOWED);
	assert_int_equal(heard.count, 0); /* nothing is proven yet */
	login_authorize(book, d, &session, now, today, &verdict);
	assert_int_equal(verdict.reason, REASON_ALLOWED);
	assert_int_equal(heard.count, 1);
	assert_int_equal(heard.kind, AUDIT_LOGIN_ALLOWED);
	assert_true(text_starts(heard.credential, "ssh-key:"));
	/* What the proof cannot mend is refused at once. */
	origin = from_ssh("victor");
	assert_int_equal(authorize(&origin, "", "").reason, REASON_ROLE_TOO_LOW);
	origin = from_ssh("gone");
	assert_int_equal(authorize(&origin, "", "").reason, REASON_USER_SUSPENDED);
	/* And without it there is no session. */
	session.ssh_auth_info = "";
	login_authorize(book, d, &session, now, today, &verdict);
	assert_int_equal(verdict.reason, REASON_CREDENTIAL_UNSUPPORTED);
	session.ssh_auth_info = NULL;
	login_authorize(book, d, &session, now, today, &verdict);
	assert_int_equal(verdict.reason, REASON_CREDENTIAL_UNSUPPORTED);
}

static void ssh_fingerprints(void **state)
{
	struct login_origin origin = from_ssh("alice");
	struct login_verdict verdict = authorize(&origin, "", "publickey " SSH_KEY);

	/* ssh-keygen -lf says the same of this key. */
	assert_string_equal(verdict.credential, "ssh-key:SHA256:6WH5wbToADvZNXTqNoaIZgUsocOG+VBiw+9LiqKhTWM");
	assert_string_equal(verdict.role, "owner");
	verdict = authorize(&origin, "", "publickey ssh-ed25519 !!!");
	assert_string_equal(verdict.credential, "ssh-key:unreadable");
}

static void ssh_keys_of_sshd(void **state)
{
	struct login_origin origin = from_ssh("xavier");
	struct login_verdict verdict;

	directory_unref(d);
	d = fixture_join(
		"gpu-1",
		"version: 1\n"
		"tenants:\n"
		"  - {id: ten_x, slug: xx, name: X, gid: 1879048192, ids: {first: 1879048192, count: 256, next: "
		"1879048202}, policy: {ssh_keys: any}}\n"
		"projects:\n  - {id: prj_x, tenant: ten_x, slug: px, gid: 1879048193}\n"
		"users:\n  - {id: usr_x, tenant: ten_x, login: xavier, uid: 1879048200}\n"
		"members:\n  - {user: usr_x, project: prj_x, role: owner}\n"
		"hosts:\n  - name: \"*\"\n    serves: [{project: prj_x}]\n",
		NULL);
	verdict = authorize(&origin, "", "publickey " SSH_KEY);
	assert_int_equal(verdict.reason, REASON_ALLOWED);
	assert_int_equal(authorize(&origin, "", "hostbased " SSH_KEY).reason, REASON_CREDENTIAL_UNSUPPORTED);
}

/* Which right is asked, of whom, for each service. */
static void services(void **state)
{
	static const struct {
		const char *service, *user, *requesting, *source;
		enum reason reason;
		enum audit_kind kind;
		const char *audit_user, *audit_target;
	} table[] = {
		{"cron", "edith", "", "", REASON_ALLOWED, AUDIT_LOGIN_ALLOWED, "edith", ""},
		{"cron", "victor", "", "", REASON_ROLE_TOO_LOW, AUDIT_LOGIN_DENIED, "victor", ""},
		{"cron", "gone", "", "", REASON_USER_SUSPENDED, AUDIT_LOGIN_DENIED, "gone", ""},
		{"login", "edith", "LOGIN", "", REASON_ALLOWED, AUDIT_LOGIN_ALLOWED, "edith", ""},
		{"jupyterhub", "edith", "", "", REASON_ALLOWED, AUDIT_LOGIN_ALLOWED, "edith", ""},
		{"jupyterhub", "mallory", "", "", REASON_NOT_A_MEMBER, AUDIT_LOGIN_DENIED, "mallory", ""},
		/* sudo asks for the requesting person's right. */
		{"sudo", "alice", "alice", "gpu-1", REASON_ALLOWED, AUDIT_PRIVILEGE_ALLOWED, "alice", "root"},
		{"sudo", "edith", "edith", "gpu-1", REASON_ROLE_TOO_LOW, AUDIT_PRIVILEGE_DENIED, "edith", "root"},
		{"sudo", "edith", "", "", REASON_ROLE_TOO_LOW, AUDIT_PRIVILEGE_DENIED, "edith", "root"},
		{"sudo", "alice", "edith", "", REASON_ROLE_TOO_LOW, AUDIT_PRIVILEGE_DENIED, "edith", "alice"},
		{"sudo", "edith", "alice", "", REASON_ALLOWED, AUDIT_PRIVILEGE_ALLOWED, "alice", "edith"},
		{"sudo-i", "gone", "gone", "", REASON_USER_SUSPENDED, AUDIT_PRIVILEGE_DENIED, "gone", "root"},
		{"polkit-1", "edith", "", "", REASON_ROLE_TOO_LOW, AUDIT_PRIVILEGE_DENIED, NULL, NULL},
		/* su asks whether the target may be here; root needs nobody's leave. */
		{"su", "edith", "alice", "", REASON_ALLOWED, AUDIT_PRIVILEGE_ALLOWED, "alice", "edith"},
		{"su", "victor", "alice", "", REASON_ROLE_TOO_LOW, AUDIT_PRIVILEGE_DENIED, "alice", "victor"},
		{"su", "victor", "root", "", REASON_ALLOWED, AUDIT_PRIVILEGE_ALLOWED, "root", "victor"},
		{"su-l", "gone", "root", "", REASON_ALLOWED, AUDIT_PRIVILEGE_ALLOWED, "root", "gone"},
		{"runuser", "gone", "root", "", REASON_ALLOWED, AUDIT_PRIVILEGE_ALLOWED, "root", "gone"},
		{"sudo", "gone", "root", "", REASON_ALLOWED, AUDIT_PRIVILEGE_ALLOWED, NULL, NULL},
		{"sudo", "gone", "localadmin", "", REASON_ALLOWED, AUDIT_PRIVILEGE_ALLOWED, NULL, NULL},
		{"su", "gone", "localadmin", "", REASON_USER_SUSPENDED, AUDIT_PRIVILEGE_DENIED, "localadmin", "gone"},
		/* Elsewhere a requesting user is only what a client says. */
		{"sshd", "victor", "root", "192.0.2.1", REASON_ROLE_TOO_LOW, AUDIT_LOGIN_DENIED, "victor", ""},
		{"login", "victor", "root", "", REASON_ROLE_TOO_LOW, AUDIT_LOGIN_DENIED, "victor", ""},
		{"rlogin", "gone", "root", "192.0.2.1", REASON_USER_SUSPENDED, AUDIT_LOGIN_DENIED, "gone", ""},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct login_origin origin = {.user = table[i].user,
					      .service = table[i].service,
					      .source = table[i].source,
					      .terminal = "",
					      .requesting_user = table[i].requesting,
					      .uid = LOGIN_UID_UNSAID,
					      .requesting_uid = LOGIN_UID_UNSAID};
		struct login_verdict verdict = authorize(&origin, "", "");

		if (verdict.reason != table[i].reason || heard.kind != table[i].kind)
			fail_msg("%s, %s by %s: %s, event %s", table[i].service, table[i].user, table[i].requesting,
				 reason_word(verdict.reason), audit_kind_word(heard.kind));
		assert_string_equal(verdict.user->login, table[i].user);
		if (table[i].audit_user) {
			assert_string_equal(heard.user, table[i].audit_user);
			assert_string_equal(heard.target, table[i].audit_target);
		}
	}
}

/* alice, who may sudo, becomes somebody of the other tenant: what bert's session is called is bert's. */
static void whose_session_it_is(void **state)
{
	struct login_origin origin = {.user = "bert",
				      .service = "sudo",
				      .source = "",
				      .terminal = "",
				      .requesting_user = "alice",
				      .uid = LOGIN_UID_UNSAID,
				      .requesting_uid = LOGIN_UID_UNSAID};
	struct login_verdict verdict = authorize(&origin, "", "");

	assert_int_equal(verdict.reason, REASON_ALLOWED);
	assert_string_equal(verdict.user->login, "bert");
	assert_string_equal(verdict.subject->login, "alice");
	assert_string_equal(verdict.tenant->slug, "beta");
	assert_null(verdict.project);
	assert_null(verdict.role);
	assert_non_null(strstr(buffer_text(&heard.all), "\nTENANT=acme\n")); /* by whose right */
	assert_non_null(strstr(buffer_text(&heard.all), "\nTENANT_ROLE=owner\n"));
	origin.requesting_user = "root";
	verdict = authorize(&origin, "", "");
	assert_null(verdict.subject);
	assert_string_equal(verdict.tenant->slug, "beta");
	assert_null(verdict.project); /* he has no right to sudo of his own */
}

/* The program runs as the uid that the system gives for a name; whom the directory means by it must be the same. */
static void names_carry_no_right_to_another_uid(void **state)
{
	static const struct {
		const char *service, *user, *requesting;
		uint32_t uid, requesting_uid;
		enum reason reason;
	} table[] = {
		{"cron", "alice", "", 1879048210, LOGIN_UID_UNSAID, REASON_ALLOWED},
		{"cron", "alice", "", 1879048211, LOGIN_UID_UNSAID, REASON_BROKEN}, /* edith's: an older map */
		{"cron", "alice", "", 1000, LOGIN_UID_UNSAID, REASON_BROKEN},
		{"cron", "alice", "", 0, LOGIN_UID_UNSAID, REASON_BROKEN},
		{"systemd-user", "alice", "", 1879048211, LOGIN_UID_UNSAID, REASON_BROKEN},
		{"su", "alice", "root", 1879048211, 0, REASON_BROKEN}, /* root goes on without us, and knows why */
		{"sudo", "bert", "alice", 1879113738, 1879048210, REASON_ALLOWED},
		{"sudo", "bert", "alice", 1879113738, 1879048211, REASON_BROKEN},
		{"sudo", "bert", "alice", 1879113738, 1000, REASON_BROKEN}, /* a local account of her name */
		{"sudo", "bert", "alice", 1879113739, 1879048210, REASON_BROKEN},
		{"sudo", "alice", "alice", 1879048210, 1879048210, REASON_ALLOWED},
		{"sudo", "alice", "alice", 1879048212, 1879048212, REASON_BROKEN},
		{"sudo", "bert", "localadmin", 1879113738, 1000, REASON_ALLOWED},
		{"sudo", "bert", "left", 1879113738, 1879048220, REASON_BROKEN}, /* ours, by an older map */
		{"sudo", "bert", "root", 1879113738, 0, REASON_ALLOWED},
		/* Who asks means something for sudo alone. */
		{"cron", "alice", "edith", 1879048210, 7, REASON_ALLOWED},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct login_origin origin = {.user = table[i].user,
					      .service = table[i].service,
					      .source = "",
					      .terminal = "",
					      .requesting_user = table[i].requesting,
					      .uid = table[i].uid,
					      .requesting_uid = table[i].requesting_uid};
		struct login_verdict verdict;

		heard.count = 0;
		heard.all.length = 0;
		verdict = authorize(&origin, "", "");
		if (verdict.reason != table[i].reason)
			fail_msg("%zu: %s", i, reason_word(verdict.reason));
		if (verdict.reason != REASON_BROKEN)
			continue;
		assert_int_equal(heard.count, 1);
		assert_int_equal(heard.kind, AUDIT_LOGIN_BROKEN);
		assert_non_null(strstr(buffer_text(&heard.all), "\nTENANT_DETAIL=the system gives "));
	}
}

static void quiet_stages(void **state)
{
	struct login_origin manager = {.user = "edith",
				       .service = "systemd-user",
				       .source = "",
				       .terminal = "",
				       .requesting_user = "",
				       .uid = LOGIN_UID_UNSAID,
				       .requesting_uid = LOGIN_UID_UNSAID};
	struct login_authorize again = {.origin = manager, .token = "", .ssh_auth_info = "", .again = true};
	struct login_verdict verdict;

	assert_int_equal(authorize(&manager, "", "").reason, REASON_ALLOWED);
	assert_int_equal(heard.count, 0);
	manager.user = "gone";
	assert_int_equal(authorize(&manager, "", "").reason, REASON_USER_SUSPENDED);
	assert_int_equal(heard.count, 1);
	again.origin.service = "cron";
	login_authorize(book, d, &again, now, today, &verdict);
	assert_int_equal(verdict.reason, REASON_ALLOWED);
	assert_int_equal(heard.count, 1);
	again.origin.user = "gone";
	login_authorize(book, d, &again, now, today, &verdict);
	assert_int_equal(heard.count, 2); /* a no is always written */
}

/* The host's own, beside the tenant's: of those who come in, not of what is within a session, and never of root's. */
static void the_host_s_hours(void **state)
{
	const char *closed[] = {"sat 08:00-18:00"}, *open[] = {"sat 01:00-02:00", "fri 07:00-09:00"};
	const struct string_list none = {closed, 0}, weekend = {closed, 1}, friday = {open, 2};
	struct login_origin alice = from_ssh("alice"), manager = from_ssh("alice"), root = from_ssh("alice");
	char token[LOGIN_TOKEN_CHARS + 1];

	sign_in("alice", alices.text, token);
	login_book_set_hours(book, &none);
	assert_int_equal(authorize(&alice, token, "").reason, REASON_ALLOWED);
	login_book_set_hours(book, &friday);
	assert_int_equal(authorize(&alice, token, "").reason, REASON_ALLOWED);
	login_book_set_hours(book, &weekend);
	assert_int_equal(authorize(&alice, token, "").reason, REASON_OUTSIDE_HOURS);
	assert_int_equal(heard.kind, AUDIT_LOGIN_DENIED);
	manager.service = "systemd-user";
	assert_int_equal(authorize(&manager, "", "").reason, REASON_ALLOWED);
	root.service = "su";
	root.requesting_user = "root";
	assert_int_equal(authorize(&root, "", "").reason, REASON_ALLOWED);
	login_book_set_hours(book, NULL);
	assert_int_equal(authorize(&alice, token, "").reason, REASON_ALLOWED);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(revoked_in_between),
		TEST(sessions_cut_in_between),
		TEST(a_sign_in_right_after_the_cut),
		TEST(the_reason_is_told_after_the_proof),
		TEST(keys_that_end_soon),
		TEST(ssh_keys),
		TEST(the_proof_comes_later),
		TEST(ssh_fingerprints),
		TEST(ssh_keys_of_sshd),
		TEST(services),
		TEST(whose_session_it_is),
		TEST(names_carry_no_right_to_another_uid),
		TEST(quiet_stages),
		TEST(the_host_s_hours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
