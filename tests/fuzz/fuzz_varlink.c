/* SPDX-License-Identifier: MIT
 *
 * Both halves of the protocol. The first byte chooses: the server's reading of a stream of calls, in pieces of
 * changing size; or the real client on a socket whose peer answers with the input and hangs up.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "fuzz.h"
#include "varlink/varlink_client.h"

#define PIECE_SIZES 7

/* The frames must be the same however the bytes arrive. */
static void server_half(const char *data, size_t size)
{
	_cleanup_(buffer_finish) struct buffer received = BUFFER_INIT;
	size_t scanned = 0, length, fed = 0, taken = 0, piece = 1;

	for (;;) {
		struct varlink_call call = {0};
		struct problem problem = {0};
		int r;

		r = varlink_frame_next(&received, &scanned, &length);
		if (r < 0) {
			FUZZ_CHECK(r == -EMSGSIZE && received.length > VARLINK_MESSAGE_MAX);
			return;
		}
		if (r == 0) {
			FUZZ_CHECK(!memchr(data + taken, '\0', MIN_OF(fed - taken, (size_t)VARLINK_MESSAGE_MAX + 1)));
			if (fed == size)
				return;
			piece = piece % PIECE_SIZES * 3 + 1;
			piece = MIN_OF(piece, size - fed);
			FUZZ_CHECK(buffer_add(&received, data + fed, piece) == 0);
			fed += piece;
			continue;
		}
		FUZZ_CHECK(received.data && strlen(received.data) == length && length <= VARLINK_MESSAGE_MAX);
		r = varlink_call_read(received.data, length, &call, &problem);
		if (r == 0)
			FUZZ_CHECK(call.root && strchr(call.method, '.') && (!call.more || !call.oneway));
		else
			FUZZ_CHECK(!call.root && problem.text[0]);
		varlink_call_finish(&call);
		buffer_consume(&received, length + 1);
		taken += length + 1;
		scanned = 0;
	}
}

static int listener(struct sockaddr_un *address)
{
	socklen_t length = sizeof(*address);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	/* A path that is its own: libFuzzer may run several of us. Below /tmp, since the client takes paths. */
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	(void)snprintf(address->sun_path, sizeof(address->sun_path), "/tmp/fuzz-varlink.%d", (int)getpid());
	(void)unlink(address->sun_path);
	FUZZ_CHECK(fd >= 0 && bind(fd, (struct sockaddr *)address, length) == 0 && listen(fd, 1) == 0);
	return fd;
}

static void client_half(const char *data, size_t size)
{
	_cleanup_(varlink_client_destroyp) struct varlink_client *client = NULL;
	_cleanup_(closep) int fd = -1;
	_cleanup_(closep) int peer = -1;
	struct sockaddr_un address;
	struct varlink_reply reply = {0};
	struct varlink_writer w;
	int r;

	fd = listener(&address);
	FUZZ_CHECK(varlink_client_connect(address.sun_path, USEC_PER_SEC, &client) == 0);
	(void)unlink(address.sun_path);
	peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	FUZZ_CHECK(peer >= 0);
	/* As much as the socket takes; then the end, so nothing waits. */
	(void)send(peer, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	(void)shutdown(peer, SHUT_WR);
	varlink_call_begin(&w, varlink_client_outgoing(client), "io.tenantd.Agent.WhoAmI", true, false);
	FUZZ_CHECK(varlink_end(&w, false) == 0);
	for (r = varlink_client_exchange(client, USEC_PER_SEC, &reply); r == 0;
	     r = varlink_client_next(client, USEC_PER_SEC, &reply)) {
		FUZZ_CHECK(reply.root);
		varlink_reply_finish(&reply);
	}
	FUZZ_CHECK(r == -ECONNRESET || r == -EBADMSG);
	FUZZ_CHECK(varlink_client_next(client, USEC_PER_SEC, &reply) == -ENOTCONN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	if (data[0] & 1)
		client_half((const char *)data + 1, size - 1);
	else
		server_half((const char *)data + 1, size - 1);
	return 0;
}
