/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pages.c: see pages.h.
 */
#include "pages.h"

#include <string.h>

#define HTML "text/html; charset=utf-8"
#define CSS "text/css; charset=utf-8"
#define SCRIPT "text/javascript; charset=utf-8"
#define SVG "image/svg+xml"

/* Name, path in the tree, path that is asked for, type. */
#define PAGES(PAGE)                                                                                \
	PAGE(board, "board.html", "/", HTML)                                                       \
	PAGE(order, "order.html", "/order", HTML)                                                  \
	PAGE(health, "health.html", "/health", HTML)                                               \
	PAGE(style, "corral.css", "/corral.css", CSS)                                              \
	PAGE(common_js, "common.js", "/common.js", SCRIPT)                                         \
	PAGE(board_js, "board.js", "/board.js", SCRIPT)                                            \
	PAGE(order_js, "order.js", "/order.js", SCRIPT)                                            \
	PAGE(health_js, "health.js", "/health.js", SCRIPT)                                         \
	PAGE(icon, "icon.svg", "/icon.svg", SVG)

#define EMBED(name, file, path, type)                                                              \
	__asm__(".pushsection .rodata\n"                                                           \
		"page_" #name ": .incbin \"web/page/" file "\"\n"                                  \
		"page_end_" #name ":\n"                                                            \
		".byte 0\n"                                                                        \
		".popsection\n");                                                                  \
	extern const char page_##name[] __attribute__((visibility("hidden")));                     \
	extern const char page_end_##name[] __attribute__((visibility("hidden")));
PAGES(EMBED)

const struct page *page_find(const char *path)
{
#define ROW(name, file, asked, type) { asked, type, page_##name, page_end_##name },
	static const struct page pages[] = { PAGES(ROW) };

	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (strcmp(pages[i].path, path) == 0)
			return &pages[i];
	return NULL;
}
