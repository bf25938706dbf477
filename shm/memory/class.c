/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* class.c: see class.h. */
#include "memory/class.h"

uint32_t class_span_pages(uint32_t class_no)
{
	uint32_t bytes = class_bytes(class_no);
	uint32_t pages = (bytes + PAGE_BYTES - 1) / PAGE_BYTES;

	while ((pages * PAGE_BYTES) % bytes > pages * PAGE_BYTES / 32)
		pages++;
	return pages;
}

uint32_t class_span_blocks(uint32_t class_no)
{
	return class_span_pages(class_no) * PAGE_BYTES / class_bytes(class_no);
}
