/* SPDX-License-Identifier: MIT
 *
 * Shared by the writer and the reader of the compiled form.
 */
#pragma once

#include <endian.h>
#include <stdint.h>

#include "directory/unit.h"

/* Another layout of the form, or another meaning of a number in it, takes another magic. */
#define COMPILED_MAGIC "TNTUNIT3"
#define COMPILED_MAGIC_BYTES 8
#define COMPILED_BUILD_BYTES 16 /* TENANTD_VERSION: another release may judge sources by other rules */
#define COMPILED_BYTES_MAX (1024ULL * 1024 * 1024)

/* Smallest number of bytes that a record of each kind takes, so counts can be refused before allocating. */
#define COMPILED_TENANT_MIN 100U
#define COMPILED_PROJECT_MIN 20U
#define COMPILED_USER_MIN 56U
#define COMPILED_MEMBER_MIN 16U
#define COMPILED_KEY_MIN 96U
#define COMPILED_HOST_MIN 8U
#define COMPILED_IDP_MIN 72U
#define COMPILED_GRANT_MIN 40U
