/* SPDX-License-Identifier: MIT
 *
 * Publishing: a patched map answers like one built anew, whatever changed; nothing that fails on the way
 * touches the published one; and old files are always marked.
 */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../nss_module/nss_entry.h"
#include "../fakes/nss/nss_maps.h"
#include "../fakes/nss/nss_place.h"
#include "directory/unit.h"
#include "tenant/nss_map.h"

#define PEOPLE 300U
#define CHANGING 40U /* the last ones */
#define ROUNDS 150U

static struct cast_person cast[PEOPLE];
static char buffer[1 << 16];
static struct map_options options = {.subids = true};

static uint32_t draw(uint32_t below)
{
	static uint64_t state = 88172645463325252ULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state % below);
}

static void draw_person(struct cast_person *person, uint32_t number)
{
	static const unsigned lengths[] = {1, 3, 8, 15, 16, 17, 27, 32};
	unsigned length = lengths[draw(ARRAY_LEN(lengths))];

	/* Names of every length, distinct by number; sometimes one that another had before. */
	snprintf(person->login, sizeof(person->login), "p%u", number);
	for (size_t n = strlen(person->login); n < length; n++)
		person->login[n] = (char)('a' + draw(2)), person->login[n + 1] = '\0';
	memset(person->name, 'N', sizeof(person->name));
	person->name[draw(sizeof(person->name) - 1)] = '\0';
	person->name[sizeof(person->name) - 1] = '\0';
	for (unsigned i = 0; i < CAST_PROJECTS; i++)
		person->roles[i] = (uint8_t)draw(5);
	person->operator_kind = draw(5) == 0;
	person->present = draw(8) != 0;
}

static void draw_cast(void)
{
	for (uint32_t i = 0; i < PEOPLE; i++)
		draw_person(&cast[i], i);
}

/* Exactly the right answers, as the cast says. */
static void check_person(uint32_t number)
{
	const struct cast_person *person = &cast[number];
	uint32_t uid = CAST_UID_FIRST + number;
	gid_t *list = NULL;
	long start = 0, size = 0, expected = person->operator_kind ? 1 : 2; /* the tenant, and everybody */
	struct passwd pw;
	int error;

	if (!person->present) {
		assert_int_equal(_nss_tenant_getpwuid_r(uid, &pw, buffer, sizeof(buffer), &error), NSS_STATUS_NOTFOUND);
		assert_int_equal(_nss_tenant_getpwnam_r(person->login, &pw, buffer, sizeof(buffer), &error),
				 NSS_STATUS_NOTFOUND);
		return;
	}
	assert_int_equal(_nss_tenant_getpwuid_r(uid, &pw, buffer, sizeof(buffer), &error), NSS_STATUS_SUCCESS);
	assert_string_equal(pw.pw_name, person->login);
	assert_string_equal(pw.pw_gecos, person->name);
	assert_int_equal(_nss_tenant_getpwnam_r(person->login, &pw, buffer, sizeof(buffer), &error),
			 NSS_STATUS_SUCCESS);
	assert_int_equal(pw.pw_uid, uid);
	assert_int_equal(_nss_tenant_initgroups_dyn(person->login, uid, &start, &size, &list, 0, &error),
			 NSS_STATUS_SUCCESS);
	for (unsigned i = 0; i < CAST_PROJECTS; i++)
		for (unsigned level = 0; level < 4; level++) {
			bool found = false;

			for (long k = 0; k < start; k++)
				found = found || list[k] == cast_project_gid(i) + level;
			assert_int_equal(found, cast_is_in(person, i, level));
			expected += found;
		}
	assert_int_equal(start, expected);
	free(list);
}

static void check_group(gid_t gid, unsigned project, unsigned level)
{
	bool seen[PEOPLE] = {false};
	struct group gr;
	int error;

	assert_int_equal(_nss_tenant_getgrgid_r(gid, &gr, buffer, sizeof(buffer), &error), NSS_STATUS_SUCCESS);
	for (char **member = gr.gr_mem; *member; member++) {
		uint32_t number = (uint32_t)strtoul(*member + 1, NULL, 10);

		assert_true(number < PEOPLE && !seen[number]);
		assert_string_equal(*member, cast[number].login);
		seen[number] = true;
	}
	for (uint32_t i = 0; i < PEOPLE; i++) {
		bool belongs = cast[i].present && (project == CAST_PROJECTS ? !cast[i].operator_kind
									    : cast_is_in(&cast[i], project, level));

		assert_int_equal(seen[i], belongs);
	}
}

