/* SPDX-License-Identifier: MIT
 *
 * Many hosts that follow one feed, on loopback and in one process: each has a connection of its own (TLS 1.3 or plain),
 * reads server-sent events as a host does, and notes when it had the head of a revision. One in so many also checks
 * everything: signatures, chain, revisions.
 *
 *     feed_swarm PORT COUNT SAMPLE TOKEN PATH AFTER TRUST [tls]
 *
 * Then on stdin, a line each: a revision, and the answer on stdout is one line of JSON, when all have its head:
 * {"revision": …, "p50": …, "p99": …, "max": …} in microseconds of CLOCK_MONOTONIC. The first line comes when all are
 * connected and have a head: {"connected": …, "usec": …, "refused": …}.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/macros.h"
#include "base/parse.h"
#include "base/text.h"
#include "feed/delta.h"
#include "feed/feed.h"
#include "http/sse.h"

#define AT_ONCE 256U /* connections that are being made */
#define LINE_KEPT 192U
#define SIZE_KEPT 16U
#define READ_BYTES 65536U
#define GIVE_UP_USEC 120000000ULL

/* What one in so many keeps, to check it all. */
struct checked {
	struct sse_reader reader;
	uint8_t chain[SHA256_BYTES];
	uint64_t revision;
};
enum phase { CONNECTING, SHAKING, ASKING, STATUS, HEADERS, CHUNK_SIZE, CHUNK, CHUNK_END, GONE };
struct host {
	int fd;
	SSL *ssl;
	enum phase phase;
	size_t chunk; /* bytes left of it */
	char size[SIZE_KEPT];
	uint32_t size_length;
	char line[LINE_KEPT];
	uint32_t length;  /* of the line, as far as it is kept */
	bool head;        /* the event is one */
	uint64_t newest;  /* the revision of the newest head */
	uint64_t at_usec; /* when that came */
	bool ready;
	struct checked *checked;
};

static struct {
	uint16_t port;
	uint32_t count, sample, connected, ready, refused, started, gone;
	char *ask;
	size_t ask_length;
	uint64_t after;
	struct feed_trust trust;
	SSL_CTX *tls;
	struct host *hosts;
	int epoll;
	uint64_t verified;
} swarm;

