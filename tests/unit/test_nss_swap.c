/* SPDX-License-Identifier: MIT
 *
 * Maps replaced while threads read and processes fork: every answer is right, mappings do not pile up, and
 * children move on to newer maps on their own.
 */
#include "unit.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "../../nss_module/nss_entry.h"
#include "../fakes/nss/nss_maps.h"
#include "../fakes/nss/nss_place.h"
#include "directory/unit.h"

#define THREADS 8
#define PEOPLE 200U
#define SECONDS 3
#define VARIANTS 4U

static struct directory *variants[VARIANTS];
static struct map_options options;
static atomic_bool stop;
static atomic_uint wrong, lookups;

/* Variant v: everybody's name ends in v, and all are in project v with the role of an owner. */
static void make_variants(void)
{
	for (unsigned v = 0; v < VARIANTS; v++) {
		static struct cast_person cast[PEOPLE];
		struct unit *fixed = NULL;

		memset(cast, 0, sizeof(cast));
		for (uint32_t i = 0; i < PEOPLE; i++) {
			snprintf(cast[i].login, sizeof(cast[i].login), "person%u", i);
			/* Of different lengths, so that records lie elsewhere. */
			snprintf(cast[i].name, sizeof(cast[i].name), "%.*sof variant %u", (int)v * 17,
				 "a very long way to say that here is someone who is ", v);
			cast[i].roles[v] = 3;
			cast[i].present = true;
		}
		variants[v] = cast_build(cast, PEOPLE, PEOPLE, &fixed, NULL);
		unit_unref(fixed);
	}
}

static int make(void **state)
{
	nss_place_make();
	make_variants();
	return 0;
}

static int remove_all(void **state)
{
	nss_place_remove();
	for (unsigned v = 0; v < VARIANTS; v++)
		directory_unref(variants[v]);
	return 0;
}

/* One person, by name and uid, with groups: each answer is of one variant and whole. */
static bool ask(uint32_t person)
{
	char login[32], buffer[8192];
	gid_t room[32], *list = room;
	long start = 0, size = 32;
	struct passwd pw;
	struct group gr;
	int error;
	unsigned variant, members = 0;

	snprintf(login, sizeof(login), "person%u", person);
	if (_nss_tenant_getpwnam_r(login, &pw, buffer, sizeof(buffer), &error) != NSS_STATUS_SUCCESS ||
	    pw.pw_uid != CAST_UID_FIRST + person || strcmp(pw.pw_name, login) != 0 || strlen(pw.pw_gecos) < 12)
		return false;
	variant = (unsigned)(pw.pw_gecos[strlen(pw.pw_gecos) - 1] - '0');
	if (variant >= VARIANTS || strlen(pw.pw_gecos) != 12 + (variant * 17 < 51 ? variant * 17 : 51) ||
	    strcmp(pw.pw_shell, "/bin/bash") != 0)
		return false;
	if (_nss_tenant_getpwuid_r(CAST_UID_FIRST + person, &pw, buffer, sizeof(buffer), &error) !=
		    NSS_STATUS_SUCCESS ||
	    strcmp(pw.pw_name, login) != 0)
		return false;
	if (_nss_tenant_initgroups_dyn(login, 0, &start, &size, &list, 0, &error) != NSS_STATUS_SUCCESS || start != 6 ||
	    list[0] != CAST_TENANT_GID || list[4] != list[1] + 3 || (list[1] - CAST_TENANT_GID - 1) % 4)
		return false;
	if (_nss_tenant_getgrgid_r(CAST_TENANT_GID, &gr, buffer, sizeof(buffer), &error) != NSS_STATUS_SUCCESS)
		return false;
	for (char **member = gr.gr_mem; *member; member++, members++)
		if (strncmp(*member, "person", 6) != 0)
			return false;
	return members == PEOPLE &&
	       _nss_tenant_getpwnam_r("nobody", &pw, buffer, sizeof(buffer), &error) == NSS_STATUS_NOTFOUND;
}

static void *reader(void *argument)
{
	uint32_t person = *(const uint32_t *)argument;

	while (!atomic_load(&stop)) {
		if (!ask(person++ % PEOPLE))
			atomic_fetch_add(&wrong, 1);
		atomic_fetch_add(&lookups, 1);
	}
	return NULL;
}

