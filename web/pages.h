/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pages.h: the files of web/page, which are compiled in.
 */
#ifndef CORRAL_WEB_PAGES_H
#define CORRAL_WEB_PAGES_H

#include <stddef.h>

struct page {
	const char *path; /* as it is asked for */
	const char *type;
	const char *begin;
	const char *end;
};

/* NULL: there is none. */
const struct page *page_find(const char *path);

#endif