static uint64_t now_usec(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void die(const char *what, const char *why)
{
	fprintf(stderr, "feed_swarm: %s: %s\n", what, why);
	exit(1);
}

static int check_event(void *context, const struct sse_event *event)
{
	struct checked *c = context;
	struct problem problem = {0};
	char note[4096];
	struct feed_head head;
	struct delta delta;

	if (strcmp(event->name, "delta") == 0) {
		if (delta_read(event->data, event->length, swarm.trust.origin, &delta, &problem) != FEED_FINE ||
		    (c->revision > 0 && delta.rev != c->revision + 1))
			die("a delta does not fit", problem.text);
		c->revision = delta.rev;
		delta_finish(&delta);
		if (feed_chain_add(c->chain, event->data, event->length) < 0)
			die("chain", "failed");
	} else if (strcmp(event->name, "head") == 0) {
		int length = snprintf(note, sizeof(note), "%s\n", event->data);

		if (feed_head_read(note, (size_t)length, &swarm.trust, time(NULL), &head, &problem) != FEED_FINE)
			die("a head does not verify", problem.text);
		/* The first one says where the chain is; from there on it is counted here. */
		if (c->revision == 0) {
			c->revision = head.revision;
			memcpy(c->chain, head.chain, sizeof(c->chain));
		}
		if (head.revision != c->revision || memcmp(head.chain, c->chain, sizeof(c->chain)) != 0)
			die("a head", "is not of the deltas before it");
		swarm.verified++;
	}
	return 0;
}

static void drop(struct host *h)
{
	if (h->ssl)
		SSL_free(h->ssl);
	h->ssl = NULL;
	if (h->fd >= 0)
		(void)close(h->fd);
	h->fd = -1;
	h->phase = GONE;
	swarm.gone++;
}

static void end_of_line(struct host *h, uint64_t now)
{
	h->line[MIN_OF(h->length, LINE_KEPT - 1)] = '\0';
	if (h->length == 0) {
		h->head = false;
	} else if (strcmp(h->line, "event: head") == 0) {
		h->head = true;
	} else if (h->head && strncmp(h->line, "data: revision ", 15) == 0) {
		uint64_t revision = strtoull(h->line + 15, NULL, 10);

		if (revision > h->newest || !h->ready) {
			h->newest = revision;
			h->at_usec = now;
		}
		if (!h->ready) {
			h->ready = true;
			swarm.ready++;
		}
	}
	h->length = 0;
}

static void take_events(struct host *h, const char *data, size_t length, uint64_t now)
{
	if (h->checked && sse_reader_add(&h->checked->reader, data, length) < 0)
		die("events", "are malformed");
	while (length > 0) {
		const char *end = memchr(data, '\n', length);
		size_t part = end ? (size_t)(end - data) : length, kept;

		kept = h->length < LINE_KEPT ? MIN_OF(part, (size_t)(LINE_KEPT - h->length)) : 0;
		memcpy(h->line + h->length, data, kept);
		h->length += (uint32_t)kept;
		if (!end)
			return;
		end_of_line(h, now);
		data = end + 1;
		length -= part + 1;
	}
}

/* One line of the answer's head or of a chunk's beginning. */
static void take_header(struct host *h)
{
	h->line[MIN_OF(h->length, LINE_KEPT - 1)] = '\0';
	if (h->phase == STATUS) {
		swarm.connected++;
		h->phase = HEADERS;
		if (strncmp(h->line, "HTTP/1.1 200", 12) != 0) {
			swarm.refused++;
			drop(h);
			return;
		}
	} else if (h->phase == HEADERS && (h->length == 0 || (h->length == 1 && h->line[0] == '\r'))) {
		h->phase = CHUNK_SIZE;
	}
	h->length = 0;
}

/* Of the line that says a chunk's size, or of the empty one after its bytes. */
static void end_of_size(struct host *h)
{
	if (h->phase == CHUNK_END) {
		h->phase = CHUNK_SIZE;
	} else {
		h->size[h->size_length] = '\0';
		h->chunk = strtoull(h->size, NULL, 16);
		h->phase = CHUNK;
		if (h->chunk == 0)
			drop(h);
	}
	h->size_length = 0;
}

static void take(struct host *h, const char *data, size_t length, uint64_t now)
{
	while (length > 0 && h->phase != GONE) {
		if (h->phase == CHUNK) {
			size_t part = MIN_OF(length, h->chunk);

			take_events(h, data, part, now);
			h->chunk -= part;
			data += part;
			length -= part;
			if (h->chunk == 0)
				h->phase = CHUNK_END;
			continue;
		}
		if (h->phase == CHUNK_END || h->phase == CHUNK_SIZE) {
			/* Kept apart from the event's line, which may go on in the next chunk. */
			if (*data == '\n')
				end_of_size(h);
			else if (h->size_length < SIZE_KEPT - 1)
				h->size[h->size_length++] = *data;
			data++;
			length--;
			continue;
		}
		if (*data == '\n')
			take_header(h);
		else if (h->length < LINE_KEPT)
			h->line[h->length++] = *data;
		data++;
		length--;
	}
}

static void watch(struct host *h, uint32_t events, int how)
{
	struct epoll_event event = {.events = events, .data.ptr = h};

	if (epoll_ctl(swarm.epoll, how, h->fd, &event) < 0)
		die("epoll", strerror(errno));
}

static void start(struct host *h)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(swarm.port)};

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	h->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (h->fd < 0)
		die("socket", strerror(errno));
	h->phase = CONNECTING;
	if (connect(h->fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)
		die("connect", strerror(errno));
	watch(h, EPOLLOUT, EPOLL_CTL_ADD);
	swarm.started++;
}

static void send_request(struct host *h)
{
	ssize_t sent = h->ssl ? SSL_write(h->ssl, swarm.ask, (int)swarm.ask_length)
			      : send(h->fd, swarm.ask, swarm.ask_length, MSG_NOSIGNAL);

	if (sent != (ssize_t)swarm.ask_length)
		die("request", "was not sent");
	h->phase = STATUS;
	watch(h, EPOLLIN, EPOLL_CTL_MOD);
}

static void shake(struct host *h)
{
	int r = SSL_connect(h->ssl), why;

	if (r == 1) {
		send_request(h);
		return;
	}
	why = SSL_get_error(h->ssl, r);
	if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE)
		die("TLS", "handshake failed");
	watch(h, why == SSL_ERROR_WANT_READ ? EPOLLIN : EPOLLOUT, EPOLL_CTL_MOD);
}

static void on_event(struct host *h)
{
	static char data[READ_BYTES];

	if (h->phase == CONNECTING) {
		int error = 0;
		socklen_t size = sizeof(error);

		(void)getsockopt(h->fd, SOL_SOCKET, SO_ERROR, &error, &size);
		if (error != 0)
			die("connect", strerror(error));
		if (!swarm.tls) {
			send_request(h);
			return;
		}
		h->ssl = SSL_new(swarm.tls);
		if (!h->ssl || SSL_set_fd(h->ssl, h->fd) != 1 || SSL_set_tlsext_host_name(h->ssl, "localhost") != 1)
			die("TLS", "out of memory");
		h->phase = SHAKING;
	}
	if (h->phase == SHAKING) {
		shake(h);
		return;
	}
	while (h->phase != GONE) {
		ssize_t got = h->ssl ? SSL_read(h->ssl, data, sizeof(data)) : recv(h->fd, data, sizeof(data), 0);

		if (got <= 0) {
			bool again = h->ssl ? SSL_get_error(h->ssl, (int)got) == SSL_ERROR_WANT_READ
					    : got < 0 && errno == EAGAIN;

			if (!again)
				drop(h);
			return;
		}
		take(h, data, (size_t)got, now_usec());
	}
}

