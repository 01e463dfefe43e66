/* SPDX-License-Identifier: MIT */
#pragma once

/* The proxy for https that the environment names, as curl looks for it; NULL. Read by the program, since a library does
 * not look at its process's environment. */
const char *proxy_of_environment(void);
