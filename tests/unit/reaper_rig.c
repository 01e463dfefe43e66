/* SPDX-License-Identifier: MIT */
#include "reaper_rig.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/macros.h"
#include "directory_fixture.h"
#include "session/idle.h"

#define TURNS_MAX 10000U

const char rig_yaml[] = "version: 1\n"
			"tenants:\n"
			"  - id: ten_acme\n"
			"    slug: acme\n"
			"    gid: 1999962112\n"
			"    ids: {first: 1999962112, count: 65536, next: 1999962220}\n"
			"    policy: {sessions: {grace: 5s}}\n"
			"projects:\n"
			"  - {id: prj_vision, tenant: ten_acme, slug: vision, gid: 1999962113}\n"
			"users:\n"
			"  - {id: usr_alice, tenant: ten_acme, login: alice, uid: 1999962130, status: active}\n"
			"  - {id: usr_edith, tenant: ten_acme, login: edith, uid: 1999962131}\n"
			"members:\n"
			"  - {user: usr_alice, project: prj_vision, role: owner}\n"
			"  - {user: usr_edith, project: prj_vision, role: editor}\n"
			"keys:\n"
			"  - id: key_0123456789abcdef\n"
			"    user: usr_alice\n"
			"    verifier: \"sha256:000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"\n"
			"    not_after: 2027-06-01\n"
			"  - id: key_00000000000000ff\n"
			"    user: usr_alice\n"
			"    verifier: \"sha256:100102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\"\n"
			"hosts:\n"
			"  - name: gpu-*\n"
			"    serves:\n"
			"      - {project: prj_vision, login: [owner, editor]}\n";

struct asked *asked;
unsigned asked_count;
static unsigned asked_size;
int helper_result;
struct reaper *reaper;
struct session_table *table;
struct directory *picture;
struct host_limits limits;
sd_event *event;
const char *pending_tenant;
bool host_disabled, local_account;
unsigned events_ending, audits, failures;
char last_cause[32], last_detail[256];
struct told told[64];
unsigned told_count;
uint64_t idle_since;
uint32_t rig_terminal;
unsigned idle_questions;

static char *folder, *text;
static struct audit *audit;
static uint64_t boot_now;
static int64_t real_now;
static pid_t leaders[64];
static unsigned leader_count;

/* ---- in place of what is outside --------------------------------------------------------------------------------- */

uint64_t __wrap_clock_boottime_usec(void);
int64_t __wrap_clock_realtime_sec(void);
int __wrap_helper_client_call(struct helper_client *client, const struct helper_request *request, uint64_t tag);
void __wrap_idle_ask(struct idle *idle, const struct session *session, idle_fn answer, void *context);
uint32_t __wrap_session_main_terminal(const struct session *session);

uint64_t __wrap_clock_boottime_usec(void)
{
	return boot_now;
}

int64_t __wrap_clock_realtime_sec(void)
{
	return real_now;
}

int __wrap_helper_client_call(struct helper_client *client, const struct helper_request *request, uint64_t tag)
{
	(void)client;
	if (helper_result < 0)
		return helper_result;
	if (asked_count == asked_size) {
		asked_size = asked_size ? 2 * asked_size : 64;
		asked = reallocarray(asked, asked_size, sizeof(*asked));
		assert_non_null(asked);
	}
	/* What the helper itself would refuse. */
	assert_true(request->uid >= MANAGED_ID_FIRST && request->uid <= MANAGED_ID_TENANT_LAST);
	assert_true(text_is_printable(request->text, strlen(request->text)));
	assert_true(request->keep_count <= HELPER_KEEP_MAX);
	asked[asked_count++] = (struct asked){.request = *request, .tag = tag};
	return 0;
}

void __wrap_idle_ask(struct idle *idle, const struct session *session, idle_fn answer, void *context)
{
	(void)idle;
	idle_questions++;
	answer(context, session->id, idle_since);
}

uint32_t __wrap_session_main_terminal(const struct session *session)
{
	return rig_terminal;
}

static void hear(void *context, const struct audit_event *audit_event, const char *fields, size_t length)
{
	if (audit_event->kind != AUDIT_SESSION_ENDING)
		return;
	audits++;
	failures += audit_event->failure;
	(void)snprintf(last_cause, sizeof(last_cause), "%s", audit_event->cause ? audit_event->cause : "");
	(void)snprintf(last_detail, sizeof(last_detail), "%s", audit_event->detail ? audit_event->detail : "");
}

