/* SPDX-License-Identifier: MIT
 *
 * TLS over a socket that never blocks longer than it may. OpenSSL works on memory and the bytes are carried by hand:
 * so every wait ends by time or by wish, and a peer that is gone raises no signal.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "http/dial.h"
#include "ship/internal.h"

#define CARRY_BYTES 16384U
#define ANSWER_BYTES_MAX 65536U /* of a peer that should have nothing to say */

struct tls_stream {
	const struct tls_place *place;
	SSL_CTX *context;
	SSL *ssl;
	BIO *in, *out; /* what came, what is to go; the SSL's own */
	int fd;
	uint64_t due;
};

void tls_stream_free(struct tls_stream *stream)
{
	if (!stream)
		return;
	SSL_free(stream->ssl);
	SSL_CTX_free(stream->context);
	if (stream->fd >= 0)
		close(stream->fd);
	free(stream);
}

static void start_clock(struct tls_stream *stream)
{
	stream->due = clock_boottime_usec() + stream->place->timeout_ms * USEC_PER_MSEC;
}

/* Until the socket can do that. */
static int wait_for(struct tls_stream *stream, short events, struct problem *problem)
{
	struct pollfd fds[2] = {{.fd = stream->fd, .events = events}, {.fd = stream->place->stop_fd, .events = POLLIN}};
	uint64_t now = clock_boottime_usec();
	int result;

	do
		result = poll(fds, 2, stream->due > now ? (int)((stream->due - now) / USEC_PER_MSEC + 1) : 0);
	while (result < 0 && errno == EINTR);
	if (fds[1].revents)
		return problem_set(problem, ECANCELED, "it was ended");
	if (result <= 0)
		return problem_set(problem, ETIMEDOUT, "%s does not answer in time", stream->place->host);
	return 0;
}

static int send_all(struct tls_stream *stream, const char *data, size_t length, struct problem *problem)
{
	while (length > 0) {
		ssize_t sent = send(stream->fd, data, length, MSG_NOSIGNAL);
		int result;

		if (sent < 0 && errno != EAGAIN && errno != EINTR)
			return problem_set(problem, errno, "the connection to %s: %s", stream->place->host,
					   strerror(errno));
		if (sent < 0) {
			result = wait_for(stream, POLLOUT, problem);
			if (result < 0)
				return result;
			continue;
		}
		data += sent;
		length -= (size_t)sent;
	}
	return 0;
}

/* What OpenSSL wrote goes out. */
static int carry_out(struct tls_stream *stream, struct problem *problem)
{
	char *data;
	long length = BIO_get_mem_data(stream->out, &data);
	int result = length > 0 ? send_all(stream, data, (size_t)length, problem) : 0;

	if (result == 0)
		(void)BIO_reset(stream->out);
	return result;
}

/* Waits for bytes and gives them to OpenSSL. 0; 1: the peer has ended. */
static int carry_in(struct tls_stream *stream, struct problem *problem)
{
	char data[CARRY_BYTES];
	ssize_t length;

	for (;;) {
		int result;

		length = recv(stream->fd, data, sizeof(data), 0);
		if (length >= 0)
			break;
		if (errno != EAGAIN && errno != EINTR)
			return problem_set(problem, errno, "the connection to %s: %s", stream->place->host,
					   strerror(errno));
		result = wait_for(stream, POLLIN, problem);
		if (result < 0)
			return result;
	}
	if (length == 0)
		return 1;
	return BIO_write(stream->in, data, (int)length) == (int)length ? 0 : -ENOMEM;
}

/* ---- the beginning -------------------------------------------------------------------------------- */

static int why_tls(const char *what, const char *about, struct problem *problem)
{
	unsigned long code = ERR_peek_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;
	int result = problem_set(problem, EACCES, "%s %s: %s", what, about, reason ? reason : "TLS says no");

	ERR_clear_error();
	return result;
}

