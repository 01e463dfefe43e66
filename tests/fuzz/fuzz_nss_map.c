/* SPDX-License-Identifier: MIT
 *
 * The map reader against any file. The first byte chooses: 0, the rest is the file as it is; else the rest
 * is a list of changes (where, what) to a sound map, whose sums are made right again afterwards (a
 * checksum is no defence against whoever can compute it). Whatever comes out: no crash, and every answer
 * is one that a sound map could give.
 */
#include <errno.h>
#include <nss.h>
#include <string.h>

#include "../../nss_module/map_reader.h"
#include "../../nss_module/nss_entry.h"
#include "../fakes/nss/nss_maps.h"
#include "../fakes/nss/nss_place.h"
#include "directory/unit.h"
#include "fuzz.h"

#define CHANGE_SIZE 5U /* 3 bytes of place, 1 of section, 1 of value */
#define PEOPLE 40U

static uint8_t *sound;
static size_t sound_size;

static void make_sound_map(void)
{
	static struct cast_person cast[PEOPLE];
	struct unit *fixed = NULL;
	struct directory *d;

	for (uint32_t i = 0; i < PEOPLE; i++) {
		snprintf(cast[i].login, sizeof(cast[i].login), "person%u", i);
		snprintf(cast[i].name, sizeof(cast[i].name), "Person %u", i);
		cast[i].roles[i % CAST_PROJECTS] = (uint8_t)(i % 5);
		cast[i].operator_kind = i % 7 == 3;
		cast[i].present = true;
	}
	nss_place_make();
	atexit(nss_place_remove);
	d = cast_build(cast, PEOPLE, PEOPLE, &fixed, NULL);
	FUZZ_CHECK(cast_publish(d, true) == 0);
	directory_unref(d);
	unit_unref(fixed);
	sound = cast_read_map(&sound_size);
}

static void check_text(const char *text, const char *buffer, size_t size)
{
	FUZZ_CHECK(text >= buffer && text < buffer + size);
	for (; *text; text++) {
		FUZZ_CHECK(text + 1 < buffer + size);
		FUZZ_CHECK((unsigned char)*text >= ' ' && *text != 127 && *text != ':');
	}
}

static void check_id(uint32_t id)
{
	FUZZ_CHECK(id >= NSS_MAP_ID_FIRST && id <= NSS_MAP_ID_LAST);
}

static void check_status(enum nss_status status, int error)
{
	FUZZ_CHECK(status == NSS_STATUS_SUCCESS || status == NSS_STATUS_NOTFOUND || status == NSS_STATUS_UNAVAIL ||
		   (status == NSS_STATUS_TRYAGAIN && error == ERANGE));
}

static bool check_passwd(enum nss_status status, const struct passwd *pw, const char *buffer, size_t size,
			 const int *error)
{
	check_status(status, *error);
	if (status != NSS_STATUS_SUCCESS)
		return false;
	check_id(pw->pw_uid);
	FUZZ_CHECK(pw->pw_gid == pw->pw_uid);
	check_text(pw->pw_name, buffer, size);
	check_text(pw->pw_passwd, buffer, size);
	check_text(pw->pw_gecos, buffer, size);
	check_text(pw->pw_dir, buffer, size);
	check_text(pw->pw_shell, buffer, size);
	FUZZ_CHECK(pw->pw_name[0] && pw->pw_dir[0] == '/' && pw->pw_shell[0] == '/');
	return true;
}

static bool check_group(enum nss_status status, const struct group *gr, const char *buffer, size_t size,
			const int *error)
{
	check_status(status, *error);
	if (status != NSS_STATUS_SUCCESS)
		return false;
	check_id(gr->gr_gid);
	check_text(gr->gr_name, buffer, size);
	for (char **member = gr->gr_mem; *member; member++)
		check_text(*member, buffer, size);
	return true;
}

