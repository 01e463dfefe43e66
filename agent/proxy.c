/* SPDX-License-Identifier: MIT */
#include "proxy.h"

#include <stdlib.h>

#include "base/macros.h"

const char *proxy_of_environment(void)
{
	static const char *const names[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};
	const char *proxy = NULL;

	for (size_t i = 0; i < ARRAY_LEN(names) && !proxy; i++)
		proxy = getenv(names[i]);
	return proxy;
}
