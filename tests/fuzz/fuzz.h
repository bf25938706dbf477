/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz.h: what the fuzz targets share. A target is a function of bytes that must not crash, hang,
 * or read or write outside its buffers, for any input. libFuzzer runs it (make fuzz), or replay.c
 * (make test).
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Conditions on the answer, beyond the absence of a crash. */
#define must(condition) ((condition) ? (void)0 : fuzz_give_up(__FILE__, __LINE__, #condition))

static inline _Noreturn void fuzz_give_up(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: must hold: %s\n", file, line, what);
	abort();
}

/* The input, consumed from the front; at its end it yields zeroes. */
struct input {
	const uint8_t *at;
	size_t left;
};

static inline uint64_t input_number(struct input *input, size_t bytes)
{
	uint64_t number = 0;
	size_t size = bytes < input->left ? bytes : input->left;

	memcpy(&number, input->at, size);
	input->at += size;
	input->left -= size;
	return number;
}

/* A copy of exactly its size, so that AddressSanitizer reports an access one byte past it. */
static inline uint8_t *exact_copy(const void *bytes, size_t size)
{
	uint8_t *copy = malloc(size != 0 ? size : 1);

	must(copy != NULL);
	if (size != 0)
		memcpy(copy, bytes, size);
	return copy;
}

#endif
