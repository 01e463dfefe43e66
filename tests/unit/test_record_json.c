/* SPDX-License-Identifier: MIT
 *
 * Records from the feed's JSON: what each field takes, and a refusal for each way of being wrong.
 */
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "record_fixture.h"
#include "json/json_read.h"

#define KEY_ID "key_0123456789abcdef"
#define VERIFIER "\"sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\""
#define SSH_KEY "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f alice"
#define COORDINATE "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"

static void test_tenant(void **state)
{
	union any_record record;
	struct problem problem = {0};
	struct arena arena;

	arena_init(&arena);
	assert_result(
		read_record(&arena, RECORD_TENANT, TENANT,
			    "{\"slug\":\"acme\",\"name\":\"Acme\",\"region\":\"eu\",\"gid\":1879048192,"
			    "\"ids\":{\"first\":1879048192,\"count\":16384,\"next\":1879048200},"
			    "\"allow_from\":[\"10.0.0.0/8\"],\"roles\":[{\"name\":\"trainer\",\"kind\":\"project\","
			    "\"groups\":\"editor\",\"actions\":[\"host.login\"]}],\"ssh_keys\":\"any\","
			    "\"sessions\":{\"max_per_user\":3},\"key_warning_days\":7,\"login_hours\":[\"mon-fri "
			    "08:00-18:00\"],"
			    "\"suspended\":true,\"stale\":{\"offline\":3600,\"roles\":[\"owner\"]}}",
			    &record, &problem),
		0);
	assert_string_equal(record.tenant.id, TENANT);
	assert_string_equal(record.tenant.slug, "acme");
	assert_int_equal(record.tenant.id_next, 1879048200);
	assert_int_equal(record.tenant.allow_from.count, 1);
	assert_int_equal(record.tenant.roles[0].level, GROUP_LEVEL_EDITOR);
	assert_int_equal(record.tenant.ssh_keys, SSH_KEYS_ANY);
	assert_int_equal(record.tenant.stale_offline_sec, 3600);
	assert_string_equal(record.tenant.stale_roles.items[0], "owner");
	assert_true(record.tenant.suspended);
	assert_int_equal(record.tenant.key_warn_days, 7);
	assert_result(read_record(&arena, RECORD_TENANT, TENANT,
				  "{\"slug\":\"acme\",\"gid\":1879048192,"
				  "\"ids\":{\"first\":1879048192,\"count\":16384,\"next\":1879048200}}",
				  &record, &problem),
		      0);
	assert_int_equal(record.tenant.key_warn_days, 14);
	assert_int_equal(record.tenant.stale_roles.count, 0);
	assert_string_equal(record.tenant.name, "");
	arena_finish(&arena);
}

static void test_people(void **state)
{
	union any_record record;
	struct problem problem = {0};
	struct arena arena;

	arena_init(&arena);
	assert_result(read_record(&arena, RECORD_USER, "usr_alice", "{\"login\":\"alice\",\"uid\":1879048200}", &record,
				  &problem),
		      0);
	assert_string_equal(record.user.home, "/home/alice");
	assert_string_equal(record.user.shell, "/bin/bash");
	assert_string_equal(record.user.tenant_id, TENANT);
	assert_string_equal(record.user.email, "");
	assert_int_equal(record.user.status, USER_ACTIVE);
	assert_result(read_record(&arena, RECORD_USER, "usr_alice",
				  "{\"login\":\"alice\",\"uid\":1879048200,\"home\":\"/data/alice\",\"kind\":"
				  "\"service\",\"status\":\"suspended\",\"status_reason\":\"left\","
				  "\"sessions_valid_from\":1790000000,\"ssh_keys\":[\"" SSH_KEY "\"]}",
				  &record, &problem),
		      0);
	assert_string_equal(record.user.home, "/data/alice");
	assert_int_equal(record.user.kind, USER_SERVICE);
	assert_int_equal(record.user.status, USER_SUSPENDED);
	assert_string_equal(record.user.ssh_keys.items[0], SSH_KEY);
	assert_result(read_record(&arena, RECORD_MEMBER, "usr_alice/prj_a",
				  "{\"user\":\"usr_alice\",\"project\":\"prj_a\",\"role\":\"owner\"}", &record,
				  &problem),
		      0);
	assert_string_equal(record.member.tenant_id, "");
	assert_result(read_record(&arena, RECORD_MEMBER, "usr_alice/", "{\"user\":\"usr_alice\",\"role\":\"admin\"}",
				  &record, &problem),
		      0);
	assert_string_equal(record.member.tenant_id, TENANT);
	assert_string_equal(record.member.project_id, "");
	arena_finish(&arena);
}

