/* SPDX-License-Identifier: MIT
 *
 * Look-ups in the map beside their floor (nss_floor.h) and a hit in nscd's shared memory, in runs that take
 * turns. "hot": 64 people or groups again and again; "all": everybody in random order.
 *
 * usage: bench_nss [PEOPLE …]   (1000 100000 1000000)
 */
#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <nss.h>
#include <pthread.h>
#include <pwd.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "map_writer/map_writer.h"
#include "measure.h"
#include "nss_floor.h"
#include "nss_host.h"
#include "nss_world.h"

#define ROUNDS 41
#define BATCH 10000U
#define HOT 64U
#define KEYS_MAX (1U << 20)
#define KEY_SIZE 32
#define BUFFER_SIZE 4096
#define THREAD_ROUNDS 15
#define THREAD_OPS 1000000U

static enum nss_status (*get_pwnam)(const char *, struct passwd *, char *, size_t, int *);
static enum nss_status (*get_pwuid)(uid_t, struct passwd *, char *, size_t, int *);
static enum nss_status (*get_grnam)(const char *, struct group *, char *, size_t, int *);
static enum nss_status (*get_initgroups)(const char *, gid_t, long *, long *, gid_t **, long, int *);
static struct floor *people_floor, *small_floor, *large_floor;
static bool have_nscd;

/* What is asked, in an order fixed beforehand. */
struct keys {
	char (*names)[KEY_SIZE];
	uint32_t *ids;
	uint32_t count, next;
};
static struct keys local_keys, local_groups;

static const char *next_name(struct keys *keys)
{
	const char *name = keys->names[keys->next];

	keys->next = keys->next + 1 == keys->count ? 0 : keys->next + 1;
	return name;
}

static uint32_t next_id(struct keys *keys)
{
	uint32_t id = keys->ids[keys->next];

	keys->next = keys->next + 1 == keys->count ? 0 : keys->next + 1;
	return id;
}

static void fail(const char *what)
{
	fprintf(stderr, "bench_nss: wrong answer: %s\n", what);
	exit(1);
}

/* One look-up each; true: found. */
static char buffer[BUFFER_SIZE];
static gid_t *group_list;
static long group_size;

static bool our_pwnam(struct keys *keys)
{
	struct passwd pw;
	int error;

	return get_pwnam(next_name(keys), &pw, buffer, sizeof(buffer), &error) == NSS_STATUS_SUCCESS;
}
static bool our_pwuid(struct keys *keys)
{
	struct passwd pw;
	int error;

	return get_pwuid(next_id(keys), &pw, buffer, sizeof(buffer), &error) == NSS_STATUS_SUCCESS;
}
static bool our_grnam(struct keys *keys)
{
	struct group gr;
	int error;

	return get_grnam(next_name(keys), &gr, buffer, sizeof(buffer), &error) == NSS_STATUS_SUCCESS;
}
static bool our_initgroups(struct keys *keys)
{
	long start = 0;
	int error;

	return get_initgroups(next_name(keys), 0, &start, &group_size, &group_list, 0, &error) == NSS_STATUS_SUCCESS &&
	       start >= 16;
}
static bool copy_pwnam(struct keys *keys)
{
	return floor_copy_by_name(people_floor, next_name(keys), buffer);
}
static bool copy_pwuid(struct keys *keys)
{
	return floor_copy_by_uid(people_floor, next_id(keys), buffer);
}
static bool copy_small(struct keys *keys)
{
	return floor_copy_group(small_floor, next_name(keys), buffer);
}
static bool copy_large(struct keys *keys)
{
	return floor_copy_group(large_floor, next_name(keys), buffer);
}
static bool give_pwnam(struct keys *keys)
{
	struct passwd pw;

	return floor_give_by_name(people_floor, next_name(keys), &pw, buffer);
}
static bool give_pwuid(struct keys *keys)
{
	struct passwd pw;

	return floor_give_by_uid(people_floor, next_id(keys), &pw, buffer);
}
static bool give_small(struct keys *keys)
{
	struct group gr;

	return floor_give_group(small_floor, next_name(keys), &gr, buffer);
}
static bool give_large(struct keys *keys)
{
	struct group gr;

	return floor_give_group(large_floor, next_name(keys), &gr, buffer);
}
static bool nscd_pwnam(struct keys *keys)
{
	struct passwd pw, *found;

	(void)keys;
	return getpwnam_r(next_name(&local_keys), &pw, buffer, sizeof(buffer), &found) == 0 && found;
}
static bool nscd_grnam(struct keys *keys)
{
	struct group gr, *found;

	(void)keys;
	return getgrnam_r(next_name(&local_groups), &gr, buffer, sizeof(buffer), &found) == 0 && found;
}

