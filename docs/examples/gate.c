/* SPDX-License-Identifier: MIT
 *
 * A gate for a service or a script: may the holder of this API key do this in that project?
 *
 *     cc gate.c -o gate $(pkg-config --cflags --libs libtenant)
 *     gate acme/vision dataset.write < key-file
 *
 * Ends with 0 when allowed, 1 when denied, 3 when nobody could decide, 2 for wrong usage. The key comes by
 * stdin, since everybody on the host can read a command line.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <tenant/client.h>

int main(int argc, char **argv)
{
	struct tenant_answer *answer = NULL;
	struct tenant *tenant = NULL;
	char key[256];
	int r;

	if (argc < 3 || argc > 4 || !fgets(key, sizeof(key), stdin)) {
		fprintf(stderr, "usage: gate PROJECT ACTION [SOCKET] < key-file\n");
		return 2;
	}
	key[strcspn(key, "\r\n")] = '\0';

	r = tenant_new(argc == 4 ? argv[3] : NULL, &tenant);
	if (r < 0) {
		fprintf(stderr, "gate: %s\n", strerror(-r));
		return 3;
	}
	r = tenant_require_project(tenant, key, argv[1], argv[2], &answer);
	explicit_bzero(key, sizeof(key));
	if (r == 0)
		printf("%s (%s) of %s\n", answer->user, answer->role ? answer->role : "no role", answer->tenant);
	else if (r == -EPERM)
		fprintf(stderr, "denied: %s\n", tenant_error(tenant));
	else
		fprintf(stderr, "cannot decide: %s\n", tenant_error(tenant));

	tenant_answer_free(answer);
	tenant_free(tenant);
	return r == 0 ? 0 : r == -EPERM ? 1 : 3;
}
