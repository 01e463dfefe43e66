/* SPDX-License-Identifier: MIT
 *
 * The agent, and the map that NSS reads.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/parse.h"
#include "base/text.h"
#include "ctl/agent_call.h"
#include "ctl/doctor.h"
#include "tenant/nss_map.h"

#define HELPER_SOCKET "/run/tenantd-helper.sock"
#define RECORDS_LOOKED_AT 4096U

/* One call of a method without parameters. NULL: there is no answer, which was said. The caller's. */
static json_t *ask(struct doctor *doctor, const char *method)
{
	struct varlink_client *client = NULL;
	struct varlink_writer writer;
	struct varlink_reply reply = {0};
	json_t *answer = NULL;
	char name[VARLINK_METHOD_MAX];
	int r = varlink_client_connect(doctor->ctl->socket, CTL_CALL_USEC, &client);

	if (r >= 0) {
		snprintf(name, sizeof(name), "io.tenantd.Agent.%s", method);
		varlink_call_begin(&writer, varlink_client_outgoing(client), name, false, false);
		r = varlink_end(&writer, false);
	}
	if (r >= 0)
		r = varlink_client_exchange(client, CTL_CALL_USEC, &reply);
	if (r < 0)
		findings_add(&doctor->findings, FINDING_PROBLEM, "agent",
			     "systemctl status tenantd.socket tenantd.service; journalctl -u tenantd",
			     "the agent does not answer at %s: %s", doctor->ctl->socket, strerrordesc_np(-r));
	else if (reply.error)
		findings_add(&doctor->findings, FINDING_PROBLEM, "agent", NULL, "the agent answers %s with %s", method,
			     reply.error);
	else
		answer = json_incref(reply.parameters);
	varlink_reply_finish(&reply);
	varlink_client_destroy(client);
	return answer;
}

static void judge_feed(struct doctor *doctor, const json_t *feed)
{
	const char *state = ctl_text(feed, "state"), *problem = ctl_text(feed, "problem"),
		   *slug = ctl_text(feed, "slug");
	bool stale = json_is_true(json_object_get(feed, "stale"));
	enum finding finding = stale || text_equal(state, "disabled") || text_equal(state, "quarantine")
				       ? FINDING_PROBLEM
			       : text_equal(state, "live") ? FINDING_OK
							   : FINDING_WARNING;

	findings_add(&doctor->findings, finding, "feed",
		     finding == FINDING_OK ? NULL
					   : "is the control plane up and can it be reached? `tenantctl status`, "
					     "journalctl -t tenantd",
		     "the feed of %s is %s%s%s%s", *slug ? slug : "a tenant", state,
		     stale ? ", and too old to count" : "", *problem ? ": " : "", problem);
}

#define SPOOL_FULL_PERCENT 80

static void judge_spool(struct doctor *doctor, const json_t *audit)
{
	const char *problem = ctl_text(audit, "problem");
	bool refuses = text_equal(ctl_text(audit, "when_full"), "refuse");
	long long bytes = ctl_number(audit, "bytes"), most = ctl_number(audit, "max_bytes");
	const json_t *item;
	size_t i;

	if (!audit)
		return;
	if (!json_is_true(json_object_get(audit, "spool")))
		findings_add(&doctor->findings, FINDING_PROBLEM, "audit",
			     "make /etc/tenantd/seal.key as the package does, and restart the agent",
			     "there is no spool: events are in the journal alone%s",
			     refuses ? ", and nobody of the directory signs in" : "");
	else if (*problem || json_is_true(json_object_get(audit, "stuck")))
		findings_add(&doctor->findings, FINDING_PROBLEM, "audit",
			     "is /var/lib/tenantd full, or its disk broken? `tenantctl status`, journalctl -u tenantd",
			     "the spool takes no events%s%s%s", *problem ? ": " : "", problem,
			     refuses ? "; nobody of the directory signs in" : "");
	else if (most > 0 && bytes > most / 100 * SPOOL_FULL_PERCENT)
		findings_add(
			&doctor->findings, FINDING_WARNING, "audit",
			"can the control plane and the sinks be reached? `tenantctl status` says who waits for what",
			"%lld of %lld MiB of the spool are taken", bytes >> 20, most >> 20);
	else
		findings_add(&doctor->findings, FINDING_OK, "audit", NULL, "%lld events in chain %s, %lld of %lld MiB",
			     (long long)ctl_number(audit, "last"), ctl_text(audit, "chain"), bytes >> 20, most >> 20);
	if (ctl_number(json_object_get(audit, "witness"), "forked"))
		findings_add(&doctor->findings, FINDING_PROBLEM, "audit",
			     "tell the tenants and the operators: journalctl -t tenantd TENANTD_EVENT=audit-log-forked",
			     "%lld audit logs of the control plane are not what they were",
			     (long long)ctl_number(json_object_get(audit, "witness"), "forked"));
	json_array_foreach(json_object_get(audit, "sinks"), i, item)
	{
		if (ctl_number(item, "failures"))
			findings_add(&doctor->findings, FINDING_WARNING, "audit", "what waits for it is kept",
				     "the sink %s takes nothing: %s", ctl_text(item, "name"),
				     ctl_text(item, "problem"));
		if (ctl_number(item, "dead"))
			findings_add(&doctor->findings, FINDING_WARNING, "audit",
				     "journalctl -t tenantd TENANTD_EVENT=audit-dead-letter",
				     "the sink %s will never take %lld events", ctl_text(item, "name"),
				     (long long)ctl_number(item, "dead"));
	}
	if (ctl_number(audit, "dropped"))
		findings_add(&doctor->findings, FINDING_WARNING, "audit", NULL,
			     "%lld events found no room in the spool since the agent started",
			     (long long)ctl_number(audit, "dropped"));
}

