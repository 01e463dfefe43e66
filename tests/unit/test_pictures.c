/* SPDX-License-Identifier: MIT
 *
 * One picture from files and feeds: what does not fit in one of them takes nobody else down.
 */
#include <string.h>

#include "base/text.h"
#include "directory/feed_picture.h"
#include "fixture.h"
#include "pictures.h"
#include "unit.h"

#define ONE "ten_one00000000000"
#define TWO "ten_two00000000000"

/* A tenant with one user; `broken`: and a membership of nobody. */
static struct feed_picture *feed(const char *tenant_id, const char *slug, uint32_t first, bool broken)
{
	struct problem problem = {0};
	struct feed_picture *picture;
	json_t *body;
	char id[64], login[32];

	assert_int_equal(feed_picture_new("test/feed", tenant_id, &picture), 0);
	assert_int_equal(feed_picture_begin(picture, true, 3), 0);
	body = json_pack("{s:s,s:i,s:{s:i,s:i,s:i}}", "slug", slug, "gid", first, "ids", "first", first, "count", 100,
			 "next", first + 50);
	assert_int_equal(feed_picture_put(picture, RECORD_TENANT, tenant_id, 1, json_view(body), &problem), 0);
	json_decref(body);
	snprintf(id, sizeof(id), "usr_%s", slug);
	snprintf(login, sizeof(login), "%s-user", slug);
	body = json_pack("{s:s,s:i}", "login", login, "uid", first + 1);
	assert_int_equal(feed_picture_put(picture, RECORD_USER, id, 1, json_view(body), &problem), 0);
	json_decref(body);
	if (broken) {
		body = json_pack("{s:s,s:s}", "user", "usr_nobody", "role", "admin");
		assert_int_equal(feed_picture_put(picture, RECORD_MEMBER, "usr_nobody/", 1, json_view(body), &problem),
				 0);
		json_decref(body);
	}
	assert_int_equal(feed_picture_commit(picture), 0);
	return picture;
}

static void set_feeds(struct pictures *pictures, const struct feed_picture *one, const struct feed_picture *two)
{
	const struct feed_picture *both[] = {one, two};
	struct unit *units[4096];
	uint32_t count = 0;

	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		struct unit *const *some;
		uint32_t some_count = 0;

		if (both[i])
			feed_picture_units(both[i], &some, &some_count);
		for (uint32_t k = 0; k < some_count; k++)
			units[count++] = some[k];
	}
	assert_int_equal(pictures_set_feeds(pictures, units, count), 0);
}

struct faults {
	unsigned count;
	char tenant_id[64];
};

static void on_fault(void *context, const char *tenant_id, const struct problem *problem)
{
	struct faults *faults = context;

	faults->count++;
	snprintf(faults->tenant_id, sizeof(faults->tenant_id), "%s", tenant_id);
	assert_true(problem->text[0]);
}

static struct directory *join(struct pictures *pictures, const struct directory *before, struct faults *faults)
{
	struct directory *made;

	assert_int_equal(pictures_join(pictures, before, on_fault, faults, &made), 0);
	return made;
}

static void test_nothing_and_files_alone(void **state)
{
	struct directory *files = fixture_load("gpu-1", fixture_yaml), *made;
	struct pictures *pictures;
	struct faults faults = {0};

	assert_int_equal(pictures_create("gpu-1", &pictures), 0);
	assert_null(join(pictures, NULL, &faults));
	pictures_set_files(pictures, files);
	made = join(pictures, NULL, &faults);
	assert_ptr_equal(made, files); /* as it is: no second one of a large directory */
	directory_unref(made);
	pictures_destroy(pictures);
	directory_unref(files);
}

static void test_a_broken_feed_takes_nobody_down(void **state)
{
	struct feed_picture *one = feed(ONE, "one", 0x70020000U, false), *two = feed(TWO, "two", 0x70030000U, true),
			    *good = feed(TWO, "two", 0x70030000U, false);
	struct directory *files = fixture_load("gpu-1", fixture_yaml), *made, *before;
	struct pictures *pictures;
	struct faults faults = {0};

	assert_int_equal(pictures_create("gpu-1", &pictures), 0);
	pictures_set_files(pictures, files);
	/* Of what was never in order nothing is there. */
	set_feeds(pictures, one, two);
	made = join(pictures, NULL, &faults);
	assert_non_null(directory_user_by_login(made, "alice"));
	assert_non_null(directory_user_by_login(made, "one-user"));
	assert_null(directory_user_by_login(made, "two-user"));
	assert_int_equal(faults.count, 1);
	assert_string_equal(faults.tenant_id, TWO);

	/* What was in order stays when something else comes. */
	before = made;
	set_feeds(pictures, one, good);
	made = join(pictures, before, &faults);
	assert_non_null(directory_user_by_login(made, "two-user"));
	assert_int_equal(faults.count, 1);
	directory_unref(before);
	before = made;
	set_feeds(pictures, one, two);
	made = join(pictures, before, &faults);
	assert_non_null(directory_user_by_login(made, "two-user"));
	assert_non_null(directory_user_by_login(made, "one-user"));
	assert_int_equal(faults.count, 2);
	directory_unref(before);

	/* All feeds gone, then the files: nobody is left, and that is a picture, too. */
	before = made;
	set_feeds(pictures, NULL, NULL);
	made = join(pictures, before, &faults);
	assert_null(directory_user_by_login(made, "one-user"));
	assert_non_null(directory_user_by_login(made, "alice"));
	directory_unref(before);
	before = made;
	pictures_set_files(pictures, NULL);
	made = join(pictures, before, &faults);
	assert_non_null(made);
	assert_int_equal(directory_counts(made).users, 0);
	directory_unref(before);
	directory_unref(made);

	pictures_destroy(pictures);
	directory_unref(files);
	feed_picture_free(one);
	feed_picture_free(two);
	feed_picture_free(good);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing_and_files_alone),
		cmocka_unit_test(test_a_broken_feed_takes_nobody_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
