/* SPDX-License-Identifier: MIT
 *
 * Sign-ins with any words for user, service, source, terminal, requesting user, answer and sshd's word about
 * public keys: nobody gets in who is not of the two that may, and only as the rules say; and what the audit
 * writes about it has no control character and is one JSON object.
 *
 * Input: the words, each ended by a NUL (the last by the end).
 */
#include <string.h>

#include "audit/audit.h"
#include "base/text.h"
#include "directory/yaml_load.h"
#include "fuzz.h"
#include "login/login.h"
#include "login/services.h"
#include "json/json_read.h"

#define WORDS 8
#define NOW 1800000000

static const char yaml[] =
	"version: 1\n"
	"tenants:\n"
	"  - {id: ten_a, slug: acme, name: A, gid: 1879048192, ids: {first: 1879048192, count: 256, next: 1879048292}, "
	"allow_from: [10.0.0.0/8]}\n"
	"projects:\n"
	"  - {id: prj_v, tenant: ten_a, slug: vision, gid: 1879048193}\n"
	"users:\n"
	"  - {id: usr_o, tenant: ten_a, login: olga, uid: 1879048210, ssh_keys: [\"ssh-ed25519 "
	"AAAAC3NzaC1lZDI1NTE5AAAAIGFuIGV4YW1wbGUga2V5LCBvZiBubyB1c2UgYXQgYWxs\"]}\n"
	"  - {id: usr_v, tenant: ten_a, login: vic, uid: 1879048211}\n"
	"members:\n"
	"  - {user: usr_o, project: prj_v, role: owner}\n"
	"  - {user: usr_v, project: prj_v, role: viewer}\n"
	"hosts:\n"
	"  - {name: \"*\", serves: [{project: prj_v, sudo: [owner]}]}\n";

static uint64_t clock_now(void)
{
	static uint64_t now;

	return now += 1000000;
}

static void check_event(void *context, const struct audit_event *event, const char *fields, size_t length)
{
	static const char name[] = "\nOCSF=";
	struct problem problem;
	json_t *object = NULL;
	const char *ocsf;

	FUZZ_CHECK(length > 0 && fields[length - 1] == '\n');
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)fields[i];

		FUZZ_CHECK(c == '\n' || (c >= ' ' && c != 0x7f));
		FUZZ_CHECK(c != '\n' || i + 1 == length || (fields[i + 1] >= 'A' && fields[i + 1] <= 'Z'));
	}
	ocsf = memmem(fields, length, name, sizeof(name) - 1);
	FUZZ_CHECK(ocsf);
	ocsf += sizeof(name) - 1;
	FUZZ_CHECK(json_read(ocsf, (size_t)(fields + length - 1 - ocsf), &object, &problem) == 0);
	json_decref(object);
}

static struct directory *load(void)
{
	struct directory *d = NULL;
	struct unit *unit = NULL;
	struct problem problem = {0};

	FUZZ_CHECK(directory_yaml_load_text("fuzz", yaml, strlen(yaml), &unit, &problem) == 0);
	FUZZ_CHECK(directory_build(&unit, 1, "host", NULL, &d, &problem) == 0);
	unit_unref(unit);
	return d;
}

static void check_verdict(const struct login_authorize *request, const struct login_verdict *verdict)
{
	const struct service_rule *rule = service_rule(request->origin.service);

	FUZZ_CHECK((unsigned)verdict->reason < REASON_COUNT && verdict->reason != REASON_BROKEN);
	FUZZ_CHECK(verdict->unknown_user == (verdict->reason == REASON_UNKNOWN_USER));
	FUZZ_CHECK(text_is_printable(verdict->message, strlen(verdict->message)));
	if (verdict->reason != REASON_ALLOWED)
		return;
	FUZZ_CHECK(verdict->user && !verdict->unknown_user);
	if (!verdict->subject) { /* root's leave, or a local account's by sudo */
		FUZZ_CHECK(rule->root_may && *request->origin.requesting_user);
		return;
	}
	FUZZ_CHECK(strcmp(verdict->subject->login, "olga") == 0); /* a viewer never */
	if (rule->needs_proof && request->again) {
		const char *key = strstr(request->ssh_auth_info, "publickey");

		FUZZ_CHECK(key && strstr(key, verdict->subject->ssh_keys.items[0]));
	}
	if (rule->place == SERVICE_NETWORK) {
		struct in6_addr address;

		FUZZ_CHECK(parse_address(request->origin.source, &address) == 0);
		FUZZ_CHECK(address.s6_addr[10] == 0xff && address.s6_addr[12] == 10);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct directory *d;
	char words[WORDS][512] = {""};
	struct audit *audit = NULL;
	struct login_book *book = NULL;
	struct login_reply reply = {0};
	struct credential_verdict credential;
	struct login_verdict verdict;
	struct login_authorize request;

	if (!d)
		d = load();
	for (size_t word = 0, i = 0; word < WORDS && i < size; word++) {
		size_t length = strnlen((const char *)data + i, size - i);

		memcpy(words[word], data + i, length < sizeof(words[0]) ? length : sizeof(words[0]) - 1);
		i += length + 1;
	}
	FUZZ_CHECK(audit_create("host", &audit) == 0);
	audit_divert(audit, check_event, NULL, clock_now);
	FUZZ_CHECK(login_book_create(audit, &book) == 0);
	request = (struct login_authorize){
		.origin = {.user = words[0],
			   .service = words[1],
			   .source = words[2],
			   .terminal = words[3],
			   .requesting_user = words[4],
			   .uid = LOGIN_UID_UNSAID,
			   .requesting_uid = LOGIN_UID_UNSAID},
		.token = "",
		.ssh_auth_info = words[5],
	};
	login_start(book, d, &request.origin, 1, 1000000, NOW, &reply);
	for (int i = 0; reply.step == LOGIN_PROMPT && i < 5; i++) {
		char token[LOGIN_TOKEN_CHARS + 1];

		memcpy(token, reply.token, sizeof(token));
		login_answer(book, d, token, 1, words[6 + i % 2], strlen(words[6 + i % 2]), 2000000, NOW, &reply);
		FUZZ_CHECK(reply.step != LOGIN_ALLOWED); /* there is no key at all */
		FUZZ_CHECK(reply.step != LOGIN_BROKEN);
	}
	login_authorize(book, d, &request, 3000000, NOW, &verdict);
	check_verdict(&request, &verdict);
	/* A uid that nobody has lets nobody in, by whatever name. */
	request.origin.uid = 1;
	login_authorize(book, d, &request, 3000000, NOW, &verdict);
	FUZZ_CHECK(verdict.reason != REASON_ALLOWED);
	request.origin.uid = LOGIN_UID_UNSAID;
	request.again = true;
	login_authorize(book, d, &request, 3000000, NOW, &verdict);
	check_verdict(&request, &verdict);
	request.token = words[7];
	if (*request.token) {
		login_authorize(book, d, &request, 3000000, NOW, &verdict);
		FUZZ_CHECK(verdict.reason != REASON_ALLOWED || !verdict.subject);
	}
	for (int trusted = 0; trusted < 2; trusted++) {
		credential_verify(book, d,
				  &(struct credential_check){.credential = words[6],
							     .length = strlen(words[6]),
							     .project = words[0],
							     .action = words[3],
							     .service = words[1],
							     .source = words[2],
							     .caller_uid = 1000,
							     .trusted = trusted},
				  3000000, NOW, &credential);
		FUZZ_CHECK(credential.reason != REASON_ALLOWED && !credential.user);
	}
	login_book_destroy(book);
	audit_destroy(audit);
	return 0;
}
