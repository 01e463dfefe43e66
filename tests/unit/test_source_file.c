/* SPDX-License-Identifier: MIT
 *
 * The directory from files: what is read again and what is not, whom it trusts, and that changes of every
 * kind arrive while broken ones leave the last good picture in force.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "directory/compiled.h"
#include "directory/files.h"
#include "directory/source_file.h"
#include "directory_fixture.h"

#define WAIT_USEC (3 * USEC_PER_SEC)
#define QUIET_USEC (400 * USEC_PER_MSEC)

static const char tenant_only[] = "version: 1\ntenants:\n  - {id: t, slug: t, gid: 1879048192, ids: {first: "
				  "1879048192, count: 999, next: 1879048300}}\n";

struct world {
	char *folder, path[80], drop_ins[96], drop_in[112], cache[128];
	sd_event *event;
	struct source_file *source;
	struct directory *picture;
	unsigned pictures, problems;
	struct problem problem;
};

static void changed(void *context, struct directory *picture, const struct problem *problem)
{
	struct world *w = context;

	if (picture) {
		directory_unref(w->picture);
		w->picture = directory_ref(picture);
		w->pictures++;
	} else {
		w->problem = *problem;
		w->problems++;
	}
}

static void open_world(struct world *w)
{
	*w = (struct world){.folder = make_folder()};
	snprintf(w->path, sizeof(w->path), "%s/directory.yaml", w->folder);
	snprintf(w->drop_ins, sizeof(w->drop_ins), "%s.d", w->path);
	snprintf(w->drop_in, sizeof(w->drop_in), "%s/10-a.yaml", w->drop_ins);
	snprintf(w->cache, sizeof(w->cache), "%s/cache", w->folder);
	assert_int_equal(mkdir(w->cache, 0700), 0);
	assert_true(sd_event_new(&w->event) >= 0);
}

static void start_source(struct world *w)
{
	static const struct seal_key key = {.bytes = {7}};
	const struct source_file_options options = {
		.path = w->path, .cache_dir = w->cache, .seal_key = &key, .host_name = "gpu-1"};

	assert_result(source_file_create(w->event, &options, changed, w, &w->source), 0);
}

static void close_world(struct world *w)
{
	source_file_destroy(w->source);
	directory_unref(w->picture);
	sd_event_unref(w->event);
	remove_folder(w->folder);
}

/* Runs the loop until as many pictures and problems came, or the time is over. */
static bool run_until(struct world *w, unsigned pictures, unsigned problems, uint64_t usec)
{
	uint64_t end = clock_boottime_usec() + usec;

	while (w->pictures < pictures || w->problems < problems) {
		uint64_t now = clock_boottime_usec();

		if (now >= end)
			return false;
		sd_event_run(w->event, end - now);
	}
	return true;
}

static void assert_quiet(struct world *w)
{
	unsigned pictures = w->pictures, problems = w->problems;

	assert_false(run_until(w, pictures + 1, problems + 1, QUIET_USEC));
	assert_int_equal(w->pictures, pictures);
	assert_int_equal(w->problems, problems);
}

static void write_user(const char *path, const char *login)
{
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;

	buffer_printf(&text, "version: 1\nusers: [{id: u, tenant: t, login: %s, uid: 1879048200}]\n", login);
	write_file(path, buffer_text(&text));
}

