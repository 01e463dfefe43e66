/* SPDX-License-Identifier: MIT */
#include "directory_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/file.h"
#include "directory/yaml_load.h"

const char sample_directory[] =
	"# A comment at the head.\n"
	"version: 1\n"
	"tenants:\n"
	"  # the first one\n"
	"  - id: ten_acme\n"
	"    slug: acme\n"
	"    name: Acme Robotics # and a comment beside\n"
	"    gid: 1879048192\n"
	"    ids: {first: 1879048192, count: 65536, next: 1879048300}\n"
	"    roles:\n"
	"      - {name: annotator, kind: project, groups: viewer, actions: [project.view, dataset.write, label.add]}\n"
	"      - {name: billing, kind: tenant, actions: [audit.view]}\n"
	"    policy: {ssh_keys: directory, sessions: {max_per_user: 20}, key_warning: 14d, login_hours: [\"mon-fri "
	"08:00-18:00\"]}\n"
	"  - {id: ten_beta, slug: beta, gid: 1879113728, ids: {first: 1879113728, count: 65536, next: 1879113800}, "
	"sudo: {proof: "
	"recent, within: 5min}}\n"
	"projects:\n"
	"  - {id: prj_vision, tenant: ten_acme, slug: vision, gid: 1879048193, allow_from: [10.0.0.0/8]}\n"
	"  - {id: prj_speech, tenant: ten_acme, slug: speech, gid: 1879048197}\n"
	"  - {id: prj_main, tenant: ten_beta, slug: main, gid: 1879113729}\n"
	"users:\n"
	"  - id: usr_alice\n"
	"    tenant: ten_acme\n"
	"    login: alice\n"
	"    uid: 1879048210\n"
	"    name: Alice Example\n"
	"    email: alice@acme.example\n"
	"    # Alice likes comments.\n"
	"    sessions_valid_from: 2026-11-01T00:00:00Z\n"
	"    ssh_keys: [\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f laptop\"]\n"
	"  - {id: usr_bob, tenant: ten_acme, login: bob, uid: 1879048211, home: /srv/bob, shell: /bin/sh, identities: "
	"[{issuer: https://accounts.google.com, subject: \"110169484474386276334\"}, {issuer: "
	"https://login.acme.example/realms/staff, subject: a3f1}]}\n"
	"  - {id: usr_ci, tenant: ten_acme, login: acme-ci, uid: 1879048212, kind: service}\n"
	"  - {id: usr_carol, tenant: ten_beta, login: carol, uid: 1879113740, status: suspended, status_reason: on "
	"leave}\n"
	"\n"
	"members:\n"
	"  - {user: usr_alice, project: prj_vision, role: owner} # since 2024\n"
	"  - {user: usr_alice, tenant: ten_acme, role: admin}\n"
	"  - {user: usr_alice, project: prj_speech, role: viewer}\n"
	"  - {user: usr_bob, project: prj_vision, role: annotator}\n"
	"  - {user: usr_carol, project: prj_main, role: editor}\n"
	"keys:\n"
	"  - id: key_0123456789abcdef\n"
	"    user: usr_alice\n"
	"    label: laptop\n"
	"    verifier: \"sha256:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"\n"
	"    scopes: {projects: [prj_vision], actions: [host.login, label.add], services: [sshd], from: [10.0.0.0/8]}\n"
	"    created: 2026-11-01T08:00:00Z\n"
	"    not_after: 2027-11-01T08:00:00Z\n"
	"    successor: key_fedcba9876543210\n"
	"  - id: key_fedcba9876543210\n"
	"    user: usr_alice\n"
	"    verifier: \"sha256:100102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"\n"
	"    revoked: {at: 2026-11-20T00:00:00Z, reason: lost laptop}\n"
	"hosts:\n"
	"  - name: gpu-*\n"
	"    serves:\n"
	"      - {project: prj_vision, login: [owner, editor, annotator], sudo: [owner], services: [sshd]}\n"
	"      - project: prj_main # theirs, too\n"
	"  - name: \"*\"\n"
	"    serves: []\n"
	"providers:\n"
	"  # with a secret\n"
	"  - {id: idp_google, tenant: ten_acme, kind: google, issuer: https://accounts.google.com, client_id: "
	"1-a.apps.googleusercontent.com, client_auth: client_secret_post, client_secret: \"GOCSPX: a # b\", bind: "
	"verified_email, domains: [acme.example, acme.test], hosted_domain: acme.example, preferred: true}\n"
	"  - id: idp_staff\n"
	"    tenant: ten_acme\n"
	"    name: Staff login # for people\n"
	"    kind: oidc\n"
	"    issuer: https://login.acme.example/realms/staff\n"
	"    client_id: hosts\n"
	"    scopes: [openid, profile, email]\n"
	"    acr: [phr, \"urn:acme:gold\"]\n"
	"    amr: [mfa]\n"
	"    token_audience: https://hosts.acme.example\n"
	"    max_age: 8h\n"
	"  - {id: idp_beta, tenant: ten_beta, kind: github, issuer: https://github.com, client_id: "
	"Iv1.0123456789abcdef}\n";

