/* SPDX-License-Identifier: MIT
 *
 * Subordinate ids: the arithmetic, the plugin's entry points, and Debian's own getsubids with the plugin
 * as built.
 */
#include "unit.h"

#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "../../nss_module/subid.h"
#include "../fakes/nss/nss_maps.h"
#include "../fakes/nss/nss_place.h"
#include "directory/unit.h"
#include "tenant/nss_map.h"

#define ANNA CAST_UID_FIRST
#define LOCAL_FILE "local:200000:65536\nnumeric\n0:300000:10\n\n#comment:1:2\nbroken:x:1\nlocal:500000:10\n"

static struct map_options options = {.subids = true};

/* "low" has uid 0x70000003 (among those with a block), anna one beyond. */
static struct directory *make_directory(void)
{
	struct problem problem = {0};
	struct directory *d = NULL;
	struct unit *unit;
	struct tenant_record tenant = {.id = "ten_acme",
				       .slug = "acme",
				       .name = "",
				       .region = "",
				       .gid = NSS_MAP_ID_FIRST,
				       .id_first = NSS_MAP_ID_FIRST,
				       .id_count = 65536,
				       .id_next = NSS_MAP_ID_FIRST + 60000};
	struct user_record low = {.id = "usr_low",
				  .tenant_id = "ten_acme",
				  .login = "low",
				  .name = "",
				  .email = "",
				  .home = "/home/low",
				  .shell = "/bin/sh",
				  .uid = NSS_MAP_ID_FIRST + 3,
				  .status_reason = ""},
			   anna = low;

	anna.id = "usr_anna";
	anna.login = "anna";
	anna.uid = ANNA;
	assert_int_equal(unit_new("test", &unit), 0);
	assert_int_equal(unit_append(unit, RECORD_TENANT, &tenant, (struct place){0}), 0);
	assert_int_equal(unit_append(unit, RECORD_USER, &low, (struct place){0}), 0);
	assert_int_equal(unit_append(unit, RECORD_USER, &anna, (struct place){0}), 0);
	assert_int_equal(directory_build(&unit, 1, "test", NULL, &d, &problem), 0);
	unit_unref(unit);
	return d;
}

static void publish(const char *path)
{
	struct directory *d = make_directory();
	struct map_writer *writer;

	assert_int_equal(map_writer_create(path, &writer), 0);
	assert_int_equal(map_writer_publish(writer, d, &options), 0);
	map_writer_destroy(writer);
	directory_unref(d);
}

static int make(void **state)
{
	nss_place_make();
	publish(nss_place_map);
	return 0;
}

static int remove_all(void **state)
{
	nss_place_remove();
	return 0;
}

static void one_block_one_owner(void **state)
{
	uint32_t blocks = 0, last = 0;

	for (uint32_t tenant = 0; tenant < 70; tenant++)
		for (uint32_t person = 0; person < 400; person++) {
			uint32_t uid = NSS_MAP_ID_FIRST + tenant * SUBID_TENANT_BLOCK + person,
				 start = subid_of_uid(uid);

			if (tenant >= SUBID_TENANTS || person >= SUBID_PEOPLE) {
				assert_int_equal(start, 0);
				continue;
			}
			assert_true(start > last && start >= SUBID_FIRST && start + SUBID_COUNT <= NSS_MAP_ID_FIRST);
			assert_int_equal(start % SUBID_COUNT, 0);
			assert_int_equal(subid_owner(start), uid);
			assert_int_equal(subid_owner(start + SUBID_COUNT - 1), uid);
			last = start;
			blocks++;
		}
	assert_int_equal(blocks, 18432);
	assert_int_equal(subid_of_uid(0), 0);
	assert_int_equal(subid_of_uid(1000), 0);
	assert_int_equal(subid_of_uid(UINT32_MAX), 0);
	assert_int_equal(subid_of_uid(NSS_MAP_ID_FIRST - 1), 0);
	assert_int_equal(subid_owner(0), 0);
	assert_int_equal(subid_owner(SUBID_FIRST - 1), 0);
	assert_int_equal(subid_owner(NSS_MAP_ID_FIRST), 0);
	assert_int_equal(subid_owner(ULONG_MAX), 0);
}

