/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * damage.h: change one word of the arena as a step of fuzz_arena's input says.
 */
#ifndef DAMAGE_H
#define DAMAGE_H

#include "arena_image.h"

struct step {
	uint8_t code;
	uint8_t region;
	uint16_t index;
	uint16_t at;
	uint32_t value;
};

struct damage {         /* where something was damaged */
	uint32_t carts; /* bit by cart: its bytes */
	bool elsewhere;
};

void damage_do(const struct arena_image *image, const struct step *step, struct damage *damage);

#endif