static bool is_pending(void *context, const char *tenant_id)
{
	return pending_tenant && (!*pending_tenant || !*tenant_id || text_equal(pending_tenant, tenant_id));
}

static void on_host(void *context, const char **ret_id, bool *ret_disabled)
{
	*ret_id = "";
	*ret_disabled = host_disabled;
}

static bool is_local(void *context, uint32_t uid)
{
	return local_account || (uid != ALICE && uid != EDITH && uid != NOBODYS);
}

static void on_ending(void *context, const struct session *session, enum end_cause cause, const char *detail)
{
	assert_non_null(detail);
	events_ending++;
}

static void on_told(void *context, uint64_t tag, int result)
{
	assert_true(told_count < ARRAY_LEN(told));
	told[told_count++] = (struct told){tag, result};
}

static void on_gone(void *context, const struct session *session, const char *why)
{
	if (reaper)
		reaper_gone(reaper, session);
}

/* ---- the rig
 * --------------------------------------------------------------------------------------------------------- */

static void make(void)
{
	static const struct reaper_hooks hooks = {
		.tenant_pending = is_pending,
		.host = on_host,
		.is_local = is_local,
		.ending = on_ending,
		.ended = on_told,
	};
	char sessions[128], ending[128];
	uint32_t count = 0;

	(void)snprintf(sessions, sizeof(sessions), "%s/sessions", folder);
	(void)snprintf(ending, sizeof(ending), "%s/ending", folder);
	assert_result(session_table_create(event, sessions, &(struct session_hooks){.ended = on_gone}, &table), 0);
	assert_result(reaper_create(event, table, NULL, audit, NULL, ending, &hooks, &reaper), 0);
	assert_result(session_table_restore(table, NULL, NULL, &count), 0);
	reaper_set_limits(reaper, &limits);
	reaper_take_picture(reaper, NULL, picture);
	reaper_start(reaper);
}

/* Programs on this rig run side by side, have processes under the same ids, and look at all processes of the host: one
 * of them at a time. */
