/* SPDX-License-Identifier: MIT
 *
 * Every entry point of libnss_tenant, from a directory as an operator writes it.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "../../nss_module/nss_entry.h"
#include "../fakes/nss/nss_maps.h"
#include "../fakes/nss/nss_place.h"
#include "fixture.h"

#define ALICE 1879048210U
#define ACME 1879048192U
#define VISION 1879048193U

static char buffer[65536];

static bool owns_sudo(void *context, const struct directory *d, const struct user_record *user)
{
	return strcmp(user->login, "alice") == 0;
}

static int publish(bool enumerate)
{
	struct map_options options = {.sudo_member = owns_sudo, .enumerate = enumerate, .subids = true};
	struct directory *d = fixture_load("gpu-1", fixture_yaml);
	struct map_writer *writer;

	assert_result(map_writer_create(nss_place_map, &writer), 0);
	assert_result(map_writer_publish(writer, d, &options), 0);
	map_writer_destroy(writer);
	directory_unref(d);
	return 0;
}

static int make(void **state)
{
	nss_place_make();
	return publish(false);
}

static int remove_all(void **state)
{
	nss_place_remove();
	return 0;
}

static void assert_alice(const struct passwd *pw)
{
	assert_string_equal(pw->pw_name, "alice");
	assert_string_equal(pw->pw_passwd, "x");
	assert_int_equal(pw->pw_uid, ALICE);
	assert_int_equal(pw->pw_gid, ALICE);
	assert_string_equal(pw->pw_gecos, "");
	assert_string_equal(pw->pw_dir, "/home/alice");
	assert_string_equal(pw->pw_shell, "/bin/bash");
}

static void people(void **state)
{
	static const char *const nobody[] = {"",     "alic", "alicee",      "Alice",       "alice\n",
					     "root", "acme", "acme-vision", "tenant-sudo", "alice:x"};
	static const uid_t outside[] = {0, 1, 1000, 65534, 0x6fffffffU, 0x7fffffffU, 0x80000000U, (uid_t)-1};
	char longest[200];
	struct passwd pw;
	int error = 0;

	assert_int_equal(_nss_tenant_getpwnam_r("alice", &pw, buffer, sizeof(buffer), &error), NSS_STATUS_SUCCESS);
	assert_alice(&pw);
	memset(&pw, 0, sizeof(pw));
	assert_int_equal(_nss_tenant_getpwuid_r(ALICE, &pw, buffer, sizeof(buffer), &error), NSS_STATUS_SUCCESS);
	assert_alice(&pw);
	/* Suspended people keep their files. */
	assert_int_equal(_nss_tenant_getpwnam_r("gone", &pw, buffer, sizeof(buffer), &error), NSS_STATUS_SUCCESS);
	for (size_t i = 0; i < ARRAY_LEN(nobody); i++) {
		error = 0;
		assert_int_equal(_nss_tenant_getpwnam_r(nobody[i], &pw, buffer, sizeof(buffer), &error),
				 NSS_STATUS_NOTFOUND);
		assert_int_equal(error, ENOENT);
	}
	for (size_t i = 0; i < ARRAY_LEN(outside); i++)
		assert_int_equal(_nss_tenant_getpwuid_r(outside[i], &pw, buffer, sizeof(buffer), &error),
				 NSS_STATUS_NOTFOUND);
	/* Groups' ids are nobody's uid. */
	assert_int_equal(_nss_tenant_getpwuid_r(VISION, &pw, buffer, sizeof(buffer), &error), NSS_STATUS_NOTFOUND);
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (size_t length = 30; length < sizeof(longest) - 1; length++)
		assert_int_equal(_nss_tenant_getpwnam_r(longest + length, &pw, buffer, sizeof(buffer), &error),
				 NSS_STATUS_NOTFOUND);
}

