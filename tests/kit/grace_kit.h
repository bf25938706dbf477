/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grace_kit.h: what the 35_grace tests share: readers and drivers as actors of one thread.
 */
#ifndef GRACE_KIT_H
#define GRACE_KIT_H

#include "support.h"

#include "base/atomic.h"
#include "sync/grace.h"

struct fixture {
	struct yard yard;
	struct member us;
	struct actor reader, second, driver;
};

static inline int kit_set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	yard_make(&fixture->yard, NULL);
	assert_int_equal(member_join(&fixture->yard, &fixture->us), 0);
	assert_int_equal(member_actor(&fixture->us, &fixture->reader), 0);
	assert_int_equal(member_actor(&fixture->us, &fixture->second), 0);
	assert_int_equal(member_actor(&fixture->us, &fixture->driver), 0);
	*state = fixture;
	return 0;
}

static inline int kit_tear_down(void **state)
{
	struct fixture *fixture = *state;

	member_dismiss(&fixture->reader);
	member_dismiss(&fixture->second);
	member_dismiss(&fixture->driver);
	member_leave(&fixture->us);
	yard_remove(&fixture->yard);
	free(fixture);
	return 0;
}

#define with_cast(test) cmocka_unit_test_setup_teardown(test, kit_set_up, kit_tear_down)

#endif