static void test_others(void **state)
{
	union any_record record;
	struct problem problem = {0};
	struct arena arena;

	arena_init(&arena);
	assert_result(read_record(&arena, RECORD_KEY, KEY_ID,
				  "{\"user\":\"usr_alice\",\"verifier\":" VERIFIER
				  ",\"projects\":[\"prj_a\"],\"from\":[\"::1\"],\"not_after\":1790000000}",
				  &record, &problem),
		      0);
	assert_int_equal(record.key.verifier[1], 0x11);
	assert_int_equal(record.key.not_after, 1790000000);
	assert_int_equal(record.key.revoked_at, 0);
	assert_result(read_record(&arena, RECORD_HOST, "hrl_1",
				  "{\"name\":\"gpu*\",\"serves\":[{\"project\":\"prj_a\"}]}", &record, &problem),
		      0);
	assert_int_equal(record.host.rules[0].login.count, 2);
	assert_string_equal(record.host.rules[0].login.items[1], "editor");
	assert_result(read_record(&arena, RECORD_HOST, "hrl_1",
				  "{\"name\":\"gpu*\",\"serves\":[{\"project\":\"prj_a\",\"login\":[]}]}", &record,
				  &problem),
		      0);
	assert_int_equal(record.host.rules[0].login.count, 0);
	assert_result(read_record(&arena, RECORD_TOKEN_KEY, "k-1_2",
				  "{\"issuer\":\"https://c.example\",\"x\":\"" COORDINATE "\",\"y\":\"" COORDINATE
				  "\"}",
				  &record, &problem),
		      0);
	assert_int_equal(record.token_key.x[31], 31);
	assert_result(read_record(&arena, RECORD_REVOCATION, "hst_1",
				  "{\"of\":\"host\",\"at\":1790000000,\"reason\":\"sold\"}", &record, &problem),
		      0);
	assert_int_equal(record.revocation.of, REVOCATION_HOST);
	assert_string_equal(record.revocation.reason, "sold");
	arena_finish(&arena);
}

#define ROLE(fields) TENANT_WITH("\"roles\":[{" fields "}]")
#define KEY_WITH(more) "{\"user\":\"usr_alice\",\"verifier\":" VERIFIER "," more "}"
#define RULE(fields) "{\"name\":\"gpu1\",\"serves\":[{" fields "}]}"
#define TOKEN_KEY(x, y) "{\"issuer\":\"https://c.example\",\"x\":\"" x "\",\"y\":\"" y "\"}"

#define IDP_WITH(more) "{\"kind\":\"oidc\",\"issuer\":\"https://i.example\",\"client_id\":\"c\"" more "}"
#define ONE "{\"issuer\":\"https://i.example\",\"subject\":\"1\"}"

static void test_single_sign_on(void **state)
{
	union any_record record;
	struct problem problem = {0};
	struct arena arena;

	arena_init(&arena);
	assert_result(read_record(&arena, RECORD_IDP, "idp_a", IDP_WITH(""), &record, &problem), 0);
	assert_string_equal(record.idp.tenant_id, TENANT);
	assert_string_equal(record.idp.name, "i.example");
	assert_string_equal(record.idp.client_secret, "");
	assert_string_equal(record.idp.token_audience, "");
	assert_int_equal(record.idp.client_auth, IDP_CLIENT_NONE);
	assert_int_equal(record.idp.bind, IDP_BIND_LISTED);
	assert_false(record.idp.preferred);
	assert_result(
		read_record(&arena, RECORD_IDP, "idp_a",
			    IDP_WITH(",\"client_auth\":\"client_secret_basic\",\"client_secret\":\"s e\",\"scopes\":["
				     "\"openid\",\"email\"],\"acr\":[\"phr\"],\"amr\":[\"mfa\",\"pwd\"],\"domains\":["
				     "\"a.example\"],\"hosted_domain\":\"a.example\",\"token_audience\":\"x\",\"bind\":"
				     "\"verified_email\",\"max_age\":60,\"preferred\":true,\"name\":\"Ours\""),
			    &record, &problem),
		0);
	assert_string_equal(record.idp.client_secret, "s e");
	assert_int_equal(record.idp.amr.count, 2);
	assert_int_equal(record.idp.bind, IDP_BIND_VERIFIED_EMAIL);
	assert_int_equal(record.idp.max_age_sec, 60);
	assert_string_equal(record.idp.name, "Ours");
	assert_true(record.idp.preferred);
	assert_result(read_record(&arena, RECORD_IDP, "idp_a",
				  "{\"kind\":\"tenantd\",\"issuer\":\"https://c.example:8443\",\"client_id\":\"" TENANT
				  "\"}",
				  &record, &problem),
		      0);
	assert_string_equal(record.idp.name, "c.example:8443");
	assert_result(read_record(&arena, RECORD_USER, "usr_a",
				  "{\"login\":\"al\",\"uid\":1879048200,\"identities\":[" ONE "]}", &record, &problem),
		      0);
	assert_int_equal(record.user.identity_count, 1);
	assert_string_equal(record.user.identities[0].subject, "1");
	assert_result(read_record(&arena, RECORD_TENANT, TENANT, TENANT_WITH("\"sudo\":{\"proof\":\"recent\"}"),
				  &record, &problem),
		      0);
	assert_int_equal(record.tenant.sudo_proof, SUDO_PROOF_RECENT);
	assert_int_equal(record.tenant.sudo_within_sec, 900);
	arena_finish(&arena);
}