static void assert_members(const struct group *gr, const char *expected)
{
	char text[256] = "";

	for (char **member = gr->gr_mem; *member; member++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", text[0] ? " " : "", *member);
	assert_string_equal(text, expected);
}

static void groups(void **state)
{
	static const struct {
		const char *name;
		gid_t gid;
		const char *members;
	} expected[] = {
		{"acme", ACME, "alice edith victor ann sam adam mallory bot gone moved"},
		{"acme-vision-owner", VISION + 3, "alice gone moved"},
		{"acme-vision-editor", VISION + 2, "alice gone moved edith bot"},
		{"acme-vision-viewer", VISION + 1, "alice gone moved edith bot victor ann"},
		{"acme-vision", VISION, "alice gone moved edith bot victor ann"},
		{"acme-speech-owner", VISION + 7, "sam"},
		{"beta-radar", 1879113729U, "bert"},
		{"tenant-sudo", HOST_SUDO_GID, "alice"},
		{"tenant-users", HOST_USERS_GID, ""}, /* everybody; listed nowhere */
		{"alice", ALICE, ""},                 /* private */
	};
	struct group gr;
	int error = 0;

	for (size_t i = 0; i < ARRAY_LEN(expected); i++) {
		assert_int_equal(_nss_tenant_getgrnam_r(expected[i].name, &gr, buffer, sizeof(buffer), &error),
				 NSS_STATUS_SUCCESS);
		assert_string_equal(gr.gr_name, expected[i].name);
		assert_string_equal(gr.gr_passwd, "x");
		assert_int_equal(gr.gr_gid, expected[i].gid);
		assert_members(&gr, expected[i].members);
		memset(&gr, 0, sizeof(gr));
		assert_int_equal(_nss_tenant_getgrgid_r(expected[i].gid, &gr, buffer, sizeof(buffer), &error),
				 NSS_STATUS_SUCCESS);
		assert_string_equal(gr.gr_name, expected[i].name);
		assert_members(&gr, expected[i].members);
	}
	assert_int_equal(_nss_tenant_getgrnam_r("acme-", &gr, buffer, sizeof(buffer), &error), NSS_STATUS_NOTFOUND);
	assert_int_equal(_nss_tenant_getgrnam_r("sudo", &gr, buffer, sizeof(buffer), &error), NSS_STATUS_NOTFOUND);
	assert_int_equal(_nss_tenant_getgrgid_r(0, &gr, buffer, sizeof(buffer), &error), NSS_STATUS_NOTFOUND);
	assert_int_equal(_nss_tenant_getgrgid_r(VISION + 60, &gr, buffer, sizeof(buffer), &error), NSS_STATUS_NOTFOUND);
}

static void supplementary(void **state)
{
	static const gid_t expected[] = {ACME,       VISION,        VISION + 1,    VISION + 2,
					 VISION + 3, HOST_SUDO_GID, HOST_USERS_GID};
	long start, size;
	gid_t *list;
	int error = 0;

	for (long room = 1; room < 10; room++) { /* however little room glibc comes with */
		start = 1;
		size = room;
		list = malloc((size_t)room * sizeof(gid_t));
		list[0] = ALICE;
		assert_int_equal(_nss_tenant_initgroups_dyn("alice", ALICE, &start, &size, &list, 0, &error),
				 NSS_STATUS_SUCCESS);
		assert_int_equal(start, 8);
		assert_true(size >= start);
		assert_int_equal(list[0], ALICE);
		for (unsigned i = 0; i < ARRAY_LEN(expected); i++)
			assert_int_equal(list[1 + i], expected[i]);
		free(list);
	}
	/* The group that the caller has already is left out; a limit is kept. */
	start = 0;
	size = 2;
	list = malloc(2 * sizeof(gid_t));
	assert_int_equal(_nss_tenant_initgroups_dyn("alice", ACME, &start, &size, &list, 4, &error),
			 NSS_STATUS_SUCCESS);
	assert_int_equal(start, 4);
	assert_int_equal(size, 4);
	assert_int_equal(list[0], VISION);
	start = 1;
	assert_int_equal(_nss_tenant_initgroups_dyn("nobody", 0, &start, &size, &list, 0, &error), NSS_STATUS_NOTFOUND);
	assert_int_equal(_nss_tenant_initgroups_dyn("acme", 0, &start, &size, &list, 0, &error), NSS_STATUS_NOTFOUND);
	assert_int_equal(start, 1);
	free(list);
}

static void shadow(void **state)
{
	struct spwd sp;
	int error = 0;

	assert_int_equal(_nss_tenant_getspnam_r("alice", &sp, buffer, sizeof(buffer), &error), NSS_STATUS_SUCCESS);
	assert_string_equal(sp.sp_namp, "alice");
	assert_string_equal(sp.sp_pwdp, "!*");
	assert_int_equal(sp.sp_max, -1);
	assert_int_equal(sp.sp_expire, -1);
	assert_int_equal(_nss_tenant_getspnam_r("root", &sp, buffer, sizeof(buffer), &error), NSS_STATUS_NOTFOUND);
	assert_int_equal(_nss_tenant_getspnam_r("acme", &sp, buffer, sizeof(buffer), &error), NSS_STATUS_NOTFOUND);
	if (geteuid() != 0)
		return;
	assert_int_equal(seteuid(65534), 0);
	assert_int_equal(_nss_tenant_getspnam_r("alice", &sp, buffer, sizeof(buffer), &error), NSS_STATUS_UNAVAIL);
	assert_int_equal(error, EACCES);
	assert_int_equal(_nss_tenant_getspent_r(&sp, buffer, sizeof(buffer), &error), NSS_STATUS_UNAVAIL);
	assert_int_equal(seteuid(0), 0);
}

/* Every size of buffer, at every alignment: too small, and nothing written behind it, or all right. */
static void small_buffers(void **state)
{
	struct passwd pw;
	struct group gr;
	struct spwd sp;

	for (unsigned kind = 0; kind < 4; kind++)
		for (size_t offset = 0; offset < 9; offset++) {
			bool fine = false;

			for (size_t size = 0; size < 400; size++) {
				char *at = buffer + offset;
				enum nss_status status;
				int error = 0;

				memset(buffer, 0x55, 1024);
				if (kind == 0)
					status = _nss_tenant_getpwnam_r("alice", &pw, at, size, &error);
				else if (kind == 1)
					status = _nss_tenant_getgrnam_r("acme-vision", &gr, at, size, &error);
				else if (kind == 2)
					status = _nss_tenant_getspnam_r("alice", &sp, at, size, &error);
				else
					status = _nss_tenant_getgrgid_r(ALICE, &gr, at, size, &error);
				for (size_t i = size; i < size + 32; i++)
					assert_int_equal(at[i], 0x55);
				if (status == NSS_STATUS_SUCCESS)
					fine = true;
				else {
					assert_int_equal(status, NSS_STATUS_TRYAGAIN);
					assert_int_equal(error, ERANGE);
					assert_false(fine); /* no size above one that fits is too small */
				}
				if (fine && kind == 0)
					assert_alice(&pw);
				if (fine && kind == 1)
					assert_members(&gr, "alice gone moved edith bot victor ann");
			}
			assert_true(fine);
		}
}

static unsigned count_all(enum nss_status (*next)(void), bool *found)
{
	unsigned count = 0;

	while (next() == NSS_STATUS_SUCCESS && count < 1000) {
		count++;
		if (strcmp(buffer + 512, "alice") == 0)
			*found = true;
	}
	return count;
}

static enum nss_status next_person(void)
{
	struct passwd pw;
	int error = 0;
	enum nss_status status;

	/* Too small a buffer loses nobody. */
	status = _nss_tenant_getpwent_r(&pw, buffer, 3, &error);
	if (status == NSS_STATUS_TRYAGAIN)
		assert_int_equal(error, ERANGE);
	status = _nss_tenant_getpwent_r(&pw, buffer, 512, &error);
	if (status == NSS_STATUS_SUCCESS)
		strcpy(buffer + 512, pw.pw_name);
	return status;
}

static enum nss_status next_group(void)
{
	struct group gr;
	int error = 0;
	enum nss_status status = _nss_tenant_getgrent_r(&gr, buffer, 512, &error);

	if (status == NSS_STATUS_SUCCESS)
		strcpy(buffer + 512, gr.gr_name);
	return status;
}

static enum nss_status next_shadow(void)
{
	struct spwd sp;
	int error = 0;
	enum nss_status status = _nss_tenant_getspent_r(&sp, buffer, 512, &error);

	if (status == NSS_STATUS_SUCCESS)
		strcpy(buffer + 512, sp.sp_namp);
	return status;
}

static void enumeration(void **state)
{
	bool found = false;

	assert_int_equal(_nss_tenant_setpwent(0), NSS_STATUS_SUCCESS);
	assert_int_equal(count_all(next_person, &found), 0); /* off unless asked for */
	assert_int_equal(count_all(next_group, &found), 0);
	assert_false(found);
	publish(true);
	for (unsigned round = 0; round < 2; round++) {
		assert_int_equal(_nss_tenant_setpwent(0), NSS_STATUS_SUCCESS);
		found = false;
		assert_int_equal(count_all(next_person, &found), 11);
		assert_true(found);
		assert_int_equal(count_all(next_person, &found), 0); /* the end stays the end */
		assert_int_equal(_nss_tenant_endpwent(), NSS_STATUS_SUCCESS);
	}
	assert_int_equal(_nss_tenant_setgrent(1), NSS_STATUS_SUCCESS);
	found = false;
	assert_int_equal(count_all(next_group, &found), 11 + 2 + 3 * 4 + 2);
	assert_true(found);
	assert_int_equal(_nss_tenant_endgrent(), NSS_STATUS_SUCCESS);
	assert_int_equal(_nss_tenant_setspent(0), NSS_STATUS_SUCCESS);
	assert_int_equal(count_all(next_shadow, &found), 11);
	assert_int_equal(_nss_tenant_endspent(), NSS_STATUS_SUCCESS);
	publish(false);
	assert_int_equal(_nss_tenant_setpwent(0), NSS_STATUS_SUCCESS);
	assert_int_equal(count_all(next_person, &found), 0);
}

/* Looks up everything there is; 0: all right. */
static int ask_everything(void *argument)
{
	static gid_t room[64];
	gid_t *list = room;
	long start = 0, size = 64;
	struct passwd pw;
	struct group gr;
	int error;

	if (_nss_tenant_getpwnam_r("alice", &pw, buffer, sizeof(buffer), &error) != NSS_STATUS_SUCCESS ||
	    pw.pw_uid != ALICE ||
	    _nss_tenant_getpwuid_r(ALICE, &pw, buffer, sizeof(buffer), &error) != NSS_STATUS_SUCCESS)
		return 1;
	if (_nss_tenant_getpwnam_r("nobody", &pw, buffer, sizeof(buffer), &error) != NSS_STATUS_NOTFOUND ||
	    _nss_tenant_getpwuid_r(ALICE + 500, &pw, buffer, sizeof(buffer), &error) != NSS_STATUS_NOTFOUND ||
	    _nss_tenant_getpwuid_r(0, &pw, buffer, sizeof(buffer), &error) != NSS_STATUS_NOTFOUND)
		return 2;
	if (_nss_tenant_getgrnam_r("acme-vision", &gr, buffer, sizeof(buffer), &error) != NSS_STATUS_SUCCESS ||
	    _nss_tenant_getgrgid_r(ACME, &gr, buffer, sizeof(buffer), &error) != NSS_STATUS_SUCCESS ||
	    _nss_tenant_getgrnam_r("nothing", &gr, buffer, sizeof(buffer), &error) != NSS_STATUS_NOTFOUND ||
	    _nss_tenant_getgrgid_r(1, &gr, buffer, sizeof(buffer), &error) != NSS_STATUS_NOTFOUND)
		return 3;
	if (_nss_tenant_initgroups_dyn("alice", 0, &start, &size, &list, 0, &error) != NSS_STATUS_SUCCESS || start != 7)
		return 4;
	return 0;
}

/* Once a map is in use: not one system call, or the kernel ends the process. */
static int ask_without_system_calls(void *argument)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = {ARRAY_LEN(code), code};

	if (ask_everything(NULL))
		return 10;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		return 11;
	for (unsigned i = 0; i < 1000; i++)
		if (ask_everything(NULL))
			return 12;
	syscall(SYS_exit_group, argument ? syscall(SYS_getppid) != 0 : 0);
	return 13;
}