static void judge_status(struct doctor *doctor, const json_t *status)
{
	const char *state = ctl_text(status, "state"), *problem = ctl_text(status, "problem");
	const json_t *enrolment = json_object_get(status, "enrolment"), *item;
	size_t i;

	if (text_equal(state, "ready"))
		findings_add(&doctor->findings, FINDING_OK, "agent", NULL,
			     "ready: %lld people of %lld tenants, version %s", (long long)ctl_number(status, "users"),
			     (long long)ctl_number(status, "tenants"), ctl_text(status, "version"));
	else
		findings_add(
			&doctor->findings, FINDING_PROBLEM, "agent",
			"mend what it says, then `tenantctl reload`; `tenantctl directory check` looks at the files",
			"%s%s%s", state, *problem ? ": " : "", problem);
	if (!json_is_true(json_object_get(status, "map_published")))
		findings_add(&doctor->findings, FINDING_PROBLEM, "agent", "is /run/tenantd writable, and not full?",
			     "names are not published for NSS");
	if (ctl_number(status, "audit_lost"))
		findings_add(&doctor->findings, FINDING_WARNING, "audit", "look at systemd-journald",
			     "the journal did not take %lld events", (long long)ctl_number(status, "audit_lost"));
	judge_spool(doctor, json_object_get(status, "audit"));
	json_array_foreach(json_object_get(status, "feeds"), i, item) judge_feed(doctor, item);
	json_array_foreach(json_object_get(status, "conflicts"), i, item)
		findings_add(&doctor->findings, FINDING_PROBLEM, "directory", "rename or remove one of the two",
			     "%s \"%s\" is claimed by two sources and served by neither", ctl_text(item, "kind"),
			     ctl_text(item, "claim"));
	if (text_equal(ctl_text(enrolment, "state"), "live"))
		snprintf(doctor->control_url, sizeof(doctor->control_url), "%s", ctl_text(enrolment, "url"));
	if (text_equal(ctl_text(enrolment, "state"), "disabled"))
		findings_add(&doctor->findings, FINDING_PROBLEM, "agent",
			     "enable it at the control plane, then `tenantctl enroll` again",
			     "the control plane took this host out of service");
	if (ctl_number(status, "users") == 0)
		findings_add(&doctor->findings, FINDING_WARNING, "directory",
			     "`tenantctl directory add-user`, or enrol", "the directory has nobody in it");
}

/* A socket's file stays when nobody listens any more. */
static bool listens(const char *path)
{
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	return fd >= 0 && (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 || errno == EAGAIN);
}