static int make_context(struct tls_stream *stream, struct problem *problem)
{
	const struct tls_place *place = stream->place;

	ERR_clear_error();
	stream->context = SSL_CTX_new(TLS_client_method());
	if (!stream->context)
		return -ENOMEM;
	/* Others' servers may have no better (RFC 5425 asks for this one). */
	if (SSL_CTX_set_min_proto_version(stream->context, TLS1_2_VERSION) != 1)
		return why_tls("TLS for", place->host, problem);
	SSL_CTX_set_verify(stream->context, SSL_VERIFY_PEER, NULL);
	if (place->ca_file ? SSL_CTX_load_verify_file(stream->context, place->ca_file) != 1
			   : SSL_CTX_set_default_verify_paths(stream->context) != 1)
		return why_tls("certificates of authorities,", place->ca_file ? place->ca_file : "the system's",
			       problem);
	if (place->cert_file && (SSL_CTX_use_certificate_chain_file(stream->context, place->cert_file) != 1 ||
				 SSL_CTX_use_PrivateKey_file(stream->context, place->key_file, SSL_FILETYPE_PEM) != 1 ||
				 SSL_CTX_check_private_key(stream->context) != 1))
		return why_tls("our certificate", place->cert_file, problem);
	return 0;
}

/* Whose certificate it must be. */
static int expect_peer(struct tls_stream *stream)
{
	const char *host = stream->place->host;
	X509_VERIFY_PARAM *param = SSL_get0_param(stream->ssl);
	struct in6_addr address;
	char name[TLSEXT_MAXLEN_host_name + 1];

	if (parse_address(host, &address) == 0)
		return X509_VERIFY_PARAM_set1_ip_asc(param, host) == 1 ? 0 : -EINVAL;
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	if (X509_VERIFY_PARAM_set1_host(param, host, 0) != 1)
		return -EINVAL;
	/* What the macro for it does, which would cast a const away. */
	(void)snprintf(name, sizeof(name), "%s", host);
	return SSL_ctrl(stream->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name) == 1 ? 0 : -EINVAL;
}

static int make_tls(struct tls_stream *stream, struct problem *problem)
{
	int result = make_context(stream, problem);

	if (result < 0)
		return result;
	stream->ssl = SSL_new(stream->context);
	stream->in = BIO_new(BIO_s_mem());
	stream->out = BIO_new(BIO_s_mem());
	if (!stream->ssl || !stream->in || !stream->out) {
		BIO_free(stream->in);
		BIO_free(stream->out);
		return -ENOMEM;
	}
	SSL_set_bio(stream->ssl, stream->in, stream->out);
	SSL_set_connect_state(stream->ssl);
	/* Whatever fits goes into one record after the other, not piece by piece. */
	(void)BIO_set_mem_eof_return(stream->in, -1);
	return expect_peer(stream);
}

static int why_handshake(struct tls_stream *stream, struct problem *problem)
{
	long verdict = SSL_get_verify_result(stream->ssl);

	if (verdict == X509_V_OK)
		return why_tls("no TLS with", stream->place->host, problem);
	ERR_clear_error();
	return problem_set(problem, EACCES, "%s does not prove who it is: %s", stream->place->host,
			   X509_verify_cert_error_string(verdict));
}

static int shake_hands(struct tls_stream *stream, struct problem *problem)
{
	for (;;) {
		int done = SSL_do_handshake(stream->ssl), why, result;

		why = SSL_get_error(stream->ssl, done);
		if (done != 1 && why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
			struct problem ignored;

			(void)carry_out(stream, &ignored); /* the alert says why, over there */
			return why_handshake(stream, problem);
		}
		result = carry_out(stream, problem);
		if (result < 0 || done == 1)
			return result;
		result = carry_in(stream, problem);
		if (result > 0)
			return problem_set(problem, ECONNRESET, "%s ended the connection before TLS began",
					   stream->place->host);
		if (result < 0)
			return result;
	}
}

