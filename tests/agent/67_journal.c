/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * 67_journal.c: the state of a cart after a power loss that took the arena. The test sets the time:
 * a later agent's clock may begin anywhere.
 */
#include "journal_kit.h"

#include "api/change.h"
#include "cart_seal.h"
#include "journal_file.h"

#define BIG_LINES 200
#define NOTES_BYTES 2000

static void read_it(struct corral *corral, const char *session)
{
	const struct corral_key key = key_of(session);
	struct corral_view view;

	assert_int_equal(corral_read_begin(corral, &key, &view), 0);
	assert_int_equal(corral_read_end(&view), 0);
}

/* The cart's remaining life in whole seconds, rounded. */
static int64_t left_s(struct corral *corral, const char *session)
{
	const struct corral_key key = key_of(session);
	struct corral_cart *cart;
	struct timespec now;

	int r = corral_get(corral, &key, &cart);
	if (r < 0)
		return r;
	clock_gettime(CLOCK_REALTIME, &now);
	int64_t ms = cart->expires_ms - (now.tv_sec * 1000ll + now.tv_nsec / 1000000);
	free(cart);
	return (ms + 500) / 1000;
}

/* ------------------------------------------------------------------- power loss */

static void the_time_left_is_unchanged_and_no_ended_cart_returns(void **state)
{
	struct corral_result result;

	(void)state;
	NEEDS_PROCESSES();
	pid_t pid = start_agent(10);
	struct corral *corral = yard_open(&yard, 0);
	assert_int_equal(add(corral, "over", NULL, NULL), 0);
	clock_pass(30 * SECOND_NS);
	assert_int_equal(add(corral, "left", NULL, NULL), 0);
	assert_int_equal(add(corral, "read", NULL, NULL), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(add(corral, "dropped", NULL, &result), 0);
		assert_int_equal(add(corral, "over", NULL, NULL), 0);
	}
	assert_int_equal(corral_sync(corral, -1, NULL), 0);
	child_kill(pid); /* a later agent, whose clock has advanced with ours, records the carts'
			    activity */
	clock_pass(50 * SECOND_NS);
	const struct corral_key dropped = key_of("dropped");
	assert_int_equal(corral_drop(corral, &dropped, NULL, &result), 0);
	read_it(corral, "read");
	clock_pass(20 * SECOND_NS);
	pid = start_agent(10);
	assert_int_equal(corral_sync(corral, -1, NULL), 0);
	stop_agent(pid);
	clock_pass(33 * SECOND_NS); /* over: 103 s of 100 */
	pid = start_agent(10);
	assert_int_equal(corral_sync(corral, -1, NULL), 0);
	lose_power(pid, corral);

	pid = start_agent(10);
	corral = yard_open(&yard, CORRAL_OBSERVE);
	int64_t left = left_s(corral, "read"); /* read 53 s ago: 47, and 1/128 */
	assert_in_range(left, 46, 49);
	assert_int_equal(left_s(corral, "over"), -ENOENT);
	assert_int_equal(left_s(corral, "left"), -ENOENT);
	assert_int_equal(left_s(corral, "dropped"), -ENOENT);
	corral_close(corral);
	corral = yard_open(&yard, 0);
	assert_int_equal(add(corral, "dropped", NULL, &result), 0);
	assert_true(result.version > 3);
	assert_int_equal(add(corral, "over", NULL, &result), 0);
	assert_true(result.version > 4);
	clock_pass(60 * SECOND_NS);
	assert_int_equal(left_s(corral, "read"), -ENOENT); /* the cart does end */
	corral_close(corral);
	stop_agent(pid);
}

static void versions_grow_over_two_power_losses(void **state)
{
	const struct corral_key key = key_of("s");
	struct corral_result result;
	uint64_t last = 0;

	(void)state;
	NEEDS_PROCESSES();
	for (int loss = 0; loss < 3; loss++) {
		pid_t pid = start_agent(10);
		struct corral *corral = yard_open(&yard, 0);
		for (int i = 0; i < 5; i++) {
			assert_int_equal(add(corral, "s", NULL, &result), 0);
			assert_true(result.version > last);
			last = result.version;
		}
		if (loss == 0)
			assert_int_equal(corral_drop(corral, &key, NULL, NULL), 0);
		if (loss == 1) {
			assert_int_equal(corral_drop(corral, &key, NULL, NULL), 0);
			assert_int_equal(add(corral, "in its slot", NULL, NULL), 0);
		}
		assert_int_equal(corral_sync(corral, -1, NULL), 0);
		lose_power(pid, corral);
	}
}

/*
 * Between two rounds of the journal a cart ends and another gets its slot, so no record tells of
 * the first one's end.
 */
