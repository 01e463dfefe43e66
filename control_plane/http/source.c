/* SPDX-License-Identifier: MIT */
#include "control_plane/http/source.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/parse.h"

#define HOPS_MAX 16U

struct in6_addr source_of_peer(const struct sockaddr *peer)
{
	struct in6_addr address = IN6ADDR_ANY_INIT;

	if (peer && peer->sa_family == AF_INET6) {
		struct sockaddr_in6 six;

		memcpy(&six, peer, sizeof(six));
		address = six.sin6_addr;
	} else if (peer && peer->sa_family == AF_INET) {
		struct sockaddr_in four;

		memcpy(&four, peer, sizeof(four));
		address.s6_addr[10] = address.s6_addr[11] = 0xFF;
		memcpy(address.s6_addr + 12, &four.sin_addr, 4);
	}
	return address;
}

static bool is_trusted(const struct cidr_list *trusted, const struct in6_addr *address)
{
	for (uint32_t i = 0; i < trusted->count; i++)
		if (cidr_contains(&trusted->items[i], address))
			return true;
	return false;
}

struct in6_addr source_find(const struct in6_addr *peer, const struct cidr_list *trusted, const char *forwarded)
{
	struct in6_addr source = *peer;
	size_t end = forwarded ? strlen(forwarded) : 0;

	for (unsigned hops = 0; end > 0 && hops < HOPS_MAX && is_trusted(trusted, &source); hops++) {
		char text[INET6_ADDRSTRLEN];
		size_t start = end, length;
		struct in6_addr address;

		while (start > 0 && forwarded[start - 1] != ',')
			start--;
		length = end - start;
		end = start > 0 ? start - 1 : 0;
		while (length > 0 && (forwarded[start] == ' ' || forwarded[start] == '\t')) {
			start++;
			length--;
		}
		while (length > 0 && (forwarded[start + length - 1] == ' ' || forwarded[start + length - 1] == '\t'))
			length--;
		if (length == 0 || length >= sizeof(text))
			break;
		memcpy(text, forwarded + start, length);
		text[length] = '\0';
		if (strchr(text, '%') || parse_address(text, &address) < 0)
			break; /* nonsense: the last one that we can believe */
		source = address;
	}
	return source;
}

const char *source_format(const struct in6_addr *source, char *out)
{
	const char *text = IN6_IS_ADDR_V4MAPPED(source)
				   ? inet_ntop(AF_INET, source->s6_addr + 12, out, INET6_ADDRSTRLEN)
				   : inet_ntop(AF_INET6, source, out, INET6_ADDRSTRLEN);

	if (!text)
		out[0] = '\0';
	return out;
}