typedef bool (*lookup_fn)(struct keys *);

static double run(lookup_fn lookup, struct keys *keys, bool hit)
{
	uint64_t start = measure_nsec();
	uint32_t found = 0;

	for (uint32_t i = 0; i < BATCH; i++)
		found += lookup(keys);
	if (found != (hit ? BATCH : 0))
		fail(hit ? "a miss" : "a hit");
	return (double)(measure_nsec() - start) / BATCH;
}

static struct keys make_keys(uint32_t count)
{
	return (struct keys){calloc(count, KEY_SIZE), calloc(count, sizeof(uint32_t)), count, 0};
}

static void free_keys(struct keys *keys)
{
	free(keys->names);
	free(keys->ids);
}

static struct keys person_keys(uint32_t people, uint32_t count, bool hit)
{
	struct keys keys = make_keys(count);
	uint64_t state = 88172645463325252ULL;

	for (uint32_t i = 0; i < count; i++) {
		uint32_t person = (uint32_t)(measure_random(&state) % people);
		char login[WORLD_NAME_SIZE];

		world_login(person, login);
		snprintf(keys.names[i], KEY_SIZE, "%s%s", login, hit ? "" : "x");
		keys.ids[i] = hit ? world_uid(person) : 0x7f000000U + person; /* in the managed range, nobody's */
	}
	return keys;
}

static struct keys group_keys(uint32_t projects, uint32_t count, unsigned level, bool hit)
{
	struct keys keys = make_keys(count);
	uint64_t state = 88172645463325252ULL;

	for (uint32_t i = 0; i < count; i++) {
		world_group((uint32_t)(measure_random(&state) % projects), level, keys.names[i]);
		if (!hit)
			strcat(keys.names[i], "x");
	}
	return keys;
}

/* Ours, both floors and nscd in turns. */
static void compare(uint32_t people, const char *what, lookup_fn ours, lookup_fn copy, lookup_fn give, lookup_fn beside,
		    struct keys *keys, bool hit)
{
	double our[ROUNDS], copied[ROUNDS], given[ROUNDS], nscd[ROUNDS], to_copied[ROUNDS], to_given[ROUNDS];
	struct keys copy_keys = *keys, give_keys = *keys;

	for (uint32_t i = 0; i < keys->count && i < KEYS_MAX; i += BATCH) { /* every page mapped, every block checked */
		run(ours, keys, hit);
		run(copy, &copy_keys, hit);
		run(give, &give_keys, hit);
	}
	for (unsigned i = 0; i < ROUNDS; i++) {
		copied[i] = run(copy, &copy_keys, hit);
		our[i] = run(ours, keys, hit);
		given[i] = run(give, &give_keys, hit);
		nscd[i] = have_nscd && beside ? run(beside, NULL, true) : 0;
		to_copied[i] = our[i] / copied[i];
		to_given[i] = our[i] / given[i];
	}
	double o = measure_median(our, ROUNDS), c = measure_median(copied, ROUNDS), g = measure_median(given, ROUNDS),
	       n = measure_median(nscd, ROUNDS), oc = measure_median(to_copied, ROUNDS),
	       og = measure_median(to_given, ROUNDS);

	printf("| %u | %s | %.0f | %.0f | %.2f | %.0f | %.2f | ", people, what, o, c, oc, g, og);
	if (n > 0)
		printf("%.0f |\n", n);
	else
		printf("– |\n");
	fflush(stdout);
	fprintf(stderr, "nss\t%u\t%s\t%.1f\tns\tcopy\t%.1f\tratio\t%.2f\tgive\t%.1f\tratio\t%.2f\tnscd\t%.1f\n", people,
		what, o, c, oc, g, og, n);
}

/* initgroups beside a look-up of the same people. */
static void compare_initgroups(uint32_t people, const char *what, struct keys *keys)
{
	double groups[ROUNDS], single[ROUNDS], ratio[ROUNDS];
	struct keys single_keys = *keys;

	for (uint32_t i = 0; i < keys->count; i += BATCH)
		run(our_initgroups, keys, true);
	for (unsigned i = 0; i < ROUNDS; i++) {
		single[i] = run(our_pwnam, &single_keys, true);
		groups[i] = run(our_initgroups, keys, true);
		ratio[i] = groups[i] / single[i];
	}
	double g = measure_median(groups, ROUNDS), s = measure_median(single, ROUNDS),
	       r = measure_median(ratio, ROUNDS);

	printf("| %u | initgroups_dyn, 16 groups, %s (floor: getpwnam_r) | %.0f | %.0f | %.2f | – | – | – |\n", people,
	       what, g, s, r);
	fprintf(stderr, "nss\t%u\tinitgroups_dyn %s\t%.1f\tns\tgetpwnam_r\t%.1f\tratio\t%.2f\n", people, what, g, s, r);
}

