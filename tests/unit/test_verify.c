/* SPDX-License-Identifier: MIT
 *
 * Keys that local services are shown, and what credentials are by their shape.
 */
#include "unit.h"

#include <stdio.h>
#include <string.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "base/macros.h"
#include "base/text.h"
#include "credential/credential.h"
#include "fixture.h"
#include "login/login.h"

static struct audit *audit;
static struct login_book *book;
static struct directory *d;
static struct fixture_key alices, bots, limited, ending;
static uint64_t now;
static unsigned events;
static struct audit_event last;
static char last_service[32], last_source[64];

static void hear(void *context, const struct audit_event *event, const char *fields, size_t length)
{
	events++;
	last = *event;
	snprintf(last_service, sizeof(last_service), "%s", event->service ? event->service : "");
	snprintf(last_source, sizeof(last_source), "%s", event->source ? event->source : "");
}

static uint64_t clock_now(void)
{
	return now;
}

static int setup(void **state)
{
	alices = fixture_key(API_KEY_PERSON, "usr_alice", "laptop", "");
	bots = fixture_key(API_KEY_SERVICE, "usr_bot", "ci", "");
	limited = fixture_key(
		API_KEY_PERSON, "usr_alice", "limited",
		"scopes: {projects: [prj_vision], actions: [dataset.write], services: [mlflow], from: [10.0.0.0/8]}");
	ending = fixture_key(API_KEY_PERSON, "usr_alice", "ending", "not_after: 2027-01-17T08:00:00Z");
	d = fixture_join("gpu-1", fixture_yaml, "keys:\n", alices.yaml, bots.yaml, limited.yaml, ending.yaml, NULL);
	now = 5000 * USEC_PER_SEC;
	events = 0;
	assert_result(audit_create("gpu-1", &audit), 0);
	audit_divert(audit, hear, NULL, clock_now);
	assert_result(login_book_create(audit, &book), 0);
	return 0;
}

static int teardown(void **state)
{
	login_book_destroy(book);
	audit_destroy(audit);
	directory_unref(d);
	return 0;
}

struct check {
	const char *credential, *project, *action, *service, *source;
	uid_t caller;
	bool untrusted;
};

static struct credential_verdict verify(const struct check *c)
{
	struct credential_check check = {
		.credential = c->credential,
		.length = strlen(c->credential),
		.project = c->project ? c->project : "",
		.action = c->action ? c->action : "",
		.service = c->service ? c->service : "",
		.source = c->source ? c->source : "",
		.caller_uid = c->caller,
		.trusted = !c->untrusted,
	};
	struct credential_verdict verdict;

	credential_verify(book, d, &check, now, FIXTURE_NOW, &verdict);
	return verdict;
}

static void answers(void **state)
{
	struct fixture_key strange = fixture_key(API_KEY_PERSON, "usr_alice", "never stored", "");
	const struct {
		struct check check;
		enum reason reason;
	} table[] = {
		{{.credential = alices.text}, REASON_ALLOWED},
		{{.credential = alices.text, .project = "acme/vision"}, REASON_ALLOWED},
		{{.credential = alices.text, .project = "prj_vision", .action = "project.delete"}, REASON_ALLOWED},
		{{.credential = alices.text, .project = "acme/speech"}, REASON_NOT_A_MEMBER},
		{{.credential = alices.text, .project = "beta/radar"}, REASON_UNKNOWN_PROJECT},
		{{.credential = alices.text, .project = "beta/nothing"}, REASON_UNKNOWN_PROJECT},
		{{.credential = alices.text, .project = "vision"}, REASON_UNKNOWN_PROJECT}, /* whose vision? */
		{{.credential = alices.text, .project = "acme/vision", .action = "fly"}, REASON_UNKNOWN_ACTION},
		{{.credential = alices.text, .action = "host.login"}, REASON_ALLOWED},
		{{.credential = alices.text, .action = "tenant.manage"}, REASON_NOT_A_MEMBER},
		{{.credential = bots.text, .project = "acme/vision", .action = "dataset.write"}, REASON_ALLOWED},
		{{.credential = bots.text, .project = "acme/vision", .action = "member.manage"}, REASON_ROLE_TOO_LOW},
		{{.credential = limited.text,
		  .project = "acme/vision",
		  .action = "dataset.write",
		  .service = "mlflow",
		  .source = "10.1.1.1"},
		 REASON_ALLOWED},
		{{.credential = limited.text,
		  .project = "acme/vision",
		  .action = "dataset.write",
		  .service = "mlflow",
		  .source = "11.1.1.1"},
		 REASON_KEY_SCOPE_SOURCE},
		{{.credential = limited.text, .project = "acme/vision", .action = "dataset.write", .service = "mlflow"},
		 REASON_KEY_SCOPE_SOURCE},
		{{.credential = limited.text,
		  .project = "acme/vision",
		  .action = "dataset.write",
		  .service = "mlflow",
		  .source = "not an address"},
		 REASON_KEY_SCOPE_SOURCE},
		{{.credential = limited.text,
		  .project = "acme/vision",
		  .action = "dataset.write",
		  .source = "10.1.1.1"},
		 REASON_KEY_SCOPE_SERVICE},
		{{.credential = limited.text,
		  .project = "acme/vision",
		  .action = "model.deploy",
		  .service = "mlflow",
		  .source = "10.1.1.1"},
		 REASON_KEY_SCOPE_ACTION},
		{{.credential = strange.text}, REASON_KEY_UNKNOWN},
		{{.credential = "tnt_pk_1234"}, REASON_KEY_MALFORMED},
		{{.credential = "hunter2"}, REASON_CREDENTIAL_UNSUPPORTED},
		{{.credential = ""}, REASON_CREDENTIAL_UNSUPPORTED},
	};

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		struct credential_verdict verdict;
		struct check check = table[i].check;

		check.caller = (uid_t)(100 + i);
		now += 600 * USEC_PER_SEC; /* past any grouping */
		events = 0;
		verdict = verify(&check);
		if (verdict.reason != table[i].reason)
			fail_msg("%zu: %s, not %s", i, reason_word(verdict.reason), reason_word(table[i].reason));
		assert_int_equal(events, 1);
		assert_int_equal(last.kind, verdict.reason == REASON_ALLOWED ? AUDIT_KEY_USED : AUDIT_KEY_REFUSED);
		assert_true(last.has_caller);
	}
}

