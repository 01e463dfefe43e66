/* SPDX-License-Identifier: MIT
 *
 * By journald's native protocol. Numbers and words of our own alone: what a refused request says is not repeated.
 */
#include "helper/refusal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macros.h"
#include "helper/check.h"

#define MESSAGE_ID "9447535d2f724fc396095e922a593bd6" /* conf/tenantd.catalog */

static int send_to_journal(const char *fields, size_t length)
{
	static const struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/run/systemd/journal/socket"};
	_cleanup_(closep) int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	/* Not waited for: a hung journald must not keep anybody's session open. */
	if (sendto(fd, fields, length, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)&address,
		   sizeof(address)) < 0)
		return -errno;
	return 0;
}

void refusal_log(const struct ucred *peer, const struct helper_request *request, const char *why)
{
	const char *verb = request ? request_verb_word(request->verb) : "unknown";
	char message[256], fields[1024];
	int length;

	snprintf(message, sizeof(message), "refused %s for uid %u, leader %d (%s): asked by uid %u, process %d", verb,
		 request ? request->uid : 0, request ? request->leader : 0, why, peer->uid, peer->pid);
	length = snprintf(fields, sizeof(fields),
			  "MESSAGE=%s\nMESSAGE_ID=" MESSAGE_ID "\nPRIORITY=4\nSYSLOG_FACILITY=10\n"
			  "SYSLOG_IDENTIFIER=tenantd-helper\nTENANTD_EVENT=helper-refused\nTENANT_REASON=%s\n"
			  "TENANT_ACTION=%s\nTENANT_CALLER_UID=%u\nTENANT_CALLER_PID=%d\n",
			  message, why, verb, peer->uid, peer->pid);
	if (request)
		length += snprintf(fields + length, sizeof(fields) - (size_t)length,
				   "TENANT_UID=%u\nTENANT_DETAIL=leader %d\n", request->uid, request->leader);
	if (send_to_journal(fields, (size_t)length) < 0)
		log_warning("%s", message);
}
