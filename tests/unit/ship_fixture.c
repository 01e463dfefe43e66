/* SPDX-License-Identifier: MIT */
#include "ship_fixture.h"

#include <string.h>

#define OCSF "{\"a\":1}"

struct ship_event ship_fixture_event(const char *id)
{
	return (struct ship_event){.id = id,
				   .kind = "login-denied",
				   .host = "gpu-1",
				   .tenant = "ten_a",
				   .severity = 1,
				   .time_ms = 1700000000123,
				   .ocsf = OCSF,
				   .ocsf_length = strlen(OCSF)};
}
