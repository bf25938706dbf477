/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * text.c: numbers as people read them. See text.h. page.html does the same in JavaScript.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "text.h"

const char *number_text(double value, char text[NUMBER_TEXT])
{
	char digits[NUMBER_TEXT];
	size_t used = 0;

	if (fabs(value) < 100 && fabs(value - round(value)) > 1e-9) {
		snprintf(text, NUMBER_TEXT, "%.*f",
			 fabs(value) < 1  ? 3 :
			 fabs(value) < 10 ? 2 :
					    1,
			 value);
		return text;
	}
	snprintf(digits, sizeof(digits), "%.0f", value);
	for (size_t i = 0, size = strlen(digits); i < size && used + 2 < NUMBER_TEXT; i++) {
		if (i > 0 && (size - i) % 3 == 0 && digits[i - 1] != '-')
			text[used++] = ',';
		text[used++] = digits[i];
	}
	text[used] = '\0';
	return text;
}

/*
 * Scale a value to the unit that fits, each unit being a thousand of the one before, and write
 * about three digits.
 */
static const char *scaled(double value, const char *const *units, char text[NUMBER_TEXT])
{
	while (fabs(value) >= 999.5 && units[1] != NULL) {
		value /= 1000;
		units++;
	}
	int decimals = fabs(value) >= 99.95 || fabs(value - round(value)) < 1e-9 ? 0 :
		       fabs(value) < 9.995                                       ? 1 :
										   0;
	snprintf(text, NUMBER_TEXT, "%.*f%s", decimals, value, *units);
	return text;
}

const char *quantity_text(double value, const char *unit, char text[NUMBER_TEXT])
{
	static const char *const times[] = { " ns", " \xc2\xb5s", " ms", " s", NULL };
	static const char *const sizes[] = { " B", " KB", " MB", " GB", NULL };
	static const char *const counts[] = { "", "k", "M", "G", NULL };

	if (strcmp(unit, "ns") == 0)
		return scaled(value, times, text);
	if (strcmp(unit, "bytes") == 0)
		return scaled(value, sizes, text);
	if (strcmp(unit, "1/s") == 0)
		return scaled(value, counts, text);
	return number_text(value, text);
}
