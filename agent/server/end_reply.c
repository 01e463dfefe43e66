/* SPDX-License-Identifier: MIT */
#include "server/end_reply.h"

#include <string.h>

#include "varlink/varlink.h"

int end_reply_put(struct connection *connection)
{
	struct end_wait ends = connection->ends;
	struct varlink_writer writer;

	connection->ends = (struct end_wait){0};
	varlink_reply_begin(&writer, &connection->out);
	json_put_u64(&writer.json, "asked", ends.asked);
	json_put_u64(&writer.json, "gone", ends.gone);
	if (ends.problem < 0)
		json_put_string(&writer.json, "problem", strerror(-ends.problem));
	return varlink_end(&writer, false);
}