const char operators_directory[] =
	"version: 1\n"
	"tenants:\n"
	"  - id: ten_acme\n"
	"    slug: acme\n"
	"    gid: 1879048192\n"
	"    ids: {first: 1879048192, count: 65536, next: 1879048300}\n"
	"    policy:\n"
	"      sessions:\n"
	"        max_per_user: 4 # on a host\n"
	"        max_per_tenant: 100\n"
	"        over: end-oldest\n"
	"        max_age: 12h\n"
	"        idle: 30min\n"
	"        warn: 10min\n"
	"        grace: 20s\n"
	"        end_outside_hours: true\n"
	"        end_with_key: true\n"
	"projects:\n"
	"  - {id: prj_vision, tenant: ten_acme, slug: vision, gid: 1879048193}\n"
	"users:\n"
	"  - {id: usr_alice, tenant: ten_acme, login: alice, uid: 1879048210}\n"
	"  - {id: usr_olga, tenant: ten_acme, login: olga, uid: 1879048211, kind: operator}\n"
	"members:\n"
	"  - {user: usr_olga, project: prj_vision, role: viewer}\n"
	"grants:\n"
	"  # who looks in\n"
	"  - {id: grt_a, tenant: ten_acme, user: usr_olga, operator_id: opr_7, operator_name: olga@platform.example, "
	"reason: \"ticket 4711: no GPU\", not_before: 2027-01-15T07:00:00Z, not_after: 2027-01-15T09:00:00Z}\n";

struct unit *load_text(const char *name, const char *text)
{
	struct problem problem = {0};
	struct unit *unit = NULL;
	char line[1400];

	if (directory_yaml_load_text(name, text, strlen(text), &unit, &problem) != 0)
		fail_msg("%s", problem_render(&problem, line, sizeof(line)));
	return unit;
}

struct directory *build_units(struct unit *const *units, uint32_t count, const struct directory *before)
{
	struct directory *d = NULL;
	struct problem problem = {0};
	char line[1400];

	if (directory_build(units, count, "gpu-1", before, &d, &problem) != 0)
		fail_msg("%s", problem_render(&problem, line, sizeof(line)));
	return d;
}

struct directory *build_text(const char *text)
{
	struct unit *unit = load_text("sample.yaml", text);
	struct directory *d = build_units(&unit, 1, NULL);

	unit_unref(unit);
	return d;
}

const char *build_problem(struct unit *const *units, uint32_t count, const struct directory *before)
{
	static char line[1400];
	struct directory *d = NULL;
	struct problem problem = {0};
	int r = directory_build(units, count, "gpu-1", before, &d, &problem);

	if (r == 0) {
		directory_unref(d);
		return "(no problem)";
	}
	assert_result(r, -EINVAL);
	assert_null(d);
	return problem_render(&problem, line, sizeof(line));
}

const char *problem_of(const char *first, const char *second)
{
	struct unit *units[2] = {load_text("f", first), NULL};
	const char *text;
	uint32_t count = 1;

	if (second)
		units[count++] = load_text("g", second);
	text = build_problem(units, count, NULL);
	for (uint32_t i = 0; i < count; i++)
		unit_unref(units[i]);
	return text;
}

char *replaced(const char *text, const char *from, const char *to)
{
	const char *at = strstr(text, from);
	char *out;

	if (!at)
		fail_msg("\"%s\" is not in the text", from);
	out = malloc(strlen(text) + strlen(to) + 1);
	assert_non_null(out);
	sprintf(out, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
	return out;
}

char *make_folder(void)
{
	char *folder = strdup("/tmp/directory-test-XXXXXX");

	assert_non_null(folder);
	assert_non_null(mkdtemp(folder));
	return folder;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void remove_folder(char *folder)
{
	nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	free(folder);
}

void write_file(const char *path, const char *text)
{
	assert_result(file_replace(AT_FDCWD, path, text, strlen(text), 0640, NULL), 0);
}

char *read_file(const char *path)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;

	assert_result(file_read(AT_FDCWD, path, 1 << 20, FILE_TRUST_ANY, 0, &text, NULL), 0);
	return strdup(buffer_text(&text));
}
