/* SPDX-License-Identifier: MIT */
#include "nss_maps.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "directory/unit.h"
#include "map_writer/map_image.h"
#include "nss_place.h"

static void check(bool fine, const char *what)
{
	if (!fine) {
		fprintf(stderr, "test scaffold: %s\n", what);
		abort();
	}
}

static const char *text(struct unit *unit, const char *value)
{
	const char *kept = pool_add(&unit->pool, value, strlen(value));

	check(kept, "out of memory");
	return kept;
}

static void append(struct unit *unit, enum record_kind kind, const void *record)
{
	check(unit_append(unit, kind, record, (struct place){0}) == 0, "append");
}

uint32_t cast_project_gid(unsigned project)
{
	return CAST_TENANT_GID + 1 + project * GROUP_LEVEL_COUNT;
}

bool cast_is_in(const struct cast_person *person, unsigned project, unsigned level)
{
	unsigned role = person->roles[project];

	if (person->operator_kind)
		return role && level == 1;
	return role && level <= role % 4;
}

static void add_tenant(struct unit *unit)
{
	static struct role_record guest = {.name = "guest", .level = GROUP_LEVEL_ALL};
	struct tenant_record tenant = {
		.id = "ten_acme",
		.slug = "acme",
		.name = "",
		.region = "",
		.gid = CAST_TENANT_GID,
		.id_first = CAST_TENANT_GID,
		.id_count = 1U << 20,
		.id_next = CAST_TENANT_GID + (1U << 20) - 1,
		.roles = &guest,
		.role_count = 1,
	};

	append(unit, RECORD_TENANT, &tenant);
	for (unsigned i = 0; i < CAST_PROJECTS; i++) {
		char id[16], slug[16];
		struct project_record project = {.tenant_id = "ten_acme", .gid = cast_project_gid(i)};

		snprintf(id, sizeof(id), "prj_%u", i);
		snprintf(slug, sizeof(slug), "p%u", i);
		project.id = text(unit, id);
		project.slug = text(unit, slug);
		append(unit, RECORD_PROJECT, &project);
	}
}

static void add_person(struct unit *unit, const struct cast_person *person, uint32_t number)
{
	static const char *const roles[] = {"", "viewer", "editor", "owner", "guest"};
	char id[32], home[64];
	struct user_record user = {
		.tenant_id = "ten_acme",
		.email = "",
		.shell = "/bin/bash",
		.uid = CAST_UID_FIRST + number,
		.kind = person->operator_kind ? USER_OPERATOR : USER_PERSON,
		.status_reason = "",
	};

	snprintf(id, sizeof(id), "usr_%u", number);
	snprintf(home, sizeof(home), "/home/%s", person->login);
	user.id = text(unit, id);
	user.login = text(unit, person->login);
	user.name = text(unit, person->name);
	user.home = text(unit, home);
	append(unit, RECORD_USER, &user);
	for (unsigned i = 0; i < CAST_PROJECTS; i++) {
		char project[16];
		struct member_record member = {.user_id = user.id,
					       .tenant_id = "",
					       .role = roles[person->operator_kind ? 1 : person->roles[i]]};

		if (!person->roles[i])
			continue;
		snprintf(project, sizeof(project), "prj_%u", i);
		member.project_id = text(unit, project);
		append(unit, RECORD_MEMBER, &member);
	}
}

struct directory *cast_build(const struct cast_person *people, uint32_t count, uint32_t changing, struct unit **fixed,
			     const struct directory *before)
{
	struct unit *units[2] = {*fixed};
	struct problem problem = {0};
	struct directory *d = NULL;

	if (!units[0]) {
		check(unit_new("fixed", &units[0]) == 0, "unit");
		add_tenant(units[0]);
		for (uint32_t i = 0; i < MIN_OF(changing, count); i++)
			if (people[i].present)
				add_person(units[0], &people[i], i);
		*fixed = units[0];
	}
	check(unit_new("changing", &units[1]) == 0, "unit");
	for (uint32_t i = changing; i < count; i++)
		if (people[i].present)
			add_person(units[1], &people[i], i);
	if (directory_build(units, 2, "test", before, &d, &problem) < 0)
		check(false, problem.text);
	unit_unref(units[1]);
	return d;
}

int cast_publish(struct directory *d, bool enumerate)
{
	struct map_options options = {.enumerate = enumerate, .subids = true};
	struct map_writer *writer;
	int r = map_writer_create(nss_place_map, &writer);

	if (r < 0)
		return r;
	r = map_writer_publish(writer, d, &options);
	map_writer_destroy(writer);
	return r;
}

uint8_t *cast_read_map(size_t *ret_size)
{
	int fd = open(nss_place_map, O_RDONLY | O_CLOEXEC);
	struct stat st;
	uint8_t *map;

	check(fd >= 0 && fstat(fd, &st) == 0, "open map");
	map = aligned_alloc(64, (size_t)st.st_size);
	check(map && read(fd, map, (size_t)st.st_size) == st.st_size, "read map");
	close(fd);
	*ret_size = (size_t)st.st_size;
	return map;
}

void cast_write_map(const uint8_t *map, size_t size)
{
	int fd;

	unlink(nss_place_map);
	fd = open(nss_place_map, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	check(fd >= 0 && fchmod(fd, 0644) == 0 && write(fd, map, size) == (ssize_t)size, "write map");
	close(fd);
}

void cast_seal_map(uint8_t *map, size_t size)
{
	struct nss_map_header *h = (struct nss_map_header *)(void *)map;
	struct map_image image = {0};

	/* Only where the geometry still allows it. */
	if (h->sections[NSS_MAP_SUMS].offset != NSS_MAP_BLOCK ||
	    h->sections[NSS_MAP_SUMS].size > size - NSS_MAP_BLOCK ||
	    h->sections[NSS_MAP_SUMS].size / sizeof(uint64_t) < size / NSS_MAP_BLOCK ||
	    h->sections[NSS_MAP_SUMS].size % NSS_MAP_BLOCK ||
	    h->sections[NSS_MAP_NAMES].offset != NSS_MAP_BLOCK + h->sections[NSS_MAP_SUMS].size)
		return;
	image.base = map;
	image.size = size;
	image.header = h;
	image.sums = (uint64_t *)(void *)(map + NSS_MAP_BLOCK);
	map_image_seal(&image, h->generation);
}

int in_child(int (*function)(void *), void *argument)
{
	int status;
	pid_t child;

	fflush(NULL);
	child = fork();
	check(child >= 0, "fork");
	if (child == 0)
		_exit(function(argument));
	check(waitpid(child, &status, 0) == child, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
