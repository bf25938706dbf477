/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grace_kit.h: what the 35_grace tests share: readers and drivers that are actors of one thread.
 */
#ifndef GRACE_KIT_H
#define GRACE_KIT_H

#include "support.h"

#include "base/atomic.h"
#include "sync/grace.h"

struct cast { /* who plays */
	struct yard yard;
	struct member us;
	struct actor reader, second, driver;
};

static inline int kit_set_up(void **state)
{
	struct cast *cast = calloc(1, sizeof(*cast));

	yard_make(&cast->yard, NULL);
	assert_int_equal(member_join(&cast->yard, &cast->us), 0);
	assert_int_equal(member_actor(&cast->us, &cast->reader), 0);
	assert_int_equal(member_actor(&cast->us, &cast->second), 0);
	assert_int_equal(member_actor(&cast->us, &cast->driver), 0);
	*state = cast;
	return 0;
}

static inline int kit_tear_down(void **state)
{
	struct cast *cast = *state;

	member_dismiss(&cast->reader);
	member_dismiss(&cast->second);
	member_dismiss(&cast->driver);
	member_leave(&cast->us);
	yard_remove(&cast->yard);
	free(cast);
	return 0;
}

#define with_cast(test) cmocka_unit_test_setup_teardown(test, kit_set_up, kit_tear_down)

#endif
