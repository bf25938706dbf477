/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * text.h: numbers as people read them: "1,234", "12.3", "0.041"; and with a unit: "1.2 µs", "4.1
 * MB", "3M".
 */
#ifndef CORRAL_BENCH_REPORT_TEXT_H
#define CORRAL_BENCH_REPORT_TEXT_H

#define NUMBER_TEXT 32

const char *number_text(double value, char text[NUMBER_TEXT]);
/* A value with its unit. unit: in the form that figures use. */
const char *quantity_text(double value, const char *unit, char text[NUMBER_TEXT]);

#endif