static void check_all(void)
{
	for (uint32_t i = 0; i < PEOPLE; i++)
		check_person(i);
	check_group(CAST_TENANT_GID, CAST_PROJECTS, 0);
	for (unsigned i = 0; i < CAST_PROJECTS; i++)
		for (unsigned level = 0; level < 4; level++)
			check_group(cast_project_gid(i) + level, i, level);
}

static uint64_t seed_of_map(void)
{
	size_t size;
	uint8_t *map = cast_read_map(&size);
	uint64_t seed = ((struct nss_map_header *)(void *)map)->seed;

	free(map);
	return seed;
}

static void patches_are_like_new(void **state)
{
	struct directory *d, *before;
	struct map_writer *writer;
	struct unit *fixed = NULL;
	unsigned patched = 0;

	draw_cast();
	assert_result(map_writer_create(nss_place_map, &writer), 0);
	before = cast_build(cast, PEOPLE, PEOPLE - CHANGING, &fixed, NULL);
	assert_result(map_writer_publish(writer, before, &options), 0);
	check_all();
	for (unsigned round = 0; round < ROUNDS; round++) {
		uint64_t seed = seed_of_map();
		uint32_t changes = 1 + draw(4);

		for (uint32_t i = 0; i < changes; i++) {
			uint32_t number = PEOPLE - 1 - draw(CHANGING);

			draw_person(&cast[number], number);
		}
		d = cast_build(cast, PEOPLE, PEOPLE - CHANGING, &fixed, before);
		assert_result(map_writer_publish(writer, d, &options), 0);
		patched += seed == seed_of_map(); /* a map built anew has a seed of its own */
		check_all();
		directory_unref(before);
		before = d;
	}
	assert_in_range(patched, ROUNDS * 3 / 4, ROUNDS);
	directory_unref(before);
	unit_unref(fixed);
	map_writer_destroy(writer);
}

/* Two people exchange their names in one change. */
static void names_change_hands(void **state)
{
	struct directory *d, *before;
	struct map_writer *writer;
	struct unit *fixed = NULL;
	struct passwd pw;
	int error;

	memset(cast, 0, sizeof(cast));
	strcpy(cast[0].login, "anna");
	strcpy(cast[1].login, "bert");
	cast[0].present = cast[1].present = true;
	cast[0].roles[0] = 3;
	cast[1].roles[0] = 1;
	assert_result(map_writer_create(nss_place_map, &writer), 0);
	before = cast_build(cast, 2, 0, &fixed, NULL);
	assert_result(map_writer_publish(writer, before, &options), 0);
	strcpy(cast[0].login, "bert");
	strcpy(cast[1].login, "anna");
	d = cast_build(cast, 2, 0, &fixed, before);
	assert_result(map_writer_publish(writer, d, &options), 0);
	assert_int_equal(_nss_tenant_getpwnam_r("anna", &pw, buffer, sizeof(buffer), &error), NSS_STATUS_SUCCESS);
	assert_int_equal(pw.pw_uid, CAST_UID_FIRST + 1);
	assert_int_equal(_nss_tenant_getpwnam_r("bert", &pw, buffer, sizeof(buffer), &error), NSS_STATUS_SUCCESS);
	assert_int_equal(pw.pw_uid, CAST_UID_FIRST);
	directory_unref(before);
	directory_unref(d);
	unit_unref(fixed);
	map_writer_destroy(writer);
}