static void test_life(void **state)
{
	struct world w;
	struct problem problem = {0};
	struct directory *d;

	open_world(&w);
	start_source(&w);
	assert_result(source_file_load(w.source, &d, &problem), -ENOENT);
	assert_non_null(strstr(problem.text, "there is no such file"));

	write_file(w.path, tenant_only);
	assert_true(run_until(&w, 1, 0, WAIT_USEC));
	assert_non_null(directory_tenant(w.picture, "t"));

	/* the drop-in folder appears, with a file */
	assert_int_equal(mkdir(w.drop_ins, 0755), 0);
	write_user(w.drop_in, "anna");
	assert_true(run_until(&w, 2, 0, WAIT_USEC));
	assert_non_null(directory_user_by_login(w.picture, "anna"));

	/* a broken one: told once, after a moment, and the old picture stays */
	write_user(w.drop_in, "a:b");
	assert_true(run_until(&w, 2, 1, WAIT_USEC));
	assert_string_equal(w.problem.file, w.drop_in);
	assert_int_equal(w.problem.line, 2);
	assert_non_null(directory_user_by_login(w.picture, "anna"));
	assert_quiet(&w);

	/* and back to what was there: told, though nothing differs */
	write_user(w.drop_in, "anna");
	assert_true(run_until(&w, 3, 1, WAIT_USEC));

	/* temporary files and other names are nobody's business */
	snprintf(w.cache, sizeof(w.cache), "%s/.10-b.yaml.swp", w.drop_ins);
	write_file(w.cache, "rubbish");
	snprintf(w.cache, sizeof(w.cache), "%s/notes.txt", w.drop_ins);
	write_file(w.cache, "rubbish");
	snprintf(w.cache, sizeof(w.cache), "%s/10-b.yaml~", w.drop_ins);
	write_file(w.cache, "rubbish");
	assert_quiet(&w);

	/* deleted */
	assert_int_equal(unlink(w.drop_in), 0);
	assert_true(run_until(&w, 4, 1, WAIT_USEC));
	assert_null(directory_user_by_login(w.picture, "anna"));
	assert_int_equal(unlink(w.path), 0);
	assert_true(run_until(&w, 4, 2, WAIT_USEC));
	assert_non_null(strstr(w.problem.text, "there is no such file"));
	assert_non_null(directory_tenant(w.picture, "t"));
	close_world(&w);
}

/* Written in place by an editor that keeps the file open, in two pieces. */
static void test_in_place(void **state)
{
	struct world w;
	struct problem problem = {0};
	int fd;

	open_world(&w);
	write_file(w.path, tenant_only);
	start_source(&w);
	assert_result(source_file_load(w.source, &w.picture, &problem), 0);
	fd = open(w.path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, tenant_only, 30), 30);
	usleep(50000);
	assert_true(write(fd, tenant_only + 30, strlen(tenant_only) - 30) > 0);
	assert_true(write(fd, "projects: [{id: p, tenant: t, slug: p, gid: 1879048193}]\n", 57) == 57);
	assert_int_equal(w.pictures + w.problems, 0);
	close(fd);
	assert_true(run_until(&w, 1, 0, WAIT_USEC));
	assert_int_equal(w.problems, 0);
	assert_non_null(directory_project_by_name(w.picture, "t/p"));
	close_world(&w);
}

/* A change of two files that do not fit together in between: nobody hears of the moment between. */
static void test_two_files(void **state)
{
	struct world w;
	struct problem problem = {0};

	open_world(&w);
	write_file(w.path, tenant_only);
	assert_int_equal(mkdir(w.drop_ins, 0755), 0);
	start_source(&w);
	assert_result(source_file_load(w.source, &w.picture, &problem), 0);
	write_file(w.drop_in, "version: 1\nmembers: [{user: u, tenant: t, role: owner}]\n"); /* dangling */
	usleep(40000);
	snprintf(w.cache, sizeof(w.cache), "%s/20-b.yaml", w.drop_ins);
	write_user(w.cache, "anna");
	assert_true(run_until(&w, 1, 0, WAIT_USEC));
	assert_int_equal(w.problems, 0);
	assert_string_equal(directory_role(w.picture, "u", ""), "owner");
	close_world(&w);
}

static void test_reload_always_answers(void **state)
{
	struct world w;
	struct problem problem = {0};

	open_world(&w);
	write_file(w.path, tenant_only);
	start_source(&w);
	assert_result(source_file_load(w.source, &w.picture, &problem), 0);
	source_file_reload(w.source);
	assert_true(run_until(&w, 1, 0, WAIT_USEC));
	write_file(w.path, "version: 9\n");
	source_file_reload(w.source);
	assert_true(run_until(&w, 1, 1, WAIT_USEC));
	close_world(&w);
}