/* Forks all the time; children must find everything, and the newest map in the end. */
static void *forker(void *argument)
{
	while (!atomic_load(&stop)) {
		pid_t child = fork();
		int status;

		if (child == 0) {
			bool fine = true;

			for (uint32_t i = 0; fine && i < 200; i++)
				fine = ask(i % PEOPLE);
			_exit(fine ? 0 : 1);
		}
		if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
			atomic_fetch_add(&wrong, 1000);
	}
	return NULL;
}

static unsigned count_mappings(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[1024];
	unsigned count = 0;

	while (fgets(line, sizeof(line), maps))
		count += strstr(line, "nss.map") != NULL;
	fclose(maps);
	return count;
}

static double seconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

/* A process that asks for the first time while maps are published finds everybody. This test comes first: children
 * must have no map from their parent. */
static void born_in_between(void **state)
{
	unsigned wrong_children = 0;
	struct map_writer *writer;
	pid_t publisher;

	assert_int_equal(map_writer_create(nss_place_map, &writer), 0);
	assert_int_equal(map_writer_publish(writer, variants[0], &options), 0);
	publisher = fork();
	if (publisher == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (unsigned i = 0;; i++)
			if (map_writer_publish(writer, variants[i % VARIANTS], &options) < 0)
				_exit(1);
	}
	for (uint32_t i = 0; i < 600; i++) {
		pid_t child = fork();
		int status;

		if (child == 0)
			_exit(ask(i % PEOPLE) ? 0 : 1);
		assert_int_equal(waitpid(child, &status, 0), child);
		wrong_children += status != 0;
	}
	kill(publisher, SIGKILL);
	waitpid(publisher, NULL, 0);
	assert_int_equal(wrong_children, 0);
	map_writer_destroy(writer);
}

static void replaced_under_their_feet(void **state)
{
	uint32_t first[THREADS];
	pthread_t threads[THREADS], forking[2];
	struct map_writer *writer;
	struct timespec start;
	unsigned published = 0;

	assert_int_equal(map_writer_create(nss_place_map, &writer), 0);
	assert_int_equal(map_writer_publish(writer, variants[0], &options), 0);
	atomic_store(&stop, false);
	for (uint32_t i = 0; i < THREADS; i++) { /* at once: they race for the first map, too */
		first[i] = i * 20;
		assert_int_equal(pthread_create(&threads[i], NULL, reader, &first[i]), 0);
	}
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&forking[i], NULL, forker, NULL), 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	while (seconds_since(&start) < SECONDS) {
		assert_int_equal(map_writer_publish(writer, variants[++published % VARIANTS], &options), 0);
		if (published % 7 == 0)
			usleep(500);
	}
	atomic_store(&stop, true);
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < 2; i++)
		pthread_join(forking[i], NULL);
	print_message("             %u maps, %u rounds of look-ups\n", published, atomic_load(&lookups));
	assert_int_equal(atomic_load(&wrong), 0);
	assert_true(published > 100 && atomic_load(&lookups) > 1000);
	assert_in_range(count_mappings(), 1, 2); /* one; a page's size may split its line */
	map_writer_destroy(writer);
}

static unsigned variant_of(uint32_t person)
{
	char login[32], buffer[1024];
	struct passwd pw;
	int error;

	snprintf(login, sizeof(login), "person%u", person);
	assert_int_equal(_nss_tenant_getpwnam_r(login, &pw, buffer, sizeof(buffer), &error), NSS_STATUS_SUCCESS);
	return (unsigned)(pw.pw_gecos[strlen(pw.pw_gecos) - 1] - '0');
}

/* A child forked while some thread was moving to a new map is not stuck with the old one. */
static int moves_on(void *argument)
{
	const char *go = argument;

	for (unsigned i = 0; i < 2000; i++) {
		if (access(go, F_OK) == 0 && variant_of(1) == 3)
			return 0;
		usleep(1000);
	}
	return 1;
}