void doctor_agent(struct doctor *doctor)
{
	_cleanup_(json_decrefp) json_t *status = ask(doctor, "Status"), *providers = NULL;
	struct stat st;

	if (status)
		judge_status(doctor, status);
	if (status)
		providers = ask(doctor, "Providers");
	doctor->has_providers = json_array_size(json_object_get(providers, "providers")) > 0;
	if (doctor->has_providers && !doctor->config->sso.enabled)
		findings_add(&doctor->findings, FINDING_WARNING, "agent",
			     "set sso.enabled in agent.yaml, or leave it so",
			     "tenants have identity providers, and single sign-on is turned off on this host");
	if (stat(HELPER_SOCKET, &st) < 0 || !S_ISSOCK(st.st_mode) || !listens(HELPER_SOCKET))
		findings_add(&doctor->findings, FINDING_PROBLEM, "helper",
			     "systemctl enable --now tenantd-helper.socket",
			     "nobody listens at %s: sessions cannot be ended", HELPER_SOCKET);
	else if (st.st_mode & (S_IRWXG | S_IRWXO))
		findings_add(&doctor->findings, FINDING_PROBLEM, "helper", "systemctl restart tenantd-helper.socket",
			     "others than the agent may talk to %s", HELPER_SOCKET);
	else
		findings_add(&doctor->findings, FINDING_OK, "helper", NULL, "its socket is there, for the agent alone");
}

/* The first person in the map; the file is only looked through, so what makes no sense ends it. */
static void find_person(struct doctor *doctor, const unsigned char *map, size_t size,
			const struct nss_map_header *header)
{
	uint64_t at = header->sections[NSS_MAP_RECORDS].offset, end = at + header->records_used;

	if (at > size || header->records_used > size - at || at % NSS_MAP_UNIT != 0)
		return;
	for (unsigned i = 0; i < RECORDS_LOOKED_AT && at + sizeof(struct nss_map_person) < end; i++) {
		const struct nss_map_record *record = (const void *)(map + at);

		if (record->units == 0)
			return;
		if (record->kind == NSS_MAP_PERSON && record->name_length < sizeof(doctor->person) &&
		    record->name_length + sizeof(struct nss_map_person) <= end - at) {
			snprintf(doctor->person, sizeof(doctor->person), "%.*s", record->name_length,
				 (const char *)map + at + sizeof(struct nss_map_person));
			if (text_is_login_name(doctor->person))
				return;
			doctor->person[0] = '\0';
		}
		at += (uint64_t)record->units * NSS_MAP_UNIT;
	}
}

static void judge_map(struct doctor *doctor, const char *path, const unsigned char *map, size_t size)
{
	const struct nss_map_header *header = (const void *)map;
	char when[TIME_TEXT_SIZE];

	if (size < NSS_MAP_BLOCK || header->magic != NSS_MAP_MAGIC || header->version != NSS_MAP_VERSION) {
		findings_add(&doctor->findings, FINDING_PROBLEM, "map", "systemctl restart tenantd",
			     "%s is not a map that NSS reads", path);
		return;
	}
	if (header->not_after && header->not_after < clock_realtime_sec())
		findings_add(&doctor->findings, FINDING_PROBLEM, "map", "is the agent running, and is the clock right?",
			     "%s is good until %s only: names resolve, and nobody signs in", path,
			     format_time(header->not_after, when));
	else
		findings_add(&doctor->findings, FINDING_OK, "map", NULL, "%u people and %u groups, for NSS",
			     header->person_count, header->group_count);
	if (!doctor->person[0])
		find_person(doctor, map, size, header);
}

void doctor_map(struct doctor *doctor, const char *path)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	void *map;

	if (fd < 0 || fstat(fd, &st) < 0) {
		findings_add(&doctor->findings, FINDING_PROBLEM, "map", "systemctl status tenantd", "%s: %s", path,
			     strerrordesc_np(errno));
		return;
	}
	if (!S_ISREG(st.st_mode) || (st.st_mode & (S_IWGRP | S_IWOTH)) || !(st.st_mode & S_IROTH)) {
		findings_add(&doctor->findings, FINDING_PROBLEM, "map", "systemctl restart tenantd",
			     "%s must be a file that all can read and its owner alone can write", path);
		return;
	}
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED) {
		findings_add(&doctor->findings, FINDING_PROBLEM, "map", NULL, "%s: %s", path, strerrordesc_np(errno));
		return;
	}
	judge_map(doctor, path, map, (size_t)st.st_size);
	munmap(map, (size_t)st.st_size);
}