/* Asked without the loader's thread: it would accept, and store, the good moments in between. */
static void test_trust(void **state)
{
	struct world w;
	struct directory_files *files;
	struct directory_files_options options = {0};
	struct problem problem = {0};

	open_world(&w);
	write_file(w.path, tenant_only);
	options.path = w.path;
	assert_result(directory_files_new(&options, &files), 0);
	assert_int_equal(chmod(w.path, 0664), 0);
	assert_result(directory_files_refresh(files, &problem), -EINVAL);
	assert_non_null(strstr(problem.text, "others than its owner may write it"));
	assert_int_equal(chmod(w.path, 0640), 0);
	assert_int_equal(chown(w.path, 12345, 0), 0);
	assert_result(directory_files_refresh(files, &problem), -EINVAL);
	assert_non_null(strstr(problem.text, "belongs to somebody else than root"));
	assert_int_equal(chown(w.path, 0, 0), 0);
	assert_int_equal(chmod(w.folder, 0777), 0);
	assert_result(directory_files_refresh(files, &problem), -EINVAL);
	assert_string_equal(problem.file, w.folder);
	assert_int_equal(chmod(w.folder, 0755), 0);
	assert_int_equal(mkdir(w.drop_ins, 0755), 0);
	assert_int_equal(chmod(w.drop_ins, 0775), 0);
	assert_result(directory_files_refresh(files, &problem), -EINVAL);
	assert_string_equal(problem.file, w.drop_ins);
	assert_int_equal(chmod(w.drop_ins, 0755), 0);
	assert_int_equal(symlink("/dev/zero", w.drop_in), 0);
	assert_result(directory_files_refresh(files, &problem), -EINVAL);
	assert_int_equal(unlink(w.drop_in), 0);
	assert_int_equal(mkfifo(w.drop_in, 0600), 0);
	assert_result(directory_files_refresh(files, &problem), -EINVAL); /* and does not hang */
	assert_int_equal(unlink(w.drop_in), 0);
	assert_null(directory_files_picture(files));
	assert_result(directory_files_refresh(files, &problem), FILES_CHANGED);
	directory_files_free(files);
	close_world(&w);
}

/* A mode that lets others write is noticed, too, and its mending. */
static void test_trust_lost(void **state)
{
	struct world w;
	struct problem problem = {0};

	open_world(&w);
	write_file(w.path, tenant_only);
	start_source(&w);
	assert_result(source_file_load(w.source, &w.picture, &problem), 0);
	assert_int_equal(chmod(w.path, 0666), 0);
	assert_true(run_until(&w, 0, 1, WAIT_USEC));
	assert_int_equal(chmod(w.path, 0640), 0);
	assert_true(run_until(&w, 1, 1, WAIT_USEC));
	close_world(&w);
}

static void test_unchanged_is_shared(void **state)
{
	struct world w;
	struct directory_files *files;
	struct directory_files_options options = {0};
	struct problem problem = {0};
	struct unit *first;

	open_world(&w);
	write_file(w.path, tenant_only);
	assert_int_equal(mkdir(w.drop_ins, 0755), 0);
	options.path = w.path;
	assert_result(directory_files_new(&options, &files), 0);
	assert_int_equal(directory_files_refresh(files, &problem), FILES_CHANGED);
	first = directory_files_unit(files, 0);
	assert_int_equal(directory_files_refresh(files, &problem), FILES_SAME);
	write_file(w.path, tenant_only); /* another inode, the same content */
	assert_int_equal(directory_files_refresh(files, &problem), FILES_SAME);
	assert_ptr_equal(directory_files_unit(files, 0), first);
	write_user(w.drop_in, "anna");
	assert_int_equal(directory_files_refresh(files, &problem), FILES_CHANGED);
	assert_ptr_equal(directory_files_unit(files, 0), first);
	assert_string_equal(directory_files_path(files, 1), w.drop_in);
	assert_null(directory_files_path(files, 2));
	/* the same size in the same moment, written in place */
	for (unsigned i = 0; i < 20; i++) {
		int fd = open(w.drop_in, O_WRONLY | O_CLOEXEC);
		const char *text = i % 2 ? "version: 1\nusers: [{id: u, tenant: t, login: anna"
					 : "version: 1\nusers: [{id: u, tenant: t, login: otto";

		assert_true(write(fd, text, strlen(text)) > 0);
		close(fd);
		assert_int_equal(directory_files_refresh(files, &problem), FILES_CHANGED);
		assert_non_null(directory_user_by_login(directory_files_picture(files), i % 2 ? "anna" : "otto"));
	}
	directory_files_free(files);
	close_world(&w);
}

/* That the form is really taken: one of other records under this source's hash. (Only who has the key can
 * make such a thing.) */
