/* SPDX-License-Identifier: MIT
 *
 * /etc/tenant-control/control.yaml and control.yaml.d/ *.yaml: strict, like the agent's (tenant-control.yaml(5)).
 * ACCESS_TOKEN_LIFETIME and DATABASE_URL in the environment stand above the files.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/parse.h"
#include "base/problem.h"
#include "records/records.h"
#include "ship/ship.h"

#define CONTROL_CONFIG_PATH "/etc/tenant-control/control.yaml"

struct config {
	struct arena arena;
	const char *url;       /* how the world reaches it: https://control.example.org; issuer of tokens */
	const char *authority; /* beginning of feeds' origins; default: the host of `url` */
	const char *listen_address;
	uint16_t listen_port;
	const char *tls_certificate,
		*tls_key;                 /* PEM files; both NULL: plain HTTP, loopback or behind a balancer only */
	struct cidr_list trusted_proxies; /* whose X-Forwarded-For counts */
	const char *database;             /* libpq connection string */
	uint32_t database_connections;
	const char *seal_key_path;        /* systemd credential tenant-control.seal-key comes first */
	const char *internal_secret_path; /* NULL: /internal is not there */
	uint32_t access_token_sec;        /* 900 */
	uint32_t host_token_sec;          /* 300 */
	uint32_t impersonation_sec;       /* the longest time that an operator may look into a tenant: 24 h */
	uint32_t head_sec;                /* renewal: 15 */
	uint32_t stale_sec;               /* a head's life: 300 */
	uint32_t workers;                 /* threads that answer: 8 */
	uint32_t streams;                 /* at most: 20000 */
	uint32_t rate_per_source;         /* requests a minute that are not signed in: 300 */
	uint32_t rate_per_principal;      /* requests a minute: 6000 */
	uint32_t keep_deltas_sec;         /* 86400 */
	struct ship_list sinks;           /* of the audit log */
	int log_level;
};
int config_load(const char *path, bool must_exist, struct config **ret, struct problem *problem);
int config_parse(const char *file, const char *data, size_t length, struct config **ret, struct problem *problem);
void config_free(struct config *config); /* takes NULL */
DEFINE_CLEANUP(struct config, config_free)
