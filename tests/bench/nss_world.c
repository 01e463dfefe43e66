/* SPDX-License-Identifier: MIT */
#include "nss_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "directory/unit.h"

#define TENANT_PROJECTS (WORLD_TENANT_PEOPLE * WORLD_PROJECTS_EACH / WORLD_PROJECT_PEOPLE)
#define TENANT_BLOCK 65536U
#define FIRST_PROJECT_ID 1U /* in the tenant's block, after the tenant's own group */
#define FIRST_PERSON_ID 16384U

static struct unit *base_unit;
static uint32_t base_people, base_changing;

static _Noreturn void die(const char *what, int r)
{
	fprintf(stderr, "bench: %s: %s\n", what, strerror(-r));
	exit(1);
}

void world_login(uint32_t person, char out[WORLD_NAME_SIZE])
{
	snprintf(out, WORLD_NAME_SIZE, "user%06u", person);
}

static uint32_t tenant_first(uint32_t tenant)
{
	return MANAGED_ID_FIRST + tenant * TENANT_BLOCK;
}

uint32_t world_uid(uint32_t person)
{
	return tenant_first(person / WORLD_TENANT_PEOPLE) + FIRST_PERSON_ID + person % WORLD_TENANT_PEOPLE;
}

static uint32_t tenants_of(uint32_t people)
{
	return (people + WORLD_TENANT_PEOPLE - 1) / WORLD_TENANT_PEOPLE;
}

/* The last tenant has all its projects, too: empty ones where there are fewer people. */
uint32_t world_projects(uint32_t people)
{
	uint32_t last = people % WORLD_TENANT_PEOPLE;

	return people / WORLD_TENANT_PEOPLE * TENANT_PROJECTS + last * WORLD_PROJECTS_EACH / WORLD_PROJECT_PEOPLE;
}

void world_group(uint32_t project, unsigned level, char out[32])
{
	static const char *const suffix[] = {"", "-viewer", "-editor", "-owner"};

	snprintf(out, 32, "tenant%u-proj%04u%s", project / TENANT_PROJECTS, project % TENANT_PROJECTS, suffix[level]);
}

uint32_t world_gid(uint32_t project, unsigned level)
{
	return tenant_first(project / TENANT_PROJECTS) + FIRST_PROJECT_ID +
	       project % TENANT_PROJECTS * GROUP_LEVEL_COUNT + level;
}

static const char *text(struct unit *unit, const char *format, uint32_t a, uint32_t b)
{
	char out[64];
	const char *kept;
	int n;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	n = snprintf(out, sizeof(out), format, a, b);
#pragma GCC diagnostic pop
	kept = pool_add(&unit->pool, out, (size_t)n);
	if (!kept)
		die("out of memory", -12);
	return kept;
}

static void append(struct unit *unit, enum record_kind kind, const void *record)
{
	int r = unit_append(unit, kind, record, (struct place){0});

	if (r < 0)
		die("append", r);
}

static void add_tenants(struct unit *unit, uint32_t people)
{
	for (uint32_t t = 0; t < tenants_of(people); t++) {
		struct tenant_record tenant = {
			.id = text(unit, "ten_%u", t, 0),
			.slug = text(unit, "tenant%u", t, 0),
			.name = "",
			.region = "",
			.gid = tenant_first(t),
			.id_first = tenant_first(t),
			.id_count = TENANT_BLOCK,
			.id_next = tenant_first(t) + TENANT_BLOCK - 1,
		};

		append(unit, RECORD_TENANT, &tenant);
	}
	for (uint32_t p = 0; p < world_projects(people); p++) {
		struct project_record project = {
			.id = text(unit, "prj_%u", p, 0),
			.tenant_id = text(unit, "ten_%u", p / TENANT_PROJECTS, 0),
			.slug = text(unit, "proj%04u", p % TENANT_PROJECTS, 0),
			.gid = world_gid(p, 0),
		};

		append(unit, RECORD_PROJECT, &project);
	}
}

static void add_person(struct unit *unit, uint32_t person, uint32_t people, unsigned variant)
{
	uint32_t tenant = person / WORLD_TENANT_PEOPLE, first = tenant * TENANT_PROJECTS,
		 count = MIN_OF(world_projects(people) - first, TENANT_PROJECTS);
	const char *id = text(unit, "usr_%06u", person, 0);
	struct user_record user = {
		.id = id,
		.tenant_id = text(unit, "ten_%u", tenant, 0),
		.login = text(unit, "user%06u", person, 0),
		.name = variant ? text(unit, "Person %06u of change %u", person, variant)
				: text(unit, "Person %06u", person, 0),
		.email = "",
		.home = text(unit, "/home/user%06u", person, 0),
		.shell = "/bin/bash",
		.uid = world_uid(person),
		.status_reason = "",
	};

	append(unit, RECORD_USER, &user);
	for (uint32_t i = 0; i < WORLD_PROJECTS_EACH; i++) {
		struct member_record member = {
			.user_id = id,
			.project_id = text(
				unit, "prj_%u",
				first + (person % WORLD_TENANT_PEOPLE + i * (count / WORLD_PROJECTS_EACH)) % count, 0),
			.tenant_id = "",
			.role = person % WORLD_TENANT_PEOPLE / (count / WORLD_PROJECTS_EACH) % 10 == 0 ? "owner"
												       : "editor",
		};

		append(unit, RECORD_MEMBER, &member);
	}
}

void world_forget(void)
{
	unit_unref(base_unit);
	base_unit = NULL;
}

static struct directory *build(uint32_t people, uint32_t changing, unsigned variant, bool one,
			       const struct directory *before)
{
	struct unit *units[2];
	struct problem problem = {0};
	struct directory *d;
	char message[1024];
	int r;

	if (base_unit && (base_people != people || base_changing != changing))
		world_forget();
	if (!base_unit) {
		if (unit_new("base", &base_unit) < 0)
			die("out of memory", -12);
		base_people = people;
		base_changing = changing;
		add_tenants(base_unit, people);
		for (uint32_t i = 0; i < changing; i++)
			add_person(base_unit, i, people, 0);
		unit_finish(base_unit);
	}
	units[0] = base_unit;
	if (unit_new("changing", &units[1]) < 0)
		die("out of memory", -12);
	for (uint32_t i = changing; i < people; i++)
		add_person(units[1], i, people, one && i + 1 < people ? 0 : variant);
	unit_finish(units[1]);
	r = directory_build(units, 2, "bench", before, &d, &problem);
	if (r < 0)
		die(problem_render(&problem, message, sizeof(message)), r);
	unit_unref(units[1]);
	return d;
}

struct directory *world_build(uint32_t people, uint32_t changing, unsigned variant, const struct directory *before)
{
	return build(people, changing, variant, false, before);
}

struct directory *world_build_one(uint32_t people, uint32_t changing, unsigned variant, const struct directory *before)
{
	return build(people, changing, variant, true, before);
}