static void who_it_is(void **state)
{
	struct credential_verdict verdict =
		verify(&(struct check){.credential = ending.text, .project = "acme/vision"});

	assert_string_equal(verdict.user->id, "usr_alice");
	assert_string_equal(verdict.key->id, ending.id);
	assert_string_equal(verdict.project->id, "prj_vision");
	assert_string_equal(verdict.tenant->id, "ten_acme");
	assert_string_equal(verdict.role, "owner");
	assert_string_equal(verdict.warning, "this key ends in 2 days; ask for a new one before that");
	/* What is not good is nobody's. */
	verdict = verify(&(struct check){.credential = "tnt_pk_1234"});
	assert_null(verdict.user);
	assert_null(verdict.key);
	assert_null(verdict.role);
}

static void guessing_through_a_service(void **state)
{
	struct check guess = {.credential = "tnt_pk_guess", .source = "203.0.113.9", .caller = 33};
	struct check other = {.credential = "tnt_pk_guess", .source = "198.51.100.7", .caller = 33};
	struct check good = {.credential = alices.text, .source = guess.source, .caller = 33};

	for (int i = 0; i < 10; i++)
		verify(&guess);
	assert_int_equal(verify(&guess).reason, REASON_TOO_MANY_ATTEMPTS);
	assert_null(verify(&guess).user);
	assert_int_equal(verify(&other).reason, REASON_KEY_MALFORMED); /* another client of the service */
	/* Behind a proxy all clients have one address: whoever guesses there shuts out no right key, now or later. */
	for (int i = 0; i < 200; i++) {
		now += 3 * USEC_PER_SEC;
		verify(&guess);
		assert_int_equal(verify(&good).reason, REASON_ALLOWED);
	}
	guess.source = good.source = NULL;
	for (int i = 0; i < 10; i++)
		verify(&guess);
	assert_int_equal(verify(&guess).reason, REASON_TOO_MANY_ATTEMPTS);
	assert_int_equal(verify(&good).reason, REASON_ALLOWED);
}

/* And only what fails tells it. */
static void a_wait_is_told_once(void **state)
{
	struct check guess = {.credential = "tnt_pk_guess", .source = "203.0.113.77", .caller = 33};
	struct check good = {.credential = alices.text, .source = guess.source, .caller = 33};

	for (int i = 0; i < 4; i++)
		verify(&guess);
	assert_int_equal(verify(&good).reason, REASON_ALLOWED);
	events = 0;
	for (int i = 0; i < 5; i++)
		assert_int_equal(verify(&guess).reason, REASON_TOO_MANY_ATTEMPTS);
	assert_int_equal(events, 1);
	assert_int_equal(last.reason, REASON_TOO_MANY_ATTEMPTS);
	/* Nor is it counted: what waits are the three malformed keys. */
	now += 600 * USEC_PER_SEC;
	audit_tick(audit, now);
	assert_int_equal(events, 2);
	assert_int_equal(last.reason, REASON_KEY_MALFORMED);
	assert_int_equal(last.count, 3);
}

#define ALICES_UID 1879048210U