static void test_compiled_is_used(void **state)
{
	static const struct seal_key key = {.bytes = {7}};
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	struct directory_files_options options = {.seal_key = &key};
	struct unit *mine, *other = load_text("other", tenant_only);
	struct directory_files *files;
	struct problem problem = {0};
	struct world w;

	open_world(&w);
	options.path = w.path;
	options.cache_dir = w.cache;
	buffer_add_text(&text, "version: 1\n");
	while (text.length < 100000)
		buffer_add_text(&text, "# much to say, and nothing in it\n");
	write_file(w.path, buffer_text(&text));
	mine = load_text("mine", buffer_text(&text));
	memcpy(other->source_hash, mine->source_hash, SHA256_BYTES);
	assert_result(compiled_store(w.cache, &key, other), 0);
	assert_result(directory_files_new(&options, &files), 0);
	assert_int_equal(directory_files_refresh(files, &problem), FILES_CHANGED);
	assert_non_null(directory_tenant(directory_files_picture(files), "t"));
	directory_files_free(files);
	unit_unref(mine);
	unit_unref(other);
	close_world(&w);
}

/* Turns a byte in every file of the folder. */
static void damage_all(const char *folder)
{
	DIR *dir = opendir(folder);
	unsigned damaged = 0;

	assert_non_null(dir);
	for (struct dirent *entry; (entry = readdir(dir));) {
		int fd = entry->d_type == DT_REG ? openat(dirfd(dir), entry->d_name, O_RDWR | O_CLOEXEC) : -1;
		char c;

		if (fd < 0)
			continue;
		if (pread(fd, &c, 1, 500) != 1) { /* the record of small files */
			close(fd);
			continue;
		}
		c ^= 4;
		assert_int_equal(pwrite(fd, &c, 1, 500), 1);
		close(fd);
		damaged++;
	}
	closedir(dir);
	assert_int_equal(damaged, 1);
}

/* A large file starts from its compiled form; a damaged or foreign form costs time and nothing else. */
static void test_compiled_forms(void **state)
{
	static const struct seal_key key = {.bytes = {7}};
	_cleanup_(buffer_finish) struct buffer text = BUFFER_INIT;
	struct directory_files_options options = {.seal_key = &key};
	struct problem problem = {0};
	struct world w;

	open_world(&w);
	options.path = w.path;
	options.cache_dir = w.cache;
	buffer_add_text(
		&text,
		"version: 1\ntenants:\n  - {id: t, slug: t, gid: 1879048192, ids: {first: 1879048192, count: 65536, "
		"next: 1879060000}}\nusers:\n");
	for (unsigned i = 0; i < 1500; i++)
		buffer_printf(&text, "  - {id: u%u, tenant: t, login: user%u, uid: %u}\n", i, i, 1879048200 + i);
	write_file(w.path, buffer_text(&text));
	for (unsigned round = 0; round < 4; round++) {
		struct directory_files *files;

		assert_result(directory_files_new(&options, &files), 0);
		assert_int_equal(directory_files_refresh(files, &problem), FILES_CHANGED);
		assert_int_equal(directory_counts(directory_files_picture(files)).users, 1500);
		directory_files_compile(files);
		directory_files_free(files);
		if (round == 1)
			damage_all(w.cache);
	}
	assert_int_equal(rmdir(w.cache) < 0 && errno == ENOTEMPTY, 1); /* something was stored */
	close_world(&w);
}

static void test_folder_replaced(void **state)
{
	struct world w;
	struct problem problem = {0};
	char aside[128];

	open_world(&w);
	write_file(w.path, tenant_only);
	assert_int_equal(mkdir(w.drop_ins, 0755), 0);
	write_user(w.drop_in, "anna");
	start_source(&w);
	assert_result(source_file_load(w.source, &w.picture, &problem), 0);
	snprintf(aside, sizeof(aside), "%s/aside", w.folder);
	assert_int_equal(rename(w.drop_ins, aside), 0);
	assert_true(run_until(&w, 1, 0, WAIT_USEC));
	assert_null(directory_user_by_login(w.picture, "anna"));
	assert_int_equal(rename(aside, w.drop_ins), 0);
	assert_true(run_until(&w, 2, 0, WAIT_USEC));
	assert_non_null(directory_user_by_login(w.picture, "anna"));
	write_user(w.drop_in, "otto"); /* the folder is watched again */
	assert_true(run_until(&w, 3, 0, WAIT_USEC));
	assert_non_null(directory_user_by_login(w.picture, "otto"));
	close_world(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_in_place),
		cmocka_unit_test(test_two_files),
		cmocka_unit_test(test_reload_always_answers),
		cmocka_unit_test(test_trust),
		cmocka_unit_test(test_trust_lost),
		cmocka_unit_test(test_unchanged_is_shared),
		cmocka_unit_test(test_compiled_forms),
		cmocka_unit_test(test_folder_replaced),
		cmocka_unit_test(test_compiled_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