/* Threads: each with keys of its own. */
struct worker {
	_Alignas(128) struct keys keys; /* its own cache lines: `next` is written all the time */
	pthread_barrier_t *barrier;
	double nsec; /* of the clock, and … */
	double cpu;  /* … of this thread: what others do on the machine is left out */
};

static double thread_nsec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	char own[BUFFER_SIZE];
	struct passwd pw;
	uint64_t start;
	double cpu;
	int error;

	if (worker->barrier)
		pthread_barrier_wait(worker->barrier);
	start = measure_nsec();
	cpu = thread_nsec();
	for (uint32_t i = 0; i < THREAD_OPS; i++)
		if (get_pwnam(next_name(&worker->keys), &pw, own, sizeof(own), &error) != NSS_STATUS_SUCCESS)
			fail("in a thread");
	worker->nsec = (double)(measure_nsec() - start);
	worker->cpu = thread_nsec() - cpu;
	return NULL;
}

static void compare_threads(uint32_t people)
{
	struct worker workers[2] = {{.keys = person_keys(people, HOT, true)}, {.keys = person_keys(people, HOT, true)}};
	double gains[THREAD_ROUNDS], cpu_gains[THREAD_ROUNDS], gain, cpu_gain;

	for (unsigned i = 0; i < THREAD_ROUNDS; i++) {
		pthread_barrier_t barrier;
		pthread_t threads[2];
		double alone, alone_cpu;

		workers[0].barrier = NULL;
		work(&workers[0]);
		alone = workers[0].nsec;
		alone_cpu = workers[0].cpu;
		pthread_barrier_init(&barrier, NULL, 2);
		for (unsigned k = 0; k < 2; k++) {
			workers[k].barrier = &barrier;
			pthread_create(&threads[k], NULL, work, &workers[k]);
		}
		for (unsigned k = 0; k < 2; k++)
			pthread_join(threads[k], NULL);
		pthread_barrier_destroy(&barrier);
		gains[i] = alone / workers[0].nsec + alone / workers[1].nsec;
		cpu_gains[i] = alone_cpu / workers[0].cpu + alone_cpu / workers[1].cpu;
	}
	gain = measure_median(gains, THREAD_ROUNDS);
	cpu_gain = measure_median(cpu_gains, THREAD_ROUNDS);
	printf("| %u | two threads × one, by CPU time | %.2f | – | – | – | – | – |\n", people, cpu_gain);
	printf("| %u | two threads × one, by the clock (other load counts) | %.2f | – | – | – | – | – |\n", people,
	       gain);
	fprintf(stderr, "nss\t%u\ttwo threads\t%.2f\tx\tclock\t%.2f\n", people, cpu_gain, gain);
	for (unsigned k = 0; k < 2; k++)
		free_keys(&workers[k].keys);
}

/* A filter that ends the process at any system call but exit_group: surviving is the proof. */
static void count_syscalls(uint32_t people)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};
	struct keys keys = person_keys(people, HOT, true), misses = person_keys(people, HOT, false);
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
			_exit(2);
		for (unsigned i = 0; i < 10 * HOT; i++)
			if (!our_pwnam(&keys) || !our_pwuid(&keys) || !our_initgroups(&keys) || our_pwnam(&misses) ||
			    our_pwuid(&misses) || our_grnam(&misses) || !our_grnam(&keys))
				_exit(1);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		fail("a system call on the way");
	printf("| %u | system calls in 4480 look-ups of all kinds (seccomp) | 0 | – | – | – | – | – |\n", people);
	free_keys(&keys);
	free_keys(&misses);
}