static void ask_all(void)
{
	static char buffer[8192];
	struct passwd pw;
	struct group gr;
	int error;

	for (uint32_t i = 0; i < PEOPLE; i += 3) {
		gid_t *list = NULL;
		long start = 0, size = 0;
		enum nss_status status;
		char login[16];

		snprintf(login, sizeof(login), "person%u", i);
		if (check_passwd(_nss_tenant_getpwnam_r(login, &pw, buffer, sizeof(buffer), &error), &pw, buffer,
				 sizeof(buffer), &error))
			FUZZ_CHECK(strcmp(pw.pw_name, login) == 0);
		if (check_passwd(_nss_tenant_getpwuid_r(CAST_UID_FIRST + i, &pw, buffer, sizeof(buffer), &error), &pw,
				 buffer, sizeof(buffer), &error))
			FUZZ_CHECK(pw.pw_uid == CAST_UID_FIRST + i);
		check_passwd(_nss_tenant_getpwuid_r(CAST_UID_FIRST + i, &pw, buffer, i, &error), &pw, buffer, i,
			     &error);
		status = _nss_tenant_initgroups_dyn(login, 0, &start, &size, &list, 0, &error);
		check_status(status, error);
		for (long k = 0; k < start; k++)
			check_id(list[k]);
		free(list);
	}
	for (uint32_t gid = CAST_TENANT_GID; gid < CAST_TENANT_GID + 26; gid++) {
		if (check_group(_nss_tenant_getgrgid_r(gid, &gr, buffer, sizeof(buffer), &error), &gr, buffer,
				sizeof(buffer), &error))
			FUZZ_CHECK(gr.gr_gid == gid);
		check_group(_nss_tenant_getgrgid_r(gid, &gr, buffer, 64, &error), &gr, buffer, 64, &error);
	}
	check_group(_nss_tenant_getgrnam_r("acme-p0-editor", &gr, buffer, sizeof(buffer), &error), &gr, buffer,
		    sizeof(buffer), &error);
	FUZZ_CHECK(_nss_tenant_getpwuid_r(0, &pw, buffer, sizeof(buffer), &error) == NSS_STATUS_NOTFOUND);
	_nss_tenant_setpwent(0);
	for (unsigned i = 0; i < 4 * PEOPLE; i++)
		if (!check_passwd(_nss_tenant_getpwent_r(&pw, buffer, sizeof(buffer), &error), &pw, buffer,
				  sizeof(buffer), &error))
			break;
	_nss_tenant_setgrent(0);
	for (unsigned i = 0; i < 4 * PEOPLE; i++)
		if (!check_group(_nss_tenant_getgrent_r(&gr, buffer, sizeof(buffer), &error), &gr, buffer,
				 sizeof(buffer), &error))
			break;
}

static void change(uint8_t *map, const uint8_t *data, size_t size)
{
	const struct nss_map_header *h = (const struct nss_map_header *)(const void *)sound;

	for (; size >= CHANGE_SIZE; data += CHANGE_SIZE, size -= CHANGE_SIZE) {
		uint32_t place = data[0] | (uint32_t)data[1] << 8 | (uint32_t)data[2] << 16;
		unsigned section = data[3] % (NSS_MAP_SECTIONS + 1);
		uint64_t first = section == NSS_MAP_SECTIONS ? 0 : h->sections[section].offset,
			 length = section == NSS_MAP_SECTIONS ? NSS_MAP_HEADER_SEALED : h->sections[section].size;

		if (section == NSS_MAP_SECTIONS && place % length < 8)
			continue; /* the magic */
		/* Mostly where something is. */
		if (section == NSS_MAP_RECORDS)
			length = h->records_used;
		if (section == NSS_MAP_MEMBERS)
			length = h->members_used;
		map[first + place % length] = data[4];
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *map;

	if (!sound)
		make_sound_map();
	if (size == 0)
		return 0;
	if (data[0] == 0)
		cast_write_map(data + 1, size - 1);
	else {
		map = aligned_alloc(64, sound_size);
		FUZZ_CHECK(map);
		memcpy(map, sound, sound_size);
		change(map, data + 1, size - 1);
		cast_seal_map(map, sound_size);
		cast_write_map(map, sound_size);
		free(map);
	}
	atomic_store(&map_current, 0); /* as if this process had just begun */
	ask_all();
	return 0;
}