static void turn(int wait_ms)
{
	struct epoll_event events[512];
	int count = epoll_wait(swarm.epoll, events, ARRAY_LEN(events), wait_ms);

	for (int i = 0; i < count; i++)
		on_event(events[i].data.ptr);
}

static void connect_all(void)
{
	uint64_t begun = now_usec();

	while (swarm.ready + swarm.refused < swarm.count) {
		while (swarm.started < swarm.count && swarm.started - swarm.ready - swarm.refused < AT_ONCE)
			start(&swarm.hosts[swarm.started]);
		turn(100);
		if (now_usec() - begun > GIVE_UP_USEC)
			die("connecting", "takes too long");
	}
	printf("{\"connected\": %u, \"usec\": %" PRIu64 ", \"refused\": %u}\n", swarm.ready, now_usec() - begun,
	       swarm.refused);
	(void)fflush(stdout);
}

static int compare(const void *a, const void *b)
{
	const uint64_t *one = a, *other = b;

	return *one < *other ? -1 : *one > *other;
}

static void await(uint64_t revision)
{
	_cleanup_(freep) uint64_t *times = calloc(swarm.count, sizeof(*times));
	uint64_t begun = now_usec();
	uint32_t have;

	if (!times)
		die("memory", "is out");
	do {
		turn(50);
		have = 0;
		for (uint32_t i = 0; i < swarm.count; i++)
			if (swarm.hosts[i].phase != GONE && swarm.hosts[i].newest >= revision)
				times[have++] = swarm.hosts[i].at_usec;
		if (now_usec() - begun > GIVE_UP_USEC)
			die("waiting", "takes too long");
	} while (have + swarm.gone < swarm.count);
	qsort(times, have, sizeof(*times), compare);
	if (have == 0)
		die("streams", "are all gone");
	printf("{\"revision\": %" PRIu64 ", \"p50\": %" PRIu64 ", \"p99\": %" PRIu64 ", \"max\": %" PRIu64
	       ", \"streams\": %u, \"gone\": %u, \"verified\": %" PRIu64 "}\n",
	       revision, times[have / 2], times[(size_t)have * 99 / 100], times[have - 1], have, swarm.gone,
	       swarm.verified);
	(void)fflush(stdout);
}

static void prepare(char **argv)
{
	_cleanup_(buffer_finish) struct buffer note = BUFFER_INIT;
	struct problem problem = {0};
	struct stat st;

	if (file_read(AT_FDCWD, argv[7], NOTE_BYTES_MAX, FILE_TRUST_ANY, 0, &note, &st) < 0 ||
	    feed_trust_read(note.data, note.length, NULL, &swarm.trust, &problem) != FEED_FINE)
		die("trust", problem.text);
	if (asprintf(&swarm.ask,
		     "GET %s/events?epoch=%" PRIu64 "&after=%s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
		     "%s\r\n\r\n",
		     argv[5], swarm.trust.epoch, argv[6], argv[4]) < 0)
		die("memory", "is out");
	swarm.ask_length = strlen(swarm.ask);
	swarm.hosts = calloc(swarm.count, sizeof(*swarm.hosts));
	swarm.epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!swarm.hosts || swarm.epoll < 0)
		die("start", strerror(errno));
	for (uint32_t i = 0; i < swarm.count; i++) {
		swarm.hosts[i].fd = -1;
		if (swarm.sample == 0 || i % swarm.sample != 0)
			continue;
		swarm.hosts[i].checked = calloc(1, sizeof(struct checked));
		if (!swarm.hosts[i].checked)
			die("memory", "is out");
		sse_reader_init(&swarm.hosts[i].checked->reader, check_event, swarm.hosts[i].checked);
	}
}

int main(int argc, char **argv)
{
	struct rlimit limit;
	uint32_t port;
	char line[64];

	if (argc < 8 || parse_u32(argv[1], &port) < 0 || parse_u32(argv[2], &swarm.count) < 0 ||
	    parse_u32(argv[3], &swarm.sample) < 0)
		die("usage", "feed_swarm PORT COUNT SAMPLE TOKEN PATH AFTER TRUST [tls]");
	swarm.port = (uint16_t)port;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (argc > 8) {
		swarm.tls = SSL_CTX_new(TLS_client_method());
		if (!swarm.tls)
			die("TLS", "does not start");
		(void)SSL_CTX_set_min_proto_version(swarm.tls, TLS1_3_VERSION);
		(void)SSL_CTX_set_mode(swarm.tls, SSL_MODE_RELEASE_BUFFERS);
	}
	prepare(argv);
	connect_all();
	for (;;) {
		uint64_t revision;

		if (!fgets(line, sizeof(line), stdin))
			return 0;
		line[strcspn(line, "\n")] = '\0';
		if (parse_u64(line, &revision) < 0)
			die("stdin", "not a revision");
		await(revision);
	}
}