/* What somebody says of whom nothing is known but the uid: whatever they invent, the audit stays quiet. */
static void strangers_make_no_noise(void **state)
{
	char service[32], source[64];
	struct check check = {.service = service, .source = source, .caller = ALICES_UID, .untrusted = true};
	unsigned waits = 0;

	for (unsigned i = 0; i < 1000; i++) {
		struct fixture_key strange;

		snprintf(service, sizeof(service), "service-%u", i);
		snprintf(source, sizeof(source), "10.1.%u.%u", i / 256, i % 256);
		strange = fixture_key(API_KEY_PERSON, "usr_alice", "never stored", "");
		check.credential = i < 800 ? i % 2 ? strange.text : "tnt_pk_guess" : bots.text;
		waits += verify(&check).reason == REASON_TOO_MANY_ATTEMPTS;
	}
	assert_int_equal(events, 0); /* refused calls, which the server counts */
	assert_int_equal(waits, 796);
	/* Their own key: each kind of answer once, without what they say about it. */
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(service, sizeof(service), "service-%u", i);
		snprintf(source, sizeof(source), "10.1.%u.%u", i / 256, i % 256);
		check.credential = i % 2 ? alices.text : limited.text;
		check.project = i % 3 ? "acme/vision" : "beta/radar";
		verify(&check);
		assert_string_equal(last_service, "");
		assert_string_equal(last_source, "");
	}
	assert_in_range(events, 3, 5);
}

/* Whether another tenant has such a project is told neither by the reason nor by the order of reasons. */
static void other_tenants_projects_are_as_good_as_none(void **state)
{
	static const char *const names[] = {"beta/radar", "prj_radar", "beta/nothing", "prj_nothing"};
	const struct fixture_key *keys[] = {&alices, &limited, &bots};
	static const char *const actions[] = {"", "dataset.write", "host.login", "fly"};

	for (size_t n = 0; n < ARRAY_LEN(names); n++)
		for (size_t k = 0; k < ARRAY_LEN(keys); k++)
			for (size_t a = 0; a < ARRAY_LEN(actions); a++) {
				struct credential_verdict v = verify(&(struct check){.credential = keys[k]->text,
										     .project = names[n],
										     .action = actions[a],
										     .service = "mlflow",
										     .source = "192.0.2.1"});

				if (v.reason != REASON_UNKNOWN_PROJECT)
					fail_msg("%s for %s: %s", names[n], actions[a], reason_word(v.reason));
				assert_null(v.project);
				assert_null(v.role);
			}
}

static void shapes(void **state)
{
	static const struct {
		const char *text;
		enum credential_type type;
	} table[] = {
		{"", CREDENTIAL_SSO},
		{" \r\n", CREDENTIAL_SSO},
		{"tnt_pk_x", CREDENTIAL_API_KEY},
		{"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln", CREDENTIAL_TOKEN},
		{"eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0", CREDENTIAL_PASSWORD},
		{"eyJ.a.b c", CREDENTIAL_PASSWORD},
		{"a.b.c", CREDENTIAL_PASSWORD},
		{"secret", CREDENTIAL_PASSWORD},
		{"TNT_PK_X", CREDENTIAL_PASSWORD},
		{"\xff\xfe", CREDENTIAL_PASSWORD},
	};
	struct credential_result result;

	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		credential_check(&(struct credential_context){.d = d, .now = FIXTURE_NOW}, table[i].text,
				 strlen(table[i].text), &result);
		if (result.type != table[i].type)
			fail_msg("\"%s\" is a %s", table[i].text, result.name);
		assert_int_not_equal(result.reason, REASON_ALLOWED);
		assert_null(result.user);
		if (result.type != CREDENTIAL_API_KEY && result.type != CREDENTIAL_TOKEN)
			assert_non_null(credential_hint(result.type));
	}
	/* A NUL inside ends nothing. */
	char cut[sizeof(alices.text) + 4];

	memcpy(cut, alices.text, sizeof(alices.text));
	memcpy(cut + sizeof(alices.text), "abc", 4);
	credential_check(&(struct credential_context){.d = d, .now = FIXTURE_NOW}, cut, sizeof(cut), &result);
	assert_int_not_equal(result.reason, REASON_ALLOWED);
	assert_null(credential_hint(CREDENTIAL_API_KEY));
	assert_null(credential_hint(CREDENTIAL_TYPE_COUNT));
}

/* Every text of one key with one letter changed, and every piece of it: none is the key. */
static void near_misses(void **state)
{
	struct credential_result result;
	char text[sizeof(alices.text)];
	size_t length = strlen(alices.text);

	for (size_t i = 0; i < length; i++) {
		memcpy(text, alices.text, sizeof(text));
		text[i] = text[i] == 'x' ? 'y' : 'x';
		credential_check(&(struct credential_context){.d = d, .now = FIXTURE_NOW}, text, length, &result);
		assert_int_not_equal(result.reason, REASON_ALLOWED);
		assert_null(result.user);
		credential_check(&(struct credential_context){.d = d, .now = FIXTURE_NOW}, alices.text, i, &result);
		assert_int_not_equal(result.reason, REASON_ALLOWED);
	}
	credential_check(&(struct credential_context){.d = d, .now = FIXTURE_NOW}, alices.text, length, &result);
	assert_int_equal(result.reason, REASON_ALLOWED);
	assert_string_equal(result.user->id, "usr_alice");
	assert_null(strstr(result.name, alices.text + 24)); /* the name holds the public part only */
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)
int main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(answers),
		TEST(who_it_is),
		TEST(guessing_through_a_service),
		TEST(a_wait_is_told_once),
		TEST(strangers_make_no_noise),
		TEST(other_tenants_projects_are_as_good_as_none),
		TEST(shapes),
		TEST(near_misses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
