/* SPDX-License-Identifier: MIT
 *
 * An identity provider as options of a command line. Its secrets come from files or standard input, never from argv.
 */
#pragma once

#include "ctl/ctl.h"
#include "records/records.h"

#define PROVIDER_OPTIONS_MAX 20U
struct provider {
	/* What was given; NULL and false: not. */
	const char *kind, *issuer, *client_id, *client_auth, *secret_file, *key_file, *name, *hosted_domain,
		*token_audience, *bind, *max_age;
	struct ctl_list scopes, acr, amr, domains;
	bool preferred;
	/* What stands in the files, and a name that was made up: as long as the record. */
	struct buffer secret, key;
	char made_name[64];
};
void provider_finish(struct provider *provider); /* wipes */
/* Fills `out` with the options that set its parts; gives how many. */
size_t provider_options(struct provider *provider, struct ctl_option out[PROVIDER_OPTIONS_MAX]);
/* Puts what was given into the record, each value checked, and what goes without saying; then judges the whole. -1: go
 * on; else the exit code, told. The record points into options and `provider`. `strict`: the rules for records of the
 * directory count, too. */
int provider_apply(const struct ctl *ctl, struct provider *provider, struct idp_record *idp, bool strict);
