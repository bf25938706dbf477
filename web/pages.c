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

/* The bytes of a file of web/page; of a whole page, which has its title and script in the head. */
#define PART(file) ".incbin \"web/page/" file "\"\n"
#define WHOLE(title, script, file)                                                                 \
	PART("head.html")                                                                          \
	".ascii \"<title>" title " &middot; Corral</title>\\n\"\n"                                 \
	".ascii \"<script type='module' src='/" script "'></script>\\n\"\n" PART("bar.html")       \
		PART(file) ".ascii \"</body>\\n</html>\\n\"\n"

/* Name, contents, path that is asked for, type. */
#define PAGES(PAGE)                                                                                \
	PAGE(board, WHOLE("Orders", "board.js", "board.html"), "/", HTML)                          \
	PAGE(order, WHOLE("Order", "order.js", "order.html"), "/order", HTML)                      \
	PAGE(health, WHOLE("Health", "health.js", "health.html"), "/health", HTML)                 \
	PAGE(style, PART("corral.css"), "/corral.css", CSS)                                        \
	PAGE(common_js, PART("common.js"), "/common.js", SCRIPT)                                   \
	PAGE(board_js, PART("board.js"), "/board.js", SCRIPT)                                      \
	PAGE(order_js, PART("order.js"), "/order.js", SCRIPT)                                      \
	PAGE(health_js, PART("health.js"), "/health.js", SCRIPT)                                   \
	PAGE(icon, PART("icon.svg"), "/icon.svg", SVG)

#define EMBED(name, contents, path, type)                                                          \
	__asm__(".pushsection .rodata\n"                                                           \
		"page_" #name ":\n" contents "page_end_" #name ":\n"                               \
		".byte 0\n"                                                                        \
		".popsection\n");                                                                  \
	extern const char page_##name[] __attribute__((visibility("hidden")));                     \
	extern const char page_end_##name[] __attribute__((visibility("hidden")));
PAGES(EMBED)

const struct page *page_find(const char *path)
{
#define ROW(name, contents, asked, type) { asked, type, page_##name, page_end_##name },
	static const struct page pages[] = { PAGES(ROW) };

	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		if (strcmp(pages[i].path, path) == 0)
			return &pages[i];
	return NULL;
}
