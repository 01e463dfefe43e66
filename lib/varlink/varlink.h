/* SPDX-License-Identifier: MIT
 *
 * The Varlink protocol (https://varlink.org/Method-Call): JSON objects, each ended by one NUL, over a
 * stream socket. This header is what client and server share: frames, calls, replies, errors.
 */
#pragma once

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/problem.h"
#include "json/json_write.h"

#define VARLINK_MESSAGE_MAX (64U * 1024U) /* bytes of one message without its NUL: requests and replies to them */
#define VARLINK_METHOD_MAX 128U

/* Errors of the org.varlink.service interface. */
#define VARLINK_ERROR_INTERFACE_NOT_FOUND "org.varlink.service.InterfaceNotFound"
#define VARLINK_ERROR_METHOD_NOT_FOUND "org.varlink.service.MethodNotFound"
#define VARLINK_ERROR_METHOD_NOT_IMPLEMENTED "org.varlink.service.MethodNotImplemented"
#define VARLINK_ERROR_INVALID_PARAMETER "org.varlink.service.InvalidParameter"
#define VARLINK_ERROR_PERMISSION_DENIED "org.varlink.service.PermissionDenied"
#define VARLINK_ERROR_EXPECTED_MORE "org.varlink.service.ExpectedMore"

/* A call as it was read. Strings and parameters are borrowed from `root`. */
struct varlink_call {
	json_t *root;       /* owned */
	const char *method; /* "interface.Method" */
	json_t *parameters; /* object; NULL when absent */
	bool more;
	bool oneway;
	bool upgrade;
};
void varlink_call_finish(struct varlink_call *call);
/* Parses one frame (without NUL). 0; -EBADMSG with problem: the connection cannot go on. */
int varlink_call_read(const char *frame, size_t length, struct varlink_call *ret, struct problem *problem);

/* A reply as it was read. */
struct varlink_reply {
	json_t *root;       /* owned */
	const char *error;  /* NULL: success */
	json_t *parameters; /* object; NULL when absent */
	bool continues;
};
void varlink_reply_finish(struct varlink_reply *reply);
int varlink_reply_read(const char *frame, size_t length, struct varlink_reply *ret, struct problem *problem);

/* Finds the next frame in what was received: 1 and *ret_length (without NUL); 0: need more bytes;
 * -EMSGSIZE: longer than VARLINK_MESSAGE_MAX. `scanned` remembers how far was looked (start with 0;
 * reset to 0 after consuming a frame), so a slow sender costs no rescans. */
int varlink_frame_next(const struct buffer *received, size_t *scanned, size_t *ret_length);

/* Writing. Between _begin and _end the caller puts the members of `parameters` with json_put_*.
 * _end adds the NUL. A reply that outgrew the buffer's limit is taken back: _end returns -EMSGSIZE. */
struct varlink_writer {
	struct json_writer json;
	size_t start; /* of this message in the buffer */
};
void varlink_call_begin(struct varlink_writer *w, struct buffer *out, const char *method, bool more, bool oneway);
void varlink_reply_begin(struct varlink_writer *w, struct buffer *out);
void varlink_error_begin(struct varlink_writer *w, struct buffer *out, const char *error);
/* `continues` true: more replies follow. Give false for calls and errors. */
int varlink_end(struct varlink_writer *w, bool continues);
