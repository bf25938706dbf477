/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cart_seal.c: see cart_seal.h.
 */
#include "cart_seal.h"
#include "cart/cart_shape.h"

static void seal_lines(uint8_t *bytes, struct cart_head *head, const struct cart_sections *at)
{
	head->lines_sum = 0;
	for (uint32_t i = 0; i < head->line_count; i++) {
		struct cart_line line = cart_line_at(bytes + at->lines_at, i);
		if (line.words_size <= head->words_size &&
		    line.words_at <= head->words_size - line.words_size)
			line.words_sum =
				XXH3_64bits(bytes + at->words_at + line.words_at, line.words_size);
		memcpy(bytes + at->lines_at + (size_t)i * sizeof(line), &line, sizeof(line));
		head->lines_sum += cart_line_sum(&line, i);
	}
}

void cart_seal(uint8_t *bytes, size_t size)
{
	struct cart_head head;

	if (cart_load(bytes, size, &head) < 0)
		return;
	struct cart_sections at = cart_sections(&head);
	seal_lines(bytes, &head, &at);
	head.ops_sum = cart_all_ops_sum(bytes + at.ops_at, head.ops_count);
	memcpy(bytes, &head, sizeof(head));
	head.sum = cart_front_sum(bytes, &at);
	memcpy(bytes, &head.sum, sizeof(head.sum));
}
