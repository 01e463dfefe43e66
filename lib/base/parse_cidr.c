/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"

#define V4_BITS 32
#define V6_BITS 128
#define MAPPED_BITS (V6_BITS - V4_BITS)
#define ZONE_MAX_BYTES 15 /* of an interface's name */

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

/* An address of either kind; *ret_bits is 32 or 128. */
static int read_address(const char *text, struct in6_addr *ret, unsigned *ret_bits)
{
	struct in6_addr address = {0};
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		memcpy(address.s6_addr, mapped_prefix, sizeof(mapped_prefix));
		memcpy(address.s6_addr + sizeof(mapped_prefix), &v4, sizeof(v4));
		*ret_bits = V4_BITS;
	} else if (inet_pton(AF_INET6, text, &address) == 1) {
		*ret_bits = V6_BITS;
	} else {
		return -EINVAL;
	}
	*ret = address;
	return 0;
}

/* The address with the bits past the prefix set to zero. */
static struct in6_addr masked(const struct in6_addr *address, unsigned prefix)
{
	struct in6_addr out = *address;

	for (unsigned i = 0; i < sizeof(out.s6_addr); i++) {
		unsigned bits = prefix > 8 * i ? MIN_OF(prefix - 8 * i, 8U) : 0;

		out.s6_addr[i] &= (uint8_t)(0xFF00U >> bits);
	}
	return out;
}

int parse_cidr(const char *text, struct cidr *ret)
{
	char plain[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t length = slash ? (size_t)(slash - text) : strlen(text);
	struct in6_addr address, block;
	unsigned bits;
	uint32_t prefix;
	int r;

	if (length >= sizeof(plain))
		return -EINVAL;
	memcpy(plain, text, length);
	plain[length] = '\0';
	r = read_address(plain, &address, &bits);
	if (r < 0)
		return r;
	prefix = bits;
	if (slash && parse_u32(slash + 1, &prefix) < 0)
		return -EINVAL;
	if (prefix > bits)
		return -EINVAL;
	if (bits == V4_BITS)
		prefix += MAPPED_BITS;
	block = masked(&address, prefix);
	if (memcmp(&block, &address, sizeof(block)) != 0)
		return -EINVAL;
	*ret = (struct cidr){.address = address, .prefix = (uint8_t)prefix};
	return 0;
}

int parse_address(const char *text, struct in6_addr *ret)
{
	char plain[INET6_ADDRSTRLEN];
	const char *zone = strchr(text, '%');
	size_t length = zone ? (size_t)(zone - text) : strlen(text);
	struct in6_addr address;
	unsigned bits;
	int r;

	if (length >= sizeof(plain))
		return -EINVAL;
	memcpy(plain, text, length);
	plain[length] = '\0';
	r = read_address(plain, &address, &bits);
	if (r < 0)
		return r;
	if (zone) {
		size_t zone_length = strnlen(zone + 1, ZONE_MAX_BYTES + 1);

		if (bits != V6_BITS || zone_length == 0 || zone_length > ZONE_MAX_BYTES)
			return -EINVAL;
		for (const char *p = zone + 1; *p; p++)
			if (*p <= ' ' || *p >= 0x7F || *p == '/' || *p == '%')
				return -EINVAL;
	}
	*ret = address;
	return 0;
}

bool cidr_contains(const struct cidr *block, const struct in6_addr *address)
{
	struct in6_addr part = masked(address, block->prefix);

	return memcmp(&part, &block->address, sizeof(part)) == 0;
}

char *format_cidr(const struct cidr *block, char out[CIDR_TEXT_SIZE])
{
	char text[INET6_ADDRSTRLEN] = "";
	bool v4 = block->prefix >= MAPPED_BITS && memcmp(&block->address, mapped_prefix, sizeof(mapped_prefix)) == 0;
	unsigned prefix = v4 ? block->prefix - MAPPED_BITS : block->prefix;

	if (v4)
		(void)inet_ntop(AF_INET, block->address.s6_addr + sizeof(mapped_prefix), text, sizeof(text));
	else
		(void)inet_ntop(AF_INET6, &block->address, text, sizeof(text));
	if (block->prefix == V6_BITS)
		(void)snprintf(out, CIDR_TEXT_SIZE, "%s", text);
	else
		(void)snprintf(out, CIDR_TEXT_SIZE, "%s/%u", text, prefix);
	return out;
}
