/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * page.c: the report as one self-contained page: page.html, with the document embedded in it.
 */
#include <stdlib.h>
#include <string.h>

#include "report.h"

#define MARK "@DOCUMENT@"

__asm__(".pushsection .rodata\n"
	"report_page_text: .incbin \"bench/report/page.html\"\n"
	".byte 0\n"
	".popsection\n");
extern const char report_page_text[] __attribute__((visibility("hidden")));

void report_page(const json_t *document, FILE *stream)
{
	char *text = json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(10));
	const char *mark = strstr(report_page_text, MARK);

	if (text == NULL || mark == NULL)
		abort();
	fwrite(report_page_text, 1, (size_t)(mark - report_page_text), stream);
	for (const char *at = text; *at != '\0'; at++) {
		if (*at == '<')
			fputs("\\u003c", stream); /* so that no text can end the script element */
		else
			fputc(*at, stream);
	}
	fputs(mark + strlen(MARK), stream);
	free(text);
}