static const struct record_refusal refusals[] = {
	{RECORD_TENANT, "ten_other", "{\"slug\":\"acme\",\"gid\":1879048192," IDS "}",
	 "\"id\" is that of another tenant"},
	{RECORD_TENANT, TENANT, "[]", "not an object"},
	{RECORD_TENANT, TENANT, "{\"slug\":\"acme\"}", "'gid' is missing"},
	{RECORD_TENANT, TENANT, "{\"gid\":1879048192," IDS "}", "'slug' is missing"},
	{RECORD_TENANT, TENANT, "{\"slug\":\"acme\",\"gid\":1879048192}", "'ids' is missing"},
	{RECORD_TENANT, TENANT, "{\"slug\":\"Acme\",\"gid\":1879048192," IDS "}", "\"slug\" is not a slug"},
	{RECORD_TENANT, TENANT, "{\"slug\":\"a2345678901234567\",\"gid\":1879048192," IDS "}", "longer than 16"},
	{RECORD_TENANT, TENANT, "{\"slug\":\"acme\",\"gid\":1000," IDS "}", "\"gid\" is outside the managed range"},
	{RECORD_TENANT, TENANT, "{\"slug\":\"acme\",\"gid\":-1," IDS "}", "'gid' must be a whole number"},
	{RECORD_TENANT, TENANT,
	 "{\"slug\":\"acme\",\"gid\":1879048192,\"ids\":{\"first\":1000,\"count\":1,\"next\":1000}}",
	 "\"first\" is outside the managed range"},
	{RECORD_TENANT, TENANT,
	 "{\"slug\":\"acme\",\"gid\":1879048192,\"ids\":{\"first\":1879048192,\"count\":0,\"next\":1879048192}}",
	 "block is empty"},
	{RECORD_TENANT, TENANT,
	 "{\"slug\":\"acme\",\"gid\":1879048192,\"ids\":{\"first\":2147483000,\"count\":4000,\"next\":2147483000}}",
	 "reaches past"},
	{RECORD_TENANT, TENANT,
	 "{\"slug\":\"acme\",\"gid\":1879048192,\"ids\":{\"first\":1879048192,\"count\":10,\"next\":1879048203}}",
	 "not inside the block"},
	{RECORD_TENANT, TENANT, "{\"slug\":\"acme\",\"gid\":1879048192,\"ids\":{\"first\":1879048192,\"count\":10}}",
	 "'next' is missing"},
	{RECORD_TENANT, TENANT, TENANT_WITH("\"tenant\":\"x\""), "'tenant' is not known"},
	{RECORD_TENANT, TENANT, TENANT_WITH("\"name\":\"a\\u0007b\""), "invisible characters"},
	{RECORD_TENANT, TENANT, TENANT_WITH("\"region\":1"), "'region' must be a string"},
	{RECORD_TENANT, TENANT, TENANT_WITH("\"name\":null"), "'name' must be a string"},
	{RECORD_TENANT, TENANT, TENANT_WITH("\"allow_from\":[\"10.0.0.1/8\"]"), "not an address block"},
	{RECORD_TENANT, TENANT, TENANT_WITH("\"allow_from\":[1]"), "a list of strings"},
	{RECORD_TENANT, TENANT, TENANT_WITH("\"allow_from\":\"10.0.0.0/8\""), "a list of strings"},
	{RECORD_TENANT, TENANT, TENANT_WITH("\"ssh_keys\":\"some\""), "none of the words"},
	{RECORD_TENANT, TENANT, TENANT_WITH("\"key_warning_days\":3651"), "longer than ten years"},
	{RECORD_TENANT, TENANT, TENANT_WITH("\"login_hours\":[\"always\"]"), "not a span of hours"},
	{RECORD_TENANT, TENANT, TENANT_WITH("\"suspended\":\"no\""), "true or false"},
	{RECORD_TENANT, TENANT, TENANT_WITH("\"stale\":{\"offline\":31622401,\"roles\":[]}"), "longer than a year"},
	{RECORD_TENANT, TENANT, TENANT_WITH("\"stale\":{\"roles\":[]}"), "'offline' is missing"},
	{RECORD_TENANT, TENANT, TENANT_WITH("\"sudo\":{}"), "'proof' is missing"},
	{RECORD_TENANT, TENANT, TENANT_WITH("\"sudo\":\"none\""), "must be an object"},
	{RECORD_TENANT, TENANT, TENANT_WITH("\"sudo\":{\"proof\":\"never\"}"), "none of the words"},
	{RECORD_TENANT, TENANT, TENANT_WITH("\"sudo\":{\"proof\":\"recent\",\"within\":0}"), "\"within\" is no time"},
	{RECORD_TENANT, TENANT, TENANT_WITH("\"sudo\":{\"proof\":\"recent\",\"within\":86401}"), "longer than a day"},
	{RECORD_TENANT, TENANT, TENANT_WITH("\"sudo\":{\"proof\":\"recent\",\"within\":\"5m\"}"), "whole number"},
	{RECORD_TENANT, TENANT, TENANT_WITH("\"sudo\":{\"proof\":\"none\",\"within\":60}"),
	 "with \"proof\" recent only"},
	{RECORD_TENANT, TENANT, TENANT_WITH("\"stale\":{\"offline\":60,\"roles\":[\"a b\"]}"), "not a name of a role"},
	{RECORD_TENANT, TENANT, TENANT_WITH("\"stale\":{\"offline\":60,\"roles\":[],\"x\":1}"), "'x' is not known"},
	{RECORD_TENANT, TENANT, TENANT_WITH("\"roles\":[1]"), "not an object"},
	{RECORD_TENANT, TENANT, ROLE("\"name\":\"r\",\"kind\":\"project\""), "'actions' is missing"},
	{RECORD_TENANT, TENANT, ROLE("\"name\":\"owner\",\"kind\":\"project\",\"actions\":[]"), "a shipped one"},
	{RECORD_TENANT, TENANT, ROLE("\"name\":\"r\",\"kind\":\"host\",\"actions\":[]"), "none of the words"},
	{RECORD_TENANT, TENANT, ROLE("\"name\":\"r\",\"kind\":\"tenant\",\"groups\":\"viewer\",\"actions\":[]"),
	 "cannot give groups"},
	{RECORD_TENANT, TENANT, ROLE("\"name\":\"r\",\"kind\":\"tenant\",\"actions\":[\"host.login\"]"),
	 "cannot give host.login"},
	{RECORD_TENANT, TENANT, ROLE("\"name\":\"r\",\"kind\":\"project\",\"actions\":[\"dataset.writ\"]"),
	 "no action"},
	{RECORD_TENANT, TENANT, ROLE("\"name\":\"r\",\"kind\":\"project\",\"groups\":\"all\",\"actions\":[]"),
	 "none of the words"},
	{RECORD_TENANT, TENANT,
	 TENANT_WITH("\"roles\":[{\"name\":\"r\",\"kind\":\"project\",\"actions\":[]},"
		     "{\"name\":\"r\",\"kind\":\"tenant\",\"actions\":[]}]"),
	 "defined twice"},

	{RECORD_PROJECT, "prj a", "{\"slug\":\"vision\",\"gid\":1879048210}", "\"id\" is not of the form"},
	{RECORD_PROJECT, "prj_a", "{\"slug\":\"-vision\",\"gid\":1879048210}", "not a slug"},
	{RECORD_PROJECT, "prj_a", "{\"slug\":\"vision\"}", "'gid' is missing"},
	{RECORD_PROJECT, "prj_a", "{\"slug\":\"vision\",\"gid\":0}", "outside the managed range"},
	{RECORD_PROJECT, "prj_a", "{\"slug\":\"vision\",\"gid\":1879048210,\"allow_from\":[\"x\"]}",
	 "not an address block"},
	{RECORD_PROJECT, "prj_a", "{\"slug\":\"vision\",\"gid\":1879048210,\"tenant\":\"" TENANT "\"}",
	 "'tenant' is not known"},

	{RECORD_USER, "", "{\"login\":\"alice\",\"uid\":1879048200}", "\"id\" is not of the form"},
	{RECORD_USER, "usr_alice", "{\"uid\":1879048200}", "'login' is missing"},
	{RECORD_USER, "usr_alice", "{\"login\":\"alice\"}", "'uid' is missing"},
	{RECORD_USER, "usr_alice", "{\"login\":\"root\",\"uid\":1879048200}", "not a login name"},
	{RECORD_USER, "usr_alice", "{\"login\":\"a:b\",\"uid\":1879048200}", "not a login name"},
	{RECORD_USER, "usr_alice", "{\"login\":\"\",\"uid\":1879048200}", "not a login name"},
	{RECORD_USER, "usr_alice", "{\"login\":\"alice\",\"uid\":0}", "outside the managed range"},
	{RECORD_USER, "usr_alice", "{\"login\":\"alice\",\"uid\":2147483647}", "outside the managed range"},
	{RECORD_USER, "usr_alice", "{\"login\":\"alice\",\"uid\":1.5}", "a whole number"},
	{RECORD_USER, "usr_alice", USER_WITH("\"name\":\"a:b\""), "field of passwd"},
	{RECORD_USER, "usr_alice", USER_WITH("\"email\":\"alice\""), "not an e-mail address"},
	{RECORD_USER, "usr_alice", USER_WITH("\"home\":\"/home/../root\""), "not a safe absolute path"},
	{RECORD_USER, "usr_alice", USER_WITH("\"home\":\"\""), "not a safe absolute path"},
	{RECORD_USER, "usr_alice", USER_WITH("\"shell\":\"bash\""), "not a safe absolute path"},
	{RECORD_USER, "usr_alice", USER_WITH("\"kind\":\"robot\""), "none of the words"},
	{RECORD_USER, "usr_alice", USER_WITH("\"status\":\"gone\""), "none of the words"},
	{RECORD_USER, "usr_alice", USER_WITH("\"status_reason\":\"a\\nb\""), "invisible characters"},
	{RECORD_USER, "usr_alice", USER_WITH("\"sessions_valid_from\":0"), "not after 1970"},
	{RECORD_USER, "usr_alice", USER_WITH("\"sessions_valid_from\":-5"), "not after 1970"},
	{RECORD_USER, "usr_alice", USER_WITH("\"ssh_keys\":[\"ssh-rsa AAAA\"]"), "not an SSH public key"},
	{RECORD_USER, "usr_alice", USER_WITH("\"ssh_keys\":[\"command=x " SSH_KEY "\"]"), "not an SSH public key"},
	{RECORD_USER, "usr_alice", USER_WITH("\"password\":\"x\""), "'password' is not known"},

	{RECORD_MEMBER, "usr_alice", "{\"user\":\"usr_alice\",\"role\":\"admin\"}", "\"id\" is not of the form"},
	{RECORD_MEMBER, "usr_bob/prj_a", "{\"user\":\"usr_alice\",\"project\":\"prj_a\",\"role\":\"owner\"}",
	 "not that of this membership"},
	{RECORD_MEMBER, "usr_alice/prj_b", "{\"user\":\"usr_alice\",\"project\":\"prj_a\",\"role\":\"owner\"}",
	 "not that of this membership"},
	{RECORD_MEMBER, "usr_alice/prj_a", "{\"user\":\"usr_alice\",\"role\":\"owner\"}",
	 "not that of this membership"},
	{RECORD_MEMBER, "usr_alice/", "{\"user\":\"usr_alice\"}", "'role' is missing"},
	{RECORD_MEMBER, "usr_alice/", "{\"user\":\"usr_alice\",\"role\":\"9\"}", "not a name of a role"},
	{RECORD_MEMBER, "usr_alice/", "{\"user\":\"usr alice\",\"role\":\"admin\"}", "not an id"},
	{RECORD_MEMBER, "/prj_a", "{\"user\":\"usr_alice\",\"project\":\"prj_a\",\"role\":\"owner\"}",
	 "\"id\" is not of the form"},

	{RECORD_KEY, "key_short", KEY_WITH("\"label\":\"x\""), "\"id\" is not of the form"},
	{RECORD_KEY, "key_0123456789abcde_", KEY_WITH("\"label\":\"x\""), "\"id\" is not of the form"},
	{RECORD_KEY, KEY_ID, "{\"user\":\"usr_alice\"}", "'verifier' is missing"},
	{RECORD_KEY, KEY_ID, "{\"verifier\":" VERIFIER "}", "'user' is missing"},
	{RECORD_KEY, KEY_ID, "{\"user\":\"usr_alice\",\"verifier\":\"tnt_pk_secret\"}",
	 "\"verifier\" is not \"sha256:\""},
	{RECORD_KEY, KEY_ID, KEY_WITH("\"label\":\"\\u202e\""), "invisible characters"},
	{RECORD_KEY, KEY_ID, KEY_WITH("\"projects\":[\"vision!\"]"), "not an id"},
	{RECORD_KEY, KEY_ID, KEY_WITH("\"actions\":[\"a b\"]"), "not a word"},
	{RECORD_KEY, KEY_ID, KEY_WITH("\"services\":[\"\"]"), "not a word"},
	{RECORD_KEY, KEY_ID, KEY_WITH("\"from\":[\"10.0.0.0/33\"]"), "not an address block"},
	{RECORD_KEY, KEY_ID, KEY_WITH("\"created\":0"), "\"created\" is not after"},
	{RECORD_KEY, KEY_ID, KEY_WITH("\"not_before\":0"), "\"not_before\" is not after"},
	{RECORD_KEY, KEY_ID, KEY_WITH("\"not_after\":0"), "\"not_after\" is not after"},
	{RECORD_KEY, KEY_ID, KEY_WITH("\"revoked_at\":0"), "\"revoked_at\" is not after"},
	{RECORD_KEY, KEY_ID, KEY_WITH("\"not_before\":20,\"not_after\":20"), "before it begins"},
	{RECORD_KEY, KEY_ID, KEY_WITH("\"successor\":\"-\""), "not an id"},
	{RECORD_KEY, KEY_ID, KEY_WITH("\"revoked_reason\":5"), "'revoked_reason' must be a string"},

	{RECORD_HOST, "hrl-1", RULE("\"project\":\"prj_a\""), "\"id\" is not of the form"},
	{RECORD_HOST, "hrl_1", "{\"name\":\"gpu1\"}", "'serves' is missing"},
	{RECORD_HOST, "hrl_1", "{\"serves\":[]}", "'name' is missing"},
	{RECORD_HOST, "hrl_1", "{\"name\":\"*gpu\",\"serves\":[]}", "not a host name"},
	{RECORD_HOST, "hrl_1", "{\"name\":\"\",\"serves\":[]}", "not a host name"},
	{RECORD_HOST, "hrl_1", "{\"name\":\"gpu1\",\"serves\":[\"prj_a\"]}", "not an object"},
	{RECORD_HOST, "hrl_1", RULE("\"login\":[\"owner\"]"), "'project' is missing"},
	{RECORD_HOST, "hrl_1", RULE("\"project\":\"vision!\""), "not an id"},
	{RECORD_HOST, "hrl_1", RULE("\"project\":\"prj_a\",\"login\":[\"!\"]"), "not a word"},
	{RECORD_HOST, "hrl_1", RULE("\"project\":\"prj_a\",\"sudo\":[\"!\"]"), "not a word"},
	{RECORD_HOST, "hrl_1", RULE("\"project\":\"prj_a\",\"services\":[\"!\"]"), "not a word"},
	{RECORD_HOST, "hrl_1", RULE("\"project\":\"prj_a\",\"tenant\":\"x\""), "'tenant' is not known"},

	{RECORD_TOKEN_KEY, "a b", TOKEN_KEY(COORDINATE, COORDINATE), "\"id\" is not of the form"},
	{RECORD_TOKEN_KEY, "01234567890123456789012345678901234567890123456789012345678901234",
	 TOKEN_KEY(COORDINATE, COORDINATE), "\"id\" is not of the form"},
	{RECORD_TOKEN_KEY, "k1", TOKEN_KEY("AAEC", COORDINATE), "\"x\" is not a coordinate"},
	{RECORD_TOKEN_KEY, "k1", TOKEN_KEY(COORDINATE, COORDINATE "="), "\"y\" is not a coordinate"},
	{RECORD_TOKEN_KEY, "k1", TOKEN_KEY(COORDINATE "AA", COORDINATE), "\"x\" is not a coordinate"},
	{RECORD_TOKEN_KEY, "k1", "{\"issuer\":\"\",\"x\":\"" COORDINATE "\",\"y\":\"" COORDINATE "\"}",
	 "\"issuer\" is empty"},
	{RECORD_TOKEN_KEY, "k1", "{\"issuer\":\"https://c\",\"x\":\"" COORDINATE "\"}", "'y' is missing"},
	{RECORD_TOKEN_KEY, "k1",
	 "{\"issuer\":\"https://c\",\"x\":\"" COORDINATE "\",\"y\":\"" COORDINATE "\",\"not_after\":0}",
	 "not after 1970"},

	{RECORD_REVOCATION, "a/b", "{\"of\":\"token\",\"at\":1}", "\"id\" is not of the form"},
	{RECORD_REVOCATION, "hst-1", "{\"of\":\"host\",\"at\":1}", "not that of a host"},
	{RECORD_REVOCATION, "t1", "{\"of\":\"user\",\"at\":1}", "none of the words"},
	{RECORD_REVOCATION, "t1", "{\"of\":\"token\"}", "'at' is missing"},
	{RECORD_REVOCATION, "t1", "{\"of\":\"token\",\"at\":0}", "not after 1970"},
	{RECORD_REVOCATION, "t1", "{\"of\":\"token\",\"at\":1,\"until\":-1}", "not after 1970"},
	{RECORD_REVOCATION, "t1", "{\"of\":\"token\",\"at\":1,\"reason\":\"\\u0000\"}", NULL},

	{RECORD_IDP, "idp-a", IDP_WITH(""), "\"id\" is not of the form"},
	{RECORD_IDP, "idp_a", "{\"issuer\":\"https://i.example\",\"client_id\":\"c\"}", "'kind' is missing"},
	{RECORD_IDP, "idp_a", "{\"kind\":\"oidc\",\"client_id\":\"c\"}", "'issuer' is missing"},
	{RECORD_IDP, "idp_a", "{\"kind\":\"oidc\",\"issuer\":\"https://i.example\"}", "'client_id' is missing"},
	{RECORD_IDP, "idp_a", "{\"kind\":\"saml\",\"issuer\":\"https://i.example\",\"client_id\":\"c\"}",
	 "none of the words"},
	{RECORD_IDP, "idp_a", "{\"kind\":\"oidc\",\"issuer\":\"http://i.example\",\"client_id\":\"c\"}",
	 "not an https URL"},
	{RECORD_IDP, "idp_a", "{\"kind\":\"oidc\",\"issuer\":\"https://i.example\",\"client_id\":\"\"}",
	 "not a client id"},
	{RECORD_IDP, "idp_a", "{\"kind\":\"tenantd\",\"issuer\":\"https://i.example\",\"client_id\":\"ten_other\"}",
	 "write the tenant's id"},
	{RECORD_IDP, "idp_a", IDP_WITH(",\"tenant\":\"x\""), "'tenant' is not known"},
	{RECORD_IDP, "idp_a", IDP_WITH(",\"client_auth\":\"basic\""), "none of the words"},
	{RECORD_IDP, "idp_a", IDP_WITH(",\"client_secret\":\"tnt_pk_secret\""), "does not say how it is sent"},
	{RECORD_IDP, "idp_a", IDP_WITH(",\"client_secret\":\"\""), "not a client secret"},
	{RECORD_IDP, "idp_a",
	 IDP_WITH(",\"client_auth\":\"client_secret_post\",\"client_secret\":\"tnt_pk_secret\\n\""),
	 "\"client_secret\" is not a client secret"},
	{RECORD_IDP, "idp_a", IDP_WITH(",\"client_auth\":\"private_key_jwt\",\"client_key\":\"tnt_pk_secret\""),
	 "\"client_key\" is not a private key"},
	{RECORD_IDP, "idp_a", IDP_WITH(",\"client_auth\":\"private_key_jwt\",\"client_key\":{\"kty\":\"EC\"}"),
	 "'client_key' must be a string"},
	{RECORD_IDP, "idp_a", IDP_WITH(",\"client_auth\":\"client_secret_post\""), "needs a client_secret"},
	{RECORD_IDP, "idp_a", IDP_WITH(",\"scopes\":[\"a b\"]"), "not a scope"},
	{RECORD_IDP, "idp_a", IDP_WITH(",\"scopes\":\"openid\""), "a list of strings"},
	{RECORD_IDP, "idp_a", IDP_WITH(",\"acr\":[\"\"]"), "not a value that a token may have"},
	{RECORD_IDP, "idp_a", IDP_WITH(",\"domains\":[\"a.example\",\"B.example\"]"), "not a domain"},
	{RECORD_IDP, "idp_a", IDP_WITH(",\"bind\":\"verified_email\""), "needs \"domains\""},
	{RECORD_IDP, "idp_a", IDP_WITH(",\"token_audience\":\"c\""), "is the client id"},
	{RECORD_IDP, "idp_a", IDP_WITH(",\"max_age\":31622401"), "longer than a year"},
	{RECORD_IDP, "idp_a", IDP_WITH(",\"preferred\":\"yes\""), "true or false"},
	{RECORD_IDP, "idp_a", IDP_WITH(",\"name\":\"a\\u0007b\""), "invisible characters"},

	{RECORD_USER, "usr_alice", USER_WITH("\"identities\":{}"), "must be a list"},
	{RECORD_USER, "usr_alice", USER_WITH("\"identities\":[\"1\"]"), "not an object"},
	{RECORD_USER, "usr_alice", USER_WITH("\"identities\":[{\"subject\":\"1\"}]"), "'issuer' is missing"},
	{RECORD_USER, "usr_alice", USER_WITH("\"identities\":[{\"issuer\":\"https://i.example\"}]"),
	 "'subject' is missing"},
	{RECORD_USER, "usr_alice", USER_WITH("\"identities\":[{\"issuer\":\"i\",\"subject\":\"1\"}]"),
	 "not an https URL"},
	{RECORD_USER, "usr_alice",
	 USER_WITH("\"identities\":[{\"issuer\":\"https://i.example\",\"subject\":\"a\\u001bb\"}]"), "not a subject"},
	{RECORD_USER, "usr_alice", USER_WITH("\"identities\":[" ONE "," ONE "]"), "listed twice"},
	{RECORD_USER, "usr_alice",
	 USER_WITH("\"identities\":[{\"issuer\":\"https://i.example\",\"subject\":\"1\",\"email\":\"a@b.c\"}]"),
	 "'email' is not known"},
};