int tls_stream_open(const struct tls_place *place, struct tls_stream **ret, struct problem *problem)
{
	_cleanup_(tls_stream_freep) struct tls_stream *stream = calloc(1, sizeof(*stream));
	const int on = 1;
	int result;

	if (!stream)
		return -ENOMEM;
	stream->fd = -1;
	stream->place = place;
	result = make_tls(stream, problem);
	if (result < 0)
		return result;
	stream->fd = dial(place->host, place->port, place->timeout_ms, place->stop_fd, problem);
	if (stream->fd < 0)
		return stream->fd;
	(void)setsockopt(stream->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	start_clock(stream);
	result = shake_hands(stream, problem);
	if (result < 0)
		return result;
	*ret = TAKE_PTR(stream);
	return 0;
}

/* ---- what goes over it ---------------------------------------------------------------------------- */

/* Has the peer ended, or said something? Reads what there is without waiting, since tickets and alerts come at any
 * time. */
static int look_for_end(struct tls_stream *stream, struct problem *problem)
{
	char data[CARRY_BYTES];
	size_t received = 0;
	ssize_t length;
	int why;

	while ((length = recv(stream->fd, data, sizeof(data), 0)) > 0) {
		/* Whoever sends faster than this reads would keep it here, and fill the memory. */
		received += (size_t)length;
		if (received > ANSWER_BYTES_MAX)
			return problem_set(problem, EPROTO, "%s talks where it should listen", stream->place->host);
		if (BIO_write(stream->in, data, (int)length) != (int)length)
			return -ENOMEM;
	}
	if (length < 0 && errno != EAGAIN && errno != EINTR)
		return problem_set(problem, errno, "the connection to %s: %s", stream->place->host, strerror(errno));
	while ((why = SSL_read(stream->ssl, data, sizeof(data))) > 0)
		;
	why = SSL_get_error(stream->ssl, why);
	if (length == 0 || why != SSL_ERROR_WANT_READ) {
		ERR_clear_error();
		return problem_set(problem, ECONNRESET, "%s ended the connection", stream->place->host);
	}
	return 0;
}

int tls_stream_write(struct tls_stream *stream, const void *data, size_t length, struct problem *problem)
{
	size_t done = 0;
	int result;

	start_clock(stream);
	result = look_for_end(stream, problem);
	while (result == 0 && done < length) {
		size_t written = 0, piece = MIN_OF(length - done, (size_t)CARRY_BYTES);

		if (SSL_write_ex(stream->ssl, (const char *)data + done, piece, &written) != 1)
			return why_tls("writing to", stream->place->host, problem);
		done += written;
		result = carry_out(stream, problem);
	}
	return result == 0 ? look_for_end(stream, problem) : result;
}

/* The peer's end came. It is one of which it had all before only where nothing is on its way to it any more, but for
 * our own end. */
static int judge_end(const struct tls_stream *stream, struct problem *problem)
{
	int left = 0;

	if (ioctl(stream->fd, SIOCOUTQ, &left) == 0 && left <= 1)
		return 0;
	return problem_set(problem, ECONNRESET, "%s ended the connection before it had all", stream->place->host);
}

int tls_stream_end(struct tls_stream *stream, struct problem *problem)
{
	size_t received = 0;
	int result;

	start_clock(stream);
	(void)SSL_shutdown(stream->ssl);
	ERR_clear_error();
	result = carry_out(stream, problem);
	if (result < 0)
		return result;
	(void)shutdown(stream->fd, SHUT_WR);
	for (;;) {
		char data[CARRY_BYTES];
		ssize_t length = recv(stream->fd, data, sizeof(data), 0);

		if (length == 0)
			return judge_end(stream, problem);
		received += length > 0 ? (size_t)length : 0;
		if (received > ANSWER_BYTES_MAX)
			return problem_set(problem, EPROTO, "%s talks where it should listen", stream->place->host);
		if (length > 0 || errno == EINTR)
			continue;
		result = -errno;
		if (result == -EAGAIN) {
			result = wait_for(stream, POLLIN, problem);
			if (result == 0)
				continue;
			return result;
		}
		return problem_set(problem, -result, "the connection to %s: %s", stream->place->host,
				   strerror(-result));
	}
}