static void no_system_calls(void **state)
{
	int yes = 1;

	assert_int_equal(in_child(ask_without_system_calls, NULL), 0);
	assert_int_equal(in_child(ask_without_system_calls, &yes), 128 + 31 /* SIGSYS: the filter works */);
}

/* A program may close, or reuse, every descriptor; and have none left to open. */
static int ask_without_descriptors(void *argument)
{
	struct rlimit none = {0, 0};

	if (ask_everything(NULL))
		return 10;
	for (int fd = 0; fd < 100; fd++)
		close(fd);
	if (open("/dev/null", O_RDONLY) != 0 || setrlimit(RLIMIT_NOFILE, &none) < 0)
		return 11;
	return ask_everything(NULL);
}

static int count_descriptors(void *argument)
{
	int before = dup(0), after;

	close(before);
	if (ask_everything(NULL))
		return 10;
	after = dup(0);
	return before == after ? 0 : 1;
}

static void descriptors(void **state)
{
	assert_int_equal(in_child(ask_without_descriptors, NULL), 0);
	assert_int_equal(in_child(count_descriptors, NULL), 0);
}

/* No map: an error at once, nothing for ids that are not ours, and no storm of system calls. */
static int ask_without_map(void *argument)
{
	struct passwd pw;
	struct group gr;
	struct spwd sp;
	gid_t *list = NULL;
	long start = 0, size = 0;
	int error = 0;

	if (_nss_tenant_getpwnam_r("alice", &pw, buffer, sizeof(buffer), &error) != NSS_STATUS_UNAVAIL ||
	    error != ENOENT ||
	    _nss_tenant_getpwuid_r(ALICE, &pw, buffer, sizeof(buffer), &error) != NSS_STATUS_UNAVAIL ||
	    _nss_tenant_getgrnam_r("acme", &gr, buffer, sizeof(buffer), &error) != NSS_STATUS_UNAVAIL ||
	    _nss_tenant_getgrgid_r(ACME, &gr, buffer, sizeof(buffer), &error) != NSS_STATUS_UNAVAIL ||
	    _nss_tenant_getspnam_r("alice", &sp, buffer, sizeof(buffer), &error) != NSS_STATUS_UNAVAIL ||
	    _nss_tenant_getpwent_r(&pw, buffer, sizeof(buffer), &error) != NSS_STATUS_UNAVAIL ||
	    _nss_tenant_initgroups_dyn("alice", 0, &start, &size, &list, 0, &error) != NSS_STATUS_UNAVAIL)
		return 1;
	if (_nss_tenant_getpwuid_r(0, &pw, buffer, sizeof(buffer), &error) != NSS_STATUS_NOTFOUND ||
	    _nss_tenant_getgrgid_r(1000, &gr, buffer, sizeof(buffer), &error) != NSS_STATUS_NOTFOUND)
		return 2;
	/* And when the agent has started, everything is there. */
	publish(false);
	usleep(50000);
	return ask_everything(NULL);
}

static void before_the_agent(void **state)
{
	assert_int_equal(unlink(nss_place_map), 0);
	assert_int_equal(in_child(ask_without_map, NULL), 0);
	/* With the directory gone, too. */
	nss_place_remove();
	assert_int_equal(in_child(ask_everything, NULL), 1);
	nss_place_make();
	publish(false);
}

/* The map and all around it are gone: what is mapped goes on. */
static int ask_after_removal(void *argument)
{
	if (ask_everything(NULL))
		return 10;
	nss_place_remove();
	return ask_everything(NULL);
}

static void after_the_agent(void **state)
{
	assert_int_equal(in_child(ask_after_removal, NULL), 0);
	nss_place_make();
	publish(false);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(before_the_agent), /* first: this process has no map yet */
		cmocka_unit_test(people),           cmocka_unit_test(groups),        cmocka_unit_test(supplementary),
		cmocka_unit_test(shadow),           cmocka_unit_test(small_buffers), cmocka_unit_test(enumeration),
		cmocka_unit_test(no_system_calls),  cmocka_unit_test(descriptors),   cmocka_unit_test(after_the_agent),
	};

	return cmocka_run_group_tests(tests, make, remove_all);
}