static void children_move_on(void **state)
{
	struct map_writer *writer;
	pthread_t threads[4];
	uint32_t first[4] = {0};
	pid_t children[20];
	char go[256];

	snprintf(go, sizeof(go), "%s/go", nss_place_parent);
	assert_int_equal(map_writer_create(nss_place_map, &writer), 0);
	atomic_store(&stop, false);
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, reader, &first[i]), 0);
	for (unsigned i = 0; i < ARRAY_LEN(children); i++) {
		assert_int_equal(map_writer_publish(writer, variants[i % 3], &options), 0);
		children[i] = fork();
		if (children[i] == 0)
			_exit(moves_on(go));
	}
	assert_int_equal(map_writer_publish(writer, variants[3], &options), 0);
	close(creat(go, 0600));
	for (unsigned i = 0; i < ARRAY_LEN(children); i++) {
		int status;

		assert_int_equal(waitpid(children[i], &status, 0), children[i]);
		assert_int_equal(status, 0);
	}
	unlink(go);
	atomic_store(&stop, true);
	for (unsigned i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(atomic_load(&wrong), 0);
	map_writer_destroy(writer);
}

/* A change is there at the very next look-up. */
static void at_once(void **state)
{
	struct map_writer *writer;

	assert_int_equal(map_writer_create(nss_place_map, &writer), 0);
	for (unsigned i = 0; i < 200; i++) {
		assert_int_equal(map_writer_publish(writer, variants[i % VARIANTS], &options), 0);
		assert_int_equal(variant_of(i % PEOPLE), i % VARIANTS);
	}
	assert_in_range(count_mappings(), 1, 2);
	map_writer_destroy(writer);
}

/* A map that grows past what was set aside for it, again and again. */
static void growth(void **state)
{
	static struct cast_person cast[20000];
	struct map_writer *writer;

	assert_int_equal(map_writer_create(nss_place_map, &writer), 0);
	for (uint32_t count = 1000; count <= ARRAY_LEN(cast); count += 3800) {
		struct unit *fixed = NULL;
		struct directory *d;

		for (uint32_t i = 0; i < count; i++) {
			snprintf(cast[i].login, sizeof(cast[i].login), "person%u", i);
			snprintf(cast[i].name, sizeof(cast[i].name), "of variant 1");
			cast[i].present = true;
		}
		d = cast_build(cast, count, count, &fixed, NULL);
		unit_unref(fixed);
		assert_int_equal(map_writer_publish(writer, d, &options), 0);
		directory_unref(d);
		assert_int_equal(variant_of(count - 1), 1);
		assert_in_range(count_mappings(), 1, 2);
	}
	map_writer_destroy(writer);
}

/* The product, in a namespace where its own place can be filled: loaded and unloaded again and again. */
static int load_and_unload(void *argument)
{
	char path[PATH_MAX + 64], buffer[1024];
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX);

	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("tmpfs", "/run", "tmpfs", 0, "mode=0755") < 0 || mkdir("/run/tenantd", 0755) < 0)
		return 77;
	path[n] = '\0';
	for (unsigned i = 0; i < 3; i++)
		*strrchr(path, '/') = '\0';
	strcat(path, "/libnss_tenant.so.2");
	for (unsigned i = 0; i < 50; i++) {
		enum nss_status (*get)(const char *, struct passwd *, char *, size_t, int *);
		void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		struct map_writer *writer;
		struct passwd pw;
		int error = 0;

		if (!module)
			return 1;
		get = (enum nss_status(*)(const char *, struct passwd *, char *, size_t, int *))dlsym(
			module, "_nss_tenant_getpwnam_r");
		if (!get)
			return 2;
		if (i == 0 && get("person1", &pw, buffer, sizeof(buffer), &error) != NSS_STATUS_UNAVAIL)
			return 3;
		if (i % 10 == 0) {
			if (map_writer_create("/run/tenantd/nss.map", &writer) < 0 ||
			    map_writer_publish(writer, variants[i / 10 % VARIANTS], &options) < 0)
				return 4;
			map_writer_destroy(writer);
			usleep(20000);
		}
		if (get("person1", &pw, buffer, sizeof(buffer), &error) != NSS_STATUS_SUCCESS ||
		    (unsigned)(pw.pw_gecos[strlen(pw.pw_gecos) - 1] - '0') != i / 10 % VARIANTS)
			return 5;
		dlclose(module);
	}
	return count_mappings() <= 2 ? 0 : 6;
}

static void loaded_again(void **state)
{
	int r = in_child(load_and_unload, NULL);

	if (r == 77)
		skip();
	assert_int_equal(r, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(born_in_between),
		cmocka_unit_test(loaded_again),
		cmocka_unit_test(replaced_under_their_feet),
		cmocka_unit_test(children_move_on),
		cmocka_unit_test(at_once),
		cmocka_unit_test(growth),
	};

	return cmocka_run_group_tests(tests, make, remove_all);
}
