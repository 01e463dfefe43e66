/* SPDX-License-Identifier: MIT */
#include "connection.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTION_DATA "tenantd.connection"

struct connection {
	struct tenant *tenant;
	char *socket; /* NULL: the default */
};

static void free_connection(struct connection *connection)
{
	if (!connection)
		return;
	tenant_free(connection->tenant);
	free(connection->socket);
	free(connection);
}

static void clean_up(pam_handle_t *pamh, void *data, int status)
{
	(void)pamh;
	(void)status;
	free_connection(data);
}

static int same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

int connection_of(pam_handle_t *pamh, const char *socket, struct tenant **ret)
{
	const struct connection *kept = NULL;
	struct connection *connection;
	int r;

	if (pam_get_data(pamh, CONNECTION_DATA, (const void **)&kept) == PAM_SUCCESS && kept &&
	    same(kept->socket, socket)) {
		*ret = kept->tenant;
		return 0;
	}
	connection = calloc(1, sizeof(*connection));
	if (!connection)
		return -ENOMEM;
	r = socket && !(connection->socket = strdup(socket)) ? -ENOMEM : tenant_new(socket, &connection->tenant);
	if (r == 0 && pam_set_data(pamh, CONNECTION_DATA, connection, clean_up) != PAM_SUCCESS)
		r = -ENOMEM;
	if (r < 0) {
		free_connection(connection);
		return r;
	}
	*ret = connection->tenant;
	return 0;
}

void connection_drop(pam_handle_t *pamh)
{
	(void)pam_set_data(pamh, CONNECTION_DATA, NULL, NULL);
}