static void bench(uint32_t people)
{
	uint32_t projects = world_projects(people), many = MIN_OF(people, KEYS_MAX),
		 many_groups = MIN_OF(projects, KEYS_MAX);
	struct directory *d = world_build(people, people, 0, NULL);
	struct map_options options = {.subids = true};
	struct map_writer *writer;
	struct keys keys;
	int r;

	world_forget();
	r = map_writer_create(NSS_HOST_MAP, &writer);
	if (r == 0)
		r = map_writer_publish(writer, d, &options);
	if (r < 0) {
		fprintf(stderr, "bench_nss: publish: %s\n", strerror(-r));
		exit(1);
	}
	map_writer_destroy(writer);
	people_floor = floor_build(d, people, projects, GROUP_LEVEL_OWNER);
	small_floor = people_floor;
	large_floor = floor_build(d, people, projects, GROUP_LEVEL_EDITOR);
	directory_unref(d);

	struct row {
		const char *what;
		lookup_fn ours, copy, give, nscd;
		struct keys keys;
		bool hit;
	} rows[] = {
		{"getpwnam_r hit, hot", our_pwnam, copy_pwnam, give_pwnam, nscd_pwnam, person_keys(people, HOT, true),
		 true},
		{"getpwnam_r hit, all", our_pwnam, copy_pwnam, give_pwnam, nscd_pwnam, person_keys(people, many, true),
		 true},
		{"getpwnam_r miss, hot", our_pwnam, copy_pwnam, give_pwnam, nscd_pwnam, person_keys(people, HOT, false),
		 false},
		{"getpwnam_r miss, all", our_pwnam, copy_pwnam, give_pwnam, nscd_pwnam,
		 person_keys(people, many, false), false},
		{"getpwuid_r hit, hot", our_pwuid, copy_pwuid, give_pwuid, nscd_pwnam, person_keys(people, HOT, true),
		 true},
		{"getpwuid_r hit, all", our_pwuid, copy_pwuid, give_pwuid, nscd_pwnam, person_keys(people, many, true),
		 true},
		{"getpwuid_r miss, hot", our_pwuid, copy_pwuid, give_pwuid, nscd_pwnam, person_keys(people, HOT, false),
		 false},
		{"getpwuid_r miss, all", our_pwuid, copy_pwuid, give_pwuid, nscd_pwnam,
		 person_keys(people, many, false), false},
		{"getgrnam_r hit, 5 members, hot", our_grnam, copy_small, give_small, nscd_grnam,
		 group_keys(projects, HOT, GROUP_LEVEL_OWNER, true), true},
		{"getgrnam_r hit, 5 members, all", our_grnam, copy_small, give_small, nscd_grnam,
		 group_keys(projects, many_groups, GROUP_LEVEL_OWNER, true), true},
		{"getgrnam_r hit, 50 members, hot", our_grnam, copy_large, give_large, NULL,
		 group_keys(projects, HOT, GROUP_LEVEL_EDITOR, true), true},
		{"getgrnam_r hit, 50 members, all", our_grnam, copy_large, give_large, NULL,
		 group_keys(projects, many_groups, GROUP_LEVEL_EDITOR, true), true},
		{"getgrnam_r miss, hot", our_grnam, copy_small, give_small, nscd_grnam,
		 group_keys(projects, HOT, GROUP_LEVEL_OWNER, false), false},
		{"getgrnam_r miss, all", our_grnam, copy_small, give_small, nscd_grnam,
		 group_keys(projects, many_groups, GROUP_LEVEL_OWNER, false), false},
	};

	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		compare(people, rows[i].what, rows[i].ours, rows[i].copy, rows[i].give, rows[i].nscd, &rows[i].keys,
			rows[i].hit);
		free_keys(&rows[i].keys);
	}
	keys = person_keys(people, HOT, true);
	compare_initgroups(people, "hot", &keys);
	free_keys(&keys);
	keys = person_keys(people, many, true);
	compare_initgroups(people, "all", &keys);
	free_keys(&keys);
	compare_threads(people);
	count_syscalls(people);
	floor_free(large_floor);
	floor_free(people_floor);
}

int main(int argc, char **argv)
{
	static const uint32_t sizes[] = {1000, 100000, 1000000};
	void *module;

	nss_host_enter();
	have_nscd = nss_host_start_nscd();
	if (!have_nscd)
		fprintf(stderr, "bench_nss: no nscd here, its column stays empty (apt-get install nscd)\n");
	local_keys = make_keys(HOT);
	local_groups = make_keys(HOT);
	for (unsigned i = 0; i < HOT; i++) {
		snprintf(local_keys.names[i], KEY_SIZE, "local%06u", i * 13);
		snprintf(local_groups.names[i], KEY_SIZE, "tenant0-prj%05u-owner", i * 13);
	}
	module = nss_host_open_module();
	get_pwnam = dlsym(module, "_nss_tenant_getpwnam_r");
	get_pwuid = dlsym(module, "_nss_tenant_getpwuid_r");
	get_grnam = dlsym(module, "_nss_tenant_getgrnam_r");
	get_initgroups = dlsym(module, "_nss_tenant_initgroups_dyn");
	if (!get_pwnam || !get_pwuid || !get_grnam || !get_initgroups)
		fail("the module lacks entry points");
	printf("| people | look-up | ours, ns | bare hash-compare-copy, ns | ratio (median of pairs) | the same and "
	       "struct passwd or group filled, ns | ratio | nscd hit, ns |\n"
	       "|---|---|---|---|---|---|---|---|\n");
	for (int i = 1; i < argc; i++)
		bench((uint32_t)strtoul(argv[i], NULL, 10));
	for (unsigned i = 0; argc < 2 && i < ARRAY_LEN(sizes); i++)
		bench(sizes[i]);
	nss_host_stop_nscd();
	return 0;
}
