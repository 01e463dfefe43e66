/* SPDX-License-Identifier: MIT */
#include "configure.h"

#include <string.h>
#include <sys/resource.h>

#include "base/log.h"
#include "base/text.h"

#define DESCRIPTORS_SPARE 128U /* beside connections: files, pidfds, epoll instances, connections to others */

int configure_load(const char *path, struct config **ret, struct problem *problem)
{
	struct rlimit files;
	int result = config_load(path ? path : CONFIG_PATH, path != NULL, ret, problem);

	if (result < 0)
		return result;
	for (uint32_t i = 0; i < (*ret)->service_count; i++) {
		const struct config_service *service = &(*ret)->services[i];

		if (service->uid == CONFIG_UID_NONE)
			log_warning("service '%s': there is no account '%s' in %s, so it gets no rights", service->name,
				    service->user, (*ret)->passwd_path);
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur != RLIM_INFINITY &&
	    files.rlim_cur < (rlim_t)(*ret)->connections + DESCRIPTORS_SPARE) {
		(*ret)->connections = files.rlim_cur > 2 * DESCRIPTORS_SPARE
					      ? (uint32_t)files.rlim_cur - DESCRIPTORS_SPARE
					      : DESCRIPTORS_SPARE;
		log_warning("only %u connections: the limit of open files is %llu", (*ret)->connections,
			    (unsigned long long)files.rlim_cur);
	}
	return 0;
}

void configure_keep_fixed(const struct config *old, struct config *new)
{
	const struct {
		const char *name;
		const char *old;
		const char **new;
	} fixed[] = {
		{"host_name", old->host_name, &new->host_name},
		{"directory.path", old->directory_path, &new->directory_path},
		{"paths.state", old->state_dir, &new->state_dir},
		{"paths.run", old->run_dir, &new->run_dir},
		{"paths.map", old->map_path, &new->map_path},
		{"paths.seal_key", old->seal_key_path, &new->seal_key_path},
		{"control_plane.ca_file", old->ca_file, &new->ca_file},
		{"control_plane.pin", old->pin, &new->pin},
		{"control_plane.proxy", old->proxy, &new->proxy},
		{"feeds.import", old->import_dir, &new->import_dir},
		{"sso.ca_file", old->sso.ca_file, &new->sso.ca_file},
		{"sso.proxy", old->sso.proxy, &new->sso.proxy},
	};

	for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
		const char *copy;

		if (text_equal(fixed[i].old, *fixed[i].new))
			continue;
		log_notice("a changed %s takes effect when the agent is restarted", fixed[i].name);
		copy = fixed[i].old ? arena_strndup(&new->arena, fixed[i].old, strlen(fixed[i].old)) : NULL;
		if (copy || !fixed[i].old)
			*fixed[i].new = copy;
	}
	if (old->sso.enabled != new->sso.enabled)
		log_notice("a changed sso.enabled takes effect when the agent is restarted");
	new->sso.enabled = old->sso.enabled;
}