static void test_refusals(void **state)
{
	check_refusals(refusals, ARRAY_LEN(refusals));
}

static void test_long_list(void **state)
{
	_cleanup_(json_decrefp) json_t *body =
		json_pack("{s:s,s:i,s:[]}", "slug", "vision", "gid", 1879048210, "allow_from");
	json_t *list = json_object_get(body, "allow_from");
	struct project_record project;
	struct problem problem = {0};
	struct arena arena;
	const struct record_store store = record_store_of(&arena);

	arena_init(&arena);
	for (int i = 0; i < 4096; i++)
		assert_int_equal(json_array_append_new(list, json_string("10.0.0.1")), 0);
	assert_result(record_read_json(RECORD_PROJECT, TENANT, "prj_a", body, &store, &project, &problem), 0);
	assert_int_equal(json_array_append_new(list, json_string("10.0.0.1")), 0);
	assert_result(record_read_json(RECORD_PROJECT, TENANT, "prj_a", body, &store, &project, &problem), -EINVAL);
	assert_non_null(strstr(problem.text, "too long a list"));
	arena_finish(&arena);
}

static const char *no_text(void *context, const char *text, size_t length)
{
	return NULL;
}

static void test_no_memory(void **state)
{
	_cleanup_(json_decrefp) json_t *body = json_pack("{s:s,s:i}", "slug", "vision", "gid", 1879048210);
	struct record_store store = record_store_of(NULL);
	struct project_record project;
	struct problem problem = {0};

	store.text = no_text;
	assert_result(record_read_json(RECORD_PROJECT, TENANT, "prj_a", body, &store, &project, &problem), -ENOMEM);
	assert_result(record_read_json(RECORD_PROJECT, TENANT, "prj_a", NULL, &store, &project, &problem), -EINVAL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tenant),    cmocka_unit_test(test_people),
		cmocka_unit_test(test_others),    cmocka_unit_test(test_single_sign_on),
		cmocka_unit_test(test_refusals),  cmocka_unit_test(test_long_list),
		cmocka_unit_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