static void the_plugin(void **state)
{
	unsigned long first = subid_of_uid(NSS_MAP_ID_FIRST + 3);
	static const char *const owners[] = {"low", "1879048195"};
	struct subid_range *ranges = NULL;
	bool result = false;
	uid_t *uids = NULL;
	int count = -1;

	for (unsigned i = 0; i < ARRAY_LEN(owners); i++) {
		assert_int_equal(shadow_subid_list_owner_ranges(owners[i], ID_TYPE_UID, &ranges, &count),
				 SUBID_STATUS_SUCCESS);
		assert_int_equal(count, 1);
		assert_int_equal(ranges[0].start, first);
		assert_int_equal(ranges[0].count, 65536);
		free(ranges);
	}
	assert_int_equal(shadow_subid_list_owner_ranges("anna", ID_TYPE_GID, &ranges, &count), SUBID_STATUS_SUCCESS);
	assert_int_equal(count, 0);
	free(ranges);
	assert_int_equal(shadow_subid_has_range("low", first, 65536, ID_TYPE_UID, &result), SUBID_STATUS_SUCCESS);
	assert_true(result);
	assert_int_equal(shadow_subid_has_range("low", first + 65535, 1, ID_TYPE_UID, &result), SUBID_STATUS_SUCCESS);
	assert_true(result);
	/* Not one id more, on either side, nor by overflow. */
	assert_int_equal(shadow_subid_has_range("low", first, 65537, ID_TYPE_UID, &result), SUBID_STATUS_SUCCESS);
	assert_false(result);
	assert_int_equal(shadow_subid_has_range("low", first - 1, 2, ID_TYPE_UID, &result), SUBID_STATUS_SUCCESS);
	assert_false(result);
	assert_int_equal(shadow_subid_has_range("low", first + 1, ULONG_MAX, ID_TYPE_UID, &result),
			 SUBID_STATUS_SUCCESS);
	assert_false(result);
	assert_int_equal(shadow_subid_has_range("low", first, 0, ID_TYPE_UID, &result), SUBID_STATUS_SUCCESS);
	assert_false(result);
	assert_int_equal(shadow_subid_has_range("anna", first, 1, ID_TYPE_UID, &result), SUBID_STATUS_SUCCESS);
	assert_false(result);
	assert_int_equal(shadow_subid_find_subid_owners(first + 77, ID_TYPE_GID, &uids, &count), SUBID_STATUS_SUCCESS);
	assert_int_equal(count, 1);
	assert_int_equal(uids[0], NSS_MAP_ID_FIRST + 3);
	free(uids);
	/* A block of somebody who is not there. */
	assert_int_equal(shadow_subid_find_subid_owners(first + 65536, ID_TYPE_UID, &uids, &count),
			 SUBID_STATUS_SUCCESS);
	assert_int_equal(count, 0);
	free(uids);
	assert_int_equal(shadow_subid_list_owner_ranges(NULL, ID_TYPE_UID, &ranges, &count), SUBID_STATUS_ERROR);
	assert_int_equal(shadow_subid_list_owner_ranges("low", (enum subid_type)7, &ranges, &count),
			 SUBID_STATUS_ERROR);
	/* Switched off. */
	options.subids = false;
	publish(nss_place_map);
	assert_int_equal(shadow_subid_list_owner_ranges("low", ID_TYPE_UID, &ranges, &count), SUBID_STATUS_SUCCESS);
	assert_int_equal(count, 0);
	free(ranges);
	options.subids = true;
	publish(nss_place_map);
}

static void put(const char *path, const char *over, const char *text)
{
	FILE *file = fopen(path, "we");

	if (!file || fputs(text, file) < 0 || fclose(file) || (over && mount(path, over, NULL, MS_BIND, NULL) < 0))
		_exit(70);
}

static bool says(const char *command, const char *expected)
{
	char out[512] = "";
	FILE *pipe = popen(command, "re");
	size_t n = fread(out, 1, sizeof(out) - 1, pipe);

	pclose(pipe);
	out[n] = '\0';
	if (strcmp(out, expected) != 0)
		print_message("%s says: %s", command, out);
	return strcmp(out, expected) == 0;
}

/* shadow's getsubids, with `subid: tenant`. */
static int real_getsubids(void *argument)
{
#ifdef SANITIZED
	return 77; /* a plugin with a sanitizer inside cannot be loaded by others */
#endif
	char path[PATH_MAX + 64], expected[128];
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);

	if (geteuid() != 0 || access("/usr/bin/getsubids", X_OK) < 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || access("/etc/subuid", F_OK) < 0 ||
	    mount("tmpfs", "/run", "tmpfs", 0, "mode=0755") < 0 || mkdir("/run/tenantd", 0755) < 0)
		return 77;
	path[n] = '\0';
	for (unsigned i = 0; i < 3; i++)
		*strrchr(path, '/') = '\0';
	setenv("LD_LIBRARY_PATH", path, 1);
	put("/run/nsswitch.conf", "/etc/nsswitch.conf", "passwd: files tenant\ngroup: files tenant\nsubid: tenant\n");
	put("/run/subuid", "/etc/subuid", LOCAL_FILE);
	publish("/run/tenantd/nss.map");
	snprintf(expected, sizeof(expected), "0: low %u 65536\n", subid_of_uid(NSS_MAP_ID_FIRST + 3));
	if (!says("getsubids low 2>&1", expected) || !says("getsubids -g low 2>&1", expected))
		return 1;
	/* Local accounts keep what /etc/subuid gives them. */
	if (!says("getsubids local 2>&1", "0: local 200000 65536\n1: local 500000 10\n") ||
	    !says("getsubids 0 2>&1", "0: 0 300000 10\n") || !says("getsubids root 2>&1", "0: root 300000 10\n"))
		return 2;
	return says("getsubids anna 2>/dev/null", "") ? 0 : 3;
}

static void debians_getsubids(void **state)
{
	int r = in_child(real_getsubids, NULL);

	if (r == 77)
		skip();
	assert_int_equal(r, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_block_one_owner),
		cmocka_unit_test(the_plugin),
		cmocka_unit_test(debians_getsubids),
	};

	return cmocka_run_group_tests(tests, make, remove_all);
}
