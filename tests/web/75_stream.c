/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 75_stream.c: corral-web's messages to those who listen: each takes them in its own time, and one
 * that the ring has lapped is ended, which costs the others nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "../../web/stream.h"
#include "tool.h"

static struct stream stream;
static uint32_t woken;

static void count_wake(void *connection)
{
	(void)connection;
	woken++;
}

static int setup(void **state)
{
	(void)state;
	woken = 0;
	stream_begin(&stream, count_wake);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	stream_end(&stream);
	return 0;
}

static struct listener *listen_to(const char *restaurant_id)
{
	return stream_listen(&stream, NULL, restaurant_id, must_have(strdup("first\n")));
}

static void publish(const char *restaurant_id, uint32_t number)
{
	char text[16];

	snprintf(text, sizeof(text), "m%u\n", number);
	stream_publish(&stream, restaurant_id, must_have(strdup(text)));
}

static void takes(struct listener *listener, size_t at_a_time, const char *want)
{
	char text[64] = "";
	size_t size = 0;

	for (ssize_t taken; (taken = stream_read(&stream, listener, text + size, at_a_time)) > 0;)
		size += (size_t)taken;
	text[size] = '\0';
	assert_string_equal(text, want);
}

static void each_takes_its_messages_in_its_own_time(void **state)
{
	struct listener *all = listen_to("");
	struct listener *some = listen_to("luigi");

	(void)state;
	takes(all, 64, "first\n");
	publish("luigi", 1);
	publish("mario", 2);
	publish("", 3);
	assert_int_equal(woken, 1);
	takes(all, 2, "m1\nm2\nm3\n");
	takes(some, 1, "first\nm1\nm3\n");
	publish("mario", 4);
	assert_int_equal(woken, 2); /* of the two, one wants it */
	takes(some, 64, "");
	stream_leave(&stream, some);
	stream_leave(&stream, all);
	assert_int_equal(stream.count, 0);
}

static void one_that_is_lapped_is_ended_and_no_other(void **state)
{
	struct listener *slow = listen_to("");
	struct listener *quick = listen_to("");
	char text[64];

	(void)state;
	takes(slow, 64, "first\n");
	takes(quick, 64, "first\n");
	for (uint32_t i = 0; i < STREAM_MESSAGES; i++)
		publish("", i);
	assert_int_equal(stream_read(&stream, slow, text, 1), 1); /* of a message that is there */
	for (uint32_t i = 0; i < STREAM_MESSAGES; i++) {
		snprintf(text, sizeof(text), "m%u\n", i);
		const size_t size = strlen(text);
		char got[16] = "";
		assert_int_equal(stream_read(&stream, quick, got, size), size);
		assert_string_equal(got, text);
	}
	publish("", STREAM_MESSAGES);
	assert_int_equal(stream_read(&stream, slow, text, sizeof(text)), -1);
	assert_int_equal(stream.lapped, 1);
	takes(quick, 64, "m1024\n");
	stream_leave(&stream, slow);
	stream_leave(&stream, quick);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_takes_its_messages_in_its_own_time, setup,
						teardown),
		cmocka_unit_test_setup_teardown(one_that_is_lapped_is_ended_and_no_other, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
