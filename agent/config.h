/* SPDX-License-Identifier: MIT
 *
 * agent.yaml and agent.yaml.d/ *.yaml: what the operator chose. The files are merged in the order of their
 * names: a later value replaces an earlier one, a later service of the same name replaces the earlier one.
 * Strict: an unknown key, a value of the wrong form or a duplicate is an error with file, line and column.
 * Every key is in agent.yaml(5).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/problem.h"
#include "config_audit.h"
#include "reaper/limits.h"

#define CONFIG_PATH "/etc/tenantd/agent.yaml"
#define CONFIG_UID_NONE UINT32_MAX

/* What a named local service may ask about others. Root may do all of it. */
enum config_may {
	MAY_VERIFY = 1U << 0,    /* VerifyCredential */
	MAY_CHECK = 1U << 1,     /* CheckAccess about anybody */
	MAY_SESSIONS = 1U << 2,  /* Sessions of all */
	MAY_SUBSCRIBE = 1U << 3, /* events about all */
	MAY_EMIT = 1U << 4,      /* Emit */
	MAY_METRICS = 1U << 5,   /* Metrics */
	MAY_SSH_KEYS = 1U << 6,  /* SshKeys of anybody */
	MAY_CODE = 1U << 7,      /* Code for anybody: as good as signing in as anybody, sudo aside */
};

/* How an address is drawn for a camera. */
enum config_qr { QR_UTF8, QR_ASCII, QR_OFF };

/* Single sign-on at the prompt. */
struct config_sso {
	bool enabled;
	const char *ca_file, *proxy; /* NULL: the system's, the environment's */
	uint32_t timeout_sec;        /* from the prompt until it is given up */
	uint32_t max_waiting;        /* people at once */
	enum config_qr qr;
};

struct config_service {
	const char *name;
	const char *user; /* as it was written; NULL when `uid` was */
	uint32_t uid;     /* CONFIG_UID_NONE: no such account in /etc/passwd, so it may nothing */
	unsigned may;     /* enum config_may */
};

struct config {
	struct arena arena; /* owns everything below */
	const char *host_name;
	const char *directory_path;
	const char *state_dir;
	const char *run_dir;
	const char *map_path;
	const char *seal_key_path;
	const char *agent_socket, *userdb_socket; /* used when no socket was handed over by systemd */
	const char *ca_file, *pin, *proxy; /* of the control plane; NULL: the system's, none, the environment's */
	const char *import_dir;            /* feeds that lie here as files */
	const char *passwd_path;           /* where service accounts are looked up */
	bool enumerate;
	bool subids;
	int log_level;
	uint32_t max_records;          /* of one feed */
	uint32_t connections;          /* in all */
	uint32_t connections_per_user; /* of one uid; root and named services: four times as many */
	struct config_service *services;
	uint32_t service_count;
	uint64_t fingerprint; /* of all that was read: equal configurations have equal ones (in one process) */
	struct config_sso sso;
	uint32_t code_lifetime_sec; /* of one-time sign-in codes */
	struct host_limits limits;  /* of sessions */
	struct config_audit audit;
	uint32_t keys_uid; /* the account that sshd's AuthorizedKeysCommand runs as; CONFIG_UID_NONE */
};

/* Reads `path` (absent: all defaults, unless `must_exist`) and its drop-ins. 0; -EINVAL, -ENOENT, -EPERM … with
 * the problem; -ENOMEM. */
int config_load(const char *path, bool must_exist, struct config **ret, struct problem *problem);
/* The same from memory, for tests and fuzzing: one file's text. */
int config_parse(const char *file, const char *data, size_t length, struct config **ret, struct problem *problem);
void config_free(struct config *config); /* takes NULL */
DEFINE_CLEANUP(struct config, config_free)

/* The rights of a local uid by name; 0 for none. Root is not looked at. `ret_name` may be NULL. */
unsigned config_may(const struct config *config, uint32_t uid, const char **ret_name);
