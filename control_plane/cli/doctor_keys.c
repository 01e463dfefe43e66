/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "control_plane/cli/doctor.h"
#include "control_plane/feed/keys.h"

#define TENANTS_MOST "1000" /* a wrong key shows at the first; the rest is for single broken rows */

static int check_tenant(struct app *app, struct keyring *keyring, const char *tenant_id)
{
	const struct db_scope scope = {.tenant_id = tenant_id, .read_only = true};
	_cleanup_(db_rollbackp) struct db_tx *tx = NULL;
	_cleanup_(db_rows_freep) struct db_rows *rows = NULL;
	struct feed_signers signers;
	int result = db_begin(app->db, &scope, &tx);

	if (result == 0)
		result = db_run(tx, &rows, "SELECT trust_version FROM feeds WHERE tenant_id = $1", tenant_id);
	if (result == 0 && db_row_count(rows) == 0)
		return -ENOENT;
	if (result == 0)
		result = keyring_get(keyring, tx, tenant_id, (uint64_t)db_i64(rows, 0, 0), &signers);
	return result;
}

static void check_all(struct doctor *doctor, struct app *app, struct keyring *keyring, const struct db_rows *tenants)
{
	unsigned open = 0, broken = 0;

	for (uint32_t i = 0; i < db_row_count(tenants); i++) {
		const char *tenant = db_text(tenants, i, 0);
		int result = check_tenant(app, keyring, tenant);

		if (result == 0)
			open++;
		else if (broken++ == 0)
			doctor_say(doctor, FINDING_BROKEN, "feed keys", "the keys that sign for %s cannot be used: %s",
				   tenant, result == -ENOKEY ? "the seal key does not open them" : strerror(-result));
	}
	if (broken > 1)
		doctor_say(doctor, FINDING_BROKEN, "feed keys", "and those of %u other tenants", broken - 1);
	if (broken == 0)
		doctor_say(doctor, FINDING_OK, "feed keys",
			   open > 0 ? "of %u tenants can be used" : "none yet (%u tenants)", open);
}

void doctor_keys(struct doctor *doctor, struct app *app)
{
	static const struct db_scope scope = {.platform = true, .read_only = true};
	_cleanup_(signer_destroyp) struct signer *signer = NULL;
	_cleanup_(db_rows_freep) struct db_rows *tenants = NULL;
	struct keyring *keyring = NULL;
	struct db_tx *tx = NULL;
	int result = db_begin(app->db, &scope, &tx);

	if (result == 0)
		result = db_run(tx, &tenants, "SELECT id FROM tenants ORDER BY id LIMIT " TENANTS_MOST);
	db_rollback(tx);
	if (result == 0)
		result = signer_sealed_create(&app->seal_key, &signer);
	if (result == 0)
		result = keyring_create(signer, &keyring);
	if (result == 0)
		check_all(doctor, app, keyring, tenants);
	else
		doctor_say(doctor, FINDING_BROKEN, "feed keys", "cannot be looked at: %s", strerror(-result));
	keyring_destroy(keyring);
}