static void a_version_that_was_seen_is_not_given_again_when_its_slot_was(void **state)
{
	struct corral_result seen, result;
	char session[16];

	(void)state;
	NEEDS_PROCESSES();
	pid_t pid = start_agent(3600000); /* its rounds run only on request */
	struct corral *corral = yard_open(&yard, 0);
	assert_int_equal(add(corral, "first", NULL, NULL), 0);
	for (uint32_t i = 1; i < corral->arena.max_carts; i++) { /* no other slot is free */
		snprintf(session, sizeof(session), "%u", i);
		assert_int_equal(add(corral, session, NULL, NULL), 0);
	}
	assert_int_equal(corral_sync(corral, -1, NULL), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(add(corral, "first", NULL, &seen), 0);
	uint64_t syncs = load_relaxed(&corral->arena.header->journal_syncs);
	const struct corral_key first = key_of("first"), second = key_of("second");
	assert_int_equal(corral_drop(corral, &first, NULL, NULL), 0);
	assert_int_equal(add(corral, "second", NULL, NULL), 0);
	assert_int_equal(load_relaxed(&corral->arena.header->journal_syncs), syncs);
	assert_int_equal(corral_sync(corral, -1, NULL), 0);
	lose_power(pid, corral);
	pid = start_agent(10);
	corral = yard_open(&yard, 0);
	assert_int_equal(corral_drop(corral, &second, NULL, NULL), 0);
	assert_int_equal(add(corral, "first", NULL, &result), 0);
	assert_true(result.version > seen.version);
	corral_close(corral);
	stop_agent(pid);
}

/* Add to this session's cart; its version must be greater than any seen before. */
static uint64_t add_later(struct corral *corral, const char *session, uint64_t seen)
{
	struct corral_result result;

	assert_int_equal(add(corral, session, NULL, &result), 0);
	assert_true(result.version > seen);
	return result.version;
}

/*
 * Changes acknowledged or read after the last sync are lost with the power. Their versions are not
 * given again: neither after one loss, nor after a second before any sync, nor to a cart whose end
 * was lost.
 */
static void a_version_that_was_seen_never_names_another_content(void **state)
{
	const struct corral_key kept = key_of("kept"), ended = key_of("ended");
	struct corral_op expected = { 0 };
	uint64_t synced, seen = 0, seen_ended = 0;
	struct corral_cart *cart;

	(void)state;
	NEEDS_PROCESSES();
	pid_t pid = start_agent(3600000); /* its rounds run only on request */
	struct corral *corral = yard_open(&yard, 0);
	synced = add_later(corral, "kept", 0);
	assert_int_equal(corral_sync(corral, -1, NULL), 0);
	for (int loss = 0; loss < 4; loss++) {
		for (int i = 0; i < 2; i++) {
			seen = add_later(corral, "kept", seen);
			seen_ended = add_later(corral, "ended", seen_ended);
		}
		assert_int_equal(corral_drop(corral, &ended, NULL, NULL), 0);
		seen_ended = add_later(corral, "ended", seen_ended);
		lose_power(pid, corral);
		pid = start_agent(3600000);
		corral = yard_open(&yard, 0);
		assert_int_equal(corral_get(corral, &kept, &cart), 0);
		assert_int_equal(cart->head.version,
				 synced); /* the version still names its content */
		free(cart);
		expected.if_version = seen;
		assert_int_equal(corral_checkout(corral, &kept, &expected, NULL), -ECANCELED);
		if (loss != 2)
			continue; /* the next loss comes before anything is synced */
		synced = seen = add_later(corral, "kept", seen);
		assert_int_equal(corral_sync(corral, -1, NULL), 0);
	}
	corral_close(corral);
	stop_agent(pid);
}

/*
 * A cart imported with nearly the last possible version does not use up the versions of all others.
 */
static void a_huge_version_leaves_epochs_for_the_others(void **state)
{
	static uint64_t bytes[1024];
	const struct corral_key huge = key_of("huge");
	struct corral_view view;
	struct cart_head *head = (struct cart_head *)bytes;
	struct corral_result result;
	size_t size;

	(void)state;
	NEEDS_PROCESSES();
	pid_t pid = start_agent(10);
	struct corral *corral = yard_open(&yard, 0);
	assert_int_equal(add(corral, "huge", NULL, NULL), 0);
	assert_int_equal(add(corral, "other", NULL, NULL), 0);
	assert_int_equal(corral_read_copy(corral, &huge, bytes, sizeof(bytes), &size, &view), 0);
	head->version = VERSION_MAX - 1;
	cart_seal((uint8_t *)bytes, size);
	assert_int_equal(change_put(corral, bytes, size, 0), 0);
	assert_int_equal(corral_sync(corral, -1, NULL), 0);
	for (uint64_t loss = 1; loss <= 3; loss++) {
		lose_power(pid, corral);
		pid = start_agent(10);
		corral = yard_open(&yard, 0);
		assert_int_equal(add(corral, "other", NULL, &result), 0);
		assert_in_range(result.version, loss << VERSION_EPOCH_BITS,
				(loss + 1) << VERSION_EPOCH_BITS);
		assert_int_equal(corral_sync(corral, -1, NULL), 0);
	}
	assert_int_equal(add(corral, "huge", NULL, &result), 0);
	assert_true(result.version == VERSION_MAX);
	assert_int_equal(add(corral, "huge", NULL, NULL), -EUCLEAN);
	assert_int_equal(corral_drop(corral, &huge, NULL, NULL), 0);
	corral_close(corral);
	stop_agent(pid);
}

static void operations_are_remembered(void **state)
{
	struct corral_result first, again;

	(void)state;
	NEEDS_PROCESSES();
	pid_t pid = start_agent(10);
	struct corral *corral = yard_open(&yard, 0);
	assert_int_equal(add(corral, "s", "op-1", &first), 0);
	assert_int_equal(corral_sync(corral, -1, NULL), 0);
	lose_power(pid, corral);
	pid = start_agent(10);
	corral = yard_open(&yard, 0);
	assert_int_equal(add(corral, "s", "op-1", &again), 0);
	assert_int_equal(again.applied, 0);
	assert_int_equal(again.version, first.version);
	assert_int_equal(again.total_cents, 250);
	corral_close(corral);
	stop_agent(pid);
}

static void a_file_that_has_outgrown_its_base_is_followed_by_another(void **state)
{
	static char notes[NOTES_BYTES];
	const struct corral_key key = key_of("big");
	struct corral_result result = { 0 };

	(void)state;
	NEEDS_PROCESSES();
	memset(notes, 'n', sizeof(notes));
	pid_t pid = start_agent(10);
	struct corral *corral = yard_open(&yard, 0);
	struct arena_header *h = corral->arena.header;
	for (int i = 0; i < 300 && load_relaxed(&h->journal_base) < 3; i++) {
		char id[16];
		snprintf(id, sizeof(id), "%d", i % BIG_LINES);
		const struct corral_item item = { .menu_item_id = { id, strlen(id) },
						  .name = { "Item", 4 },
						  .notes = { notes, sizeof(notes) },
						  .quantity = 1 };
		assert_int_equal(corral_add(corral, &key, &item, NULL, &result), 0);
		if (i >= BIG_LINES)
			assert_int_equal(corral_sync(corral, -1, NULL), 0);
		if (i == BIG_LINES) {
			assert_int_equal(add(corral, "quiet", NULL, NULL), 0);
			assert_int_equal(add(corral, "dropped", NULL, NULL), 0);
			const struct corral_key dropped = key_of("dropped");
			assert_int_equal(corral_drop(corral, &dropped, NULL, NULL), 0);
		}
	}
	assert_true(load_relaxed(&h->journal_base) >= 3);
	char first[PATH_MAX];
	struct stat st;
	snprintf(first, sizeof(first), "%s/journal/000000000001", yard.path);
	assert_int_equal(stat(first, &st), -1);
	lose_power(pid, corral);
	pid = start_agent(10);
	corral = yard_open(&yard, CORRAL_OBSERVE);
	struct corral_cart *cart;
	assert_int_equal(corral_get(corral, &key, &cart), 0);
	assert_int_equal(cart->head.version, result.version);
	free(cart);
	assert_true(left_s(corral, "quiet") > 0);
	assert_int_equal(left_s(corral, "dropped"), -ENOENT);
	corral_close(corral);
	stop_agent(pid);
}

/*
 * Append a record, such as of a cart in another slot: a cart dropped and made again in one round
 * may be in two slots, neither yet acknowledged as safe.
 */
static void append(int fd, const struct journal_reader *file, uint64_t *at, enum journal_kind kind,
		   uint32_t slot, int64_t time_ns, const void *payload, uint32_t size)
{
	struct journal_record record = {
		.size = size, .kind = (uint16_t)kind, .slot = slot, .time_ns = time_ns
	};
	static const uint8_t padding[8];

	record.check = journal_record_check(&record, file->head.nonce, *at);
	record.sum = journal_record_sum(&record, payload, file->head.nonce, *at);
	assert_int_equal(pwrite(fd, &record, sizeof(record), (off_t)*at), sizeof(record));
	assert_int_equal(pwrite(fd, payload, size, (off_t)(*at + sizeof(record))), size);
	assert_int_equal(
		pwrite(fd, padding, align_up(size, 8) - size, (off_t)(*at + sizeof(record) + size)),
		align_up(size, 8) - size);
	*at += journal_record_bytes(size);
}

/*
 * Write both versions of a cart from the last file again: the older one into its slot, the newer
 * one into another.
 */
static void have_it_twice(uint32_t other_slot)
{
	struct journal_record record;
	struct journal_reader reader;
	char name[JOURNAL_NAME_BYTES];
	uint8_t older[4096], newer[4096];
	uint32_t older_size = 0, newer_size = 0, slot = 0;
	uint64_t *numbers, offset;
	const void *payload;

	int journal_fd = journal_open_directory(yard.dir_fd, false);
	int count = journal_list(journal_fd, &numbers);
	assert_true(count > 0);
	assert_int_equal(journal_reader_open(journal_fd, numbers[count - 1], &reader), 0);
	while (journal_reader_next(&reader, &record, &payload, &offset) == 0) {
		if (record.kind != JOURNAL_CART)
			continue;
		memcpy(older, newer, newer_size);
		older_size = newer_size;
		assert_true(record.size <= sizeof(newer));
		memcpy(newer, payload, record.size);
		newer_size = record.size;
		slot = record.slot;
	}
	assert_true(older_size > 0 && slot != other_slot);
	journal_name(numbers[count - 1], name);
	int fd = openat(journal_fd, name, O_RDWR | O_CLOEXEC);
	uint64_t at = reader.file_bytes;
	append(fd, &reader, &at, JOURNAL_CART, slot, record.time_ns, older, older_size);
	append(fd, &reader, &at, JOURNAL_CART, other_slot, record.time_ns, newer, newer_size);
	append(fd, &reader, &at, JOURNAL_CLOCK, 0, record.time_ns, &(uint64_t){ 0 }, 8);
	close(fd);
	journal_reader_close(&reader);
	free(numbers);
	close(journal_fd);
}

static void a_cart_that_the_journal_has_twice_comes_back_once(void **state)
{
	const struct corral_key key = key_of("s");
	struct corral_cart *cart;

	(void)state;
	NEEDS_PROCESSES();
	pid_t pid = start_agent(10);
	struct corral *corral = yard_open(&yard, 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(add(corral, "s", NULL, NULL), 0);
		assert_int_equal(corral_sync(corral, -1, NULL), 0);
	}
	lose_power(pid, corral);
	have_it_twice(40);
	for (int loss = 0; loss < 3; loss++) {
		pid = start_agent(10);
		corral = yard_open(&yard, CORRAL_OBSERVE);
		assert_int_equal(corral_get(corral, &key, &cart), 0);
		assert_int_equal(cart->head.version, 2);
		free(cart);
		assert_int_equal(corral_sync(corral, -1, NULL), 0);
		lose_power(pid, corral);
	}
}

/* Its sum is right; and an arena of so many carts would be made, which takes half a gigabyte. */
static void a_head_with_more_carts_than_its_arena_has_bytes_for_is_none(void **state)
{
	struct journal_head head, heads[2];
	struct journal_reader reader;

	(void)state;
	NEEDS_PROCESSES();
	pid_t pid = start_agent(10);
	struct corral *corral = yard_open(&yard, 0);
	assert_int_equal(add(corral, "s", NULL, NULL), 0);
	assert_int_equal(corral_sync(corral, -1, NULL), 0);
	lose_power(pid, corral);
	int journal_fd = journal_open_directory(yard.dir_fd, false);
	int fd = openat(journal_fd, "000000000001", O_RDWR | O_CLOEXEC);
	assert_int_equal(journal_read(fd, &head, sizeof(head), 0), 0);
	for (int lies = 0; lies < 2; lies++) {
		head.max_carts += lies ? 1u << 22 : 0;
		head.sum = journal_head_sum(&head);
		heads[0] = heads[1] = head;
		assert_int_equal(pwrite(fd, heads, sizeof(heads), 0), sizeof(heads));
		int r = journal_reader_open(journal_fd, 1, &reader);
		assert_int_equal(r, lies ? -EPROTO : 0);
		if (r == 0)
			journal_reader_close(&reader);
	}
	close(fd);
	close(journal_fd);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(the_time_left_is_unchanged_and_no_ended_cart_returns),
		CASE(versions_grow_over_two_power_losses),
		CASE(a_cart_that_the_journal_has_twice_comes_back_once),
		CASE(a_version_that_was_seen_is_not_given_again_when_its_slot_was),
		CASE(a_version_that_was_seen_never_names_another_content),
		CASE(a_huge_version_leaves_epochs_for_the_others),
		CASE(operations_are_remembered),
		CASE(a_file_that_has_outgrown_its_base_is_followed_by_another),
		CASE(a_head_with_more_carts_than_its_arena_has_bytes_for_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