static void take_turn(void)
{
	static int fd = -1;

	if (fd < 0)
		fd = open(P_tmpdir "/tenantd-reaper-rig.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
}

int rig_setup(void **state)
{
	(void)state;
	take_turn();
	folder = make_folder();
	text = strdup(rig_yaml);
	asked_count = 0;
	helper_result = 0;
	pending_tenant = NULL;
	host_disabled = local_account = false;
	events_ending = audits = failures = told_count = idle_questions = leader_count = 0;
	idle_since = 0;
	rig_terminal = 0x8801;
	last_cause[0] = last_detail[0] = '\0';
	limits = host_limits_none();
	/* So far ahead that no timer of the event loop comes by itself. */
	boot_now = 1000000000ULL * SECOND;
	real_now = RIG_NOW;
	picture = build_text(text);
	assert_result(sd_event_new(&event), 0);
	assert_result(audit_create("gpu-1", &audit), 0);
	audit_divert(audit, hear, NULL, NULL);
	make();
	rig_turns();
	return 0;
}

int rig_teardown(void **state)
{
	(void)state;
	reaper_destroy(TAKE_PTR(reaper));
	session_table_destroy(TAKE_PTR(table));
	directory_unref(TAKE_PTR(picture));
	audit_destroy(audit);
	sd_event_unref(event);
	for (unsigned i = 0; i < leader_count; i++) {
		(void)kill(leaders[i], SIGKILL);
		(void)waitpid(leaders[i], NULL, 0);
	}
	free(asked);
	asked = NULL;
	asked_size = 0;
	free(text);
	remove_folder(folder);
	return 0;
}

void rig_restart(void)
{
	reaper_destroy(TAKE_PTR(reaper));
	session_table_destroy(TAKE_PTR(table));
	asked_count = 0;
	make();
	rig_turns();
}

void rig_turns(void)
{
	unsigned turns = 0;

	while (reaper->armed && reaper->armed <= boot_now + USEC_PER_MSEC) {
		assert_true(++turns < TURNS_MAX);
		if (reaper->armed > boot_now)
			boot_now = reaper->armed;
		reaper_tick(reaper);
	}
}

void rig_move(uint64_t usec)
{
	uint64_t until = boot_now + usec;

	while (reaper->armed && reaper->armed <= until) {
		if (reaper->armed > boot_now) {
			real_now += (int64_t)(reaper->armed / SECOND - boot_now / SECOND);
			boot_now = reaper->armed;
		}
		reaper_tick(reaper);
	}
	real_now += (int64_t)(until / SECOND - boot_now / SECOND);
	boot_now = until;
	rig_turns();
}

void rig_show(const char *yaml)
{
	struct directory *before = picture;
	struct unit *unit = load_text("test.yaml", yaml);
	char *copy = strdup(yaml);

	free(text);
	text = copy;
	picture = build_units(&unit, 1, before);
	unit_unref(unit);
	reaper_take_picture(reaper, before, picture);
	directory_unref(before);
	rig_turns();
}

void rig_change(const char *from, const char *to)
{
	char *changed = replaced(text, from, to);

	rig_show(changed);
	free(changed);
}

static pid_t make_leader(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	assert_true(leader_count < ARRAY_LEN(leaders));
	leaders[leader_count++] = pid;
	return pid;
}

const struct session *rig_open_as(const char *user, const char *credential, const char *service)
{
	char id[64], login[64], name[96], kind[64], acme[] = "acme", vision[] = "vision", owner[] = "owner",
						    tenant_id[] = "ten_acme", project_id[] = "prj_vision", empty[] = "";
	const struct session *session = NULL;
	struct session data = {
		.user_id = id,
		.login = login,
		.tenant = acme,
		.project = vision,
		.role = owner,
		.service = kind,
		.source = empty,
		.terminal = empty,
		.credential = name,
		.tenant_id = tenant_id,
		.project_id = project_id,
		.provider = empty,
		.grant_id = empty,
		.operator= empty,
		.uid = text_equal(user, "alice") ? ALICE : EDITH,
		.leader = make_leader(),
		.opened = real_now,
		.sign_in = {.at = 1},
	};
	const struct user_record *record;

	(void)snprintf(id, sizeof(id), "usr_%s", user);
	(void)snprintf(login, sizeof(login), "%s", user);
	(void)snprintf(name, sizeof(name), "%s", credential);
	(void)snprintf(kind, sizeof(kind), "%s", service);
	record = directory_user(picture, id);
	data.sign_in.valid_from = record ? record->sessions_valid_from : 0;
	assert_result(session_open(table, &data, &session), 0);
	reaper_opened(reaper, session);
	return session;
}

const struct session *rig_open(const char *user, const char *credential)
{
	return rig_open_as(user, credential, "sshd");
}

void rig_kill(const struct session *session)
{
	char id[SESSION_ID_CHARS + 1];
	pid_t leader = session->leader;

	memcpy(id, session->id, sizeof(id));
	assert_result(kill(leader, SIGKILL), 0);
	for (unsigned i = 0; i < 100 && session_find(table, id); i++)
		assert_true(sd_event_run(event, 50000) >= 0);
	assert_null(session_find(table, id));
	rig_turns();
}

unsigned rig_count(enum helper_verb verb, uint32_t uid)
{
	unsigned count = 0;

	for (unsigned i = 0; i < asked_count; i++)
		count += asked[i].request.verb == (uint32_t)verb && (!uid || asked[i].request.uid == uid);
	return count;
}

const struct asked *rig_last(enum helper_verb verb)
{
	for (unsigned i = asked_count; i > 0; i--)
		if (asked[i - 1].request.verb == (uint32_t)verb)
			return &asked[i - 1];
	fail_msg("the helper was not asked for %d", (int)verb);
	return NULL;
}

void rig_answer_all(int result)
{
	for (unsigned i = 0; i < asked_count; i++) {
		if (asked[i].answered)
			continue;
		asked[i].answered = true;
		reaper_answered(reaper, asked[i].tag, result);
	}
	rig_turns();
}

unsigned rig_begun(void)
{
	struct dirent *entry;
	unsigned count = 0;
	char path[128];
	DIR *dir;

	(void)snprintf(path, sizeof(path), "%s/ending", folder);
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}
