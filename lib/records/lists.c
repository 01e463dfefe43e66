/* SPDX-License-Identifier: MIT */
#include "records/lists.h"

#include "base/text.h"

bool list_has(const struct string_list *list, const char *word)
{
	for (uint32_t i = 0; word && i < list->count; i++)
		if (text_equal(list->items[i], word))
			return true;
	return false;
}

bool list_lets(const struct string_list *list, const char *word)
{
	return list->count == 0 || list_has(list, word);
}

bool blocks_let(const struct cidr_list *list, const struct in6_addr *address)
{
	for (uint32_t i = 0; address && i < list->count; i++)
		if (cidr_contains(&list->items[i], address))
			return true;
	return list->count == 0;
}