/* What the group's list says, in the order in which it stands. */
static void assert_list(gid_t gid, const char *expected)
{
	char text[256] = "";
	struct group gr;
	int error;

	assert_int_equal(_nss_tenant_getgrgid_r(gid, &gr, buffer, sizeof(buffer), &error), NSS_STATUS_SUCCESS);
	for (char **member = gr.gr_mem; *member; member++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", text[0] ? " " : "", *member);
	assert_string_equal(text, expected);
}

/* Somebody of the tenant's own becomes an operator's account and back, another's membership goes: each time patched. */
static void operators_are_viewers_alone(void **state)
{
	static const char *const names[] = {"anna", "bert", "cleo", "dora", "olga"};
	static const uint8_t roles[] = {3, 2, 1, 4, 1};
	uint32_t gid = cast_project_gid(0);
	struct directory *d, *before;
	struct map_writer *writer;
	struct unit *fixed = NULL;
	uint64_t seed;

	memset(cast, 0, sizeof(cast));
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		strcpy(cast[i].login, names[i]);
		cast[i].roles[0] = roles[i];
		cast[i].present = true;
	}
	cast[4].operator_kind = true;
	assert_result(map_writer_create(nss_place_map, &writer), 0);
	before = cast_build(cast, 5, 0, &fixed, NULL);
	assert_result(map_writer_publish(writer, before, &options), 0);
	seed = seed_of_map();
	for (unsigned round = 0; round < 2; round++) {
		assert_list(CAST_TENANT_GID, "anna bert cleo dora");
		assert_list(gid, "anna bert cleo dora");
		assert_list(gid + 1, "olga anna bert cleo");
		assert_list(gid + 2, "anna bert");
		assert_list(gid + 3, "anna");
		cast[1].operator_kind = true; /* whatever they were before */
		d = cast_build(cast, 5, 0, &fixed, before);
		assert_result(map_writer_publish(writer, d, &options), 0);
		directory_unref(before);
		assert_list(CAST_TENANT_GID, "anna cleo dora");
		assert_list(gid, "anna cleo dora");
		assert_list(gid + 1, "olga bert anna cleo");
		assert_list(gid + 2, "anna");
		cast[4].roles[0] = 0;
		before = cast_build(cast, 5, 0, &fixed, d);
		assert_result(map_writer_publish(writer, before, &options), 0);
		directory_unref(d);
		assert_list(gid, "anna cleo dora");
		assert_list(gid + 1, "bert anna cleo");
		cast[4].roles[0] = 1;
		cast[1].operator_kind = false;
		d = cast_build(cast, 5, 0, &fixed, before);
		assert_result(map_writer_publish(writer, d, &options), 0);
		directory_unref(before);
		before = d;
		assert_list(CAST_TENANT_GID, "anna cleo dora bert");
		/* Built anew, they stand in the order of the directory again. */
		map_writer_destroy(writer);
		assert_true(seed == seed_of_map());
		assert_result(map_writer_create(nss_place_map, &writer), 0);
		assert_result(map_writer_publish(writer, before, &options), 0);
		seed = seed_of_map();
	}
	directory_unref(before);
	unit_unref(fixed);
	map_writer_destroy(writer);
}

static bool is_superseded(int fd)
{
	struct nss_map_header *h = mmap(NULL, NSS_MAP_BLOCK, PROT_READ, MAP_SHARED, fd, 0);
	bool superseded;

	assert_ptr_not_equal(h, MAP_FAILED);
	superseded = h->superseded;
	munmap(h, NSS_MAP_BLOCK);
	return superseded;
}

static struct directory *small_directory(void)
{
	struct unit *fixed = NULL;
	struct directory *d;

	memset(cast, 0, sizeof(cast));
	strcpy(cast[0].login, "anna");
	cast[0].present = true;
	d = cast_build(cast, 1, 1, &fixed, NULL);
	unit_unref(fixed);
	return d;
}

