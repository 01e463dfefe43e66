/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "directory/yaml_load.h"
#include "unit.h"

const char fixture_yaml[] =
	"version: 1\n"
	"tenants:\n"
	"  - id: ten_acme\n"
	"    slug: acme\n"
	"    name: Acme Robotics\n"
	"    gid: 1879048192\n"
	"    ids: {first: 1879048192, count: 65536, next: 1879048292}\n"
	"    roles:\n"
	"      - {name: annotator, kind: project, groups: viewer, actions: [project.view, dataset.write, host.login]}\n"
	"      - {name: labeller, kind: project, groups: viewer, actions: [project.view, label.add]}\n"
	"      - {name: billing, kind: tenant, actions: [project.view, audit.view]}\n"
	"  - id: ten_beta\n"
	"    slug: beta\n"
	"    name: Beta Works\n"
	"    gid: 1879113728\n"
	"    ids: {first: 1879113728, count: 65536, next: 1879113828}\n"
	"projects:\n"
	"  - {id: prj_vision, tenant: ten_acme, slug: vision, gid: 1879048193}\n"
	"  - {id: prj_speech, tenant: ten_acme, slug: speech, gid: 1879048197}\n"
	"  - {id: prj_radar, tenant: ten_beta, slug: radar, gid: 1879113729}\n"
	"users:\n"
	"  - id: usr_alice\n"
	"    tenant: ten_acme\n"
	"    login: alice\n"
	"    uid: 1879048210\n"
	"    ssh_keys: [\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFuIGV4YW1wbGUga2V5LCBvZiBubyB1c2UgYXQgYWxs laptop\"]\n"
	"  - {id: usr_edith, tenant: ten_acme, login: edith, uid: 1879048211}\n"
	"  - {id: usr_victor, tenant: ten_acme, login: victor, uid: 1879048212}\n"
	"  - {id: usr_ann, tenant: ten_acme, login: ann, uid: 1879048213}\n"
	"  - {id: usr_sam, tenant: ten_acme, login: sam, uid: 1879048214}\n"
	"  - {id: usr_adam, tenant: ten_acme, login: adam, uid: 1879048215}\n"
	"  - {id: usr_mallory, tenant: ten_acme, login: mallory, uid: 1879048216}\n"
	"  - {id: usr_bot, tenant: ten_acme, login: bot, uid: 1879048217, kind: service}\n"
	"  - {id: usr_gone, tenant: ten_acme, login: gone, uid: 1879048218, status: suspended}\n"
	"  - {id: usr_moved, tenant: ten_acme, login: moved, uid: 1879048219, sessions_valid_from: "
	"2027-01-15T08:00:30Z}\n"
	"  - {id: usr_bert, tenant: ten_beta, login: bert, uid: 1879113738, email: bert@beta.example}\n"
	"members:\n"
	"  - {user: usr_alice, project: prj_vision, role: owner}\n"
	"  - {user: usr_edith, project: prj_vision, role: editor}\n"
	"  - {user: usr_victor, project: prj_vision, role: viewer}\n"
	"  - {user: usr_ann, project: prj_vision, role: annotator}\n"
	"  - {user: usr_sam, project: prj_speech, role: owner}\n"
	"  - {user: usr_adam, tenant: ten_acme, role: admin}\n"
	"  - {user: usr_bot, project: prj_vision, role: editor}\n"
	"  - {user: usr_gone, project: prj_vision, role: owner}\n"
	"  - {user: usr_moved, project: prj_vision, role: owner}\n"
	"  - {user: usr_bert, project: prj_radar, role: owner}\n"
	"hosts:\n"
	"  - name: gpu-*\n"
	"    serves:\n"
	"      - {project: prj_vision, login: [owner, editor, annotator], sudo: [owner]}\n"
	"      - {project: prj_radar, login: [owner, editor, viewer]}\n"
	"  - name: cpu-1\n"
	"    serves:\n"
	"      - {project: prj_speech, services: [sshd]}\n";

struct fixture_key fixture_key(enum api_key_kind kind, const char *user, const char *label, const char *more)
{
	struct fixture_key key = {0};
	uint8_t verifier[SHA256_BYTES];
	char id[API_KEY_ID_CHARS + 1], hex[2 * SHA256_BYTES + 1];
	struct buffer yaml = BUFFER_INIT;

	assert_result(api_key_make(kind, key.text, id), 0);
	assert_result(api_key_verifier(key.text, strlen(key.text), verifier), 0);
	text_to_hex(verifier, sizeof(verifier), hex);
	snprintf(key.id, sizeof(key.id), "key_%s", id);
	buffer_printf(&yaml,
		      "  - id: %s\n    user: %s\n    label: %s\n    verifier: \"sha256:%s\"\n"
		      "    created: 2026-11-21T08:00:00Z\n",
		      key.id, user, label, hex);
	for (const char *line = more; *line; line += strcspn(line, "\n"), line += *line == '\n')
		buffer_printf(&yaml, "    %.*s\n", (int)strcspn(line, "\n"), line);
	assert_false(yaml.failed);
	snprintf(key.yaml, sizeof(key.yaml), "%s", buffer_text(&yaml));
	buffer_finish(&yaml);
	return key;
}

struct directory *fixture_load(const char *host, const char *yaml)
{
	struct directory *d = NULL;
	struct problem problem = {0};
	struct unit *unit = NULL;
	char text[2048];
	int r = directory_yaml_load_text("test.yaml", yaml, strlen(yaml), &unit, &problem);

	if (r == 0)
		r = directory_build(&unit, 1, host, NULL, &d, &problem);
	if (r < 0)
		fail_msg("%s", problem_render(&problem, text, sizeof(text)));
	unit_unref(unit);
	return d;
}

struct directory *fixture_join(const char *host, ...)
{
	struct buffer yaml = BUFFER_INIT;
	struct directory *d;
	const char *piece;
	va_list pieces;

	va_start(pieces, host);
	while ((piece = va_arg(pieces, const char *)))
		buffer_add_text(&yaml, piece);
	va_end(pieces);
	d = fixture_load(host, buffer_text(&yaml));
	buffer_finish(&yaml);
	return d;
}