static void old_files_are_marked(void **state)
{
	struct directory *d = small_directory();
	struct map_writer *writer;
	char fresh[256];
	struct stat st;
	int fds[4];

	/* By another run of the agent, by the same, and (killed between rename and mark) by the next. */
	assert_result(cast_publish(d, false), 0);
	fds[0] = open(nss_place_map, O_RDONLY | O_CLOEXEC);
	assert_result(map_writer_create(nss_place_map, &writer), 0);
	assert_false(is_superseded(fds[0]));
	assert_result(map_writer_publish(writer, d, &options), 0);
	assert_true(is_superseded(fds[0]));
	fds[1] = open(nss_place_map, O_RDONLY | O_CLOEXEC);
	assert_result(map_writer_publish(writer, d, &options), 0);
	assert_true(is_superseded(fds[1]));
	map_writer_destroy(writer);
	fds[2] = open(nss_place_map, O_RDONLY | O_CLOEXEC);
	snprintf(fresh, sizeof(fresh), "%s/.nss.map.new", nss_place_directory);
	assert_int_equal(link(nss_place_map, fresh), 0);
	assert_result(map_writer_create(nss_place_map, &writer), 0);
	assert_true(is_superseded(fds[2]));
	assert_int_equal(access(fresh, F_OK), -1);
	/* Modes hold whatever the umask is. */
	umask(077);
	assert_result(map_writer_publish(writer, d, &options), 0);
	umask(022);
	assert_int_equal(stat(nss_place_map, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0644);
	fds[3] = open(nss_place_map, O_RDONLY | O_CLOEXEC);
	assert_false(is_superseded(fds[3]));
	map_writer_destroy(writer); /* leaves it in force */
	assert_false(is_superseded(fds[3]));
	for (unsigned i = 0; i < 4; i++)
		close(fds[i]);
	directory_unref(d);
}

static void the_end_moves(void **state)
{
	struct map_options limited = {.not_after = 1000};
	struct directory *d = small_directory();
	struct map_writer *writer;
	struct passwd pw;
	size_t size;
	uint8_t *map;
	int error;

	assert_result(map_writer_create(nss_place_map, &writer), 0);
	assert_result(map_writer_extend(writer, 5), -ENOENT);
	assert_result(map_writer_publish(writer, d, &limited), 0);
	/* Long past: identities resolve. */
	assert_int_equal(_nss_tenant_getpwnam_r("anna", &pw, buffer, sizeof(buffer), &error), NSS_STATUS_SUCCESS);
	assert_result(map_writer_extend(writer, 2000), 0);
	map = cast_read_map(&size);
	assert_int_equal(((struct nss_map_header *)(void *)map)->not_after, 2000);
	free(map);
	assert_int_equal(_nss_tenant_getpwnam_r("anna", &pw, buffer, sizeof(buffer), &error), NSS_STATUS_SUCCESS);
	map_writer_destroy(writer);
	directory_unref(d);
}

/* /run is full: the published map stays, and answers; when there is room again, all goes on. */
static int on_a_full_disk(void *argument)
{
	struct directory *d = small_directory(), *large;
	struct unit *fixed = NULL;
	struct map_writer *writer;
	struct passwd pw;
	char filler[256];
	int error, fd, r;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", nss_place_directory, "tmpfs", 0, "mode=0755,size=640k") < 0)
		return 77;
	if (map_writer_create(nss_place_map, &writer) < 0 || map_writer_publish(writer, d, &options) < 0)
		return 1;
	snprintf(filler, sizeof(filler), "%s/filler", nss_place_directory);
	fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	while (write(fd, buffer, 4096) > 0)
		;
	draw_cast();
	large = cast_build(cast, PEOPLE, PEOPLE, &fixed, NULL);
	r = map_writer_publish(writer, large, &options);
	if (r != -ENOSPC)
		return 2;
	r = map_writer_publish(writer, d, &options);
	if (r != -ENOSPC)
		return 3;
	if (_nss_tenant_getpwnam_r("anna", &pw, buffer, sizeof(buffer), &error) != NSS_STATUS_SUCCESS)
		return 4;
	if (ftruncate(fd, 0) < 0 || map_writer_publish(writer, large, &options) < 0)
		return 5;
	if (_nss_tenant_getpwnam_r("anna", &pw, buffer, sizeof(buffer), &error) != NSS_STATUS_NOTFOUND)
		return 6;
	/* Read-only, too. */
	if (mount(NULL, nss_place_directory, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0 &&
	    map_writer_publish(writer, d, &options) != -EROFS)
		return 7;
	return 0;
}

static void a_full_disk(void **state)
{
	int r = in_child(on_a_full_disk, NULL);

	if (r == 77)
		skip();
	assert_int_equal(r, 0);
}

static ino_t map_inode(void)
{
	struct stat st;

	assert_int_equal(stat(nss_place_map, &st), 0);
	return st.st_ino;
}

/* What no map shows makes no new file; a map that is gone is made again all the same. */
static void nothing_to_publish(void **state)
{
	struct map_options limited = options;
	struct directory *d, *before;
	struct map_writer *writer;
	struct unit *fixed = NULL;
	size_t size;
	uint8_t *map;
	ino_t inode;

	draw_cast();
	cast[PEOPLE - 1].present = true;
	assert_result(map_writer_create(nss_place_map, &writer), 0);
	before = cast_build(cast, PEOPLE, PEOPLE - CHANGING, &fixed, NULL);
	assert_result(map_writer_publish(writer, before, &options), 0);
	inode = map_inode();
	d = cast_build(cast, PEOPLE, PEOPLE - CHANGING, &fixed, before); /* new units, the same people */
	limited.not_after = 3000;
	assert_result(map_writer_publish(writer, d, &limited), 0);
	assert_true(map_inode() == inode);
	map = cast_read_map(&size);
	assert_int_equal(((struct nss_map_header *)(void *)map)->not_after, 3000);
	free(map);
	directory_unref(before);
	before = d;
	assert_int_equal(unlink(nss_place_map), 0);
	d = cast_build(cast, PEOPLE, PEOPLE - CHANGING, &fixed, before);
	assert_result(map_writer_publish(writer, d, &limited), 0);
	directory_unref(before);
	before = d;
	check_all();
	/* What came of the picture that was not published on its own is there with the next one. */
	inode = map_inode();
	snprintf(cast[PEOPLE - 1].login, sizeof(cast[PEOPLE - 1].login), "p%uxyz", PEOPLE - 1);
	d = cast_build(cast, PEOPLE, PEOPLE - CHANGING, &fixed, before);
	assert_result(map_writer_publish(writer, d, &limited), 0);
	assert_true(map_inode() != inode);
	check_all();
	directory_unref(before);
	directory_unref(d);
	unit_unref(fixed);
	map_writer_destroy(writer);
}

#define CROWD 9000U /* whose map is worth a copy ahead of time */
static struct cast_person crowd[CROWD];

static bool spare_lies_there(void)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/.nss.map.new", nss_place_directory);
	return access(path, F_OK) == 0;
}

static int die_with_a_spare(void *argument)
{
	struct map_writer *writer;

	if (map_writer_create(nss_place_map, &writer) < 0 || map_writer_publish(writer, argument, &options) < 0)
		return 1;
	while (!spare_lies_there())
		sched_yield();
	return 0;
}

/* Changes one after the other, each into the copy made ahead; and no such copy outlives its writer. */
static void copies_ahead_of_time(void **state)
{
	struct directory *d, *before;
	struct map_writer *writer;
	struct unit *fixed = NULL;
	struct passwd pw;
	struct stat st;
	char name[32];
	int error;

	for (uint32_t i = 0; i < CROWD; i++) {
		snprintf(crowd[i].login, sizeof(crowd[i].login), "crowd%u", i);
		snprintf(crowd[i].name, sizeof(crowd[i].name), "%0150u", i);
		crowd[i].roles[i % CAST_PROJECTS] = 2;
		crowd[i].present = true;
	}
	before = cast_build(crowd, CROWD, CROWD - 10, &fixed, NULL);
	assert_int_equal(in_child(die_with_a_spare, before), 0);
	assert_true(spare_lies_there());
	assert_result(map_writer_create(nss_place_map, &writer), 0);
	assert_false(spare_lies_there());
	assert_result(map_writer_publish(writer, before, &options), 0);
	assert_int_equal(stat(nss_place_map, &st), 0);
	assert_true(st.st_size > 1024 * 1024);
	for (unsigned round = 0; round < 50; round++) {
		uint64_t seed = seed_of_map();

		snprintf(name, sizeof(name), "name %u", round);
		snprintf(crowd[CROWD - 1].name, sizeof(crowd[0].name), "%s", name);
		d = cast_build(crowd, CROWD, CROWD - 10, &fixed, before);
		assert_result(map_writer_publish(writer, d, &options), 0);
		assert_true(seed == seed_of_map());
		assert_int_equal(
			_nss_tenant_getpwuid_r(CAST_UID_FIRST + CROWD - 1, &pw, buffer, sizeof(buffer), &error),
			NSS_STATUS_SUCCESS);
		assert_string_equal(pw.pw_gecos, name);
		assert_int_equal(_nss_tenant_getpwuid_r(CAST_UID_FIRST + round, &pw, buffer, sizeof(buffer), &error),
				 NSS_STATUS_SUCCESS);
		directory_unref(before);
		before = d;
	}
	map_writer_destroy(writer);
	assert_false(spare_lies_there());
	directory_unref(before);
	unit_unref(fixed);
}

static void what_cannot_be_published(void **state)
{
	struct directory *d = small_directory();
	struct map_writer *writer;

	assert_result(map_writer_create("/nonexistent/directory/nss.map", &writer), 0);
	assert_result(map_writer_publish(writer, d, &options), -ENOENT);
	map_writer_destroy(writer);
	map_writer_destroy(NULL);
	directory_unref(d);
}

static int make(void **state)
{
	nss_place_make();
	return 0;
}

static int remove_all(void **state)
{
	nss_place_remove();
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_disk),
		cmocka_unit_test(patches_are_like_new),
		cmocka_unit_test(names_change_hands),
		cmocka_unit_test(old_files_are_marked),
		cmocka_unit_test(the_end_moves),
		cmocka_unit_test(nothing_to_publish),
		cmocka_unit_test(copies_ahead_of_time),
		cmocka_unit_test(what_cannot_be_published),
		cmocka_unit_test(operators_are_viewers_alone),
	};

	return cmocka_run_group_tests(tests, make, remove_all);
}
